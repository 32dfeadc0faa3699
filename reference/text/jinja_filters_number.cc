// Jinja2's filters of numbers: int, float, round, abs, filesizeformat.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "reference/text/jinja_filters.h"

namespace assay::jinja {
namespace {

// Digits with single underscores between them; nullopt for others.
std::optional<std::string> without_underscores(const std::string& text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
      continue;
    }
    if (i == 0 || i + 1 == text.size() || text[i - 1] == '_') return std::nullopt;
  }
  return digits;
}

// int(text, base) of Python: spaces around, a sign, a prefix, underscores between digits; base 0 goes by the prefix.
std::optional<Value> parse_integer(const std::string& given, std::int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  std::string text = lower(strip(given, nullptr, true, true));
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.erase(0, 1);
  static constexpr std::array<std::pair<const char*, int>, 3> kPrefixes = {{{"0x", 16}, {"0o", 8}, {"0b", 2}}};
  for (const auto& [prefix, of] : kPrefixes) {
    if ((base != 0 && base != of) || !text.starts_with(prefix)) continue;
    base = of;
    text.erase(0, 2);
    if (text.starts_with('_')) text.erase(0, 1);
  }
  if (base == 0 && text.size() > 1 && text[0] == '0' && text.find_first_not_of("0_") != std::string::npos) return std::nullopt;
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || (*digits)[0] == '-' || (*digits)[0] == '+') return std::nullopt;
  std::int64_t value = 0;
  const auto end = std::from_chars(digits->data(), digits->data() + digits->size(), value, base == 0 ? 10 : static_cast<int>(base));
  if (end.ptr != digits->data() + digits->size()) return std::nullopt;
  if (end.ec == std::errc()) return Value(minus ? -value : value);
  if (base != 10 && base != 0) fail("an integer is beyond 64 bits");
  return Value::decimal((minus ? "-" : "") + *digits);
}

// float(text) of Python: decimal digits, an exponent, or inf, infinity, nan.
std::optional<double> parse_float(const std::string& given) {
  const auto text = without_underscores(lower(strip(given, nullptr, true, true)));
  if (!text || text->empty()) return std::nullopt;
  const std::string bare = (*text)[0] == '-' || (*text)[0] == '+' ? text->substr(1) : *text;
  const bool word = bare == "inf" || bare == "infinity" || bare == "nan";
  if (!word && (bare.empty() || bare.find_first_not_of("0123456789.e+-") != std::string::npos)) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text->c_str(), &end);
  if (end != text->c_str() + text->size()) return std::nullopt;
  return value;
}

std::optional<Value> truncated(double d) {
  if (!std::isfinite(d)) return std::nullopt;
  return Value::decimal(fmt::format("{:.0f}", std::trunc(d) + 0.0));
}

Value int_filter(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("int", a, {"default", "base"});
  const Value base = b.get(1, Value(std::int64_t{10}));
  std::optional<Value> out;
  if (v.is_undefined()) fail(v.as<Undefined>().what);
  if (v.is<Big>()) out = v;
  if (v.is_integer()) out = Value(v.integer());
  if (v.is<double>()) {
    if (std::isinf(v.as<double>())) fail("cannot convert float infinity to integer");
    out = truncated(v.as<double>());
  }
  if (v.is_text() && base.is_integer()) out = parse_integer(v.str(), base.integer());
  if (v.is_text() && !out) {
    if (const auto d = parse_float(v.str())) out = truncated(*d);
  }
  return out ? *out : b.get(0, Value(std::int64_t{0}));
}

Value float_filter(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("float", a, {"default"});
  if (v.is_number()) return Value(v.number());
  if (v.is_undefined()) fail(v.as<Undefined>().what);
  const auto d = v.is_text() ? parse_float(v.str()) : std::nullopt;
  return d ? Value(*d) : b.get(0, Value(0.0));
}

