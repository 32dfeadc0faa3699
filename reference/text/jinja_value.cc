#include "reference/text/jinja_value.h"

#include <optional>
#include <array>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utf8proc.h>

#include "base/check.h"
#include "reference/text/jinja_iterate.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

constexpr std::uint64_t kVisit = 64;  // charged for every value that is shown or compared: values may share parts, and so be small and endless
constexpr std::size_t kMaxBigDigits = 4300;  // as Python's own limit on the text of an integer

int depth_of(const Value& value) {
  if (value.is<List>()) return value.as<List>()->depth;
  if (value.is<ObjectRef>()) return value.as<ObjectRef>()->depth();
  return value.is<Dict>() ? value.as<Dict>()->depth : 0;
}

int checked_depth(int deepest) {
  if (deepest >= kMaxValueDepth) fail("lists and dictionaries are nested too deeply");
  return deepest + 1;
}

void check_depth(int depth) {
  if (depth > kMaxValueDepth) fail("values are nested too deeply");
}

template <class T>
int order(const T& a, const T& b) { return a < b ? -1 : b < a ? 1 : 0; }

int compare_numbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return order(a.integer(), b.integer());
  const double x = a.number(), y = b.number();
  if (std::isnan(x) || std::isnan(y)) return 2;
  return order(x, y);
}

void append_hex(std::string& out, char32_t c) {
  const auto n = static_cast<unsigned>(c);
  if (n < 0x100) out += fmt::format("\\x{:02x}", n);
  else if (n < 0x10000) out += fmt::format("\\u{:04x}", n);
  else out += fmt::format("\\U{:08x}", n);
}

std::string repr_text(const std::string& text) {
  const bool use_double = text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = use_double ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    if (c.code == '\n') out += "\\n";
    else if (c.code == '\r') out += "\\r";
    else if (c.code == '\t') out += "\\t";
    else if (c.code == '\\') out += "\\\\";
    else if (c.code == static_cast<char32_t>(quote)) (out += '\\') += quote;
    else if (printable(c.code)) out.append(text, at, c.bytes);
    else append_hex(out, c.code);
    at += c.bytes;
  }
  return out + quote;
}

template <class Items, class Show>
std::string joined(const Items& items, Show show) {
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += ", ";
    out += show(item);
  }
  charge_bytes(out.size());  // every level copies what lies below it
  return out;
}

std::string repr_list(const ListData& list, int depth) {
  const std::string inner = joined(list.items, [&](const Value& v) { return repr(v, depth + 1); });
  if (!list.tuple) return "[" + inner + "]";
  return "(" + inner + (list.items.size() == 1 ? ",)" : ")");
}

std::string repr_dict(const DictData& dict, int depth) {
  return "{" + joined(dict.items, [&](const auto& kv) { return repr(kv.first, depth + 1) + ": " + repr(kv.second, depth + 1); }) + "}";
}

void json_text(std::string& out, const std::string& text, bool ensure_ascii) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    const auto code = static_cast<unsigned>(c.code);
    switch (c.code) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (code < 0x20 || (ensure_ascii && code >= 0x7F && code < 0x10000)) out += fmt::format("\\u{:04x}", code);
        else if (ensure_ascii && code >= 0x10000) out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10U), 0xDC00 + ((code - 0x10000) & 0x3FFU));
        else out.append(text, at, c.bytes);
    }
    at += c.bytes;
  }
  out += '"';
}

std::string json_float(double d) {
  if (std::isnan(d)) return "NaN";
  if (std::isinf(d)) return d > 0 ? "Infinity" : "-Infinity";
  return float_text(d);
}

std::string json_key(const Value& key) {
  if (key.is_text()) return key.str();
  if (key.is_none()) return "null";
  if (key.is<bool>()) return key.as<bool>() ? "true" : "false";
  if (key.is<double>()) return json_float(key.as<double>());
  if (key.is<std::int64_t>()) return std::to_string(key.as<std::int64_t>());
  fail(fmt::format("keys must be str, int, float, bool or None, not {}", type_name(key)));
}

