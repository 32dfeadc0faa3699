#include "eval/http/http_backend.h"

#include <fmt/format.h>

#include "base/check.h"

namespace assay {
namespace {

Code code_of(int status) {
  switch (status) {
    case 401:
    case 403:
    case 404: return Code::not_found;
    case 413: return Code::too_large;
    default: return Code::bad_value;
  }
}

std::string message_of(int status) {
  if (status == 401 || status == 403) return "the server refuses the key; set ASSAY_API_KEY in the environment";
  if (status == 404) return "the server has no such model or no such endpoint";
  if (status >= 300 && status < 400) return "the server sends the request elsewhere, which is not followed; give that address";
  return "the server refuses the request";
}

// The samples of all requests in order.
struct Unit {
  std::size_t request = 0;
  std::int64_t sample = 0;
};

std::vector<Unit> units_of(std::span<const GenerateRequest> requests, std::int64_t samples) {
  std::vector<Unit> units;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (std::int64_t s = 0; s < samples; ++s) units.push_back({i, requests[i].first_sample + s});
  }
  return units;
}

std::uint64_t seed_of(const GenerateRequest& request, const GenerateOptions& options, std::int64_t sample) {
  return request.seed ? *request.seed : sample_seed(options.seed, request.item, sample);
}

// What came after the end, where the server went on.
void cut_where_it_ends(const Unit& unit, const GenerateOptions& options, GenerateAnswer& answer) {
  if (!options.stop) return;
  for (std::size_t n = 1; n < answer.ids.size(); ++n) {
    if (!options.stop(unit.request, unit.sample, std::span(answer.ids).first(n))) continue;
    answer.ids.resize(n);
    if (answer.logprobs.size() > n) answer.logprobs.resize(n);
    answer.finish_reason = "stop";
    return;
  }
}

}  // namespace

Error refused_by_server(const HttpOutcome& outcome, const std::string& url) {
  return Error{.code = code_of(outcome.status), .message = message_of(outcome.status), .file = url, .expected = "status 200",
               .got = fmt::format("status {} {}", outcome.status, refusal_text(outcome.body))};
}

HttpBackend::HttpBackend(std::unique_ptr<HttpPool> pool, std::string url, ApiTarget target)
    : pool_(std::move(pool)), url_(std::move(url)), target_(std::move(target)) {
  ASSAY_CHECK(pool_ != nullptr && !url_.empty() && !target_.model.empty());
}

Result<std::vector<ScoreAnswer>> HttpBackend::score(std::span<const ScoreRequest> requests) {
  if (target_.abilities.likelihood == ApiLikelihood::none && !requests.empty()) {
    return Error{.code = Code::unsupported, .message = "this server tells no log-probabilities, which the protocol needs", .file = url_, .field = "logprobs"};
  }
  std::vector<HttpCall> calls;
  for (const ScoreRequest& request : requests) calls.push_back({.url = completions_url(), .body = score_body(target_, request)});
  std::vector<ScoreAnswer> answers(requests.size());
  std::uint64_t told = 0;
  ASSAY_OK(pool_->send(calls, [&](std::size_t i, const HttpOutcome& outcome) -> Status {
    if (outcome.status != 200) return refused_by_server(outcome, completions_url());
    ASSAY_TRY(const ApiAnswer answer, read_answer(outcome.body, completions_url()));
    ASSAY_TRY(answers[i], score_answer(target_, requests[i], answer, completions_url()));
    told += static_cast<std::uint64_t>(answer.prompt_tokens);
    return {};
  }));
  for (const ScoreRequest& request : requests) stats_.tokens_asked += request.ids.size();
  stats_.tokens_computed += told;
  for (const ScoreAnswer& answer : answers) stats_.near_ties += static_cast<std::uint64_t>(answer.near_ties);
  return answers;
}

Result<std::vector<GenerateAnswer>> HttpBackend::generate(std::span<const GenerateRequest> requests, const GenerateOptions& options) {
  ASSAY_CHECK(!options.token && options.samples >= 1);
  ASSAY_CHECK(!options.stop || !options.stop_strings.empty());
  const std::vector<Unit> units = units_of(requests, options.samples);
  std::vector<HttpCall> calls;
  for (const Unit& unit : units) {
    const GenerateRequest& request = requests[unit.request];
    calls.push_back({.url = completions_url(), .body = generate_body(target_, request, unit.sample, options, seed_of(request, options, unit.sample))});
  }
  std::vector<GenerateAnswer> answers(units.size());
  std::uint64_t told = 0, made = 0;
  ASSAY_OK(pool_->send(calls, [&](std::size_t i, const HttpOutcome& outcome) -> Status {
    if (outcome.status != 200) return refused_by_server(outcome, completions_url());
    ASSAY_TRY(const ApiAnswer answer, read_answer(outcome.body, completions_url()));
    ASSAY_TRY(answers[i], generate_answer(target_, options, answer, requests[units[i].request].text.has_value(), completions_url()));
    answers[i].request = units[i].request;
    answers[i].sample = units[i].sample;
    if (!target_.abilities.takes_stream) answers[i].seed = seed_of(requests[units[i].request], options, units[i].sample);
    cut_where_it_ends(units[i], options, answers[i]);
    told += static_cast<std::uint64_t>(answer.prompt_tokens);
    made += static_cast<std::uint64_t>(std::max<std::int64_t>(answer.completion_tokens, static_cast<std::int64_t>(answers[i].ids.size())));
    if (options.progress) options.progress(std::max<std::size_t>(1, answers[i].ids.size()));
    return {};
  }));
  for (const Unit& unit : units) stats_.tokens_asked += requests[unit.request].ids.size();
  stats_.tokens_computed += told;
  stats_.tokens_generated += made;
  return answers;
}

BackendStats HttpBackend::stats() const { return stats_; }
void HttpBackend::reset_stats() { stats_ = {}; }

}  // namespace assay
