#include "suites/math/math_units.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace assay {
namespace {

struct Name {
  std::string_view name, dimension, factor;
};

// International yard and pound (1959): exact.
constexpr Name kNames[] = {
    {"mm", "length", "0.001"},      {"millimeter", "length", "0.001"}, {"cm", "length", "0.01"},      {"centimeter", "length", "0.01"}, {"m", "length", "1"},
    {"meter", "length", "1"},       {"metre", "length", "1"},          {"km", "length", "1000"},      {"kilometer", "length", "1000"},  {"in", "length", "0.0254"},
    {"inch", "length", "0.0254"},   {"inche", "length", "0.0254"},     {"ft", "length", "0.3048"},    {"foot", "length", "0.3048"},     {"feet", "length", "0.3048"},
    {"yd", "length", "0.9144"},     {"yard", "length", "0.9144"},      {"mi", "length", "1609.344"},  {"mile", "length", "1609.344"},   {"s", "time", "1"},
    {"sec", "time", "1"},           {"second", "time", "1"},           {"min", "time", "60"},         {"minute", "time", "60"},         {"h", "time", "3600"},
    {"hr", "time", "3600"},         {"hour", "time", "3600"},          {"day", "time", "86400"},      {"week", "time", "604800"},       {"mg", "mass", "0.000001"},
    {"g", "mass", "0.001"},         {"gram", "mass", "0.001"},         {"kg", "mass", "1"},           {"kilogram", "mass", "1"},        {"lb", "mass", "0.45359237"},
    {"pound", "mass", "0.45359237"}, {"ml", "volume", "0.001"},        {"milliliter", "volume", "0.001"}, {"l", "volume", "1"},         {"liter", "volume", "1"},
    {"litre", "volume", "1"},       {"dollar", "money", "1"},          {"cent", "money", "0.01"},     {"deg", "angle", "1"},            {"degree", "angle", "1"},
    {"%", "share", "1"},            {"percent", "share", "1"},         {"year", "year", "1"},         {"month", "month", "1"},
};

const Name* find_name(std::string_view word) {
  const auto find = [&](std::string_view name) {
    const auto* at = std::find_if(std::begin(kNames), std::end(kNames), [&](const Name& n) { return n.name == name; });
    return at == std::end(kNames) ? nullptr : at;
  };
  const Name* found = find(word);
  const bool plural = word.size() > 2 && word.ends_with('s');
  return found == nullptr && plural ? find(word.substr(0, word.size() - 1)) : found;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto flush = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (const char c : text) {
    if (c == ' ' || c == '.') {
      flush();
    } else if (c == '/' || c == '^') {
      flush();
      words.emplace_back(1, c);
    } else {
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  flush();
  return words;
}

void multiply(MathUnit& unit, const Name& name, int power) {
  ASSAY_CHECK(power != 0);
  unit.factors.emplace_back(name.factor, power);
  if ((unit.dimension[name.dimension] += power) == 0) unit.dimension.erase(name.dimension);
}

}  // namespace

std::optional<MathUnit> known_unit(std::string_view text) {
  MathUnit unit;
  const auto words = words_of(text);
  int sign = 1, power = 1;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "/" || word == "per") {
      sign = -1;
    } else if (word == "square" || word == "sq" || word == "cubic") {
      power = word == "cubic" ? 3 : 2;
    } else if (const Name* name = find_name(word)) {
      const bool raised = i + 2 < words.size() && words[i + 1] == "^";
      if (raised && words[i + 2] != "2" && words[i + 2] != "3") return std::nullopt;
      multiply(unit, *name, sign * (raised ? words[i + 2][0] - '0' : power));
      if (raised) i += 2;
      power = 1;
    } else {
      return std::nullopt;
    }
  }
  return unit.factors.empty() ? std::nullopt : std::optional(std::move(unit));
}

}  // namespace assay
