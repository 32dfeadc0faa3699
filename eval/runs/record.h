// Writing suites, protocols, items, runs and their results: the one way in which `run` and `replay` fill the database. Every
// function is an upsert where the schema has a unique key. Wrap what belongs together in one Transaction: a wave, or a file.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "reports/database.h"
#include "suites/score.h"
#include "suites/suite.h"

namespace assay {

// What a total is worth: printed with every one (DESIGN, "Evidence over scores").
struct Audit {
  std::int64_t expected = 0;       // items that a complete pass has
  std::int64_t seen = 0;           // distinct items that were scored
  std::int64_t malformed = 0;      // records that could not be used
  std::int64_t duplicated = 0;     // further records of an item already seen; the first one counts
  std::int64_t truncated = 0;      // outputs that ended at the token limit, or inputs that were cut
  std::int64_t unextractable = 0;  // outputs in which no answer was found
  std::int64_t fallback = 0;       // answers that only a fallback of the chain found
  std::int64_t harness_faults = 0;  // outputs about which nothing could be found out (eval/runs/sandbox.h); in no score
};

struct ModelRecord {
  std::string name;
  std::optional<std::string> family, architecture;
  std::optional<std::int64_t> weights_artifact_id, config_artifact_id, tokenizer_artifact_id,
      template_artifact_id;
  std::optional<std::int64_t> params_stored, params_total, params_active, context_length_tokens;
  std::optional<std::string> conventions_json, weights_formats;
  std::string identity;  // digest over the name and the digests of its parts; "": of the name alone
};

struct RunRecord {
  std::string kind;  // run, replay
  std::int64_t model_id = 0, suite_id = 0, protocol_id = 0;
  std::optional<std::int64_t> outputs_artifact_id;
  std::string identity;
  std::optional<std::string> recipe, kernel_set, backend, sampling_json, model_source, data_source, identity_json, server_json;
  std::optional<std::int64_t> seed, limit_items, device_id, threads, price_id;
  std::int64_t items_expected = 0;
};

struct RunEnd {
  std::string status = "complete";  // complete, interrupted
  std::optional<double> wall_seconds, cost_usd;
  std::optional<std::int64_t> tokens_asked, tokens_computed, tokens_generated;
  Audit audit;
};

struct TokenRecord {
  std::int64_t token_id = 0;
  std::string text;
  double logprob_nats = 0;
};

struct ContinuationRecord {
  std::string text;
  double logprob_nats = 0;
  bool greedy = false;
  std::int64_t tokens = 0, chars = 0, bytes = 0, truncated_tokens = 0;
  std::optional<double> unconditional_nats;
  std::vector<TokenRecord> token_logprobs;
};

struct SampleRecord {
  std::string output;
  std::optional<std::string> finish_reason;
  std::optional<std::int64_t> tokens_generated;
  std::optional<bool> correct;
  std::optional<std::string> extracted;
  std::optional<double> score;  // of this output alone
  std::optional<std::uint64_t> seed;
  std::optional<bool> input_cut;
};

struct ResultRecord {
  const ItemScore* score = nullptr;  // never null
  std::optional<std::string> prompt_digest, ids_digest, prompt;
  std::optional<std::string> shown_examples, option_order;  // as in reports/schema/004_suites.sql
  std::optional<std::int64_t> router_ties;
  std::vector<SampleRecord> samples;              // in the order of their index
  std::vector<ContinuationRecord> continuations;  // in the order of the options
};

struct ClaimRecord {
  std::string key, text, model_name, relation = "equals", published;
  std::optional<std::string> claimant, suite_name, protocol_name, metric, subset, against, source,
      expected_verdict;
  double value = 0, scale = 1;
  std::optional<std::int64_t> n, samples;
  std::string definition_json = "{}";
};

struct VerdictRecord {
  std::int64_t claim_id = 0;
  std::string verdict, test, speaks_of, reason;
  std::optional<std::int64_t> run_id, against_run_id, holds_under_run_id, n;
  double published = 0, level = 0.95;
  std::optional<double> measured, p, p_adjusted, margin, fixed_low, fixed_high, population_low,
      population_high;
  std::optional<std::string> margin_origin, hangs_on, next;
};

// What a request says of itself, as the two columns of ResultRecord hold it; none where nothing was shown or permuted.
void keep_shown(ResultRecord& record, const std::vector<std::string>& shown, const std::vector<int>& option_order);

class Recorder {
 public:
  // `database` must outlive the recorder.
  static Result<Recorder> open(Database& database);
  Recorder(Recorder&&) noexcept;
  Recorder& operator=(Recorder&&) noexcept;
  ~Recorder();

  Result<std::int64_t> artifact(std::string_view kind, std::string_view name, std::string_view digest,
                                std::optional<std::int64_t> size_bytes);
  Result<std::int64_t> model(const ModelRecord& row);
  Result<std::int64_t> suite(const Suite& suite);  // without its items
  Result<std::int64_t> protocol(std::int64_t suite_id, const Protocol& protocol);
  // Inserts the item or finds it; an item of that key with other contents is refused as digest_changed.
  Result<std::int64_t> item(std::int64_t suite_id, const Item& item, std::int64_t ordinal);
  // All items of a loaded suite: id -> row.
  Result<std::unordered_map<std::string, std::int64_t>> items(std::int64_t suite_id, const Suite& suite);

  // The newest complete run of that identity, if there is one: nothing needs to be done again.
  Result<std::optional<std::int64_t>> complete_run(std::string_view identity);
  Result<std::int64_t> begin_run(const RunRecord& row);
  Status result(std::int64_t run_id, std::int64_t item_id, const ResultRecord& row);
  Status end_run(std::int64_t run_id, const RunEnd& end);
  Status event(std::optional<std::int64_t> run_id, std::string_view kind, std::string_view message);

  Result<std::int64_t> claim(const ClaimRecord& row);  // replaces the row of that key
  Result<std::int64_t> verdict(const VerdictRecord& row);

  Database& database();

 private:
  struct State;
  explicit Recorder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// {name: {value, se_fixed, se_population, low, high}} and {expected, seen, ...} as INTERFACE prints them.
Json metrics_json(const std::vector<Metric>& metrics);
Json audit_json(const Audit& audit);
// "20 items expected, 19 seen, 1 malformed": what stands beside every printed total.
std::string audit_text(const Audit& audit);

}  // namespace assay