void json_break(std::string& out, const JsonStyle& style, int depth) {
  if (!style.indented) return;
  charge_bytes(style.indent.size() * static_cast<std::size_t>(depth) + 1);
  out += '\n';
  for (int i = 0; i < depth; ++i) out += style.indent;
}

void json_value(std::string& out, const Value& value, const JsonStyle& style, int depth);

template <class Items, class Write>
void json_items(std::string& out, const Items& items, char open, char close, const JsonStyle& style, int depth, Write write) {
  out += open;
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += style.item_separator;
    first = false;
    json_break(out, style, depth + 1);
    write(item);
  }
  if (!first) json_break(out, style, depth);
  out += close;
}

void json_dict(std::string& out, const DictData& dict, const JsonStyle& style, int depth) {
  auto items = dict.items;
  if (style.sort_keys) std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return compare(a.first, b.first) == -1; });
  json_items(out, items, '{', '}', style, depth, [&](const auto& kv) {
    json_text(out, json_key(kv.first), style.ensure_ascii);
    out += style.key_separator;
    json_value(out, kv.second, style, depth + 1);
  });
}

void json_value(std::string& out, const Value& value, const JsonStyle& style, int depth) {
  check_depth(depth);
  charge_bytes(kVisit + (value.is_text() ? value.str().size() : 0));
  if (value.is_text()) json_text(out, value.str(), style.ensure_ascii);
  else if (value.is_none()) out += "null";
  else if (value.is<bool>()) out += value.as<bool>() ? "true" : "false";
  else if (value.is<std::int64_t>()) out += std::to_string(value.as<std::int64_t>());
  else if (value.is<double>()) out += json_float(value.as<double>());
  else if (value.is<Big>()) out += *value.as<Big>().digits;
  else if (value.is<Dict>()) json_dict(out, *value.as<Dict>(), style, depth);
  else if (value.is<List>()) json_items(out, value.as<List>()->items, '[', ']', style, depth, [&](const Value& v) { json_value(out, v, style, depth + 1); });
  else fail(fmt::format("Object of type {} is not JSON serializable", type_name(value)));
}

bool is_numeric_value(const Value& v) { return v.is_number() || v.is<Big>(); }

double as_double(const Value& v) { return v.is<Big>() ? std::strtod(v.as<Big>().digits->c_str(), nullptr) : v.number(); }

// With one big integer at least. Python compares exactly; against a float the nearest float of the integer decides here.
int compare_big(const Value& a, const Value& b) {
  if (a.is<double>() || b.is<double>()) {
    const double x = as_double(a), y = as_double(b);
    return std::isnan(x) || std::isnan(y) ? 2 : order(x, y);
  }
  const auto digits = [](const Value& v) { return v.is<Big>() ? *v.as<Big>().digits : std::to_string(v.integer()); };
  const std::string x = digits(a), y = digits(b);
  if ((x[0] == '-') != (y[0] == '-')) return x[0] == '-' ? -1 : 1;
  const int size = x.size() == y.size() ? order(x, y) : order(x.size(), y.size());
  return x[0] == '-' ? -size : size;
}

bool equal_lists(const ListData& a, const ListData& b, int depth) {
  if (a.tuple != b.tuple || a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!equal(a.items[i], b.items[i], depth + 1)) return false;
  }
  return true;
}

bool equal_dicts(const DictData& a, const DictData& b, int depth) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    const Value* other = b.find(key);
    if (!other || !equal(value, *other, depth + 1)) return false;
  }
  return true;
}

}  // namespace

bool printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_CS: case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP: case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
  }
}

namespace {
thread_local Budget* g_budget = nullptr;
}

BudgetScope::BudgetScope(Budget& budget) : outer_(std::exchange(g_budget, &budget)) {}
BudgetScope::~BudgetScope() { g_budget = outer_; }

