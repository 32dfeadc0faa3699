#include "suites/ifeval/language.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "reference/text/unicode_forms.h"
#include "reference/text/utf8.h"
#include "suites/ifeval/language_words.h"
#include "suites/python_text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxCharacters = 10'000;  // of the text that are looked at, as langdetect's max_text_length
constexpr double kLetterWeight = 0.5;           // of one letter that marks a language, beside 1 of a word
constexpr double kEndingWeight = 0.25;          // of a word that only ends like one of the language
constexpr std::size_t kMinStemBytes = 2, kMinEndingBytes = 2, kMaxEndingBytes = 8;

struct Block {
  char32_t first, last;
  Script script;
};

// Unicode's blocks. What lies in none (digits, marks, symbols) speaks for no script.
constexpr Block kBlocks[] = {
    {0x41, 0x5A, Script::latin},           {0x61, 0x7A, Script::latin},         {0xAA, 0xAA, Script::latin},         {0xBA, 0xBA, Script::latin},
    {0xC0, 0xD6, Script::latin},           {0xD8, 0xF6, Script::latin},         {0xF8, 0x24F, Script::latin},        {0x370, 0x3FF, Script::greek},
    {0x400, 0x52F, Script::cyrillic},      {0x590, 0x5FF, Script::hebrew},      {0x600, 0x6FF, Script::arabic},      {0x750, 0x77F, Script::arabic},
    {0x900, 0x97F, Script::devanagari},    {0x980, 0x9FF, Script::bengali},     {0xA00, 0xA7F, Script::gurmukhi},    {0xA80, 0xAFF, Script::gujarati},
    {0xB80, 0xBFF, Script::tamil},         {0xC00, 0xC7F, Script::telugu},      {0xC80, 0xCFF, Script::kannada},     {0xD00, 0xD7F, Script::malayalam},
    {0xE00, 0xE7F, Script::thai},          {0x1100, 0x11FF, Script::hangul},    {0x1E00, 0x1EFF, Script::latin},     {0x1F00, 0x1FFF, Script::greek},
    {0x3040, 0x30FF, Script::kana},        {0x3400, 0x4DBF, Script::han},       {0x4E00, 0x9FFF, Script::han},       {0xAC00, 0xD7AF, Script::hangul},
    {0xF900, 0xFAFF, Script::han},         {0xFB50, 0xFDFF, Script::arabic},    {0xFE70, 0xFEFF, Script::arabic},    {0xFF66, 0xFF9F, Script::kana},
};

std::optional<Script> script_of(char32_t code) {
  const auto at = std::upper_bound(std::begin(kBlocks), std::end(kBlocks), code, [](char32_t c, const Block& b) { return c < b.first; });
  if (at == std::begin(kBlocks)) return std::nullopt;
  const Block& block = *std::prev(at);
  return code <= block.last ? std::optional(block.script) : std::nullopt;
}

using Counts = std::array<std::int64_t, kScripts>;

std::int64_t& of(Counts& counts, Script script) { return counts[static_cast<std::size_t>(script)]; }

Counts count_scripts(std::string_view text) {
  Counts counts{};
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    at += c.bytes;
    if (const auto script = script_of(c.code)) ++of(counts, *script);
  }
  return counts;
}

// Han belongs to whoever mixes it with an own script: a fifth of kana makes Japanese, a majority of Hangul makes Korean.
std::optional<Script> main_script(std::string_view text) {
  Counts counts = count_scripts(text);
  if (of(counts, Script::kana) * 5 > of(counts, Script::han)) of(counts, Script::kana) += std::exchange(of(counts, Script::han), 0);
  const auto most = std::max_element(counts.begin(), counts.end());
  if (*most == 0) return std::nullopt;
  return static_cast<Script>(most - counts.begin());
}

struct Vote {
  std::size_t language;  // in language_facts()
  double weight;
};
using Votes = std::unordered_map<std::string_view, std::vector<Vote>>;

