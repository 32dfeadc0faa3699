// Properties of the bundled tokenizer over seeded random texts.
#include "base/rng.h"
#include "reference/text/tokenizer.h"
#include "reference/text/utf8.h"
#include "tests/catch.h"

namespace assay {
namespace {

// Characters from all planes, with spaces, ASCII and the bundled special tokens often.
std::string random_text(Stream& random) {
  std::string text;
  for (std::uint64_t n = random.below(40); n > 0; --n) {
    const std::uint64_t kind = random.below(8);
    if (kind == 0) text += "<|user|>";
    else if (kind <= 2) text += static_cast<char>(0x20 + random.below(0x5F));
    else if (kind == 3) append_utf8(text, U" \n\t\r\u00A0\u3000"[random.below(6)]);
    else {
      const auto code = static_cast<char32_t>(random.below(kind == 4 ? 0x3000 : 0x110000));
      if (code < 0xD800 || code > 0xDFFF) append_utf8(text, code);
    }
  }
  return text;
}

TEST_CASE("100,000 random texts come back from their ids") {
  const auto tokenizer = Tokenizer::load(ASSAY_TREE "/suites/data/demo/model");
  REQUIRE(tokenizer.ok());
  int different = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    Stream random(100, i);
    const std::string text = random_text(random);
    different += tokenizer->decode(tokenizer->encode(text, false), false) != text;
  }
  CHECK(different == 0);
}

TEST_CASE("what a stream gives out is what all ids decode to, also where tokens depend on their neighbours") {
  for (const char* name : {"spm-unigram.model", "spm-bpe.model", "spm-bytes.model", "tekken.json", "bpe.json", "words.json"}) {
    const auto tokenizer = Tokenizer::load(std::string(ASSAY_TREE "/tests/fuzz/corpus/tokenizer/") + name);
    REQUIRE(tokenizer.ok());
    for (std::uint32_t i = 0; i < 300; ++i) {
      Stream random(3, i);
      const bool skip_special = i % 2 == 0;
      StreamDecoder stream(*tokenizer, skip_special);
      std::vector<int> ids;
      std::string given;
      for (std::uint64_t n = random.below(60); n > 0; --n) {
        ids.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(tokenizer->vocab_size()))));
        const std::string part = stream.add(ids.back());
        REQUIRE(valid_utf8(part));
        given += part;
      }
      INFO(name << " " << i);
      REQUIRE(given + stream.finish() == tokenizer->decode(ids, skip_special));
    }
  }
}

TEST_CASE("decode gives back what encode was given, whole and streamed") {
  const auto tokenizer = Tokenizer::load(ASSAY_TREE "/suites/data/demo/model");
  REQUIRE(tokenizer.ok());
  for (std::uint32_t i = 0; i < 3000; ++i) {
    Stream random(2026, i);
    const std::string text = random_text(random);
    const auto ids = tokenizer->encode(text, false);
    REQUIRE(tokenizer->decode(ids, false) == text);
    StreamDecoder stream(*tokenizer);
    std::string streamed, pieces;
    for (const int id : ids) {
      const std::string part = stream.add(id);
      REQUIRE(valid_utf8(part));
      streamed += part;
      pieces += tokenizer->token_text(id);
    }
    REQUIRE(streamed + stream.finish() == text);
    REQUIRE(pieces == text);
  }
}

TEST_CASE("broken bytes count as U+FFFD") {
  const auto tokenizer = Tokenizer::load(ASSAY_TREE "/suites/data/demo/model");
  REQUIRE(tokenizer.ok());
  for (std::uint32_t i = 0; i < 1000; ++i) {
    Stream random(7, i);
    std::string bytes;
    for (std::uint64_t n = random.below(30); n > 0; --n) bytes += static_cast<char>(random.below(256));
    REQUIRE(valid_utf8(repair_utf8(bytes)));
    REQUIRE(tokenizer->encode(bytes, true) == tokenizer->encode(repair_utf8(bytes), true));
  }
}

}  // namespace
}  // namespace assay
