#include "suites/json_text.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace assay {
namespace {

constexpr int kMaxDepth = 200;  // deeper answers are shown as "...": no gold is

std::string shown(const Json& value, int depth);

std::string shown_object(const Json& object, int depth) {
  std::string out = "{";
  for (const auto& [key, value] : object.items()) {
    if (out.size() > 1) out += ", ";
    out += python_quoted(key) + ": " + shown(value, depth + 1);
  }
  return out + "}";
}

std::string shown_list(const Json& list, int depth) {
  std::string out = "[";
  for (const auto& value : list) {
    if (out.size() > 1) out += ", ";
    out += shown(value, depth + 1);
  }
  return out + "]";
}

std::string shown(const Json& value, int depth) {
  if (depth > kMaxDepth) return "...";
  if (value.is_string()) return python_quoted(value.get_ref<const std::string&>());
  if (value.is_object()) return shown_object(value, depth);
  if (value.is_array()) return shown_list(value, depth);
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_number_float()) return python_float(value.get<double>());
  return value.is_null() ? "None" : value.dump();
}

void append_escaped(std::string& out, char c, char quote) {
  if (c == quote || c == '\\') {
    out += '\\';
    out += c;
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
    out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
  } else {
    out += c;
  }
}

}  // namespace

std::string python_quoted(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) append_escaped(out, c, quote);
  return out + quote;
}

std::string python_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  // fmt writes the same shortest digits and changes to an exponent at the same places, but "1" for 1.0.
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string python_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : shown(value, 0);
}

}  // namespace assay