// What many languages of a script share says little for each of them.
void share_weights(Votes& votes, double whole) {
  for (auto& [key, voters] : votes) {
    for (Vote& vote : voters) vote.weight = whole / static_cast<double>(voters.size());
  }
}

struct Index {
  Votes words, letters, endings;
};

std::array<Index, kScripts> build_index() {
  std::array<Index, kScripts> index;
  const auto facts = language_facts();
  for (std::size_t i = 0; i < facts.size(); ++i) {
    Index& own = index[static_cast<std::size_t>(facts[i].script)];
    for (const auto word : python::split(facts[i].words)) own.words[word].push_back({i, 1});
    for (const auto ending : python::split(facts[i].endings)) own.endings[ending].push_back({i, 1});
    for (std::size_t at = 0; at < facts[i].letters.size();) {
      const std::size_t bytes = decode_utf8(facts[i].letters, at).bytes;
      own.letters[facts[i].letters.substr(at, bytes)].push_back({i, 1});
      at += bytes;
    }
  }
  for (Index& one : index) {
    share_weights(one.words, 1);
    share_weights(one.letters, kLetterWeight);
    share_weights(one.endings, kEndingWeight);
  }
  return index;
}

const Index& index_of(Script script) {
  static const std::array<Index, kScripts> kIndex = build_index();
  return kIndex[static_cast<std::size_t>(script)];
}

void vote(const Votes& votes, std::string_view key, std::vector<double>& scores) {
  const auto found = votes.find(key);
  if (found == votes.end()) return;
  for (const Vote& one : found->second) scores[one.language] += one.weight;
}

// The longest known ending counts.
void vote_ending(const Votes& endings, std::string_view word, std::vector<double>& scores) {
  for (std::size_t n = kMaxEndingBytes; n >= kMinEndingBytes; --n) {
    if (word.size() < n + kMinStemBytes || !endings.contains(word.substr(word.size() - n))) continue;
    vote(endings, word.substr(word.size() - n), scores);
    return;
  }
}

void vote_word(const Index& index, std::string_view word, std::vector<double>& scores) {
  vote(index.words, word, scores);
  if (!index.words.contains(word)) vote_ending(index.endings, word, scores);
}

// Letters and the marks on them, apostrophes between them: the words of any language that separates words.
bool joins_word(const Utf8Char& c) { return c.valid && (python::is_alphanumeric(c.code) || is_accent(c.code) || is_word(c.code)); }

void vote_words(std::string_view text, const Index& index, std::vector<double>& scores) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const Utf8Char c = at < text.size() ? decode_utf8(text, at) : Utf8Char{.code = ' ', .bytes = 1, .valid = true};
    if (!joins_word(c)) {
      if (at > begin) vote_word(index, text.substr(begin, at - begin), scores);
      begin = at + c.bytes;
    } else {
      vote(index.letters, text.substr(at, c.bytes), scores);
    }
    at += c.bytes;
  }
}

std::string_view best_language(std::string_view text, Script script) {
  const auto facts = language_facts();
  std::vector<double> scores(facts.size());
  vote_words(text, index_of(script), scores);
  std::size_t best = facts.size();
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].script == script && (best == facts.size() || scores[i] > scores[best])) best = i;
  }
  ASSAY_CHECK(best < facts.size());
  return facts[best].code;
}

std::string_view first_characters(std::string_view text) {
  std::size_t at = 0;
  for (std::size_t n = 0; n < kMaxCharacters && at < text.size(); ++n) at += decode_utf8(text, at).bytes;
  return text.substr(0, at);
}

}  // namespace

std::string_view detect_language(std::string_view text) {
  std::string folded = python::lower(first_characters(text));
  to_nfc(folded);
  const auto script = main_script(folded);
  return script ? best_language(folded, *script) : std::string_view{};
}

bool is_language(std::string_view code) {
  const auto facts = language_facts();
  return std::any_of(facts.begin(), facts.end(), [&](const LanguageFacts& f) { return f.code == code; });
}

}  // namespace assay
