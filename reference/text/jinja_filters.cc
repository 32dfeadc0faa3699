// Jinja2's filters, with transformers' tojson.
#include <optional>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/check.h"
#include "reference/text/jinja_filters.h"
#include "reference/text/jinja_iterate.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

Value folded(const Value& value) { return value.is_text() ? Value::text(lower(value.str())) : value; }

// The values that sort, unique, min, max and groupby look at: an attribute, letters folded unless asked not to.
struct KeyOf {
  Value attribute;
  bool case_sensitive = false;
  Value otherwise = {};
  Value operator()(Runtime& runtime, const Value& item) const {
    const Value key = runtime.attribute_path(item, attribute, otherwise);
    return case_sensitive ? key : folded(key);
  }
};

// sort alone takes several attributes, with commas. As in Jinja2 its keys are lists: those of equal parts have an order, whatever the parts.
Value sort_key(Runtime& runtime, const Value& item, const KeyOf& key) {
  if (!key.attribute.is_text()) return Value::list({key(runtime, item)});
  std::vector<Value> parts;
  const std::string& names = key.attribute.str();
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    parts.push_back(KeyOf{Value::text(names.substr(begin, end - begin)), key.case_sensitive}(runtime, item));
    begin = end + 1;
  }
  return Value::list(std::move(parts));
}

struct Keyed {
  Value key, item;
};

