// The part of the Penn Treebank word rules (as in NLTK's NLTKWordTokenizer) that decides which pieces of a text stand in capitals.
#include <algorithm>
#include <array>
#include <string_view>

#include "base/check.h"
#include "reference/text/utf8.h"
#include "suites/ifeval/sentences.h"
#include "suites/python_text.h"

namespace assay {
namespace {

// Always a token of their own.
bool stands_alone(char32_t code) {
  constexpr std::u32string_view kAlone = U";@#$%&?!()[]{}<>\"`«»“”‘’„";
  return kAlone.find(code) != std::u32string_view::npos;
}

bool same_token(std::string_view a, std::string_view b) {
  const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return small(x) == small(y); });
}

// Where "DON'T" is cut: before 's 'm 'd 'll 're 've n't; 0 where it is not. The long endings are known in one case only.
std::size_t contraction_at(std::string_view piece) {
  constexpr std::array<std::string_view, 8> kLong = {"'ll", "'LL", "'re", "'RE", "'ve", "'VE", "n't", "N'T"};
  for (const auto ending : kLong) {
    if (piece.size() > ending.size() && piece.ends_with(ending)) return piece.size() - ending.size();
  }
  for (const auto ending : {"'s", "'m", "'d", "'"}) {
    const std::size_t n = std::string_view(ending).size();
    if (piece.size() > n && same_token(piece.substr(piece.size() - n), ending)) return piece.size() - n;
  }
  return 0;
}

// CANNOT, GONNA and their like are two words.
std::size_t joined_at(std::string_view piece) {
  struct Joined {
    std::string_view word;
    std::size_t at;
  };
  constexpr Joined kJoined[] = {{"cannot", 3}, {"gimme", 3}, {"gonna", 3}, {"gotta", 3}, {"lemme", 3}, {"wanna", 3}, {"more'n", 4}, {"d'ye", 1}, {"'tis", 2}, {"'twas", 2}};
  const auto found = std::find_if(std::begin(kJoined), std::end(kJoined), [&](const Joined& j) { return same_token(j.word, piece); });
  return found == std::end(kJoined) ? 0 : found->at;
}

std::int64_t capitals_in(std::string_view piece) {
  if (piece.empty()) return 0;
  std::size_t cut = joined_at(piece);
  if (cut == 0) cut = contraction_at(piece);
  ASSAY_CHECK(cut < piece.size());
  if (cut == 0) return python::is_upper(piece) ? 1 : 0;
  return (python::is_upper(piece.substr(0, cut)) ? 1 : 0) + (python::is_upper(piece.substr(cut)) ? 1 : 0);
}

// The bytes of a separator at `at`, 0 where none is: a mark of its own, "--", "..", or a comma or colon that no digit follows.
std::size_t separator_at(std::string_view text, std::size_t at) {
  const Utf8Char c = decode_utf8(text, at);
  if (python::is_space(c.code) || stands_alone(c.code)) return c.bytes;
  const char next = at + 1 < text.size() ? text[at + 1] : ' ';
  if ((text[at] == '-' || text[at] == '.') && next == text[at]) {
    std::size_t end = at;
    while (end < text.size() && text[end] == text[at]) ++end;
    return text[at] == '.' ? end - at : 2;
  }
  return (text[at] == ',' || text[at] == ':') && !(next >= '0' && next <= '9') ? 1 : 0;
}

}  // namespace

std::int64_t count_capital_tokens(std::string_view text) {
  std::int64_t capitals = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t separator = separator_at(text, at);
    if (separator > 0) capitals += capitals_in(text.substr(begin, at - begin));
    at += separator > 0 ? separator : decode_utf8(text, at).bytes;
    if (separator > 0) begin = at;
  }
  return capitals + capitals_in(text.substr(begin));
}

}  // namespace assay
