#include "suites/ifeval/sentences.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "reference/text/utf8.h"
#include "suites/ifeval/sentence_words.h"
#include "suites/python_text.h"

namespace assay {
namespace {

constexpr std::string_view kNeverBegins = "(\"`{[:;&#*@)}]-,";  // characters that are a token of their own at a word's begin
constexpr std::string_view kEndsWord = ")\";}]*:@'({[?!";
constexpr std::string_view kSentenceEnds = ".?!";
constexpr std::string_view kClosing = "\"')]}";

bool space_at(std::string_view text, std::size_t at) { return python::is_space(decode_utf8(text, at).code); }
bool one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// "--", "..", ". . ." begin here: the length of that token, else 0.
std::size_t repeated_mark(std::string_view text, std::size_t at) {
  for (const char mark : {'-', '.'}) {
    std::size_t end = at;
    while (end < text.size() && text[end] == mark) ++end;
    if (end - at >= 2) return end - at;
  }
  std::size_t end = at;
  int dots = 0;
  while (end + 1 < text.size() && text[end] == '.' && space_at(text, end + 1)) {
    ++dots;
    end += 1 + decode_utf8(text, end + 1).bytes;
  }
  return dots >= 2 && end < text.size() && text[end] == '.' ? end + 1 - at : 0;
}

bool word_ends_at(std::string_view text, std::size_t at) {
  if (at >= text.size() || space_at(text, at) || one_of(text[at], kEndsWord) || repeated_mark(text, at) > 0) return true;
  return text[at] == ',' && (at + 1 >= text.size() || space_at(text, at + 1) || one_of(text[at + 1], kEndsWord) || repeated_mark(text, at + 1) > 0);
}

// Punkt's tokens of a few words.
std::vector<std::string_view> tokens_of(std::string_view text) {
  std::vector<std::string_view> tokens;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    if (space_at(text, at)) {
      at += decode_utf8(text, at).bytes;
      continue;
    }
    at += std::max<std::size_t>(repeated_mark(text, at), decode_utf8(text, at).bytes);
    if (at - begin == 1 && one_of(text[begin], kNeverBegins)) {
      tokens.push_back(text.substr(begin, 1));
      continue;
    }
    if (repeated_mark(text, begin) == 0) {
      while (!word_ends_at(text, at)) at += decode_utf8(text, at).bytes;
    }
    tokens.push_back(text.substr(begin, at - begin));
  }
  return tokens;
}

// -1,234.5 and 1. are numbers.
bool is_number(std::string_view token) {
  std::size_t at = token.starts_with('-') ? 1 : 0;
  if (at < token.size() && (token[at] == '.' || token[at] == ',')) ++at;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (at >= token.size() || !digit(token[at])) return false;
  return std::all_of(token.begin() + static_cast<std::ptrdiff_t>(at), token.end(),
                     [&](char c) { return digit(c) || one_of(c, ",.-"); });
}

bool is_initial(std::string_view token) {
  const Utf8Char c = decode_utf8(token, 0);
  return token.size() == c.bytes + 1u && token.back() == '.' && python::is_alphanumeric(c.code) && !is_numeric(c.code);
}

enum class Opinion { begins, inside, unknown };

// Whether a token can be the first of a sentence (section 4.1.1), where statistics would know its spellings.
Opinion begins_sentence(std::string_view token, TextLanguage language) {
  if (token.size() == 1 && one_of(token[0], ";:,.!?")) return Opinion::inside;
  const char32_t first = decode_utf8(token, 0).code;
  if (python::is_lower(first)) return Opinion::inside;
  if (python::is_upper(first) && is_common_word(python::lower(token), language)) return Opinion::begins;
  return Opinion::unknown;
}

bool is_abbreviated(std::string_view word, TextLanguage language) {
  const std::string small = python::lower(word);
  const auto dash = small.rfind('-');
  return is_abbreviation(small, language) || (dash != std::string::npos && is_abbreviation(std::string_view(small).substr(dash + 1), language));
}

// Whether a sentence ends with `token`, before `next`.
bool ends_sentence(std::string_view token, std::string_view next, TextLanguage language) {
  if (token == "." || token == "?" || token == "!") return true;
  if (!token.ends_with('.')) return false;
  const Opinion opinion = begins_sentence(next, language);
  if (is_initial(token)) return opinion == Opinion::begins;
  if (is_number(token)) return opinion != Opinion::inside;
  if (token.ends_with("..")) return opinion == Opinion::begins;
  return !is_abbreviated(token.substr(0, token.size() - 1), language) || opinion == Opinion::begins;
}

// `context`: the word with its end mark and what follows it.
bool has_break(std::string_view context, TextLanguage language) {
  const auto tokens = tokens_of(context);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (ends_sentence(tokens[i], tokens[i + 1], language)) return true;
  }
  return false;
}

