// Tokenizers from plain parts and the pieces that they are made of.
#include "base/file.h"
#include "reference/text/mistral_chat.h"
#include "reference/text/named_pre_tokenizer.h"
#include "reference/text/protobuf.h"
#include "reference/text/rank_files.h"
#include "reference/text/sentencepiece.h"
#include "reference/text/spm_normalizer.h"
#include "reference/text/tokenizer.h"
#include "reference/text/trie.h"
#include "reference/text/unicode_forms.h"
#include "reference/text/utf8.h"
#include "reference/text/vocabulary.h"
#include "tests/catch.h"

namespace assay {
namespace {

using PartIds = std::vector<int>;

std::string corpus(const std::string& name) {
  return *read_file(ASSAY_TREE "/tests/fuzz/corpus/tokenizer/" + name);
}

TEST_CASE("tokenizer parts: base64 is strict") {
  CHECK(decode_base64("") == "");
  CHECK(decode_base64("YQ==") == "a");
  CHECK(decode_base64("YWI=") == "ab");
  CHECK(decode_base64("YWJj") == "abc");
  CHECK(decode_base64("/+8=") == "\xFF\xEF");
  for (const char* bad : {"YQ", "YQ=", "Y===", "====", "YR==", "YWJ=", "YW=I", "Y Q=", "YQ==YQ=="})
    CHECK_FALSE(decode_base64(bad));
}

TEST_CASE("tokenizer parts: a trie finds the longest key, each prefix once") {
  const Trie trie({{"a", 1}, {"ab", 2}, {"abcd", 3}, {"b", 4}, {"a", 9}, {"", 7}});
  CHECK(trie.longest("abcx", 0).value == 2);
  CHECK(trie.longest("abcd", 0).bytes == 4);
  CHECK(trie.longest("xab", 1).value == 2);
  CHECK(trie.longest("x", 0).value == -1);
  CHECK(trie.longest("a", 1).bytes == 0);
  PartIds seen;
  trie.each("abcd", 0, [&](int value, std::size_t) { seen.push_back(value); });
  CHECK(seen == PartIds{1, 2, 3});
  CHECK(Trie().longest("a", 0).value == -1);
}

TEST_CASE("tokenizer parts: a vocabulary of many tokens finds each and nothing else") {
  Vocabulary v;
  for (int i = 0; i < 5000; ++i) REQUIRE(v.add("t" + std::to_string(i), i * 3, i % 2 == 0, "f", "x").ok());
  for (int i = 0; i < 5000; ++i) {
    const std::string token = "t" + std::to_string(i);
    REQUIRE(v.id_of(token) == (i % 2 == 0 ? i * 3 : -1));
    REQUIRE(v.token_of(i * 3) == token);
    REQUIRE_FALSE(v.has(i * 3 + 1));
  }
  CHECK(v.id_of("t5000") == -1);
  CHECK(v.add("new", 3, true, "f", "x").error().code == Code::duplicate);
  CHECK(v.add("t0", 99999, true, "f", "x").error().code == Code::duplicate);
  CHECK(v.add("new", -1, true, "f", "x").error().code == Code::out_of_range);
  CHECK(v.add("new", std::int64_t{1} << 31, true, "f", "x").error().code == Code::out_of_range);
}

TEST_CASE("tokenizer parts: NFC in pieces is NFC of the whole") {
  const char32_t parts[] = {U'a',      U'e',      U'\u0301',     U'\u0323',     U'\u1100',
                            U'\u1161', U'\u11A8', U'\uAC00',     U'\u212B',     U'\u0915',
                            U'\u093C', U'\u09C7', U'\u09BE',     U'\u4E00',     U' ',
                            U'\uFB1D', U'\u0958', U'\U0001D15E', U'\U000110A5', U'\U000110BA'};
  for (std::uint32_t i = 0; i < 8000; ++i) {
    std::string text;
    for (std::uint32_t k = i; k > 0; k /= 20) append_utf8(text, parts[k % 20]);
    std::string whole = text, fast = text;
    to_form(whole, false, true);
    to_nfc(fast);
    REQUIRE(fast == whole);
  }
}

TEST_CASE("tokenizer parts: protocol buffers end where they say") {
  const std::string bytes("\x08\x96\x01\x12\x02hi\x1D\x01\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00\x00\x00",
                          21);
  WireReader good(bytes, "f");
  CHECK((*good.next())->value == 150);
  CHECK((*good.next())->bytes == "hi");
  CHECK((*good.next())->value == 1);
  CHECK((*good.next())->value == 2);
  CHECK_FALSE(good.next()->has_value());
  const std::string bad[] = {"\x08",
                             "\x08\x96",
                             "\x12\x05hi",
                             "\x1D\x01",
                             "\x0B",
                             std::string("\x00\x01", 2),
                             "\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
                             "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"};
  for (const std::string& b : bad) {
    const auto field = WireReader(b, "f", 7).next();
    REQUIRE_FALSE(field.ok());
    CHECK(field.error().file == "f");
    CHECK(field.error().offset >= 7);
    CHECK_FALSE(field.error().expected.empty());
  }
}

TEST_CASE("tokenizer parts: a SentencePiece Unigram model") {
  const auto t = Tokenizer::parse(corpus("spm-unigram.model"), "f");
  REQUIRE(t.ok());
  // Ids: 0 <unk>, 1 <s>, 2 </s>, 3 mark, 4 a, 5 b, 6 ab, 7 mark a, 8 mark ab, 9 e acute.
  CHECK(t->encode("ab", false) == PartIds{8});
  CHECK(t->encode("ab", true) == PartIds{1, 8});
  CHECK(t->encode("  ab  ab ", false) == PartIds{8, 8});  // spaces are folded
  CHECK(t->encode("xyb", false) == PartIds{3, 0, 5});     // a run of unknown characters is one token
  CHECK(t->encode("a</s>b", false) == PartIds{7, 2, 3, 5});
  CHECK(t->encode_ordinary("a</s>") == PartIds{7, 0});
  CHECK(t->encode("\xC3\xA9", false) == PartIds{3, 9});
  CHECK(t->decode({8, 8}, false) == "ab ab");
  CHECK(t->decode({7, 0, 2, 8}, false) == "a \xE2\x81\x87 </s>ab");
  CHECK(t->bos_token() == "<s>");
  CHECK(t->eos_id() == 2);
  CHECK(t->encode("", true) == PartIds{1});
}

TEST_CASE("tokenizer parts: a SentencePiece BPE model with a user-defined piece") {
  const auto t = Tokenizer::parse(corpus("spm-bpe.model"), "f");
  REQUIRE(t.ok());
  // By score: mark 3, a 4, b 5, ab 6, mark a 7, mark ab 8: "ab" is merged before "mark a".
  CHECK(t->encode("ab", false) == PartIds{8});
  CHECK(t->encode("a", false) == PartIds{7});
  CHECK(t->encode("a<own>b", false) == PartIds{7, 10, 5});
  CHECK(t->encode("a  b", false) == PartIds{7, 3, 3, 5});
  CHECK(t->decode(t->encode("a  <own>b", false), false) == "a  <own>b");
}

TEST_CASE("tokenizer parts: a SentencePiece model that falls back to bytes") {
  const auto t = Tokenizer::parse(corpus("spm-bytes.model"), "f");
  REQUIRE(t.ok());
  const PartIds ids = t->encode("x\xE4\xBD\xA0", false);
  CHECK(ids == PartIds{259, 3 + 'x', 3 + 0xE4, 3 + 0xBD, 3 + 0xA0});
  CHECK(t->decode(ids, false) == "x\xE4\xBD\xA0");
  CHECK(t->decode({3 + 0xE4, 3 + 0xBD, 3 + 'x'}, false) == "\xEF\xBF\xBD\xEF\xBF\xBDx");  // one a byte
  StreamDecoder stream(*t);
  std::string given;
  for (const int id : {3 + 0xE4, 3 + 0xBD, 3 + 0xA0}) given += stream.add(id);
  CHECK(given.empty());  // the run may go on
  CHECK(stream.finish() == "\xE4\xBD\xA0");
}

TEST_CASE("tokenizer parts: a table of normalizations") {
  const auto t = Tokenizer::parse(corpus("spm-charsmap.model"), "f");
  REQUIRE(t.ok());
  CHECK(t->encode("AB", false) == t->encode("ab", false));
  CHECK(t->encode("a\tb", false) == t->encode("a b", false));
  CHECK(t->encode("C", false) == PartIds{3, 0});
}

TEST_CASE("tokenizer parts: tekken puts the special tokens first") {
  const auto t = Tokenizer::parse(corpus("tekken.json"), "tekken.json");
  REQUIRE(t.ok());
  CHECK(t->vocab_size() == 263);
  CHECK(t->encode("abab ab", true) == PartIds{1, 262, 5 + ' ', 261});
  CHECK(t->encode("[INST]a", false) == PartIds{3, 5 + 'a'});
  CHECK(t->encode_ordinary("<s>") == PartIds{5 + '<', 5 + 's', 5 + '>'});
  CHECK(t->decode({1, 261}, true) == "ab");
}

TEST_CASE("tokenizer parts: ranks that nobody knows are refused with what would help") {
  const auto t = Tokenizer::parse(corpus("bytes.tiktoken"), "bytes.tiktoken");
  REQUIRE_FALSE(t.ok());
  CHECK(t.error().code == Code::unsupported);
  CHECK(t.error().field == "ranks");
  CHECK(t.error().expected == "the ranks of Qwen, Qwen3.5, Llama 3");
  CHECK(t.error().message.find("tokenizer.json") != std::string::npos);
}

TokenizerParts byte_parts() {
  TokenizerParts parts;
  parts.file = "parts";
  parts.pre = "gpt-2";
  parts.tokens = {"a", "b", "ab", "\xC4\xA0", "<end>", "own", ""};
  parts.types = {TokenType::kNormal,  TokenType::kNormal,      TokenType::kNormal, TokenType::kNormal,
                 TokenType::kControl, TokenType::kUserDefined, TokenType::kUnused};
  parts.merges = {"a b"};
  parts.eos_id = 4;
  return parts;
}

TEST_CASE("tokenizer parts: bytes with merges") {
  const auto t = Tokenizer::from_parts(byte_parts());
  REQUIRE(t.ok());
  CHECK(t->encode("ab ab", false) == PartIds{2, 3, 2});
  CHECK(t->encode("aownb<end>", false) == PartIds{0, 5, 1, 4});
  CHECK(t->encode_ordinary("own<end>ab") == PartIds{5, 2});  // "<", ">" and the letters of "end" are no tokens
  CHECK(t->decode({2, 3, 5, 4}, true) == "ab own");
  CHECK(t->is_special(4));
  CHECK_FALSE(t->is_special(5));
  CHECK_FALSE(t->has_id(6));
  CHECK(t->digest().size() == 64);
}

TEST_CASE("tokenizer parts: NFC comes before or after the search for special tokens") {
  TokenizerParts parts = byte_parts();
  parts.nfc = true;
  const std::string text = "<end>\xCC\xB8";  // ">" and U+0338 are one character in NFC
  CHECK(Tokenizer::from_parts(parts)->encode(text, false) == PartIds{4});
  parts.model = TokenizerParts::Model::kByteRanks;
  parts.tokens[3] = " ";
  CHECK(Tokenizer::from_parts(parts)->encode(text, false).empty());
}

TEST_CASE("tokenizer parts: every published way of cutting can be made") {
  for (const char* name :
       {"gpt-2",     "mpt",          "olmo",           "starcoder",   "refact", "smollm", "command-r",
        "falcon",    "deepseek-llm", "deepseek-coder", "deepseek-v3", "qwen2",  "qwen35", "deepseek-r1-qwen",
        "llama-bpe", "tekken",       "gpt-4o",         "llama4",      "dbrx",   "glm4"}) {
    INFO(name);
    TokenizerParts parts = byte_parts();
    parts.pre = name;
    const auto t = Tokenizer::from_parts(parts);
    REQUIRE(t.ok());
    CHECK(t->encode("ab", false) == PartIds{2});
  }
  TokenizerParts parts = byte_parts();
  parts.pre = "mystery";
  CHECK(Tokenizer::from_parts(parts).error().field == "tokenizer.ggml.pre");
}

TEST_CASE("tokenizer parts: what does not fit together is refused with its field") {
  const auto refused = [](auto change, Code code, const std::string& field) {
    TokenizerParts parts = byte_parts();
    change(parts);
    const auto t = Tokenizer::from_parts(parts);
    INFO(field);
    REQUIRE_FALSE(t.ok());
    CHECK(t.error().code == code);
    CHECK(t.error().field == field);
    CHECK(t.error().file == "parts");
  };
  refused([](auto& p) { p.tokens.clear(); }, Code::missing_field, "tokens");
  refused([](auto& p) { p.types.pop_back(); }, Code::bad_value, "types");
  refused([](auto& p) { p.eos_id = 7; }, Code::out_of_range, "eos_id");
  refused([](auto& p) { p.bos_id = -2; }, Code::out_of_range, "bos_id");
  refused([](auto& p) { p.tokens[1] = "a"; }, Code::duplicate, "tokens[1]");
  refused([](auto& p) { p.tokens[1] = "\xFF"; }, Code::bad_value, "tokens[1]");
  refused([](auto& p) { p.tokens[5] = "<end>"; }, Code::duplicate, "tokens[5]");
  refused([](auto& p) { p.merges = {"a c"}; }, Code::bad_value, "merges[0]");
  refused([](auto& p) { p.merges = {"ab"}; }, Code::bad_value, "merges[0]");
  refused([](auto& p) { p.merges = {"a "}; }, Code::bad_value, "merges[0]");
  refused([](auto& p) { p.tokens[0] = std::string(kMaxTokenBytes + 1, 'x'); }, Code::too_large, "tokens[0]");
  refused([](auto& p) { p.pre.clear(), p.pattern = "(a"; }, Code::bad_value, "pre_tokenizer");
  refused([](auto& p) { p.model = TokenizerParts::Model::kUnigram; }, Code::bad_value, "scores");
  refused(
      [](auto& p) {
        p.model = TokenizerParts::Model::kSentencePieceBpe;
        p.scores.assign(p.tokens.size(), 0.0F);
      },
      Code::missing_field, "unknown_id");
}

TEST_CASE("tokenizer parts: Mistral's chats need their control tokens") {
  const auto t = Tokenizer::parse(corpus("spm-bytes.model"), "f");
  REQUIRE(t.ok());
  const std::string chat = R"({"messages": [{"role": "user", "content": "a"}]})";
  CHECK(mistral_chat(*t, MistralVersion::v1, chat, "c")->front() == 1);
  CHECK(mistral_chat(*t, MistralVersion::v3, chat, "c").error().expected == "a control token [INST]");
  CHECK(mistral_chat(*t, MistralVersion::v1, R"({"messages": [{"role": "tool", "content": "a"}]})", "c")
            .error()
            .field == "messages[0].role");
  CHECK(mistral_chat(*t, MistralVersion::v1, R"({"messages": [{"role": "user", "content": 5}]})", "c")
            .error()
            .field == "messages[0].content");
  CHECK(mistral_chat(*t, MistralVersion::v1, "{}", "c").error().field == "messages");
  CHECK_FALSE(mistral_version("v15").ok());
}

}  // namespace
}  // namespace assay
