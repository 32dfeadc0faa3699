// Fuzz target of the GGUF header parser and of what is built from it, in libFuzzer's form:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_gguf.cc
//     reference/weights/*.cc base/*.cc -lfmt -lcrypto -o fuzz && ./fuzz tests/fuzz/corpus/gguf
// The replay test runs it over the corpus and over mutations of it.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "reference/weights/gguf.h"
#include "reference/weights/gguf_blocks.h"
#include "reference/weights/gguf_tensors.h"

namespace {

using namespace assay;

void check_error(const Error& error) {
  ASSAY_CHECK(!error.message.empty() && error.offset >= 0);
  ASSAY_CHECK(error.text().find('\n') == std::string::npos);
}

// Every value can be asked for anything.
std::size_t touch(const GgufHeader& header) {
  std::size_t sum = 0;
  for (const GgufEntry& entry : header.metadata) {
    const GgufValue& v = entry.value;
    sum += v.integer().value_or(0) != 0 ? 1U : 0U;
    sum += v.number().value_or(0) != 0 ? 1U : 0U;
    sum += v.boolean().value_or(false) ? 1U : 0U;
    sum += v.text().value_or("").size();
    if (const auto texts = v.texts()) {
      ASSAY_CHECK(texts->size() == v.count);
      for (const std::string_view text : *texts) sum += text.size();
    }
    if (const auto numbers = v.numbers()) ASSAY_CHECK(numbers->size() == v.count);
    if (const auto integers = v.integers()) ASSAY_CHECK(integers->size() == v.count);
    ASSAY_CHECK(header.find(entry.key) == &entry.value);
  }
  return sum;
}

// What was accepted lies in the file, apart from its neighbours, and every block of it may be read.
void check_tensors(const GgufHeader& header, std::span<const std::byte> bytes) {
  std::uint64_t end = 0;
  for (const GgufTensor& tensor : header.tensors) {
    ASSAY_CHECK(tensor.begin >= end && tensor.size > 0);
    end = tensor.begin + tensor.size;
    ASSAY_CHECK(end <= bytes.size());
    if (!is_gguf_block(tensor.format)) continue;
    float value = 0;
    const BlockShape block = block_shape(tensor.format);
    const auto last = static_cast<std::int64_t>(tensor.size) / block.bytes * block.elements - 1;
    widen_gguf_blocks(tensor.format, bytes.data() + tensor.begin, last, std::span(&value, 1));
  }
}

}  // namespace

// 0 for everything; a fault is an assertion or a sanitizer report.
int fuzz_gguf(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto header = parse_gguf_header(bytes, "fuzz");
  if (!header.ok()) {
    check_error(header.error());
    return 0;
  }
  ASSAY_CHECK(touch(*header) < ~std::size_t{0});
  check_tensors(*header, bytes);
  const GgufPart part{&*header, bytes, "fuzz"};
  const auto views = published_tensors(std::span(&part, 1));
  if (!views.ok()) {
    check_error(views.error());
    return 0;
  }
  for (const TensorView& view : *views) {
    for (const TensorView* stored : stored_parts(view)) ASSAY_CHECK(stored->bytes.size() <= bytes.size());
    if (!view.joined) ASSAY_CHECK(stored_row(view, view.shape[0] - 1) < view.shape[0]);
  }
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz_gguf(data, size);
}
#endif