// A sentence that begins with nothing but closing marks belongs to the one before.
std::size_t closing_marks(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && one_of(text[end], kClosing)) ++end;
  return end > 0 && (end == text.size() || space_at(text, end) || text.substr(end).starts_with("--")) ? end : 0;
}

constexpr std::size_t kMaxWordBytes = 200;  // of a word's end that is looked at: longer ones are no abbreviations

class SentenceCounter {
 public:
  SentenceCounter(std::string_view text, TextLanguage language) : text_(text), language_(language) {}

  std::int64_t count() {
    for (std::size_t at = 0; at < text_.size();) {
      const Utf8Char c = decode_utf8(text_, at);
      if (python::is_space(c.code)) word_ = at + c.bytes;
      else if (one_of(text_[at], kSentenceEnds)) consider(at);
      at += c.bytes;
    }
    return sentences_ + (python::is_blank(text_.substr(std::min(begin_, text_.size()))) ? 0 : 1);
  }

 private:
  // Only the last mark of a word that something can follow decides: "etc.)." ends with its last.
  bool later_mark_in_word(std::size_t at) const {
    for (std::size_t i = at + 1; i < text_.size() && i < at + kMaxWordBytes && !space_at(text_, i); ++i) {
      if (one_of(text_[i], kSentenceEnds) && i + 1 < text_.size() && (space_at(text_, i + 1) || one_of(text_[i + 1], kEndsWord))) return true;
    }
    return false;
  }

  void consider(std::size_t at) {
    const std::size_t after = at + 1;
    if (after >= text_.size() || !(space_at(text_, after) || one_of(text_[after], kEndsWord)) || later_mark_in_word(at)) return;
    std::size_t next = after;
    while (next < text_.size() && space_at(text_, next)) next += decode_utf8(text_, next).bytes;
    if (next >= text_.size()) return;
    std::size_t end = next;
    if (next == after) end = next + 1;
    while (end < text_.size() && next != after && end < next + kMaxWordBytes && !space_at(text_, end)) end += decode_utf8(text_, end).bytes;
    const std::size_t begin = std::max(word_, at > kMaxWordBytes ? at - kMaxWordBytes : 0);
    if (has_break(text_.substr(begin, end - begin), language_)) end_sentence(next);
  }

  void end_sentence(std::size_t next) {
    ++sentences_;
    begin_ = next + closing_marks(text_.substr(next));
    while (begin_ < text_.size() && space_at(text_, begin_)) begin_ += decode_utf8(text_, begin_).bytes;
  }

  std::string_view text_;
  TextLanguage language_;
  std::size_t word_ = 0, begin_ = 0;
  std::int64_t sentences_ = 0;
};

// "1. ", "- ", "* " at a line's begin are marks of a list.
std::string_view without_list_mark(std::string_view line) {
  line = python::strip(line);
  std::size_t at = 0;
  while (at < line.size() && line[at] >= '0' && line[at] <= '9') ++at;
  if (at > 0 && at < line.size() && line[at] == '.') ++at;
  else if (at == 0 && line.starts_with("•")) at = std::string_view("•").size();
  else at = line.starts_with('-') || line.starts_with('*') ? 1 : 0;
  return at > 0 && at < line.size() && space_at(line, at) ? python::strip(line.substr(at)) : line;
}

std::int64_t count_by_lines(std::string_view text, TextLanguage language) {
  std::int64_t sentences = 0;
  for (const auto line : python::split(text, "\n")) sentences += SentenceCounter(without_list_mark(line), language).count();
  return sentences;
}

}  // namespace

std::int64_t count_sentences(std::string_view text, TextLanguage language) {
  return language == TextLanguage::spanish ? count_by_lines(text, language) : SentenceCounter(text, language).count();
}

std::int64_t count_words(std::string_view text) { return static_cast<std::int64_t>(python::word_runs(text).size()); }

}  // namespace assay
