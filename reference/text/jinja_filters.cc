// Jinja2's filters, with transformers' tojson.
#include <optional>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>

#include "base/check.h"
#include "reference/text/jinja_run.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

using Filter = Value (*)(Runtime& runtime, const Value& value, const Arguments& given);

// soft_str: text of anything, Markup stays Markup.
Value soft_text(const Value& value) { return value.is_text() ? value : Value::text(to_text(value)); }

Value like(const Value& original, std::string text) {
  return Value::text(std::move(text), original.is_text() && original.as<Text>().safe);
}

Value folded(const Value& value) { return value.is_text() ? Value::text(lower(value.str())) : value; }

// The values that sort, unique, min, max and groupby look at: attribute(s), letters folded unless asked not to.
Value sort_key(Runtime& runtime, const Value& item, const Value& attribute, bool case_sensitive) {
  const auto fold = [&](const Value& v) { return case_sensitive ? v : folded(v); };
  if (attribute.is_none()) return fold(item);
  if (!attribute.is_text() || attribute.str().find(',') == std::string::npos) return fold(runtime.attribute_path(item, attribute));
  std::vector<Value> parts;
  const std::string& names = attribute.str();
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    parts.push_back(fold(runtime.attribute_path(item, Value::text(names.substr(begin, end - begin)))));
    begin = end + 1;
  }
  return Value::list(std::move(parts));
}

struct Keyed {
  Value key, item;
};

std::vector<Keyed> keyed(Runtime& runtime, const Value& value, const Value& attribute, bool case_sensitive) {
  std::vector<Keyed> out;
  for (Value& item : elements(value)) {
    Value key = sort_key(runtime, item, attribute, case_sensitive);
    out.push_back({std::move(key), std::move(item)});
  }
  return out;
}

void sort_by_key(Runtime& runtime, std::vector<Keyed>& items, bool reverse) {
  const auto less = [&](const Keyed& a, const Keyed& b) {
    runtime.step();
    return reverse ? compare(b.key, a.key) == -1 : compare(a.key, b.key) == -1;
  };
  // A bottom-up merge: unlike std::stable_sort it stays within the array even where a template's order is none (NaN).
  std::vector<Keyed> other(items.size());
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    for (std::size_t begin = 0; begin < items.size(); begin += 2 * width) {
      std::size_t i = begin, out = begin;
      const std::size_t middle = std::min(begin + width, items.size()), end = std::min(begin + 2 * width, items.size());
      std::size_t j = middle;
      while (i < middle && j < end) other[out++] = less(items[j], items[i]) ? std::move(items[j++]) : std::move(items[i++]);
      while (i < middle) other[out++] = std::move(items[i++]);
      while (j < end) other[out++] = std::move(items[j++]);
    }
    items.swap(other);
  }
}

Value values_of(std::vector<Keyed> items) {
  std::vector<Value> out;
  for (Keyed& k : items) out.push_back(std::move(k.item));
  return Value::list(std::move(out));
}

Value sort(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("sort", a, {"reverse", "case_sensitive", "attribute"});
  auto items = keyed(r, v, b.get(2), b.flag(1, false));
  for (Keyed& k : items) k.key = Value::list({k.key});  // as Jinja2: lists of equal parts have an order, whatever the parts
  if (items.size() > 1) sort_by_key(r, items, b.flag(0, false));
  return values_of(std::move(items));
}

Value dictsort(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("dictsort", a, {"case_sensitive", "by", "reverse"});
  if (!v.is<Dict>()) fail(fmt::format("dictsort needs a mapping, not {}", type_name(v)));
  const std::string by = b.text(1, "key");
  if (by != "key" && by != "value") fail("dictsort sorts by 'key' or 'value'");
  std::vector<Keyed> items;
  for (const auto& [key, value] : v.as<Dict>()->items) {
    const Value& sorted = by == "key" ? key : value;
    items.push_back({b.flag(0, false) ? sorted : folded(sorted), Value::list({key, value}, true)});
  }
  if (items.size() > 1) sort_by_key(r, items, b.flag(2, false));
  return values_of(std::move(items));
}

