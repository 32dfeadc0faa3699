// What the database says, as plain rows: the one set of queries behind the HTML report, the other exporters
// and the viewer. Every figure is derived from stored rows at the moment of the query. An empty string or no
// value says "not known". The queries are this program's own text over tables that `Database` has checked;
// stored views are never asked.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "reports/database.h"

namespace assay {
inline namespace shown {  // rows as they are shown; what is written has types of its own

using Id = std::int64_t;
using MaybeId = std::optional<Id>;
using MaybeInt = std::optional<std::int64_t>;
using MaybeReal = std::optional<double>;

inline constexpr int kMaxRows =
    100'000;  // a list longer than this is refused: nobody reads it, and a stranger's file may be any size

// A published figure and the newest verdict on it. `value`, `measured`, `margin` and the intervals are in the
// claim's own scale (100: percent; 1: fractions, bits per byte, counts).
struct ClaimRow {
  Id id = 0;
  std::string key, text, claimant, model, suite, protocol, metric, subset;
  std::string relation;   // equals at-least within
  std::string published;  // as printed
  double value = 0, scale = 1;
  MaybeInt claimed_n, claimed_samples;
  std::string against, source;
  std::string expected_verdict;  // bundled ledger only

  // The newest verdict; all empty where the claim is not decided yet.
  MaybeId verdict_id, run_id, against_run_id, holds_under_run_id;
  std::string verdict;  // reproduced contradicted undecided protocol-mismatch impossible
  MaybeReal measured;
  MaybeInt n;
  std::string test;
  MaybeReal p, p_adjusted, margin;
  std::string margin_origin;
  MaybeReal level;
  MaybeReal fixed_low, fixed_high;            // on these very items
  MaybeReal population_low, population_high;  // on the population of such items
  std::string speaks_of;                      // items population weights
  std::string reason, hangs_on, next;
  std::string decided_at_utc;
};

// One summand of the newest verdict on a claim that joins several measurements; figures in the claim's scale.
struct PartRow {
  std::string claim, suite, protocol, metric, subset;
  double weight = 0, scale = 1;
  MaybeId run_id;
  MaybeReal measured, se_population;
  MaybeInt n, of_items;
  std::string missing;  // why it was not measured
};

// One pass over a suite. `score` is recomputed from item rows: the mean of the items' values in the main
// metric, or, for bits_per_byte with micro aggregation, total bits over total bytes.
struct RunRow {
  Id id = 0;
  std::string kind;  // run replay
  Id model_id = 0, suite_id = 0, protocol_id = 0;
  std::string model, suite, protocol, metric;
  std::string outputs;  // name of the replayed file
  std::string status;   // running complete interrupted
  std::int64_t n = 0;   // items that have a value
  MaybeReal score;
  MaybeReal se_population;  // over items as a sample of such items, clustered by stem (Miller 2411.00640)
  MaybeReal se_fixed;   // on these very items: 0 for one greedy answer, from the samples of an item otherwise
  MaybeReal low, high;  // 95 %, population: Wilson for right-or-wrong scores without clusters, else normal
  std::int64_t correct = 0, wrong = 0, unjudged = 0;
  // Audit: what the score rests on.
  std::int64_t expected = 0, seen = 0, malformed = 0, duplicated = 0, truncated = 0, unextractable = 0,
               fallback = 0, harness_faults = 0;
  std::int64_t router_ties = 0;  // router decisions closer than 1e-5 in all its items
  MaybeInt tokens_asked, tokens_computed, tokens_generated, limit_items, seed, threads;
  MaybeReal seconds, cost_usd, usd_per_hour;
  std::string price_unit, price_source;
  std::string recipe, kernel_set, backend, device, sampling_json;
  std::string started_at_utc, finished_at_utc, identity;
  std::string weights_digest, tokenizer_digest, suite_digest, protocol_digest;
};

// The score of a run on one subset of its suite.
struct SubsetRow {
  std::string subset;
  std::int64_t n = 0, correct = 0;
  MaybeReal score;
};

enum class ItemFilter : std::uint8_t { all, right, wrong, unjudged, unextractable, router_ties };

// A page of a run's items in the order of the suite. Pages follow one another by key: pass the last `ordinal`
// as `after`.
struct ItemQuery {
  Id run_id = 0;
  ItemFilter filter = ItemFilter::all;
  std::string subset;    // empty: all
  std::string contains;  // substring of id, question, gold or extracted; empty: all
  std::int64_t after = -1;
  int limit = 200;
};

struct ItemRow {
  Id item_id = 0, item_result_id = 0;
  std::int64_t ordinal = 0;
  std::string key, subset, question, gold, extracted, extractor, why;
  bool has_extracted = false;   // tells "found nothing" from "found an empty text"
  std::optional<bool> correct;  // no value: not judged
  MaybeReal score, margin;
  MaybeInt chosen, router_ties;
};

struct SampleRow {
  std::int64_t index = 0;
  std::string output, finish_reason, extracted;
  MaybeInt tokens_generated;
  std::optional<bool> correct;
};

// One scored option of a multiple-choice item, or a whole text.
struct OptionRow {
  Id continuation_id = 0;
  std::int64_t index = 0;
  std::string text;
  double logprob_nats = 0;
  bool greedy = false, chosen = false;
  std::int64_t tokens = 0, chars = 0, bytes = 0, truncated_tokens = 0;
};

struct TokenRow {
  std::int64_t position = 0, token_id = 0;
  std::string text;
  double logprob_nats = 0;
};

// Everything about one item in one run: prompt, what came out, what was found in it.
struct ItemDetail {
  ItemRow row;
  std::string prompt, prompt_digest, ids_digest, cluster;
  std::vector<SampleRow> samples;
  std::vector<OptionRow> options;
};

struct ModelRow {
  Id id = 0;
  std::string name, family, architecture, identity, conventions_json;
  MaybeInt params_stored, params_total, params_active, context_length_tokens;
  std::string weights_digest, config_digest, tokenizer_digest, template_digest;
};

struct ComparisonRow {
  Id id = 0, run_a_id = 0, run_b_id = 0;
  std::string a, b, suite, protocol;  // names of the models
  std::int64_t n = 0;
  double delta = 0;
  MaybeInt gained, lost;
  std::string test;
  MaybeReal p, low, high;
  double level = 0;
};

struct SimilarityRow {
  Id id = 0;
  std::string kind;  // outputs weights
  std::string a, b, test;
  MaybeReal statistic, effect, low, high, p, p_adjusted, p_min;
  std::int64_t n = 0;
  std::string panel, verdict, does_not_show;
};

struct TensorSimilarityRow {
  std::string name, status;
  MaybeReal rel_error, cosine, max_abs;
};

struct CostLine {
  std::int64_t ordinal = 0;
  std::string step;
  MaybeReal value;
  std::string unit, source;
};

struct CostRow {
  Id id = 0;
  std::string subject, stage;
  MaybeReal hours, cost_usd, low_usd, high_usd;
  std::string level;  // stated arithmetic measured-kernels rule-of-thumb
  std::string price_device, price_unit, price_as_of, price_source;
  MaybeReal usd_per_hour;
  bool uses_measurements = false;
  std::string verdict, reason;
  std::vector<CostLine> lines;
};

struct KernelRow {
  Id id = 0;
  std::string device, kernel, shape, isa, what_for;
  std::int64_t threads = 0;
  double seconds_p50 = 0, spread = 0;
  std::int64_t repetitions = 0, flops = 0, bytes = 0;
  MaybeReal flops_per_s, bytes_per_s, intensity_flops_per_byte;  // derived
  MaybeReal fraction_of_limit;
  std::string limit_name, measured_at_utc;
};

struct ArtifactRow {
  std::string kind, name, digest;
  MaybeInt size_bytes;
};

struct EventRow {
  Id id = 0;
  std::string at_utc, kind, message;
  MaybeId run_id;
};

Result<std::vector<ClaimRow>> claim_rows(const Database& database);  // in the ledger's order
Result<std::vector<RunRow>> run_rows(const Database& database);      // newest last
Result<std::vector<SubsetRow>> subset_rows(const Database& database, Id run_id);
Result<std::vector<ItemRow>> item_rows(const Database& database, const ItemQuery& query);
Result<std::int64_t> count_items(const Database& database, const ItemQuery& query);  // without paging
Result<ItemDetail> item_detail(const Database& database, Id item_result_id);
Result<std::vector<TokenRow>> token_rows(const Database& database, Id continuation_id);
Result<std::vector<ModelRow>> model_rows(const Database& database);
Result<std::vector<ComparisonRow>> comparison_rows(const Database& database);
Result<std::vector<PartRow>> part_rows(const Database& database);  // in the order of the claims
Result<std::vector<SimilarityRow>> similarity_rows(const Database& database);
Result<std::vector<TensorSimilarityRow>> tensor_similarity_rows(const Database& database, Id similarity_id);
Result<std::vector<CostRow>> cost_rows(const Database& database);  // with their lines
Result<std::vector<KernelRow>> kernel_rows(const Database& database);
Result<std::vector<ArtifactRow>> artifact_rows(const Database& database);
Result<std::vector<EventRow>> event_rows(const Database& database, int limit = 1000);  // newest first

// 'R', 'C', 'U', 'P', 'I' for the five verdicts and '-' for none: a sign beside the colour, for colour-blind
// readers.
char verdict_letter(const std::string& verdict);

}  // namespace shown
}  // namespace assay
