#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/utf8.h"
#include "suites/ifeval/ifeval_checks.h"
#include "suites/python_text.h"
#include "suites/regex.h"

namespace assay::ifeval {
namespace {

constexpr auto npos = std::string_view::npos;

std::size_t line_end(std::string_view text, std::size_t at) { return std::min(text.find('\n', at), text.size()); }

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const Utf8Char c = decode_utf8(text, at);
    if (!python::is_space(c.code)) break;
    at += c.bytes;
  }
  return at;
}

// Lines that begin with `mark` after blanks, as ^\s*\*[^\*].*$ and ^\s*-.*$ find them: the blanks may go over lines, and so may the character after
// a star, which then takes the next line with it. `pairs`: a second mark right after the first spoils it.
std::int64_t marked_lines(std::string_view text, char mark, bool pairs) {
  std::int64_t n = 0;
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t at = skip_blanks(text, line);
    const bool marked = at < text.size() && text[at] == mark;
    const bool whole = marked && (!pairs || (at + 1 < text.size() && text[at + 1] != mark));
    n += whole ? 1 : 0;
    const std::size_t from = whole && pairs ? at + 2 : at;
    if (from >= text.size()) break;
    line = line_end(text, from) + 1;
  }
  return n;
}

// Pieces of a line between `edge` and `edge` without a star in them, that hold more than blanks: \*[^\n\*]*\* and \*\*[^\n\*]*\*\*.
std::int64_t starred_pieces(std::string_view text, std::string_view edge) {
  std::int64_t n = 0;
  for (std::size_t at = text.find(edge); at != npos; at = text.find(edge, at)) {
    const std::size_t begin = at + edge.size(), end = text.find_first_of("*\n", begin);
    if (end == npos) break;
    if (!text.substr(end).starts_with(edge)) {
      at = edge.size() == 1 ? end : at + 1;
      continue;
    }
    n += python::is_blank(text.substr(begin, end - begin)) ? 0 : 1;
    at = end + edge.size();
  }
  return n;
}

// open[^\n]+close in a line, the longest such piece, with something between the marks.
bool has_wrapped(std::string_view line, std::string_view open, std::string_view close) {
  const auto begin = line.find(open), end = line.rfind(close);
  if (begin == npos || end == npos || end < begin + open.size() + 1) return false;
  std::string_view inner = line.substr(begin, end + close.size() - begin);
  inner.remove_prefix(std::min(inner.find_first_not_of(open[0]), inner.size()));
  while (!inner.empty() && inner.back() == close[0]) inner.remove_suffix(1);
  return !python::is_blank(inner);
}

// `open`...`close` over lines, the nearest end: ¿[^?]*\? and its like.
bool has_enclosed(std::string_view text, std::string_view open, char close) {
  for (std::size_t at = text.find(open); at != npos; at = text.find(open, at)) {
    const std::size_t end = text.find(close, at);
    if (end == npos) return false;
    std::string_view inner = text.substr(at, end - at);
    while (inner.starts_with(open)) inner.remove_prefix(open.size());
    if (!python::is_blank(inner)) return true;
    at = end + 1;
  }
  return false;
}

// Python's json takes NaN and the infinities for numbers; they stand outside of strings.
std::string without_infinities(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto word = [&](std::string_view name) { return !in_string && text.substr(at).starts_with(name); };
    if (word("NaN") || word("Infinity")) {
      at += word("NaN") ? 2 : 7;
      out += '0';
      continue;
    }
    if (text[at] == '"') in_string = !in_string;
    if (in_string && text[at] == '\\' && at + 1 < text.size()) out += text[at++];
    out += text[at];
  }
  return out;
}

std::string_view without_prefix(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace

bool has_placeholders(const Instruction& instruction, std::string_view response) {
  std::int64_t n = 0;
  for (const auto line : python::split(response, "\n")) {
    for (std::size_t at = line.find('['); at != npos; at = line.find('[', at)) {
      at = line.find(']', at);
      if (at == npos) break;
      ++n;
    }
  }
  return n >= instruction.number;
}

bool has_bullets(const Instruction& instruction, std::string_view response) {
  std::int64_t n = marked_lines(response, '*', true);
  if (instruction.language != TextLanguage::spanish) n += marked_lines(response, '-', false);
  return n == instruction.number;
}

bool has_highlights(const Instruction& instruction, std::string_view response) {
  return starred_pieces(response, "*") + starred_pieces(response, "**") >= instruction.number;
}

std::string section_pattern(const Instruction& instruction) { return "(*UCP)\\s?" + instruction.text + "\\s?\\d+\\s?"; }

bool has_sections(const Instruction& instruction, std::string_view response) {
  const Regex* regex = cached_regex(section_pattern(instruction));
  ASSAY_CHECK(regex != nullptr);
  return regex->count(response) >= instruction.number;
}

bool has_title(const Instruction& instruction, std::string_view response) {
  const bool french = instruction.language == TextLanguage::french;
  const auto lines = python::split(response, "\n");
  return std::any_of(lines.begin(), lines.end(),
                     [&](std::string_view line) { return has_wrapped(line, french ? "##" : "<<", french ? "##" : ">>"); });
}

bool is_json(const Instruction&, std::string_view response) {
  std::string_view text = python::strip(response);
  for (const auto fence : {"```json", "```Json", "```JSON", "```"}) text = without_prefix(text, fence);
  if (text.ends_with("```")) text.remove_suffix(3);
  return nlohmann::json::accept(without_infinities(python::strip(text)));
}

bool is_quoted(const Instruction& instruction, std::string_view response) {
  const std::string_view text = python::strip(response);
  const auto between = [&](std::string_view open, std::string_view close) {
    return text.size() >= open.size() + close.size() && text.starts_with(open) && text.ends_with(close);
  };
  if (instruction.language != TextLanguage::french) return between("\"", "\"");
  return between("\"", "\"") || between("'", "'") || between("«", "»");
}

std::string postscript_pattern(const Instruction& instruction) {
  const bool spanish = instruction.language == TextLanguage::spanish;
  const std::string& marker = instruction.text;
  if (!spanish && marker == "P.P.S") return "(*UCP)p\\.\\s?p\\.\\s?s";
  if (!spanish && marker == "P.S.") return "(*UCP)p\\.\\s?s\\.";
  if (spanish && marker == "P.D.") return "(*UCP)p\\.\\s?d\\.";
  return "(*UCP)" + python::lower(marker);
}

bool has_postscript(const Instruction& instruction, std::string_view response) {
  const Regex* regex = cached_regex(postscript_pattern(instruction));
  ASSAY_CHECK(regex != nullptr);
  return regex->first(python::lower(response)).has_value();
}

bool has_question(const Instruction&, std::string_view response) { return has_enclosed(response, "¿", '?'); }
bool has_exclamation(const Instruction&, std::string_view response) { return has_enclosed(response, "¡", '!'); }

}  // namespace assay::ifeval
