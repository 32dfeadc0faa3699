// Fuzz target of the readers of tokenizers: tokenizer.json, tekken.json, SentencePiece models, tiktoken files. As a
// libFuzzer program:
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined -DASSAY_LIBFUZZER -I. tests/fuzz/fuzz_tokenizer.cc
//     reference/text/*.cc base/*.cc -lfmt -lcrypto -lpcre2-8 -lutf8proc -o fuzz && ./fuzz tests/fuzz/corpus/tokenizer
// The replay test runs it over the corpus and over mutations of it.
#include "tests/fuzz/fuzz_tokenizer.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/check.h"
#include "reference/text/tokenizer.h"
#include "reference/text/utf8.h"

namespace {

using namespace assay;

// What was accepted encodes any text into ids that it knows, and gives out whole characters in any order.
void use(const Tokenizer& tokenizer, std::string_view bytes) {
  for (const std::string& text :
       {std::string("a ab  <x>aAB<own>\xC3\xA9\xE2\x96\x81</s>\xFF b"), std::string(bytes)}) {
    const auto ids = tokenizer.try_encode(text, true);
    if (!ids.ok()) continue;
    StreamDecoder stream(tokenizer);
    std::string given;
    for (const int id : *ids) {
      ASSAY_CHECK(id >= 0 && id < tokenizer.vocab_size() && tokenizer.has_id(id));
      const std::string part = stream.add(id);
      ASSAY_CHECK(valid_utf8(part));
      given += part;
    }
    given += stream.finish();
    ASSAY_CHECK(valid_utf8(tokenizer.decode(*ids, true)));
  }
}

}  // namespace

int fuzz_tokenizer(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = Tokenizer::parse(bytes, "fuzz");
  if (tokenizer.ok()) {
    use(*tokenizer, bytes.substr(0, std::min<std::size_t>(size, 64)));
    return 0;
  }
  const Error& e = tokenizer.error();
  ASSAY_CHECK(!e.message.empty() && e.file == "fuzz" && e.text().find('\n') == std::string::npos);
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz_tokenizer(data, size);
}
#endif
