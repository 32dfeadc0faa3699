// Fuzz target of mathematical answers and of code in outputs, in libFuzzer's form:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_math.cc suites/math_*.cc suites/program.cc
//     suites/render.cc base/check.cc -lfmt -o fuzz && ./fuzz tests/fuzz/corpus/math
// The replay test runs it over the corpus and over mutations of it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "suites/math/math_equal.h"
#include "suites/program.h"

// 0 for everything; a fault is an assertion or a sanitizer report. Two answers are separated by a line break.
int fuzz_math(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = text.find('\n');
  const std::string_view a = text.substr(0, line), b = line == std::string_view::npos ? a : text.substr(line + 1);
  ASSAY_CHECK(assay::same_math(a, b) == assay::same_math(b, a));
  const std::string_view code = assay::find_code(text);
  ASSAY_CHECK(code.empty() || (code.data() >= text.data() && code.data() + code.size() <= text.data() + text.size()));
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_math(data, size); }
#endif
