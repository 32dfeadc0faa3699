// Records as they are found: JSON of Python's kind, cut off, nested without end.
#include <charconv>
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

constexpr int kMaxDepth = 100;  // logs of agents nest below 30
constexpr std::size_t kMaxValues = 4'000'000;
constexpr int kMaxPathSteps = 32;

struct Shape {
  int depth = 0;
  std::size_t values = 0;
  bool python_numbers = false;  // a capital N or I outside of strings
};

// One pass over the bytes: what a parser would have to build, before it builds it.
Shape shape_of(std::string_view text) {
  Shape shape;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\' ? 1 : 0;
    } else if (c == '[' || c == '{') {
      shape.depth = std::max(shape.depth, ++depth);
      ++shape.values;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',') {
      ++shape.values;
    } else if (c == 'N' || c == 'I') {
      shape.python_numbers = true;
    }
  }
  return shape;
}

// NaN, Infinity and -Infinity outside of strings, as json.dumps of Python writes them, become null.
std::string without_python_numbers(std::string_view text) {
  constexpr std::string_view kWords[] = {"-Infinity", "Infinity", "NaN"};
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    std::string_view word;
    for (const auto candidate : kWords) {
      if (!in_string && word.empty() && rest.starts_with(candidate)) word = candidate;
    }
    if (!word.empty()) {
      out += "null";
      i += word.size();
      continue;
    }
    const bool escape = in_string && text[i] == '\\' && i + 1 < text.size();
    if (text[i] == '"') in_string = !in_string;
    out.append(text.substr(i, escape ? 2 : 1));
    i += escape ? 2 : 1;
  }
  return out;
}

const Json* step(const Json& at, std::string_view name) {
  if (at.is_object()) {
    const auto found = at.find(name);
    return found == at.end() ? nullptr : &*found;
  }
  if (!at.is_array()) return nullptr;
  std::size_t index = 0;
  const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool usable = bad == std::errc{} && end == name.data() + name.size() && index < at.size();
  return usable ? &at[index] : nullptr;
}

}  // namespace

Json parse_stored(std::string_view text) {
  const Shape shape = shape_of(text);
  if (shape.depth > kMaxDepth || shape.values > kMaxValues) return Json(Json::value_t::discarded);
  // Broken UTF-8 makes the parser give up too.
  Json value = Json::parse(text, nullptr, false);
  if (!value.is_discarded() || !shape.python_numbers) return value;
  return Json::parse(without_python_numbers(text), nullptr, false);
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kAround = " \t\r\n";
  const auto begin = text.find_first_not_of(kAround);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kAround) - begin + 1);
}

const Json* record_at(const Json& record, std::string_view path) {
  if (const Json* plain = step(record, path)) return plain;
  const Json* at = &record;
  for (int steps = 0; at != nullptr && steps < kMaxPathSteps; ++steps) {
    const auto dot = path.find('.');
    at = step(*at, path.substr(0, dot));
    if (dot == std::string_view::npos) return at;
    path.remove_prefix(dot + 1);
  }
  return nullptr;
}

}  // namespace assay
