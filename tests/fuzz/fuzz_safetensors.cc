// Fuzz target of the safetensors header parser, in libFuzzer's form:
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_safetensors.cc reference/weights/safetensors.cc
//     reference/weights/format.cc base/*.cc -lfmt -lcrypto -o fuzz && ./fuzz tests/fuzz/corpus/safetensors
// The replay test runs it over the corpus and over mutations of it.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "reference/weights/safetensors.h"

// 0 for everything; a fault is an assertion or a sanitizer report.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto header = assay::parse_safetensors_header(bytes, "fuzz");
  if (!header.ok()) {
    ASSAY_CHECK(!header.error().message.empty() && header.error().offset >= 0);
    ASSAY_CHECK(header.error().text().find('\n') == std::string::npos);
    return 0;
  }
  // What was accepted covers the data exactly once and every byte of it may be read.
  std::uint64_t at = 0;
  unsigned sum = 0;
  for (const assay::HeaderEntry& e : header->entries) {
    ASSAY_CHECK(e.begin == at && e.end >= e.begin);
    const auto count = assay::element_count(e.shape);
    ASSAY_CHECK(count.has_value());
    ASSAY_CHECK(static_cast<std::uint64_t>(*count) * static_cast<std::uint64_t>(assay::bits_of(e.format)) ==
                8 * (e.end - e.begin));
    const auto part = bytes.subspan(header->data_begin + e.begin, e.end - e.begin);
    if (!part.empty())
      sum += std::to_integer<unsigned>(part.front()) + std::to_integer<unsigned>(part.back());
    at = e.end;
  }
  ASSAY_CHECK(header->data_begin + at == size && sum < ~0U);
  return 0;
}
