// Fuzz target of the instructions of a prompt and their checkers, in libFuzzer's form:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_ifeval.cc … -o fuzz && ./fuzz tests/fuzz/corpus/ifeval
// The input is the instructions as JSON, a line's end, and a response.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "suites/ifeval/ifeval.h"

// 0 for everything; a fault is an assertion or a sanitizer report.
extern "C" int fuzz_ifeval(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = text.find('\n');
  const auto instructions = assay::parse_instructions(text.substr(0, line), "fuzz");
  if (!instructions.ok()) {
    ASSAY_CHECK(!instructions.error().message.empty());
    return 0;
  }
  const std::string_view response = line == std::string_view::npos ? std::string_view{} : text.substr(line + 1);
  const auto followed = assay::check_instructions(*instructions, response);
  ASSAY_CHECK(followed.size() == instructions->size());
  for (const assay::Followed& one : followed) ASSAY_CHECK(one.loose || !one.strict);
  const assay::ItemScore score = assay::score_followed(followed, {});
  ASSAY_CHECK(score.shares.size() == 2 && score.shares[0].hits <= score.shares[1].hits);
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz_ifeval(data, size);
}
#endif