void charge_bytes(std::uint64_t n) {
  if (!g_budget) return;
  if (n > static_cast<std::uint64_t>(g_budget->bytes)) fail("the template makes more text than its memory limit allows");
  g_budget->bytes -= static_cast<std::int64_t>(n);
}

// Searching is quadratic at worst: every byte of the text may begin a comparison of the whole needle.
void charge_look(std::uint64_t n_bytes, std::uint64_t n_needle) { charge_bytes(n_bytes / 2 * (n_needle / 256 + 1) + 1); }

void check_text_size(std::uint64_t n) {
  if (n > kMaxTextBytes) fail(fmt::format("a text is longer than {} bytes", kMaxTextBytes));
}

int deeper_than(const Value& value) { return checked_depth(depth_of(value)); }

void fail(std::string message) { throw Fault{std::move(message)}; }

Value Value::text(std::string s, bool safe) {
  check_text_size(s.size());
  charge_bytes(s.size() + 32);
  Value out;
  out.v = Text{std::make_shared<const std::string>(std::move(s)), safe};
  return out;
}

Value Value::decimal(std::string digits) {
  const bool minus = digits.starts_with('-');
  const std::size_t first = std::min(digits.find_first_not_of('0', minus ? 1 : 0), digits.size() - 1);
  digits = (minus ? "-" : "") + digits.substr(first);
  std::int64_t small = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), small);
  if (end.ec == std::errc()) return Value(small);
  if (digits.size() > kMaxBigDigits) fail(fmt::format("an integer has more than {} digits", kMaxBigDigits));
  charge_bytes(digits.size() + 32);
  Value out;
  out.v = Big{std::make_shared<const std::string>(std::move(digits))};
  return out;
}

Value Value::undefined(std::string what) {
  Value out;
  out.v = Undefined{std::move(what)};
  return out;
}

Value Value::list(std::vector<Value> items, bool tuple, bool group) {
  charge_bytes(items.size() * sizeof(Value) + 32);
  auto data = std::make_shared<ListData>();
  int deepest = 0;
  for (const Value& v : items) deepest = std::max(deepest, depth_of(v));
  data->depth = checked_depth(deepest);
  data->items = std::move(items);
  data->tuple = tuple;
  data->group = group;
  return Value(List(std::move(data)));
}

Value Value::dict(std::vector<std::pair<Value, Value>> items) {
  charge_bytes(items.size() * 128 + 32);
  auto data = std::make_shared<DictData>();
  int deepest = 0;
  for (auto& [key, value] : items) {
    deepest = std::max({deepest, depth_of(key), depth_of(value)});
    const auto [it, fresh] = data->places.try_emplace(canonical_key(key), data->items.size());
    if (fresh) data->items.emplace_back(std::move(key), std::move(value));
    else data->items[it->second].second = std::move(value);
  }
  data->depth = checked_depth(deepest);
  return Value(Dict(std::move(data)));
}

const std::string& Value::str() const {
  ASSAY_CHECK(is_text());
  return *as<Text>().text;
}

std::int64_t Value::integer() const {
  ASSAY_CHECK(is_integer());
  return is<bool>() ? (as<bool>() ? 1 : 0) : as<std::int64_t>();
}

double Value::number() const { return is<double>() ? as<double>() : static_cast<double>(integer()); }

const Value* DictData::find(const Value& key) const {
  const auto it = places.find(canonical_key(key));
  return it == places.end() ? nullptr : &items[it->second].second;
}

const Value* DictData::find(std::string_view key) const {
  const auto it = places.find("s" + std::string(key));
  return it == places.end() ? nullptr : &items[it->second].second;
}

Value Object::attribute(const std::string& name) {
  return Value::undefined(fmt::format("'{}' object has no attribute '{}'", type_name(), name));
}

Value Object::call(Runtime&, const Arguments&) { fail(fmt::format("'{}' object is not callable", type_name())); }