Value unique(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("unique", a, {"case_sensitive", "attribute"});
  std::map<std::string, bool> seen;
  std::vector<Value> out;
  for (Keyed& k : keyed(r, v, b.get(1), b.flag(0, false))) {
    if (seen.emplace(canonical_key(k.key), true).second) out.push_back(std::move(k.item));
  }
  return Iterator::generator(std::move(out));
}

Value extreme(Runtime& r, const Value& v, const Arguments& a, int wanted) {
  const Bound b(wanted < 0 ? "min" : "max", a, {"case_sensitive", "attribute"});
  auto items = keyed(r, v, b.get(1), b.flag(0, false));
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  std::size_t best = 0;
  for (std::size_t i = 1; i < items.size(); ++i) {
    if (compare(items[i].key, items[best].key) == wanted) best = i;
  }
  return items[best].item;
}

Value groupby(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("groupby", a, {"attribute", "default", "case_sensitive"});
  auto items = keyed(r, v, b.need(0), b.flag(2, false));
  for (Keyed& k : items) {
    if (k.key.is_undefined() && b.has(1)) k.key = b.get(1);
  }
  if (items.size() > 1) sort_by_key(r, items, false);
  std::vector<Value> out, group;
  for (std::size_t i = 0; i < items.size(); ++i) {
    group.push_back(items[i].item);
    if (i + 1 < items.size() && equal(items[i].key, items[i + 1].key)) continue;
    const Value first = r.attribute_path(group.front(), b.need(0));
    out.push_back(Value::list({b.flag(2, false) ? items[i].key : first, Value::list(std::exchange(group, {}))}, true));
  }
  return Value::list(std::move(out));
}

Arguments tail(const Arguments& a, std::size_t from) {
  Arguments out;
  out.positional.assign(a.positional.begin() + static_cast<std::ptrdiff_t>(std::min(from, a.positional.size())), a.positional.end());
  out.named = a.named;
  return out;
}

const std::string& name_argument(const char* filter, const Arguments& a, std::size_t i) {
  if (i >= a.positional.size() || !a.positional[i].is_text()) fail(fmt::format("{} needs a name", filter));
  return a.positional[i].str();
}

Value map(Runtime& r, const Value& v, const Arguments& a) {
  std::vector<Value> out;
  if (!truth(v)) return Iterator::generator({});  // None counts as empty here
  const bool by_attribute = a.positional.empty() && !a.named.empty() && std::any_of(a.named.begin(), a.named.end(), [](const auto& n) { return n.first == "attribute"; });
  if (by_attribute) {
    const Bound b("map", a, {"attribute", "default"});
    for (const Value& item : elements(v)) {
      Value got = r.attribute_path(item, b.need(0));
      out.push_back(got.is_undefined() && b.has(1) ? b.get(1) : std::move(got));
    }
  } else {
    const std::string& name = name_argument("map", a, 0);
    const Arguments rest = tail(a, 1);
    for (const Value& item : elements(v)) out.push_back(r.filter(name, item, rest));
  }
  return Iterator::generator(std::move(out));
}

// select, reject, selectattr, rejectattr: `attribute` takes the first argument as a path.
Value choose(Runtime& r, const Value& v, const Arguments& a, bool attribute, bool keep) {
  const std::size_t at = attribute ? 1 : 0;
  if (attribute && a.positional.empty()) fail("selectattr needs the name of an attribute");
  const bool tested = a.positional.size() > at;
  const Arguments rest = tail(a, at + 1);
  std::vector<Value> out;
  if (!truth(v)) return Iterator::generator({});
  for (const Value& item : elements(v)) {
    const Value seen = attribute ? r.attribute_path(item, a.positional[0]) : item;
    const bool holds = tested ? r.test(name_argument("select", a, at), seen, rest) : truth(seen);
    if (holds == keep) out.push_back(item);
  }
  return Iterator::generator(std::move(out));
}

