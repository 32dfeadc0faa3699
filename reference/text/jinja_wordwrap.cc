// Wrapping of one line as Python's textwrap.wrap does it (expand_tabs and replace_whitespace off), for the filter wordwrap.
#include <algorithm>
#include <vector>

#include "reference/text/jinja_filters.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

using Codes = std::u32string;
using Part = std::u32string_view;

bool blank(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool letter(char32_t c) { return is_word(c) && !(c >= '0' && c <= '9'); }
bool word_punctuation(char32_t c) { return is_word(c) || std::u32string_view(U"!\"'&.,?").find(c) != std::u32string_view::npos; }

// A line cut where it may be broken: white space, words, hyphenated parts ("well-" "known"), dashes of two or more between words.
class Chunks {
 public:
  Chunks(const Codes& line, bool hyphens) : line_(line), hyphens_(hyphens) {}
  std::vector<Part> cut() {
    std::vector<Part> out;
    for (std::size_t at = 0; at < line_.size();) {
      const std::size_t end = chunk_end(at);
      out.push_back(Part(line_).substr(at, end - at));
      at = end;
    }
    return out;
  }

 private:
  bool at_end(std::size_t i) const { return i >= line_.size() || blank(line_[i]); }
  bool is(std::size_t i, bool (*what)(char32_t)) const { return i < line_.size() && what(line_[i]); }
  // The end of two or more hyphens between words that begin at i; i where there are none.
  std::size_t dash_end(std::size_t i) const {
    std::size_t end = i;
    if (i == 0 || !word_punctuation(line_[i - 1])) return i;
    while (end < line_.size() && line_[end] == '-') ++end;
    return end >= i + 2 && is(end, is_word) ? end : i;
  }
  // After the hyphen at i a line may end: letters on both sides of it.
  bool breaks_after(std::size_t i) const {
    if (line_[i] != '-' || i < 2) return false;
    const bool before = (letter(line_[i - 1]) && letter(line_[i - 2])) || (i >= 3 && word_punctuation(line_[i - 1]) && line_[i - 2] == '-' && letter(line_[i - 3]));
    const bool after = is(i + 1, letter) && (is(i + 2, letter) || (is(i + 2, [](char32_t c) { return c == '-'; }) && is(i + 3, letter)));
    return before && after;
  }
  std::size_t chunk_end(std::size_t begin) const {
    std::size_t end = begin;
    if (blank(line_[begin])) {
      while (end < line_.size() && blank(line_[end])) ++end;
      return end;
    }
    if (!hyphens_) {
      while (!at_end(end)) ++end;
      return end;
    }
    if (const std::size_t dash = dash_end(begin); dash > begin) return dash;
    for (end = begin + 1; !at_end(end) && dash_end(end) == end; ++end) {
      if (breaks_after(end)) return end + 1;
    }
    return end;
  }

  const Codes& line_;
  bool hyphens_;
};

bool all_space(Part chunk) {
  return std::all_of(chunk.begin(), chunk.end(), [](char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); });
}

// The part of a chunk longer than a line that still fits: up to a hyphen where there is one.
std::size_t part_that_fits(Part chunk, std::size_t space, bool hyphens) {
  if (!hyphens || chunk.size() <= space || space == 0) return space;
  const std::size_t hyphen = chunk.rfind(U'-', space - 1);
  const bool usable = hyphen != Part::npos && hyphen > 0 && chunk.find_first_not_of(U'-') < hyphen;
  return usable ? hyphen + 1 : space;
}

}  // namespace

std::string wrapped(const std::string& text, std::int64_t given_width, bool break_words, bool break_hyphens, const std::string& separator) {
  if (given_width <= 0) fail("invalid width, it must be above 0");
  const auto width = static_cast<std::size_t>(given_width);
  Codes codes;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    codes += c.code;
    at += c.bytes;
  }
  std::vector<Part> rest = Chunks(codes, break_hyphens).cut();
  charge_bytes(4 * (codes.size() * sizeof(char32_t) + rest.size() * sizeof(Part)));  // four passes over them
  std::reverse(rest.begin(), rest.end());
  std::string out;
  bool first = true;
  while (!rest.empty()) {
    std::vector<Part> line;
    std::size_t used = 0;
    const auto take = [&](std::size_t n) {
      line.push_back(rest.back().substr(0, n));
      used += n;
      rest.back().remove_prefix(n);
      if (rest.back().empty()) rest.pop_back();
    };
    if (!first && all_space(rest.back())) rest.pop_back();
    while (!rest.empty() && used + rest.back().size() <= width) take(rest.back().size());
    if (!rest.empty() && rest.back().size() > width) {
      if (break_words) take(part_that_fits(rest.back(), width - used, break_hyphens));
      else if (line.empty()) take(rest.back().size());
    }
    if (!line.empty() && all_space(line.back())) line.pop_back();
    if (line.empty()) continue;
    charge_bytes(separator.size() + 4 * used);
    if (!first) out += separator;
    first = false;
    for (const Part part : line) {
      for (const char32_t c : part) append_utf8(out, c);
    }
  }
  return out;
}

}  // namespace assay::jinja
