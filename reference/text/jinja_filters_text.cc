// Jinja2's filters of texts.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/check.h"
#include "reference/text/jinja_filters.h"
#include "reference/text/jinja_iterate.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

constexpr std::int64_t kMaxIndent = 10'000;  // columns of an indentation or a width

const Value& text_of(const char* filter, const Value& v) {
  if (!v.is_text()) fail(fmt::format("{} needs a text, not {}", filter, type_name(v)));
  return v;
}

Value indent(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("indent", a, {"width", "first", "blank"});
  text_of("indent", v);
  const bool named = b.has(0) && b.get(0).is_text();
  const std::int64_t width = named ? 0 : b.integer(0, 4);
  if (width > kMaxIndent) fail("an indentation is too wide");
  const std::string space = named ? b.get(0).str() : std::string(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
  const auto lines = split_lines(v.str() + "\n");
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

// Words begin after '-', white space and opening brackets: those and what lies between them have a capital each.
Value title(Runtime&, const Value& v, const Arguments& a) {
  Bound("title", a, {});
  const Value text = soft_text(v);
  std::string out, word;
  bool in_separator = false;
  const auto end_word = [&] {
    if (word.empty()) return;
    const std::size_t first = decode_utf8(word, 0).bytes;
    out += upper(word.substr(0, first)) + lower(word.substr(first));
    word.clear();
  };
  for (std::size_t at = 0; at < text.str().size();) {
    const Utf8Char c = decode_utf8(text.str(), at);
    const bool separator = c.code == '-' || c.code == '(' || c.code == '{' || c.code == '[' || c.code == '<' || is_space(c.code) || (c.code >= 0x1C && c.code <= 0x1F);
    if (separator != in_separator) end_word();
    in_separator = separator;
    word.append(text.str(), at, c.bytes);
    at += c.bytes;
  }
  end_word();
  return like(text, std::move(out));
}

Value with_method(Runtime& r, const Value& v, const char* name) { return r.call(method_of(soft_text(v), name), {}); }

Value truncate(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("truncate", a, {"length", "killwords", "end", "leeway"});
  const std::int64_t length = b.integer(0, 255), leeway = b.has(3) && !b.get(3).is_none() ? b.integer(3, 5) : 5;
  const std::string end = b.text(2, "...");
  const auto marks = static_cast<std::int64_t>(count_characters(end));
  if (length < marks) fail(fmt::format("expected length >= {}, got {}", marks, length));
  if (leeway < 0) fail("expected leeway >= 0");
  if (length_of(v) <= length + std::min<std::int64_t>(leeway, INT64_MAX - length)) return v;
  const auto characters = elements(text_of("truncate", v));
  std::string out;
  for (std::int64_t i = 0; i < length - marks; ++i) out += characters[static_cast<std::size_t>(i)].str();
  if (!b.flag(1, false)) out = out.substr(0, out.rfind(' '));
  return like(v, out + end);
}

Value wordwrap(Runtime&, const Value& v, const Arguments& a) {
  const Bound b("wordwrap", a, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const std::string separator = b.has(2) && !b.get(2).is_none() ? b.text(2, "\n") : "\n";
  std::vector<std::string> lines;
  for (const std::string& line : split_lines(text_of("wordwrap", v).str())) lines.push_back(wrapped(line, b.integer(0, 79), b.flag(1, true), b.flag(3, true), separator));
  return Value::text(join_texts(separator, lines));
}

std::string quoted(const Value& v, bool query) {
  std::string out;
  for (const char c : to_text(v)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !query);
    if (plain) out += c;
    else if (c == ' ' && query) out += '+';
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Value urlencode(Runtime&, const Value& v, const Arguments& a) {
  Bound("urlencode", a, {});
  const bool walks = v.is<List>() || v.is<Dict>() || v.is_undefined() || (v.is<ObjectRef>() && v.as<ObjectRef>()->iterable());
  if (!walks) return Value::text(quoted(v, false));
  std::vector<std::string> parts;
  const auto add = [&](const Value& key, const Value& value) { parts.push_back(quoted(key, true) + "=" + quoted(value, true)); };
  if (v.is<Dict>()) {
    for (const auto& [key, value] : v.as<Dict>()->items) add(key, value);
    return Value::text(join_texts("&", parts));
  }
  for (const Value& pair : elements(v)) {
    const auto two = elements(pair);
    if (two.size() != 2) fail("urlencode needs pairs");
    add(two[0], two[1]);
  }
  return Value::text(join_texts("&", parts));
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

std::string without_tags(const std::string& text) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t start = text.find('<'); start != std::string::npos; start = text.find('<', done)) {
    const bool comment = text.compare(start, 4, "<!--") == 0;
    const std::size_t end = comment ? text.find("-->", start + 4) : text.find('>', start);
    if (end == std::string::npos) break;
    out.append(text, done, start - done);
    done = end + (comment ? 3 : 1);
  }
  return out.append(text, done);
}

// Numbers and the five characters that must be escaped; HTML has two thousand other names, which no chat template holds.
std::string without_entities(const std::string& text) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&#34;", "\""}};
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto hit = std::find_if(std::begin(kNames), std::end(kNames), [&](const auto& name) { return text.compare(at, name.first.size(), name.first) == 0; });
    if (hit != std::end(kNames)) {
      out += hit->second;
      at += hit->first.size();
      continue;
    }
    const char next = at + 1 < text.size() ? text[at + 1] : ' ';
    if (text[at] == '&' && (next == '#' || std::isalpha(static_cast<unsigned char>(next)) != 0)) fail("this HTML entity is not supported by striptags");
    out += text[at++];
  }
  return out;
}

Value striptags(Runtime&, const Value& v, const Arguments& a) {
  Bound("striptags", a, {});
  const std::string text = without_tags(to_text(v));
  std::vector<std::string> words;
  std::string word;
  for (std::size_t at = 0; at <= text.size();) {
    const Utf8Char c = at < text.size() ? decode_utf8(text, at) : Utf8Char{.code = ' ', .bytes = 1};
    const bool space = is_space(c.code) || (c.code >= 0x1C && c.code <= 0x1F);
    if (!space) word.append(text, at, c.bytes);
    else if (!word.empty()) words.push_back(std::exchange(word, {}));
    at += c.bytes;
  }
  return Value::text(without_entities(join_texts(" ", words)));
}

Value escape(const Value& v, bool always) {
  if (!always && v.is_text() && v.as<Text>().safe) return v;
  return Value::text(escape_html(to_text(v)), true);
}

// value % args, or value % kwargs.
Value format(Runtime&, const Value& v, const Arguments& a) {
  if (!a.positional.empty() && !a.named.empty()) fail("can't handle positional and keyword arguments at the same time");
  const bool safe = v.is_text() && v.as<Text>().safe;
  if (a.named.empty()) return like(v, printf_text(to_text(v), Value::list(a.positional, true), safe));
  std::vector<std::pair<Value, Value>> named;
  for (const auto& [name, value] : a.named) named.emplace_back(Value::text(name), value);
  return like(v, printf_text(to_text(v), Value::dict(std::move(named)), safe));
}

}  // namespace