// Half to even at 10^places, places > 0; exact below 2^53.
double rounded_to_power(double d, std::int64_t places) {
  if (places > 308) return std::copysign(0.0, d);
  const double unit = std::pow(10.0, static_cast<double>(places)), size = std::fabs(d), rest = std::fmod(size, unit);
  double whole = std::round((size - rest) / unit);
  if (rest > unit / 2 || (rest == unit / 2 && std::fmod(whole, 2.0) != 0)) whole += 1;
  return std::copysign(whole * unit, d);
}

// round() of Python: half to even on the exact binary value, through the decimal text of the double.
Value rounded(const Value& v, const Value& precision) {
  if (precision.is_none()) {
    if (v.is_integer()) return Value(v.integer());
    const auto n = truncated(std::nearbyint(v.number()));
    if (!n) fail("cannot convert float infinity or NaN to integer");
    return *n;
  }
  if (!precision.is_integer()) fail(fmt::format("'{}' object cannot be interpreted as an integer", type_name(precision)));
  const std::int64_t places = std::clamp<std::int64_t>(precision.integer(), -400, 400);
  if (v.is_integer()) {
    if (places >= 0) return Value(v.integer());
    if (std::fabs(v.number()) > 9e15) fail("an integer is too large to be rounded");
    return Value(static_cast<std::int64_t>(rounded_to_power(v.number(), -places)));
  }
  const double d = v.number();
  if (!std::isfinite(d) || places > 323) return Value(d);
  if (places < 0) return Value(rounded_to_power(d, -places));
  const std::string text = fmt::format("{:.{}f}", d, places);
  return Value(std::strtod(text.c_str(), nullptr));
}

Value round_filter(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("round", a, {"precision", "method"});
  const std::string method = b.text(1, "common");
  const Value precision = b.get(0, Value(std::int64_t{0}));
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  if (!v.is_number()) fail(fmt::format("type {} cannot be rounded", type_name(v)));
  if (method == "common") return rounded(v, precision);
  const Value scale = r.binary("**", Value(std::int64_t{10}), precision), scaled = r.binary("*", v, scale);
  if (scaled.is_integer()) return r.binary("/", scaled, scale);
  if (!std::isfinite(scaled.number())) fail("cannot convert float infinity or NaN to integer");
  return Value(((method == "ceil" ? std::ceil(scaled.number()) : std::floor(scaled.number())) + 0.0) / scale.number());  // an integer in Python: never -0
}

Value abs_filter(Runtime&, const Value& v, const Arguments& a) {
  Bound("abs", a, {});
  if (v.is<double>()) return Value(std::fabs(v.as<double>()));
  if (!v.is_integer() || v.integer() == INT64_MIN) fail(fmt::format("bad operand type for abs(): '{}'", type_name(v)));
  return Value(std::abs(v.integer()));
}

Value filesizeformat(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("filesizeformat", a, {"binary"});
  static constexpr std::array<char, 8> kPrefixes = {'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'};
  if (!v.is_number() && !(v.is_text() && parse_float(v.str()))) fail("filesizeformat needs a number");
  const double n = float_filter(r, v, {}).number(), base = b.flag(0, false) ? 1024 : 1000;
  if (n == 1) return Value::text("1 Byte");
  if (!std::isfinite(n)) fail("filesizeformat needs a finite number");
  if (n < base) return Value::text(fmt::format("{:.0f} Bytes", std::trunc(n) + 0.0));
  double unit = base * base;
  std::size_t i = 0;
  for (; i + 1 < kPrefixes.size() && n >= unit; ++i) unit *= base;
  const char prefix = base == 1024 && i == 0 ? 'K' : kPrefixes[i];
  return Value::text(fmt::format("{:.1f} {}{}", base * n / unit, prefix, base == 1024 ? "iB" : "B"));
}

}  // namespace

const FilterTable& number_filters() {
  static const FilterTable kFilters = {{"abs", abs_filter}, {"filesizeformat", filesizeformat}, {"float", float_filter}, {"int", int_filter}, {"round", round_filter}};
  return kFilters;
}

}  // namespace assay::jinja