std::string Object::shown(int) { fail(fmt::format("a {} has no text", type_name())); }

Value Namespace::attribute(const std::string& name) {
  const auto it = members.find(name);
  return it == members.end() ? Value::undefined(fmt::format("the namespace has no attribute '{}'", name)) : it->second;
}

void Namespace::set(const std::string& name, Value value) {
  if (name.starts_with('_')) fail(fmt::format("a namespace cannot hold '{}', whose name begins with an underscore", name));
  if (!members.contains(name)) order.push_back(name);
  members[name] = std::move(value);
}

std::string Namespace::shown(int depth) {
  return "<Namespace {" + joined(order, [&](const std::string& name) { return repr_text(name) + ": " + repr(members.at(name), depth + 1); }) + "}>";
}

std::string type_name(const Value& value) {
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "NoneType";
  if (value.is<bool>()) return "bool";
  if (value.is<std::int64_t>() || value.is<Big>()) return "int";
  if (value.is<double>()) return "float";
  if (value.is_text()) return value.as<Text>().safe ? "Markup" : "str";
  if (value.is<List>()) return value.as<List>()->tuple ? "tuple" : "list";
  if (value.is<Dict>()) return "dict";
  return value.as<ObjectRef>()->type_name();
}

bool truth(const Value& value) {
  if (value.is_undefined()) return false;
  if (value.is_none()) return false;
  if (value.is_number()) return value.number() != 0;
  if (value.is<Big>()) return true;
  if (value.is_text()) return !value.str().empty();
  if (value.is<List>()) return !value.as<List>()->items.empty();
  if (value.is<Dict>()) return !value.as<Dict>()->items.empty();
  return value.as<ObjectRef>()->length() != 0;
}

bool equal(const Value& a, const Value& b, int depth) {
  check_depth(depth);
  charge_bytes(kVisit);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (is_numeric_value(a) && is_numeric_value(b)) return compare_big(a, b) == 0;
  if (a.v.index() != b.v.index()) return false;
  if (a.is_text()) charge_look(std::min(a.str().size(), b.str().size()));
  if (a.is_text()) return a.str() == b.str();
  if (a.is<List>()) return equal_lists(*a.as<List>(), *b.as<List>(), depth);
  if (a.is<Dict>()) return equal_dicts(*a.as<Dict>(), *b.as<Dict>(), depth);
  if (const auto *x = object_of<Range>(a), *y = object_of<Range>(b); x && y) {
    const std::int64_t n = x->count();
    return n == y->count() && (n == 0 || (x->start == y->start && (n == 1 || x->step == y->step)));
  }
  if (a.is<ObjectRef>()) return a.as<ObjectRef>() == b.as<ObjectRef>();
  return true;  // None, undefined
}

int compare(const Value& a, const Value& b, int depth) {
  check_depth(depth);
  charge_bytes(kVisit);
  if (a.is_text() && b.is_text()) charge_look(std::min(a.str().size(), b.str().size()));
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (is_numeric_value(a) && is_numeric_value(b)) return compare_big(a, b);
  if (a.is_text() && b.is_text()) return order(a.str(), b.str());  // UTF-8 keeps the order of code points
  if (a.is<List>() && b.is<List>() && a.as<List>()->tuple == b.as<List>()->tuple) {
    const auto &x = a.as<List>()->items, &y = b.as<List>()->items;
    for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!equal(x[i], y[i], depth + 1)) return compare(x[i], y[i], depth + 1);
    }
    return order(x.size(), y.size());
  }
  fail(fmt::format("no order between '{}' and '{}'", type_name(a), type_name(b)));
}

bool contains(const Value& container, const Value& item) {
  if (container.is_text()) {
    if (!item.is_text()) fail(fmt::format("'in <string>' requires string as left operand, not {}", type_name(item)));
    charge_look(container.str().size(), item.str().size());
    return container.str().find(item.str()) != std::string::npos;
  }
  if (container.is<Dict>()) return container.as<Dict>()->find(item) != nullptr;
  Cursor cursor(container);
  for (Value v; cursor.next(v);) {
    if (equal(v, item)) return true;
  }
  return false;
}

