// Records as they are found: JSON of Python's kind, cut off, nested without end. Nearly all of them are what simdjson reads, several times
// faster than nlohmann's parser, whose answer decides wherever the two could differ.
#include <simdjson.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

constexpr int kMaxDepth = 100;  // logs of agents nest below 30
constexpr std::size_t kMaxValues = 4'000'000;
constexpr int kMaxPathSteps = 32;
constexpr std::size_t kFastBytes = 4 << 20;  // simdjson's parser keeps about ten bytes for each

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

// A value of simdjson's as ours; false: deeper or larger than is allowed. `left`: how many values may still come.
bool taken_over(const simdjson::dom::element& from, int depth, std::size_t& left, Json& to);

bool count_container(std::size_t n_elements, int depth, std::size_t& left) {
  const std::size_t n = std::max<std::size_t>(n_elements, 1);  // as shape_of counts: a bracket, and the commas
  if (depth > kMaxDepth || n > left) return false;
  left -= n;
  return true;
}

bool object_taken_over(const simdjson::dom::object& from, int depth, std::size_t& left, Json& to) {
  to = Json::object();
  if (!count_container(from.size(), depth, left)) return false;
  for (const auto& [key, value] : from) {
    if (!taken_over(value, depth, left, to[std::string(key)])) return false;  // of a name given twice the last value counts
  }
  return true;
}

bool array_taken_over(const simdjson::dom::array& from, int depth, std::size_t& left, Json& to) {
  to = Json::array();
  if (!count_container(from.size(), depth, left)) return false;
  auto& elements = to.get_ref<Json::array_t&>();
  elements.reserve(from.size());
  for (const auto& value : from) {
    if (!taken_over(value, depth, left, elements.emplace_back())) return false;
  }
  return true;
}

bool taken_over(const simdjson::dom::element& from, int depth, std::size_t& left, Json& to) {
  using Type = simdjson::dom::element_type;
  switch (from.type()) {
    case Type::OBJECT: return object_taken_over(from.get_object().value_unsafe(), depth + 1, left, to);
    case Type::ARRAY: return array_taken_over(from.get_array().value_unsafe(), depth + 1, left, to);
    case Type::STRING: to = std::string(from.get_string().value_unsafe()); return true;
    case Type::BOOL: to = from.get_bool().value_unsafe(); return true;
    case Type::DOUBLE: to = from.get_double().value_unsafe(); return true;
    case Type::UINT64: to = from.get_uint64().value_unsafe(); return true;
    case Type::NULL_VALUE: to = nullptr; return true;
    case Type::INT64: break;
  }
  const std::int64_t number = from.get_int64().value_unsafe();
  if (number < 0) {
    to = number;
  } else {
    to = static_cast<std::uint64_t>(number);  // nlohmann's type of what has no sign
  }
  return true;
}

// Empty: simdjson refuses it, or it holds what versions of simdjson read differently (escaped surrogates).
std::optional<Json> parse_fast(std::string_view text) {
  if (text.size() > kFastBytes || text.find("\\ud") != std::string_view::npos || text.find("\\uD") != std::string_view::npos) return std::nullopt;
  thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  std::size_t left = kMaxValues;
  Json value;
  if (!taken_over(root, 0, left, value)) return Json(Json::value_t::discarded);
  return value;
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
  if (auto value = parse_fast(text)) return *std::move(value);
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