const FilterTable& text_filters() {
  static const FilterTable kFilters = {
      {"indent", indent}, {"replace", replace}, {"striptags", striptags}, {"title", title}, {"trim", trim}, {"truncate", truncate}, {"urlencode", urlencode},
      {"wordcount", wordcount}, {"wordwrap", wordwrap}, {"format", format},
      {"capitalize", [](Runtime& r, const Value& v, const Arguments& a) { Bound("capitalize", a, {}); return with_method(r, v, "capitalize"); }},
      {"upper", [](Runtime& r, const Value& v, const Arguments& a) { Bound("upper", a, {}); return with_method(r, v, "upper"); }},
      {"lower", [](Runtime& r, const Value& v, const Arguments& a) { Bound("lower", a, {}); return with_method(r, v, "lower"); }},
      {"center", [](Runtime& r, const Value& v, const Arguments& a) {
         Arguments width;
         width.positional.push_back(Bound("center", a, {"width"}).get(0, Value(std::int64_t{80})));
         return r.call(method_of(soft_text(v), "center"), width);
       }},
      {"string", [](Runtime&, const Value& v, const Arguments& a) { Bound("string", a, {}); return soft_text(v); }},
      {"safe", [](Runtime&, const Value& v, const Arguments& a) { Bound("safe", a, {}); return Value::text(to_text(v), true); }},
      {"escape", [](Runtime&, const Value& v, const Arguments& a) { Bound("escape", a, {}); return escape(v, false); }},
      {"e", [](Runtime&, const Value& v, const Arguments& a) { Bound("e", a, {}); return escape(v, false); }},
      {"forceescape", [](Runtime&, const Value& v, const Arguments& a) { Bound("forceescape", a, {}); return escape(v, true); }},
  };
  return kFilters;
}

}  // namespace assay::jinja