std::string float_text(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer{};
  const double size = std::fabs(d);
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = fixed ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), d, format);
  ASSAY_CHECK(end.ec == std::errc());
  std::string out(buffer.data(), end.ptr);
  if (fixed && out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string to_text(const Value& value, int depth) {
  if (value.is_text()) return value.str();
  return value.is_undefined() ? "" : repr(value, depth);
}

std::string repr(const Value& value, int depth) {
  check_depth(depth);
  charge_bytes(kVisit + (value.is_text() ? value.str().size() : 0));
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "None";
  if (value.is<bool>()) return value.as<bool>() ? "True" : "False";
  if (value.is<std::int64_t>()) return std::to_string(value.as<std::int64_t>());
  if (value.is<double>()) return float_text(value.as<double>());
  if (value.is<Big>()) return *value.as<Big>().digits;
  if (value.is_text()) return value.as<Text>().safe ? "Markup(" + repr_text(value.str()) + ")" : repr_text(value.str());
  if (value.is<List>()) return repr_list(*value.as<List>(), depth);
  if (value.is<Dict>()) return repr_dict(*value.as<Dict>(), depth);
  return value.as<ObjectRef>()->shown(depth);
}

std::string canonical_key(const Value& value) {
  charge_bytes(kVisit);
  if (value.is_text()) charge_look(value.str().size());
  if (value.is_text()) return "s" + value.str();
  if (value.is_none()) return "n";
  if (value.is_integer()) return "i" + std::to_string(value.integer());
  if (value.is<Big>()) return "i" + *value.as<Big>().digits;
  if (value.is<double>()) {
    const double d = value.as<double>();
    if (std::floor(d) == d && std::fabs(d) < 9e15) return "i" + std::to_string(static_cast<std::int64_t>(d));
    return "f" + float_text(d);
  }
  if (value.is_undefined()) return "u";
  if (value.is<List>() && value.as<List>()->tuple) {
    std::string out = "t";
    for (const Value& v : value.as<List>()->items) {
      const std::string part = canonical_key(v);
      out += fmt::format("{}:{}", part.size(), part);
    }
    charge_bytes(out.size());
    return out;
  }
  if (value.is<ObjectRef>()) return fmt::format("o{}", static_cast<const void*>(value.as<ObjectRef>().get()));
  fail(fmt::format("unhashable type: '{}'", type_name(value)));
}

std::int64_t length_of(const Value& value) {
  if (value.is_text()) charge_look(value.str().size());
  if (value.is_text()) return static_cast<std::int64_t>(count_characters(value.str()));
  if (value.is<List>()) return static_cast<std::int64_t>(value.as<List>()->items.size());
  if (value.is<Dict>()) return static_cast<std::int64_t>(value.as<Dict>()->items.size());
  if (value.is_undefined()) return 0;
  if (value.is<ObjectRef>() && value.as<ObjectRef>()->length() >= 0) return value.as<ObjectRef>()->length();
  fail(fmt::format("object of type '{}' has no len()", type_name(value)));
}

Value from_json(const Json& json, int depth) {
  check_depth(depth);
  if (json.is_null()) return {};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX) return Value::decimal(std::to_string(json.get<std::uint64_t>()));
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_string()) return Value::text(json.get<std::string>());
  if (json.is_array()) {
    std::vector<Value> items;
    for (const Json& item : json) items.push_back(from_json(item, depth + 1));
    return Value::list(std::move(items));
  }
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [key, item] : json.items()) items.emplace_back(Value::text(key), from_json(item, depth + 1));
  return Value::dict(std::move(items));
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string to_json(const Value& value, const JsonStyle& style, int depth) {
  std::string out;
  json_value(out, value, style, depth);
  return out;
}

}  // namespace assay::jinja