Value join(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("join", a, {"d", "attribute"});
  std::vector<std::string> parts;
  for (const Value& item : elements(v)) {
    parts.push_back(to_text(b.has(1) && !b.get(1).is_none() ? r.attribute_path(item, b.get(1)) : item));
  }
  return Value::text(join_texts(b.has(0) ? to_text(b.get(0)) : "", parts));
}

Value sum(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("sum", a, {"attribute", "start"});
  Value total = b.get(1, Value(std::int64_t{0}));
  if (total.is_text()) fail("sum() can't sum strings");
  for (const Value& item : elements(v)) {
    total = r.binary("+", total, b.has(0) && !b.get(0).is_none() ? r.attribute_path(item, b.get(0)) : item);
  }
  return total;
}

Value default_filter(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("default", a, {"default_value", "boolean"});
  const bool absent = v.is_undefined() || (b.flag(1, false) && !truth(v));
  return absent ? b.get(0, Value::text("")) : v;
}

Value first(Runtime&, const Value& v, const Arguments& a) {
  Bound("first", a, {});
  const auto items = elements(v);
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

Value last(Runtime&, const Value& v, const Arguments& a) {
  Bound("last", a, {});
  if (v.is<ObjectRef>() && v.as<ObjectRef>()->length() < 0) fail("'generator' object is not reversible");
  const auto items = elements(v);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value reverse(Runtime&, const Value& v, const Arguments& a) {
  Bound("reverse", a, {});
  auto items = elements(v);
  std::reverse(items.begin(), items.end());
  if (!v.is_text()) return Iterator::generator(std::move(items));
  std::string out;
  for (const Value& c : items) out += c.str();
  return like(v, std::move(out));
}

Value items_filter(Runtime&, const Value& v, const Arguments& a) {
  Bound("items", a, {});
  std::vector<Value> out;
  if (v.is_undefined()) return Iterator::generator({});
  if (!v.is<Dict>()) fail("can only get item pairs from a mapping");
  for (const auto& [key, value] : v.as<Dict>()->items) out.push_back(Value::list({key, value}, true));
  return Iterator::generator(std::move(out));
}

// int(text) of Python: spaces around, a sign, underscores between digits.
std::optional<std::int64_t> parse_integer(const std::string& given, std::int64_t base) {
  std::string text = strip(given, nullptr, true, true), digits;
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.erase(0, 1);
  static const std::map<std::int64_t, std::string> kPrefix = {{16, "0x"}, {8, "0o"}, {2, "0b"}};
  if (kPrefix.contains(base) && lower(text).starts_with(kPrefix.at(base))) text.erase(0, 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_' && i > 0 && i + 1 < text.size() && text[i - 1] != '_') continue;
    digits += text[i];
  }
  std::int64_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(base));
  if (digits.empty() || digits[0] == '-' || end.ptr != digits.data() + digits.size()) return std::nullopt;
  if (end.ec != std::errc()) fail("an integer is beyond 64 bits");
  return minus ? -value : value;
}

std::optional<double> parse_float(const std::string& given) {
  std::string text = lower(strip(given, nullptr, true, true)), digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_' && i > 0 && i + 1 < text.size()) continue;
    digits += text[i];
  }
  if (digits.empty() || digits.find('x') != std::string::npos || digits.find('(') != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (end != digits.c_str() + digits.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> truncated(double d) {
  if (!std::isfinite(d)) return std::nullopt;
  if (std::fabs(d) >= 9.2e18) fail("an integer is beyond 64 bits");
  return static_cast<std::int64_t>(d);
}

Value int_filter(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("int", a, {"default", "base"});
  std::optional<std::int64_t> out;
  const std::int64_t base = b.integer(1, 10);
  if (base < 2 || base > 36) fail("int() base must be from 2 to 36");
  if (v.is_integer()) out = v.integer();
  else if (v.is<double>()) out = truncated(v.as<double>());
  else if (v.is_text()) {
    out = parse_integer(v.str(), base);
    if (!out) {
      const auto d = parse_float(v.str());
      if (d) out = truncated(*d);
    }
  } else if (v.is_undefined()) {
    fail(v.as<Undefined>().what);
  }
  return out ? Value(*out) : b.get(0, Value(std::int64_t{0}));
}

Value float_filter(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("float", a, {"default"});
  if (v.is_number()) return Value(v.number());
  if (v.is_undefined()) fail(v.as<Undefined>().what);
  const auto d = v.is_text() ? parse_float(v.str()) : std::nullopt;
  return d ? Value(*d) : b.get(0, Value(0.0));
}

// round() of Python: half to even on the exact binary value, through the decimal text of the double.
Value round_filter(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("round", a, {"precision", "method"});
  const std::string method = b.text(1, "common");
  const std::int64_t precision = b.integer(0, 0);
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  if (!v.is_number() || precision < -300 || precision > 300) fail("round needs a number");
  if (v.is_integer() && method == "common" && precision >= 0) return Value(v.integer());
  if (method == "common" && precision >= 0) {
    const std::string text = fmt::format("{:.{}f}", v.number(), precision);
    return Value(std::strtod(text.c_str(), nullptr));
  }
  const double scale = std::pow(10.0, static_cast<double>(precision)), scaled = v.number() * scale;
  const double whole = method == "common" ? std::nearbyint(scaled) : method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return Value(whole / scale);
}

Value abs_filter(Runtime&, const Value& v, const Arguments& a) {
  Bound("abs", a, {});
  if (v.is<double>()) return Value(std::fabs(v.as<double>()));
  if (!v.is_integer() || v.integer() == INT64_MIN) fail(fmt::format("bad operand type for abs(): '{}'", type_name(v)));
  return Value(std::abs(v.integer()));
}

Value indent(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("indent", a, {"width", "first", "blank"});
  const bool named = b.has(0) && b.get(0).is_text();
  const std::int64_t width = named ? 0 : b.integer(0, 4);
  if (width > 10000) fail("an indentation is too wide");
  const std::string space = named ? b.get(0).str() : std::string(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
  const auto lines = split_lines(to_text(v) + "\n");
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    charge_bytes(space.size() + lines[i].size());
    if (i > 0) out += '\n';
    if (i > 0 && (b.flag(2, false) || !lines[i].empty())) out += space;
    out += lines[i];
  }
  return like(v, b.flag(1, false) ? space + out : out);
}

Value trim(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("trim", a, {"chars"});
  const Value text = soft_text(v);
  if (!b.has(0) || b.get(0).is_none()) return like(text, strip(text.str(), nullptr, true, true));
  const std::string characters = b.text(0, "");
  return like(text, strip(text.str(), &characters, true, true));
}

Value replace(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("replace", a, {"old", "new", "count"});
  const std::int64_t count = b.has(2) && !b.get(2).is_none() ? b.integer(2, -1) : -1;
  return Value::text(replace_text(to_text(v), to_text(b.need(0)), to_text(b.need(1)), count));
}

// "a-b (c" begins words after '-', white space and opening brackets.
Value title(Runtime&, const Value& v, const Arguments& a) {
  Bound("title", a, {});
  const Value text = soft_text(v);
  std::string out;
  bool begins = true;
  for (const Value& c : elements(text)) {
    const char32_t code = decode_utf8(c.str(), 0).code;
    const bool separator = code == '-' || code == '(' || code == '{' || code == '[' || code == '<' || is_space(code);
    out += begins ? upper(c.str()) : lower(c.str());
    begins = separator;
  }
  return like(text, std::move(out));
}

Value with_method(Runtime& r, const Value& v, const char* name) { return r.call(method_of(soft_text(v), name), {}); }

JsonStyle json_style(const Bound& b) {
  JsonStyle style;
  style.ensure_ascii = b.flag(0, false);
  style.sort_keys = b.flag(3, false);
  if (b.has(1) && !b.get(1).is_none()) {
    style.indented = true;
    style.item_separator.pop_back();  // no space before a line break
    if (b.get(1).is_text()) style.indent = b.get(1).str();
    else if (const std::int64_t n = b.integer(1, 0); n > 1000) fail("an indentation is too wide");
    else style.indent = std::string(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)), ' ');
  }
  if (b.has(2) && !b.get(2).is_none()) {
    const auto parts = elements(b.get(2));
    if (parts.size() != 2 || !parts[0].is_text() || !parts[1].is_text()) fail("tojson needs two texts as separators");
    style.item_separator = parts[0].str();
    style.key_separator = parts[1].str();
  }
  return style;
}

Value tojson(Runtime&, const Value& v, const Arguments& a) {
  return Value::text(to_json(v, json_style(Bound("tojson", a, {"ensure_ascii", "indent", "separators", "sort_keys"}))));
}

Value batch(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("batch", a, {"linecount", "fill_with"});
  b.need(0);
  const std::int64_t size = b.integer(0, 1);
  if (size < 1 || size > kMaxRange) fail("batch needs a positive number");
  std::vector<Value> out, row;
  for (Value& item : elements(v)) {
    if (static_cast<std::int64_t>(row.size()) == size) out.push_back(Value::list(std::exchange(row, {})));
    row.push_back(std::move(item));
  }
  while (!row.empty() && b.has(1) && !b.get(1).is_none() && static_cast<std::int64_t>(row.size()) < size) row.push_back(b.get(1));
  if (!row.empty()) out.push_back(Value::list(std::move(row)));
  return Iterator::generator(std::move(out));
}

Value slice(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("slice", a, {"slices", "fill_with"});
  b.need(0);
  const auto items = elements(v);
  const std::int64_t n = b.integer(0, 1);
  if (n < 1 || n > kMaxRange) fail("slice needs a positive number");
  const auto slices = static_cast<std::size_t>(n);
  const std::size_t each = items.size() / slices, longer = items.size() % slices;
  std::vector<Value> out;
  std::size_t at = 0;
  for (std::size_t i = 0; i < slices; ++i) {
    const std::size_t size = each + (i < longer ? 1 : 0);
    std::vector<Value> row(items.begin() + static_cast<std::ptrdiff_t>(at), items.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
    if (b.has(1) && !b.get(1).is_none() && i >= longer) row.push_back(b.get(1));
    out.push_back(Value::list(std::move(row)));
  }
  return Iterator::generator(std::move(out));
}

Value truncate(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("truncate", a, {"length", "killwords", "end", "leeway"});
  const auto characters = elements(soft_text(v));
  const std::int64_t length = b.integer(0, 255), leeway = b.has(3) && !b.get(3).is_none() ? b.integer(3, 5) : 5;
  const std::string end = b.text(2, "...");
  const auto n = static_cast<std::int64_t>(characters.size()), marks = static_cast<std::int64_t>(count_characters(end));
  if (length < marks) fail(fmt::format("expected length >= {}, got {}", marks, length));
  if (leeway < 0) fail("expected leeway >= 0");
  std::string out;
  if (n <= length + leeway) return soft_text(v);
  for (std::int64_t i = 0; i < length - marks; ++i) out += characters[static_cast<std::size_t>(i)].str();
  if (!b.flag(1, false)) out = out.substr(0, out.rfind(' '));
  return like(v, out + end);
}

Value urlencode(Runtime&, const Value& v, const Arguments& a) {
  Bound("urlencode", a, {});
  std::string out;
  for (const char c : to_text(v)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_.-~/").find(c) != std::string_view::npos;
    if (plain) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return Value::text(std::move(out));
}

Value attr(Runtime& r, const Value& v, const Arguments& a) {
  const std::string name = Bound("attr", a, {"name"}).text(0, "");
  if (v.is_undefined()) fail(v.as<Undefined>().what);
  return v.is<ObjectRef>() ? r.member(v, name) : method_of(v, name);
}

Value wordcount(Runtime&, const Value& v, const Arguments& a) {
  Bound("wordcount", a, {});
  std::int64_t n = 0;
  bool inside = false;
  for (const Value& c : elements(soft_text(v))) {
    const bool word = is_word(decode_utf8(c.str(), 0).code);
    n += word && !inside;
    inside = word;
  }
  return Value(n);
}

Value escape(const Value& v, bool always) {
  if (!always && v.is_text() && v.as<Text>().safe) return v;
  return Value::text(escape_html(to_text(v)), true);
}

const std::map<std::string, Filter>& filters() {
  static const std::map<std::string, Filter> kFilters = {
      {"abs", abs_filter}, {"attr", attr}, {"batch", batch}, {"default", default_filter}, {"d", default_filter}, {"dictsort", dictsort},
      {"first", first}, {"float", float_filter}, {"groupby", groupby}, {"indent", indent}, {"int", int_filter}, {"items", items_filter},
      {"join", join}, {"last", last}, {"map", map}, {"replace", replace}, {"reverse", reverse}, {"round", round_filter}, {"slice", slice},
      {"sort", sort}, {"sum", sum}, {"title", title}, {"tojson", tojson}, {"trim", trim}, {"truncate", truncate}, {"unique", unique},
      {"urlencode", urlencode}, {"wordcount", wordcount},
      {"capitalize", [](Runtime& r, const Value& v, const Arguments& a) { Bound("capitalize", a, {}); return with_method(r, v, "capitalize"); }},
      {"upper", [](Runtime& r, const Value& v, const Arguments& a) { Bound("upper", a, {}); return with_method(r, v, "upper"); }},
      {"lower", [](Runtime& r, const Value& v, const Arguments& a) { Bound("lower", a, {}); return with_method(r, v, "lower"); }},
      {"center", [](Runtime& r, const Value& v, const Arguments& a) {
         Arguments width;
         width.positional.push_back(Bound("center", a, {"width"}).get(0, Value(std::int64_t{80})));
         return r.call(method_of(soft_text(v), "center"), width);
       }},
      {"count", [](Runtime&, const Value& v, const Arguments& a) { Bound("count", a, {}); return Value(length_of(v)); }},
      {"length", [](Runtime&, const Value& v, const Arguments& a) { Bound("length", a, {}); return Value(length_of(v)); }},
      {"list", [](Runtime&, const Value& v, const Arguments& a) { Bound("list", a, {}); return Value::list(elements(v)); }},
      {"string", [](Runtime&, const Value& v, const Arguments& a) { Bound("string", a, {}); return soft_text(v); }},
      {"safe", [](Runtime&, const Value& v, const Arguments& a) { Bound("safe", a, {}); return Value::text(to_text(v), true); }},
      {"escape", [](Runtime&, const Value& v, const Arguments& a) { Bound("escape", a, {}); return escape(v, false); }},
      {"e", [](Runtime&, const Value& v, const Arguments& a) { Bound("e", a, {}); return escape(v, false); }},
      {"forceescape", [](Runtime&, const Value& v, const Arguments& a) { Bound("forceescape", a, {}); return escape(v, true); }},
      {"format", [](Runtime&, const Value& v, const Arguments& a) { return like(v, printf_text(to_text(v), a)); }},
      {"min", [](Runtime& r, const Value& v, const Arguments& a) { return extreme(r, v, a, -1); }},
      {"max", [](Runtime& r, const Value& v, const Arguments& a) { return extreme(r, v, a, 1); }},
      {"select", [](Runtime& r, const Value& v, const Arguments& a) { return choose(r, v, a, false, true); }},
      {"reject", [](Runtime& r, const Value& v, const Arguments& a) { return choose(r, v, a, false, false); }},
      {"selectattr", [](Runtime& r, const Value& v, const Arguments& a) { return choose(r, v, a, true, true); }},
      {"rejectattr", [](Runtime& r, const Value& v, const Arguments& a) { return choose(r, v, a, true, false); }},
  };
  return kFilters;
}

}  // namespace

Value Runtime::filter(const std::string& name, const Value& value, const Arguments& arguments) {
  step();
  const auto it = filters().find(name);
  if (it == filters().end()) fail(fmt::format("there is no filter named '{}'", name));
  return it->second(*this, value, arguments);
}

bool is_filter(const std::string& name) { return filters().contains(name); }

}  // namespace assay::jinja
