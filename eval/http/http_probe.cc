// What a completion server can do, found by asking it for a short text.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "eval/http/http_backend.h"
#include "eval/http/http_model.h"

namespace assay {
namespace {

// Ten words, so that a server which leaves the prompt out of its log-probabilities is told from one that does not.
constexpr std::string_view kText = "The quick brown fox jumps over the lazy dog today";
constexpr std::size_t kLeastTokens = 5;

struct Probe {
  bool ids, extras;
  ApiLikelihood likelihood;
  std::int64_t max_tokens, top;
};

Json body_of(const Probe& probe, const std::string& model, const std::vector<std::int32_t>& ids, bool is_assay) {
  Json body = {{"model", model}, {"temperature", 0}, {"max_tokens", probe.max_tokens}};
  if (probe.ids) body["prompt"] = ids;
  else body["prompt"] = kText;
  if (probe.likelihood == ApiLikelihood::echo) body["echo"] = true;
  if (probe.likelihood == ApiLikelihood::prompt_logprobs) body["prompt_logprobs"] = probe.top;
  if (probe.likelihood == ApiLikelihood::echo || probe.likelihood == ApiLikelihood::next_token) body["logprobs"] = probe.top;
  if (probe.extras) body["return_token_ids"] = true, body["skip_special_tokens"] = false;
  if (probe.extras && is_assay) body["assay_stream"] = {0, 0};
  return body;
}

bool all_scored(const std::vector<ApiToken>& tokens) {
  return std::all_of(tokens.begin() + 1, tokens.end(), [](const ApiToken& token) { return token.logprob.has_value(); });
}

bool tells(const Probe& probe, const ApiChoice& choice, std::size_t n_ids) {
  const std::size_t least = probe.ids ? n_ids : kLeastTokens;
  switch (probe.likelihood) {
    case ApiLikelihood::echo: return choice.tokens.size() >= least && all_scored(choice.tokens);
    case ApiLikelihood::prompt_logprobs:
      return choice.prompt.size() >= least && std::all_of(choice.prompt.begin() + 1, choice.prompt.end(), [](const auto& token) { return token.has_value(); });
    case ApiLikelihood::next_token: return !choice.tokens.empty() && !choice.tokens.front().top.empty();
    case ApiLikelihood::none: return true;
  }
  return false;
}

// Cheapest first: an echo without a token to generate, then with one; extras are asked for until a server that knows all its parameters refuses.
std::vector<Probe> probes(bool has_ids) {
  std::vector<Probe> out;
  for (const bool ids : has_ids ? std::vector<bool>{true, false} : std::vector<bool>{false}) {
    for (const bool extras : {true, false}) {
      for (const std::int64_t max_tokens : {0, 1}) out.push_back({ids, extras, ApiLikelihood::echo, max_tokens, 1});
    }
    for (const bool extras : {true, false}) out.push_back({ids, extras, ApiLikelihood::prompt_logprobs, 1, 1});
  }
  for (const std::int64_t top : {20, 5}) out.push_back({false, false, ApiLikelihood::next_token, 1, top});
  for (const bool ids : has_ids ? std::vector<bool>{true, false} : std::vector<bool>{false}) {
    for (const bool extras : {true, false}) out.push_back({ids, extras, ApiLikelihood::none, 1, 0});
  }
  return out;
}

ApiAbilities abilities_of(const Probe& probe, const ApiChoice& choice, bool is_assay) {
  ApiAbilities can{.likelihood = probe.likelihood, .takes_ids = probe.ids};
  can.echo_max_tokens = probe.max_tokens;
  can.returns_ids = probe.extras && choice.ids.has_value();
  can.keeps_special = probe.extras;
  can.takes_stream = probe.extras && is_assay;
  if (probe.likelihood == ApiLikelihood::next_token) can.top_logprobs = static_cast<std::int64_t>(choice.tokens.front().top.size());
  return can;
}

// A key that is refused or a model that is not there is no question of abilities.
bool is_final(int status) { return status == 401 || status == 403 || status == 404; }

}  // namespace

Result<ApiAbilities> probe_abilities(HttpPool& pool, const std::string& url, const std::string& model, const std::vector<std::int32_t>& ids, bool is_assay) {
  std::optional<Error> refusal;
  for (const Probe& probe : probes(!ids.empty())) {
    ASSAY_TRY(const HttpOutcome outcome, pool.post(url + "/completions", dump_json(body_of(probe, model, ids, is_assay))));
    if (is_final(outcome.status)) return refused_by_server(outcome, url + "/completions");
    if (outcome.status != 200) {
      refusal = refused_by_server(outcome, url + "/completions");
      continue;
    }
    const auto answer = read_answer(outcome.body, url);
    if (!answer.ok()) refusal = answer.error();
    if (answer.ok() && tells(probe, answer->choices.front(), ids.size())) return abilities_of(probe, answer->choices.front(), is_assay);
  }
  return *refusal;
}

}  // namespace assay