std::vector<Keyed> keyed(Runtime& runtime, const Value& value, const KeyOf& key) {
  std::vector<Keyed> out;
  for (Value& item : elements(value)) {
    Value found = key(runtime, item);
    out.push_back({std::move(found), std::move(item)});
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
  const KeyOf key{b.get(2), b.flag(1, false)};
  std::vector<Keyed> items;
  for (Value& item : elements(v)) {
    Value found = sort_key(r, item, key);
    items.push_back({std::move(found), std::move(item)});
  }
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
  const KeyOf key{b.get(1), b.flag(0, false)};
  return Generator::make(v, [&r, key, value = v, seen = std::set<std::string>(), cursor = std::optional<Cursor>()](Value& out) mutable {
    if (!cursor) cursor.emplace(value);
    while (cursor->next(out)) {
      std::string name = canonical_key(key(r, out));
      charge_bytes(name.size() + 64);
      if (seen.insert(std::move(name)).second) return true;
    }
    return false;
  });
}

Value extreme(Runtime& r, const Value& v, const Arguments& a, int wanted) {
  const Bound b(wanted < 0 ? "min" : "max", a, {"case_sensitive", "attribute"});
  auto items = keyed(r, v, {b.get(1), b.flag(0, false)});
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  std::size_t best = 0;
  for (std::size_t i = 1; i < items.size(); ++i) {
    if (compare(items[i].key, items[best].key) == wanted) best = i;
  }
  return items[best].item;
}

Value groupby(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("groupby", a, {"attribute", "default", "case_sensitive"});
  const KeyOf key{b.need(0), b.flag(2, false), b.get(1)}, shown{b.need(0), true, b.get(1)};
  auto items = keyed(r, v, key);
  if (items.size() > 1) sort_by_key(r, items, false);
  std::vector<Value> out, group;
  for (std::size_t i = 0; i < items.size(); ++i) {
    group.push_back(items[i].item);
    if (i + 1 < items.size() && equal(items[i].key, items[i + 1].key)) continue;
    const Value name = shown(r, group.front());
    out.push_back(Value::list({name, Value::list(std::exchange(group, {}))}, true, true));
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

using Maker = std::function<Value(const Value& item)>;

Maker mapping_of(Runtime& r, const Arguments& a) {
  const bool by_attribute = a.positional.empty() && std::any_of(a.named.begin(), a.named.end(), [](const auto& n) { return n.first == "attribute"; });
  if (!by_attribute) return [&r, name = name_argument("map", a, 0), rest = tail(a, 1)](const Value& item) { return r.filter(name, item, rest); };
  const Bound b("map", a, {"attribute", "default"});
  return [&r, path = b.need(0), otherwise = b.get(1)](const Value& item) { return r.attribute_path(item, path, otherwise); };
}

Value map(Runtime& r, const Value& v, const Arguments& a) {
  return Generator::make(v, [&r, value = v, a, make = Maker(), cursor = std::optional<Cursor>()](Value& out) mutable {
    const Runtime::Deeper deeper(r);
    if (!cursor) {
      if (!truth(value)) return false;  // None counts as empty here
      make = mapping_of(r, a);
      cursor.emplace(value);
    }
    Value item;
    if (!cursor->next(item)) return false;
    out = make(item);
    return true;
  });
}

using Decider = std::function<bool(const Value& item)>;

// select, reject, selectattr, rejectattr: `attribute` takes the first argument as a path.
Decider decider_of(Runtime& r, const Arguments& a, bool attribute) {
  const std::size_t at = attribute ? 1 : 0;
  if (attribute && a.positional.empty()) fail("missing parameter for attribute name");
  const Value path = attribute ? a.positional[0] : Value();
  if (a.positional.size() <= at) return [&r, path](const Value& item) { return truth(r.attribute_path(item, path)); };
  return [&r, path, name = name_argument("select", a, at), rest = tail(a, at + 1)](const Value& item) { return r.test(name, r.attribute_path(item, path), rest); };
}

Value choose(Runtime& r, const Value& v, const Arguments& a, bool attribute, bool keep) {
  return Generator::make(v, [&r, value = v, a, attribute, keep, holds = Decider(), cursor = std::optional<Cursor>()](Value& out) mutable {
    const Runtime::Deeper deeper(r);
    if (!cursor) {
      if (!truth(value)) return false;
      holds = decider_of(r, a, attribute);
      cursor.emplace(value);
    }
    while (cursor->next(out)) {
      if (holds(out) == keep) return true;
    }
    return false;
  });
}

Value join(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("join", a, {"d", "attribute"});
  std::vector<std::string> parts;
  std::uint64_t total = 0;
  for (const Value& item : elements(v)) {
    parts.push_back(to_text(r.attribute_path(item, b.get(1))));
    check_text_size(total += parts.back().size());
  }
  return Value::text(join_texts(b.has(0) ? to_text(b.get(0)) : "", parts));
}

Value sum(Runtime& r, const Value& v, const Arguments& a) {
  const Bound b("sum", a, {"attribute", "start"});
  Value total = b.get(1, Value(std::int64_t{0}));
  if (total.is_text()) fail("sum() can't sum strings");
  for (const Value& item : elements(v)) {
    total = r.binary("+", total, r.attribute_path(item, b.get(0)));
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
  Value out;
  return Cursor(v).next(out) ? out : Value::undefined("No first item, sequence was empty.");
}

Value last(Runtime&, const Value& v, const Arguments& a) {
  Bound("last", a, {});
  if (object_of<Generator>(v)) fail("'generator' object is not reversible");
  const auto items = elements(v);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value reverse(Runtime&, const Value& v, const Arguments& a) {
  Bound("reverse", a, {});
  auto items = elements(v);
  std::reverse(items.begin(), items.end());
  if (object_of<Generator>(v)) return Value::list(std::move(items));
  if (!v.is_text()) return Generator::of(std::move(items));
  std::string out;
  for (const Value& c : items) out += c.str();
  return like(v, std::move(out));
}

Value items_filter(Runtime&, const Value& v, const Arguments& a) {
  Bound("items", a, {});
  return Generator::make(v, [value = v, at = std::size_t{0}](Value& out) mutable {
    if (value.is_undefined()) return false;
    if (!value.is<Dict>()) fail("can only get item pairs from a mapping");
    const auto& items = value.as<Dict>()->items;
    if (at == items.size()) return false;
    out = Value::list({items[at].first, items[at].second}, true);
    ++at;
    return true;
  });
}

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

bool is_size(std::size_t n, const Value& size) { return size.is_number() && static_cast<double>(n) == size.number(); }

Value batch(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("batch", a, {"linecount", "fill_with"});
  const Value size = b.need(0), fill = b.get(1);
  return Generator::make(v, [value = v, size, fill, row = std::vector<Value>(), cursor = std::optional<Cursor>(), ended = false](Value& out) mutable {
    if (ended) return false;
    if (!cursor) cursor.emplace(value);
    for (Value item; cursor->next(item);) {
      const bool full = is_size(row.size(), size);
      if (full) out = Value::list(std::exchange(row, {}));
      row.push_back(std::move(item));
      if (full) return true;
    }
    ended = true;
    if (row.empty()) return false;
    if (!fill.is_none()) {
      if (!size.is_number()) fail("batch needs a number");
      const double missing = size.number() - static_cast<double>(row.size());
      if (missing > 0 && !size.is_integer()) fail("batch needs an integer");
      if (missing > static_cast<double>(kMaxRange)) fail("a batch is too long");
      for (double i = 0; i < missing; ++i) row.push_back(fill);
    }
    out = Value::list(std::move(row));
    return true;
  });
}

std::vector<Value> sliced(const Value& v, const Value& count, const Value& fill) {
  if (!count.is_integer()) fail("slice needs an integer");
  if (count.integer() > kMaxRange) fail("too many slices");
  if (count.integer() == 0) fail("integer division or modulo by zero");
  const auto items = elements(v);
  std::vector<Value> out;
  if (count.integer() < 0) return out;
  const auto slices = static_cast<std::size_t>(count.integer());
  const std::size_t each = items.size() / slices, longer = items.size() % slices;
  for (std::size_t i = 0, at = 0; i < slices; ++i) {
    const std::size_t size = each + (i < longer ? 1 : 0);
    std::vector<Value> row(items.begin() + static_cast<std::ptrdiff_t>(at), items.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
    if (!fill.is_none() && i >= longer) row.push_back(fill);
    out.push_back(Value::list(std::move(row)));
  }
  return out;
}

Value slice(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("slice", a, {"slices", "fill_with"});
  const Value count = b.need(0), fill = b.get(1);
  return Generator::make(v, [value = v, count, fill, rows = std::optional<std::vector<Value>>(), at = std::size_t{0}](Value& out) mutable {
    if (!rows) rows = sliced(value, count, fill);
    if (at == rows->size()) return false;
    out = (*rows)[at++];
    return true;
  });
}

Value xmlattr(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("xmlattr", a, {"autospace"});
  if (!v.is<Dict>()) fail(fmt::format("xmlattr needs a mapping, not {}", type_name(v)));
  std::string out;
  for (const auto& [key, value] : v.as<Dict>()->items) {
    if (value.is_none() || value.is_undefined()) continue;
    if (!key.is_text()) fail("the name of an attribute is not a text");
    if (key.str().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) fail(fmt::format("invalid character in attribute name: '{}'", key.str()));
    if (!out.empty()) out += ' ';
    out += escape_html(key.str()) + "=\"" + (value.is_text() && value.as<Text>().safe ? value.str() : escape_html(to_text(value))) + '"';
  }
  return Value::text((b.flag(0, true) && !out.empty() ? " " : "") + out);
}

Value attr(Runtime& r, const Value& v, const Arguments& a) {
  const std::string name = Bound("attr", a, {"name"}).text(0, "");
  if (v.is_undefined()) fail(v.as<Undefined>().what);
  return v.is<ObjectRef>() ? r.member(v, name) : method_of(v, name);
}

}  // namespace

const FilterTable& sequence_filters() {
  static const FilterTable kFilters = {
      {"attr", attr}, {"batch", batch}, {"default", default_filter}, {"d", default_filter}, {"dictsort", dictsort}, {"first", first}, {"groupby", groupby},
      {"items", items_filter}, {"join", join}, {"last", last}, {"map", map}, {"reverse", reverse}, {"slice", slice}, {"sort", sort}, {"sum", sum},
      {"tojson", tojson}, {"unique", unique}, {"xmlattr", xmlattr},
      {"count", [](Runtime&, const Value& v, const Arguments& a) { Bound("count", a, {}); return Value(length_of(v)); }},
      {"length", [](Runtime&, const Value& v, const Arguments& a) { Bound("length", a, {}); return Value(length_of(v)); }},
      {"list", [](Runtime&, const Value& v, const Arguments& a) { Bound("list", a, {}); return Value::list(elements(v)); }},
      {"min", [](Runtime& r, const Value& v, const Arguments& a) { return extreme(r, v, a, -1); }},
      {"max", [](Runtime& r, const Value& v, const Arguments& a) { return extreme(r, v, a, 1); }},
      {"select", [](Runtime& r, const Value& v, const Arguments& a) { return choose(r, v, a, false, true); }},
      {"reject", [](Runtime& r, const Value& v, const Arguments& a) { return choose(r, v, a, false, false); }},
      {"selectattr", [](Runtime& r, const Value& v, const Arguments& a) { return choose(r, v, a, true, true); }},
      {"rejectattr", [](Runtime& r, const Value& v, const Arguments& a) { return choose(r, v, a, true, false); }},
  };
  return kFilters;
}

namespace {

// Jinja2's filters pprint, random and urlize are left out: no chat template has a use for them.
const FilterTable& filters() {
  static const FilterTable kFilters = [] {
    FilterTable all = sequence_filters();
    all.insert(text_filters().begin(), text_filters().end());
    all.insert(number_filters().begin(), number_filters().end());
    return all;
  }();
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
