// Python's methods of str, list, dict and float, as far as the sandbox lets a template call them.
#include <optional>
#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>

#include "base/check.h"
#include "reference/text/jinja_iterate.h"
#include "reference/text/jinja_run.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

constexpr std::size_t kMaxWidth = std::size_t{1} << 20;  // of padded texts

bool python_space(char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); }
bool is_letter(char32_t c) {
  const auto k = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
bool is_digit(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND; }

// Unicode's Numeric_Type=Digit beyond the decimal digits: superscripts, subscripts, circled and other enclosed digits.
bool script_digit(char32_t c) {
  static constexpr std::pair<char32_t, char32_t> kRanges[] = {{0xB2, 0xB3},     {0xB9, 0xB9},     {0x1369, 0x1371}, {0x19DA, 0x19DA}, {0x2070, 0x2070}, {0x2074, 0x2079},   {0x2080, 0x2089},
                                                              {0x2460, 0x2468}, {0x2474, 0x247C}, {0x2488, 0x2490}, {0x24EA, 0x24EA}, {0x24F5, 0x24FD}, {0x24FF, 0x24FF},   {0x2776, 0x277E},
                                                              {0x2780, 0x2788}, {0x278A, 0x2792}, {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A}};
  return std::any_of(std::begin(kRanges), std::end(kRanges), [&](const auto& r) { return c >= r.first && c <= r.second; });
}

std::string from_codes(const std::u32string& text) {
  std::string out;
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

template <class Is>
bool all_of(const std::string& text, Is is) {
  const std::u32string all = codes(text);
  return !all.empty() && std::all_of(all.begin(), all.end(), is);
}

std::vector<std::string> split_space(const std::string& text, std::int64_t limit, bool from_right) {
  std::vector<std::string> out;
  std::u32string rest = codes(text);
  const auto trim = [&] {
    while (!rest.empty() && python_space(from_right ? rest.back() : rest.front())) rest.erase(from_right ? rest.size() - 1 : 0, 1);
  };
  // Words by position; the remainder after `limit` words keeps its inner space.
  if (from_right) {
    while (trim(), !rest.empty()) {
      if (limit >= 0 && static_cast<std::int64_t>(out.size()) == limit) {
        out.push_back(from_codes(rest));
        break;
      }
      std::size_t begin = rest.size();
      while (begin > 0 && !python_space(rest[begin - 1])) --begin;
      out.push_back(from_codes(rest.substr(begin)));
      rest.resize(begin);
    }
    std::reverse(out.begin(), out.end());
    return out;
  }
  for (std::size_t at = 0;;) {
    while (at < rest.size() && python_space(rest[at])) ++at;
    if (at == rest.size()) return out;
    if (limit >= 0 && static_cast<std::int64_t>(out.size()) == limit) {
      out.push_back(from_codes(rest.substr(at)));
      return out;
    }
    std::size_t end = at;
    while (end < rest.size() && !python_space(rest[end])) ++end;
    out.push_back(from_codes(rest.substr(at, end - at)));
    at = end;
  }
}

std::vector<std::string> split_at(const std::string& text, const std::string& separator, std::int64_t limit, bool from_right) {
  if (separator.empty()) fail("empty separator");
  charge_look(text.size(), separator.size());
  std::vector<std::string> out;
  if (from_right) {
    std::size_t end = text.size();
    while (limit < 0 || static_cast<std::int64_t>(out.size()) < limit) {
      const std::size_t hit = end < separator.size() ? std::string::npos : text.rfind(separator, end - separator.size());
      if (hit == std::string::npos) break;
      out.push_back(text.substr(hit + separator.size(), end - hit - separator.size()));
      end = hit;
    }
    out.push_back(text.substr(0, end));
    std::reverse(out.begin(), out.end());
    return out;
  }
  std::size_t begin = 0;
  while (limit < 0 || static_cast<std::int64_t>(out.size()) < limit) {
    const std::size_t hit = text.find(separator, begin);
    if (hit == std::string::npos) break;
    out.push_back(text.substr(begin, hit - begin));
    begin = hit + separator.size();
  }
  out.push_back(text.substr(begin));
  return out;
}

Value texts(const std::vector<std::string>& parts) {
  std::vector<Value> out;
  out.reserve(parts.size());
  for (const std::string& p : parts) out.push_back(Value::text(p));
  return Value::list(std::move(out));
}

struct Bounds {
  std::int64_t from, to;
};

// Arguments 1 and 2 as Python's start and end, in characters.
Bounds bounds(const std::string& text, const Bound& bound) {
  const auto n = static_cast<std::int64_t>(count_characters(text));
  const auto place = [&](std::size_t i, std::int64_t absent) {
    std::int64_t v = bound.has(i) && !bound.get(i).is_none() ? bound.integer(i, 0) : absent;
    if (v < 0) v = std::max<std::int64_t>(v + n, 0);
    return v;
  };
  return {place(1, 0), std::min(place(2, n), n)};
}

// The part of the text between them; nothing where the start lies behind the end, in which even "" is not found.
std::optional<std::string> window(const std::string& text, const Bound& bound) {
  const Bounds b = bounds(text, bound);
  if (b.from > b.to) return std::nullopt;
  if (!bound.has(1) && !bound.has(2)) return text;
  return from_codes(codes(text).substr(static_cast<std::size_t>(b.from), static_cast<std::size_t>(b.to - b.from)));
}

// s.startswith("a"), s.startswith(("a", "b")), with start and end as Python has them.
bool edge_matches(const std::string& whole, const Bound& bound, bool start) {
  const auto text = window(whole, bound);
  const auto one = [&](const Value& v) {
    if (!v.is_text()) fail(fmt::format("{} needs a text or a tuple of texts, not {}", start ? "startswith" : "endswith", type_name(v)));
    return text && (start ? text->starts_with(v.str()) : text->ends_with(v.str()));
  };
  const Value& what = bound.need(0);
  if (!what.is<List>() || !what.as<List>()->tuple) return one(what);
  const auto& items = what.as<List>()->items;
  return std::any_of(items.begin(), items.end(), one);
}

// Position in characters of `needle`, -1: none.
std::int64_t find_text(const std::string& text, const Bound& bound, bool from_right) {
  const std::u32string what = codes(bound.text(0, ""));
  const auto part = window(text, bound);
  if (!part) return -1;
  const std::u32string all = codes(*part);
  charge_look(all.size(), what.size());
  const std::size_t hit = from_right ? all.rfind(what) : all.find(what);
  return hit == std::u32string::npos ? -1 : static_cast<std::int64_t>(hit) + bounds(text, bound).from;
}

std::int64_t count_text(const std::string& text, const std::string& needle) {
  charge_look(text.size(), needle.size());
  if (needle.empty()) return static_cast<std::int64_t>(count_characters(text)) + 1;
  std::int64_t n = 0;
  for (std::size_t at = text.find(needle); at != std::string::npos; at = text.find(needle, at + needle.size())) ++n;
  return n;
}

enum class Align : std::uint8_t { kLeft, kRight, kCenter };

std::string padded(const std::string& text, std::int64_t width, const std::string& fill, Align align) {
  const auto n = static_cast<std::int64_t>(count_characters(text));
  if (width > static_cast<std::int64_t>(kMaxWidth)) fail("a width is too large");
  if (count_characters(fill) != 1) fail("the fill character must be exactly one character long");
  const std::int64_t missing = std::max<std::int64_t>(width - n, 0);
  std::int64_t left = align == Align::kLeft ? 0 : missing;
  if (align == Align::kCenter) left = missing / 2 + (missing & width & 1);
  std::string out;
  for (std::int64_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (std::int64_t i = left; i < missing; ++i) out += fill;
  return out;
}

std::string zero_filled(const std::string& text, std::int64_t width) {
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const auto n = static_cast<std::int64_t>(count_characters(text));
  return (sign ? text.substr(0, 1) : "") + padded(text.substr(sign ? 1 : 0), std::max(width, n) - (sign ? 1 : 0), "0", Align::kRight);
}

Value partitioned(const std::string& text, const std::string& separator, bool from_right) {
  if (separator.empty()) fail("empty separator");
  charge_look(text.size(), separator.size());
  const std::size_t hit = from_right ? text.rfind(separator) : text.find(separator);
  if (hit == std::string::npos) {
    return Value::list({Value::text(from_right ? "" : text), Value::text(""), Value::text(from_right ? text : "")}, true);
  }
  return Value::list({Value::text(text.substr(0, hit)), Value::text(separator), Value::text(text.substr(hit + separator.size()))}, true);
}

std::string expanded_tabs(const std::string& text, std::int64_t size) {
  if (size > static_cast<std::int64_t>(kMaxWidth)) fail("a width is too large");
  std::string out;
  std::int64_t column = 0;
  for (const char32_t c : codes(text)) {
    if (c == '\t') {
      const std::int64_t n = size > 0 ? size - column % size : 0;
      charge_bytes(static_cast<std::uint64_t>(n));
      out.append(static_cast<std::size_t>(n), ' ');
      column += n;
      continue;
    }
    append_utf8(out, c);
    column = c == '\n' || c == '\r' ? 0 : column + 1;
  }
  return out;
}

std::string translated(const std::string& text, const Value& table) {
  if (!table.is<Dict>()) fail(fmt::format("translate needs a mapping, not {}", type_name(table)));
  std::string out;
  for (const char32_t c : codes(text)) {
    const Value* to = table.as<Dict>()->find(Value(static_cast<std::int64_t>(c)));
    if (to && to->is_none()) continue;
    const std::size_t before = out.size();
    if (to && to->is_text()) out += to->str();
    else if (to && to->is_integer() && to->integer() >= 0 && to->integer() < 0xD800) append_utf8(out, static_cast<char32_t>(to->integer()));
    else if (to) fail("translate needs characters, texts or none in its mapping");
    else append_utf8(out, c);
    charge_bytes(out.size() - before);
    check_text_size(out.size());
  }
  return out;
}

using TextMethod = Value (*)(const std::string& text, const Arguments& given);

Value stripped(const char* name, const std::string& text, const Arguments& given, bool left, bool right) {
  const Bound bound(name, given, {"chars"});
  if (!bound.has(0) || bound.get(0).is_none()) return Value::text(strip(text, nullptr, left, right));
  const std::string characters = bound.text(0, "");
  return Value::text(strip(text, &characters, left, right));
}

Value split_method(const std::string& text, const Arguments& given, bool from_right) {
  const Bound bound("split", given, {"sep", "maxsplit"});
  const std::int64_t limit = bound.integer(1, -1);
  if (!bound.has(0) || bound.get(0).is_none()) return texts(split_space(text, limit, from_right));
  return texts(split_at(text, bound.text(0, ""), limit, from_right));
}

Value pad_method(const char* name, const std::string& text, const Arguments& given, Align align) {
  const Bound bound(name, given, {"width", "fillchar"});
  bound.need(0);
  return Value::text(padded(text, bound.integer(0, 0), bound.text(1, " "), align));
}

Value find_method(const std::string& text, const Arguments& given, bool from_right, bool must) {
  const Bound bound("find", given, {"sub", "start", "end"});
  bound.need(0);
  const std::int64_t at = find_text(text, bound, from_right);
  if (must && at < 0) fail("substring not found");
  return Value(at);
}

void no_arguments(const char* name, const Arguments& given) { Bound(name, given, {}); }

const std::map<std::string, TextMethod>& text_methods() {
  static const std::map<std::string, TextMethod> kMethods = {
      {"upper", [](const std::string& t, const Arguments& a) { no_arguments("upper", a); return Value::text(upper(t)); }},
      {"lower", [](const std::string& t, const Arguments& a) { no_arguments("lower", a); return Value::text(lower(t)); }},
      {"casefold", [](const std::string& t, const Arguments& a) { no_arguments("casefold", a); return Value::text(casefolded(t)); }},
      {"title", [](const std::string& t, const Arguments& a) { no_arguments("title", a); return Value::text(title_text(t)); }},
      {"capitalize", [](const std::string& t, const Arguments& a) { no_arguments("capitalize", a); return Value::text(capitalized(t)); }},
      {"swapcase", [](const std::string& t, const Arguments& a) { no_arguments("swapcase", a); return Value::text(swapped(t)); }},
      {"strip", [](const std::string& t, const Arguments& a) { return stripped("strip", t, a, true, true); }},
      {"lstrip", [](const std::string& t, const Arguments& a) { return stripped("lstrip", t, a, true, false); }},
      {"rstrip", [](const std::string& t, const Arguments& a) { return stripped("rstrip", t, a, false, true); }},
      {"split", [](const std::string& t, const Arguments& a) { return split_method(t, a, false); }},
      {"rsplit", [](const std::string& t, const Arguments& a) { return split_method(t, a, true); }},
      {"splitlines", [](const std::string& t, const Arguments& a) {
         return texts(split_lines(t, Bound("splitlines", a, {"keepends"}).flag(0, false)));
       }},
      {"replace", [](const std::string& t, const Arguments& a) {
         const Bound b("replace", a, {"old", "new", "count"});
         b.need(0), b.need(1);
         return Value::text(replace_text(t, b.text(0, ""), b.text(1, ""), b.integer(2, -1)));
       }},
      {"startswith", [](const std::string& t, const Arguments& a) { return Value(edge_matches(t, Bound("startswith", a, {"prefix", "start", "end"}), true)); }},
      {"endswith", [](const std::string& t, const Arguments& a) { return Value(edge_matches(t, Bound("endswith", a, {"suffix", "start", "end"}), false)); }},
      {"find", [](const std::string& t, const Arguments& a) { return find_method(t, a, false, false); }},
      {"rfind", [](const std::string& t, const Arguments& a) { return find_method(t, a, true, false); }},
      {"index", [](const std::string& t, const Arguments& a) { return find_method(t, a, false, true); }},
      {"rindex", [](const std::string& t, const Arguments& a) { return find_method(t, a, true, true); }},
      {"count", [](const std::string& t, const Arguments& a) {
         const Bound b("count", a, {"sub", "start", "end"});
         b.need(0);
         const auto part = window(t, b);
         return Value(part ? count_text(*part, b.text(0, "")) : 0);
       }},
      {"join", [](const std::string& t, const Arguments& a) {
         std::vector<std::string> parts;
         std::uint64_t total = 0;
         for (const Value& v : elements(Bound("join", a, {"iterable"}).need(0))) {
           if (!v.is_text()) fail(fmt::format("join needs texts, not {}", type_name(v)));
           check_text_size(total += v.str().size());
           parts.push_back(v.str());
         }
         return Value::text(join_texts(t, parts));
       }},
      {"isdigit", [](const std::string& t, const Arguments& a) { no_arguments("isdigit", a); return Value(all_of(t, [](char32_t c) { return is_digit(c) || script_digit(c); })); }},
      {"isdecimal", [](const std::string& t, const Arguments& a) { no_arguments("isdecimal", a); return Value(all_of(t, is_digit)); }},
      {"isnumeric", [](const std::string& t, const Arguments& a) { no_arguments("isnumeric", a); return Value(all_of(t, is_numeric)); }},
      {"isalpha", [](const std::string& t, const Arguments& a) { no_arguments("isalpha", a); return Value(all_of(t, is_letter)); }},
      {"isalnum", [](const std::string& t, const Arguments& a) {
         no_arguments("isalnum", a);
         return Value(all_of(t, [](char32_t c) { return is_letter(c) || is_numeric(c); }));
       }},
      {"isspace", [](const std::string& t, const Arguments& a) { no_arguments("isspace", a); return Value(all_of(t, python_space)); }},
      {"isupper", [](const std::string& t, const Arguments& a) { no_arguments("isupper", a); return Value(all_cased(t, true)); }},
      {"islower", [](const std::string& t, const Arguments& a) { no_arguments("islower", a); return Value(all_cased(t, false)); }},
      {"istitle", [](const std::string& t, const Arguments& a) { no_arguments("istitle", a); return Value(titled(t)); }},
      {"isascii", [](const std::string& t, const Arguments& a) { no_arguments("isascii", a); return Value(std::all_of(t.begin(), t.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80U) == 0; })); }},
      {"isprintable", [](const std::string& t, const Arguments& a) { no_arguments("isprintable", a); return Value(t.empty() || all_of(t, printable)); }},
      {"isidentifier", [](const std::string& t, const Arguments& a) { no_arguments("isidentifier", a); return Value(all_of(t, is_word) && !is_numeric(decode_utf8(t, 0).code)); }},
      {"translate", [](const std::string& t, const Arguments& a) { return Value::text(translated(t, Bound("translate", a, {"table"}).need(0))); }},
      {"zfill", [](const std::string& t, const Arguments& a) {
         const Bound b("zfill", a, {"width"});
         b.need(0);
         return Value::text(zero_filled(t, b.integer(0, 0)));
       }},
      {"ljust", [](const std::string& t, const Arguments& a) { return pad_method("ljust", t, a, Align::kLeft); }},
      {"rjust", [](const std::string& t, const Arguments& a) { return pad_method("rjust", t, a, Align::kRight); }},
      {"center", [](const std::string& t, const Arguments& a) { return pad_method("center", t, a, Align::kCenter); }},
      {"partition", [](const std::string& t, const Arguments& a) { return partitioned(t, Bound("partition", a, {"sep"}).text(0, ""), false); }},
      {"rpartition", [](const std::string& t, const Arguments& a) { return partitioned(t, Bound("rpartition", a, {"sep"}).text(0, ""), true); }},
      {"removeprefix", [](const std::string& t, const Arguments& a) {
         const std::string p = Bound("removeprefix", a, {"prefix"}).text(0, "");
         return Value::text(t.starts_with(p) ? t.substr(p.size()) : t);
       }},
      {"removesuffix", [](const std::string& t, const Arguments& a) {
         const std::string p = Bound("removesuffix", a, {"suffix"}).text(0, "");
         return Value::text(t.ends_with(p) ? t.substr(0, t.size() - p.size()) : t);
       }},
      {"expandtabs", [](const std::string& t, const Arguments& a) { return Value::text(expanded_tabs(t, Bound("expandtabs", a, {"tabsize"}).integer(0, 8))); }},
  };
  return kMethods;
}

Value dict_method(const DictData& dict, const std::string& name, const Arguments& given) {
  std::vector<Value> out;
  if (name == "get") {
    const Bound bound("get", given, {"key", "default"});
    const Value* found = dict.find(bound.need(0));
    return found ? *found : bound.get(1);
  }
  Bound(name.c_str(), given, {});
  if (name == "copy") return Value::dict(dict.items);
  for (const auto& [key, value] : dict.items) {
    if (name == "items") out.push_back(Value::list({key, value}, true));
    else out.push_back(name == "keys" ? key : value);
  }
  return Value(ObjectRef(std::make_shared<View>("dict_" + name, std::move(out))));
}

Value list_method(const ListData& list, const std::string& name, const Arguments& given) {
  if (name == "copy") {
    Bound("copy", given, {});
    return Value::list(list.items);
  }
  if (!given.named.empty()) fail(fmt::format("{}() takes no keyword arguments", name));
  const Bound bound = name == "index" ? Bound("index", given, {"value", "start", "stop"}) : Bound("count", given, {"value"});
  const Value& wanted = bound.need(0);
  const auto size = static_cast<std::int64_t>(list.items.size());
  const auto place = [&](std::size_t i, std::int64_t absent) {
    const std::int64_t v = bound.has(i) ? bound.integer(i, 0) : absent;
    return static_cast<std::size_t>(std::clamp<std::int64_t>(v < 0 ? v + size : v, 0, size));
  };
  const bool index = name == "index";
  const std::size_t from = index ? place(1, 0) : 0, to = index ? place(2, size) : list.items.size();
  std::int64_t n = 0;
  for (std::size_t i = from; i < to; ++i) {
    if (!equal(list.items[i], wanted)) continue;
    if (name == "index") return Value(static_cast<std::int64_t>(i));
    ++n;
  }
  if (name == "index") fail("the value is not in the list");
  return Value(n);
}

Value number_method(const Value& number, const std::string& name, const Arguments& given) {
  no_arguments(name.c_str(), given);
  if (name == "conjugate") return number.is<double>() ? number : Value(number.integer());
  if (name == "is_integer") return Value(std::isfinite(number.number()) && std::floor(number.number()) == number.number());
  ASSAY_CHECK(name == "bit_length");
  const auto size = number.integer() < 0 ? ~static_cast<std::uint64_t>(number.integer()) + 1 : static_cast<std::uint64_t>(number.integer());
  return Value(static_cast<std::int64_t>(std::bit_width(size)));
}

// Methods of Markup: what join and replace put in is escaped, what comes out is Markup again.
Value escaped_text(const Value& v) { return v.is_text() && v.as<Text>().safe ? v : Value::text(escape_html(to_text(v)), true); }

Arguments escaped(const std::string& name, Arguments given) {
  if (name == "replace" && given.positional.size() > 1) given.positional[1] = escaped_text(given.positional[1]);
  if (name == "join" && !given.positional.empty()) {
    std::vector<Value> items = elements(given.positional[0]);
    for (Value& v : items) v = escaped_text(v);
    given.positional[0] = Value::list(std::move(items));
  }
  return given;
}

Value marked(const Value& made) {
  if (made.is_text()) return Value::text(made.str(), true);
  if (!made.is<List>()) return made;
  std::vector<Value> items;
  for (const Value& v : made.as<List>()->items) items.push_back(marked(v));
  return Value::list(std::move(items), made.as<List>()->tuple);
}

struct Method : Object {
  Method(Value of, std::string called) : self(std::move(of)), name(std::move(called)), deepest(deeper_than(self)) {}
  Value self;
  std::string name;
  int deepest;
  std::string type_name() const override { return "method"; }
  int depth() const override { return deepest; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Arguments& given) override {
    runtime.step();
    if (self.is<Dict>()) return dict_method(*self.as<Dict>(), name, given);
    if (self.is<List>()) return list_method(*self.as<List>(), name, given);
    if (self.is_number()) return number_method(self, name, given);
    if (name == "format") return Value::text(brace_format(runtime, self.str(), given, self.as<Text>().safe), self.as<Text>().safe);
    static const std::set<std::string> kNamed = {"split", "rsplit", "splitlines", "expandtabs"};
    if (!given.named.empty() && !kNamed.contains(name)) fail(fmt::format("str.{}() takes no keyword arguments", name));
    charge_bytes(self.str().size() * 4);
    if (!self.as<Text>().safe) return text_methods().at(name)(self.str(), given);
    return marked(text_methods().at(name)(self.str(), name == "join" || name == "replace" ? escaped(name, given) : given));
  }
};

const std::set<std::string>& names_of(const Value& of, bool forbidden) {
  static const std::set<std::string> kNone, kDict = {"get", "items", "keys", "values", "copy"}, kList = {"index", "count", "copy"},
                                            kTuple = {"index", "count"}, kFloat = {"is_integer", "conjugate"}, kInteger = {"bit_length", "conjugate"},
                                            kDictForbidden = {"clear", "pop", "popitem", "setdefault", "update"},
                                            kListForbidden = {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"};
  if (of.is<Dict>()) return forbidden ? kDictForbidden : kDict;
  if (of.is<List>() && of.as<List>()->tuple) return forbidden ? kNone : kTuple;
  if (of.is<List>()) return forbidden ? kListForbidden : kList;
  if (forbidden || !of.is_number()) return kNone;
  return of.is<double>() ? kFloat : kInteger;
}

}  // namespace

Value method_of(const Value& of, const std::string& name) {
  if (of.is_number() && name == "real") return of.is<double>() ? of : Value(of.integer());
  if (of.is_number() && name == "imag") return of.is<double>() ? Value(0.0) : Value(std::int64_t{0});
  if (of.is_integer() && name == "numerator") return Value(of.integer());
  if (of.is_integer() && name == "denominator") return Value(std::int64_t{1});
  const bool known = of.is_text() ? name == "format" || text_methods().contains(name) : names_of(of, false).contains(name);
  if (known) return Value(ObjectRef(std::make_shared<Method>(of, name)));
  if (names_of(of, true).contains(name) || name.starts_with("__")) {
    return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe", name, type_name(of)));
  }
  return Value::undefined(fmt::format("'{} object' has no attribute '{}'", type_name(of), name));
}

std::string strip(const std::string& text, const std::string* characters, bool left, bool right) {
  const std::u32string all = codes(text), given = characters ? codes(*characters) : std::u32string();
  const auto drop = [&](char32_t c) { return characters ? given.find(c) != std::u32string::npos : python_space(c); };
  std::size_t begin = 0, end = all.size();
  while (left && begin < end && drop(all[begin])) ++begin;
  while (right && end > begin && drop(all[end - 1])) --end;
  return from_codes(all.substr(begin, end - begin));
}

std::string replace_text(const std::string& text, const std::string& old, const std::string& fresh, std::int64_t count) {
  const auto hits = static_cast<std::uint64_t>(count_text(text, old));
  if (hits > 0 && fresh.size() > kMaxTextBytes / hits) fail("a replacement makes too much text");
  charge_bytes(hits * fresh.size());
  std::string out;
  std::size_t done = 0;
  for (std::int64_t n = 0; count < 0 || n < count; ++n) {
    const std::size_t hit = old.empty() ? done : text.find(old, done);
    if (hit == std::string::npos) break;
    out.append(text, done, hit - done) += fresh;
    done = hit + old.size();
    if (!old.empty()) continue;
    if (done >= text.size()) return out;
    const std::size_t bytes = decode_utf8(text, done).bytes;
    out.append(text, done, bytes);
    done += bytes;
  }
  return out.append(text, std::min(done, text.size()));
}

std::string join_texts(const std::string& separator, const std::vector<std::string>& parts) {
  std::uint64_t total = separator.size() * parts.size();
  for (const std::string& part : parts) total += part.size();
  check_text_size(total);
  charge_bytes(total);
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

Value repeat_text(const Value& text, std::int64_t times) {
  const auto n = static_cast<std::uint64_t>(std::max<std::int64_t>(times, 0));
  if (n > 0 && text.str().size() > kMaxTextBytes / n) fail("a repeated text is too long");
  charge_bytes(n * text.str().size());
  std::string out;
  for (std::uint64_t i = 0; i < n && !text.str().empty(); ++i) out += text.str();
  return Value::text(std::move(out), text.as<Text>().safe);
}

std::vector<std::string> split_lines(const std::string& text, bool keep_ends) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    const bool ends = (c.code >= 0x0A && c.code <= 0x0D) || (c.code >= 0x1C && c.code <= 0x1E) || c.code == 0x85 || c.code == 0x2028 || c.code == 0x2029;
    std::size_t next = at + c.bytes;
    if (ends) {
      if (c.code == '\r' && next < text.size() && text[next] == '\n') ++next;
      out.push_back(text.substr(begin, (keep_ends ? next : at) - begin));
      begin = next;
    }
    at = next;
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
  return out;
}

}  // namespace assay::jinja
