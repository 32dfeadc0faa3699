// Fuzz target of the answers of completion servers, in libFuzzer's form:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer -I. tests/fuzz/fuzz_http.cc, linked with the libraries of the asan preset.
// The replay test runs it over the corpus and over mutations of it.
// The first byte says what is read: m a list of models, r a refusal, p prompt_logprobs, n next tokens, all others an echo.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "eval/http/http_api.h"
#include "eval/serve/told_model.h"

namespace {

using namespace assay;

constexpr std::string_view kUrl = "http://a/v1";

void check(const ScoreAnswer& answer) {
  double sum = 0;
  for (const TokenScore& token : answer.tokens) {
    ASSAY_CHECK(std::isfinite(token.logprob) && token.logprob <= 1e-3);
    sum += token.logprob;
  }
  ASSAY_CHECK(sum == answer.logprob);
}

void read_as(std::string_view body, ApiLikelihood likelihood) {
  const auto answer = read_answer(body, kUrl);
  if (!answer.ok()) return;
  ApiTarget target{.model = "m", .abilities = {.likelihood = likelihood, .returns_ids = true}};
  const ScoreRequest requests[] = {{.ids = {5, 6, 7}, .scored_from = 1}, {.ids = {}, .text = TextToScore{"ab", "c"}}, {.ids = {}, .text = TextToScore{"", " B"}}};
  for (const ScoreRequest& request : requests) {
    const auto scored = score_answer(target, request, *answer, kUrl);
    if (scored.ok()) check(*scored);
  }
  const auto made = generate_answer(target, {.max_tokens = 4}, *answer, false, kUrl);
  if (made.ok()) ASSAY_CHECK(made->ids.size() <= 4);
}

void read_list(std::string_view body) {
  const auto models = read_models(body, kUrl);
  if (!models.ok()) return;
  for (const ApiModel& model : *models) {
    EvalModel told{.name = model.id, .source = {}, .engine = nullptr, .tokenizer = {}};
    const Status read = read_told_facts(model.told, kUrl, told);
    if (read.ok()) ASSAY_CHECK(told.facts.context_tokens > 0);
  }
}

}  // namespace

extern "C" int fuzz_http(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'm': read_list(body); break;
    case 'r': ASSAY_CHECK(refusal_text(body).size() <= 300); break;
    case 'p': read_as(body, ApiLikelihood::prompt_logprobs); break;
    case 'n': read_as(body, ApiLikelihood::next_token); break;
    default: read_as(body, ApiLikelihood::echo);
  }
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_http(data, size); }
#endif
