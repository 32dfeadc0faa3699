// Fuzz target of the request bodies of `assay serve`, in libFuzzer's form:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_serve.cc eval/serve/serve_call.cc base/*.cc -lfmt -lcrypto -o fuzz
// The replay test runs it over the corpus and over mutations of it. The first byte says which endpoint: 'c' chats, all others completions.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"
#include "eval/serve/serve_call.h"

namespace {

void check(const assay::CallOptions& o) {
  ASSAY_CHECK(o.n >= 1 && o.best_of >= o.n && o.best_of <= assay::kMaxCallSamples);
  ASSAY_CHECK(o.temperature >= 0 && o.top_p > 0 && o.top_p <= 1 && o.min_p >= 0 && o.min_p <= 1 && o.repetition_penalty > 0 && o.top_k >= 0);
  ASSAY_CHECK(o.max_tokens.value_or(0) >= 0 && o.logprobs.value_or(0) >= 0 && o.stops.size() <= assay::kMaxStops);
  for (const std::string& stop : o.stops) ASSAY_CHECK(!stop.empty());
}

void check(const assay::Error& error) { ASSAY_CHECK(!error.message.empty()); }

}  // namespace

// 0 for everything; a fault is an assertion or a sanitizer report.
extern "C" int fuzz_serve(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'c') {
    const auto call = assay::read_chat(body);
    if (!call.ok()) return check(call.error()), 0;
    check(call->options);
    ASSAY_CHECK(!call->context->at("messages").empty());
    for (const auto& message : call->context->at("messages")) ASSAY_CHECK(message.at("content").is_string() || message.at("content").is_null());
    return 0;
  }
  const auto call = assay::read_completion(body);
  if (!call.ok()) return check(call.error()), 0;
  check(call->options);
  ASSAY_CHECK(!call->prompts.empty() && call->prompts.size() <= assay::kMaxPrompts);
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_serve(data, size); }
#endif
