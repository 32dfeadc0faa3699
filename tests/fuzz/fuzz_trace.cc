// Fuzz target of the list of points in a trace's header, in libFuzzer's form:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_trace.cc … -o fuzz && ./fuzz tests/fuzz/corpus/trace
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "reference/model/trace_file.h"

// 0 for everything; a fault is an assertion or a sanitizer report.
extern "C" int fuzz_trace(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto keys = assay::parse_point_keys(text, "fuzz");
  if (!keys.ok()) {
    ASSAY_CHECK(!keys.error().message.empty() && !keys.error().expected.empty());
    return 0;
  }
  // What was accepted is ascending and, but for zeros before a layer's number, what it says.
  std::string again;
  for (std::size_t i = 0; i < keys->size(); ++i) {
    ASSAY_CHECK(i == 0 || (*keys)[i - 1] < (*keys)[i]);
    if (i > 0) again += ' ';
    again += (*keys)[i].text();
  }
  ASSAY_CHECK(again.size() <= size);
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz_trace(data, size);
}
#endif
