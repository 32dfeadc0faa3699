#include "reference/text/named_pre_tokenizer.h"

#include <fmt/format.h>

#include <array>

namespace assay {
namespace {

// DeepSeek-LLM's tokenizer.json: the letters with case of Unicode 11 (less Georgian Mkhedruli), as ranges.
constexpr std::string_view kDeepseekLetters =
    R"(\s?[)"
    R"(\x{41}-\x{5a}\x{61}-\x{7a}\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf})"
    R"(\x{1c4}-\x{293}\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386})"
    R"(\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f})"
    R"(\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba})"
    R"(\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15})"
    R"(\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d})"
    R"(\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc})"
    R"(\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102})"
    R"(\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d})"
    R"(\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184})"
    R"(\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d})"
    R"(\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf})"
    R"(\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f})"
    R"(\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df})"
    R"(\x{1e900}-\x{1e943})"
    R"(]+)";
constexpr std::string_view kDeepseekMarks =
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)";
constexpr std::string_view kDeepseekIdeographs = R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)";
// DeepSeek-V3's tokenizer.json.
constexpr std::string_view kDeepseek3Ideographs = R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)";
constexpr std::string_view kDeepseek3Words =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::array<std::string_view, 1> kGpt2 = {kGpt2Pattern};
constexpr std::array<std::string_view, 1> kQwen2 = {kQwen2Pattern};
constexpr std::array<std::string_view, 1> kQwen35 = {kQwen35Pattern};
constexpr std::array<std::string_view, 1> kLlama3 = {kLlama3Pattern};
constexpr std::array<std::string_view, 1> kTekken = {kTekkenPattern};
constexpr std::array<std::string_view, 1> kO200k = {kO200kPattern};
// Digits one by one, then GPT-2's pattern: tokenizer.json of StarCoder, Refact, SmolLM, Command-R.
constexpr std::array<std::string_view, 2> kDigits = {R"(\p{N})", kGpt2Pattern};
// Falcon cuts the characters that stand for bytes, not the text: "\u00bd" is the bytes C2 BD, whose characters are a
// letter and a number.
constexpr std::string_view kFalconJson = R"({"type": "Sequence", "pretokenizers": [
  {"type": "Punctuation", "behavior": "Contiguous"},
  {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  {"type": "Digits", "individual_digits": false},
  {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated", "invert": false}]})";
constexpr std::array<std::string_view, 6> kDeepseekLlm = {R"([\r\n])", kDeepseekLetters,    kDeepseekMarks,
                                                          R"(\s+$)",   kDeepseekIdeographs, R"(\p{N})"};
constexpr std::array<std::string_view, 5> kDeepseekCoder = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)",
                                                            kDeepseekIdeographs, R"(\p{N})"};
constexpr std::array<std::string_view, 3> kDeepseek3 = {R"(\p{N}{1,3})", kDeepseek3Ideographs,
                                                        kDeepseek3Words};

// Names as llama.cpp's converter writes them; which file gives which: convert_hf_to_gguf.py.
constexpr NamedPreTokenizer kAll[] = {
    {"gpt-2", kGpt2},
    {"gpt2", kGpt2},
    {"phi-2", kGpt2},
    {"jais", kGpt2},
    {"roberta-bpe", kGpt2},
    {"trillion", kGpt2},
    {"granite-docling", kGpt2},
    {"mpt", kGpt2, false, true},
    {"olmo", kGpt2, false, true},
    {"starcoder", kDigits},
    {"refact", kDigits},
    {"smollm", kDigits},
    {"codeshell", kDigits},
    {"command-r", kDigits, false, true},
    {"falcon", {}, false, false, kFalconJson},
    {"deepseek-llm", kDeepseekLlm},
    {"deepseek-coder", kDeepseekCoder},
    {"deepseek-v3", kDeepseek3},
    {"qwen2", kQwen2, false, true},
    {"deepseek-r1-qwen", kQwen2, false, true},
    {"stablelm2", kQwen2, false, true},
    {"qwen35", kQwen35, false, true},
    {"llama-bpe", kLlama3, true},
    {"llama-v3", kLlama3, true},
    {"llama3", kLlama3, true},
    {"dbrx", kLlama3},
    {"smaug-bpe", kLlama3},
    {"glm4", kLlama3},
    {"chatglm-bpe", kLlama3},
    {"tekken", kTekken, true},
    {"pixtral", kTekken, true},
    {"gpt-4o", kO200k},
    {"llama4", kO200k},
};

}  // namespace

Result<NamedPreTokenizer> named_pre_tokenizer(std::string_view name, const std::string& file) {
  std::string known;
  for (const NamedPreTokenizer& one : kAll) {
    if (one.name == name) return one;
    known += known.empty() ? "" : ", ";
    known += one.name;
  }
  return Error{.code = Code::unsupported,
               .message = "it is not known how this tokenizer cuts text into pieces",
               .file = file,
               .field = "tokenizer.ggml.pre",
               .expected = "one of " + known,
               .got = std::string(name.substr(0, 80))};
}

}  // namespace assay
