// Python's two ways of formatting: % (one value, the values of a tuple, %(name)s of a mapping) and str.format.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <tuple>

#include "base/check.h"
#include "reference/text/jinja_iterate.h"
#include "reference/text/jinja_run.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

constexpr std::int64_t kMaxFormatWidth = 100'000;  // columns
constexpr std::int64_t kMaxFormatPrecision = 1000;  // digits

struct Conversion {
  bool left = false, sign = false, space = false, zero = false, alternate = false;
  std::int64_t width = 0, precision = -1;
  char letter = 's';
};

std::string first_characters(const std::string& text, std::int64_t n) {
  std::size_t at = 0;
  for (std::int64_t i = 0; i < n && at < text.size(); ++i) at += decode_utf8(text, at).bytes;
  return text.substr(0, at);
}

std::string ascii_repr(const Value& v) {
  std::string out;
  const std::string text = repr(v);
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    const auto n = static_cast<unsigned>(c.code);
    if (n < 0x80) out.append(text, at, c.bytes);
    else out += n < 0x100 ? fmt::format("\\x{:02x}", n) : n < 0x10000 ? fmt::format("\\u{:04x}", n) : fmt::format("\\U{:08x}", n);
    at += c.bytes;
  }
  return out;
}

// What is put into Markup is escaped, unless it is Markup.
std::string escaped_for(bool safe, const Value& v, std::string text) {
  return safe && !(v.is_text() && v.as<Text>().safe) ? escape_html(text) : text;
}

std::string text_part(const Conversion& c, const Value& v, bool safe) {
  const std::string text = escaped_for(safe, v, c.letter == 's' ? to_text(v) : c.letter == 'r' ? repr(v) : ascii_repr(v));
  return c.precision < 0 ? text : first_characters(text, c.precision);
}

std::string one_character(const Value& v) {
  if (v.is_text() && count_characters(v.str()) == 1) return v.str();
  const bool code = v.is_integer() && v.integer() >= 0 && v.integer() < 0x110000 && !(v.integer() >= 0xD800 && v.integer() < 0xE000);
  if (!code) fail("%c requires an int in range or a single character");
  std::string out;
  append_utf8(out, static_cast<char32_t>(v.integer()));
  return out;
}

// Digits without the sign, and whether there is one.
std::string integer_digits(const Conversion& c, const Value& v, bool& minus) {
  const bool decimal = c.letter == 'd' || c.letter == 'i' || c.letter == 'u';
  if (!v.is_integer() && !(decimal && v.is<double>())) fail(fmt::format("%{} format: a number is required, not {}", c.letter, type_name(v)));
  if (v.is<double>() && !(std::fabs(v.as<double>()) < 9.2e18)) fail("a number is not finite or beyond 64 bits");
  const std::int64_t n = v.is<double>() ? static_cast<std::int64_t>(v.as<double>()) : v.integer();
  minus = n < 0;
  const auto size = minus ? ~static_cast<std::uint64_t>(n) + 1 : static_cast<std::uint64_t>(n);
  std::string digits = c.letter == 'x' ? fmt::format("{:x}", size) : c.letter == 'X' ? fmt::format("{:X}", size) : c.letter == 'o' ? fmt::format("{:o}", size) : fmt::format("{}", size);
  if (c.precision > static_cast<std::int64_t>(digits.size())) digits.insert(0, static_cast<std::size_t>(c.precision) - digits.size(), '0');
  return digits;
}

std::string float_digits(const Conversion& c, const Value& v, bool& minus) {
  if (!v.is_number()) fail(fmt::format("must be real number, not {}", type_name(v)));
  const double d = v.number();
  minus = std::signbit(d) && !std::isnan(d);
  std::array<char, 2048> buffer{};  // 309 digits, a point and kMaxFormatPrecision more
  const std::string format = std::string(c.alternate ? "%#.*" : "%.*") + c.letter;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const int n = std::snprintf(buffer.data(), buffer.size(), format.c_str(), c.precision < 0 ? 6 : static_cast<int>(c.precision), std::fabs(d));
#pragma GCC diagnostic pop
  ASSAY_CHECK(n > 0 && static_cast<std::size_t>(n) < buffer.size());
  return std::string(buffer.data(), static_cast<std::size_t>(n));
}

std::string number_part(const Conversion& c, const Value& v) {
  bool minus = false;
  const bool integer = std::string_view("diuoxX").find(c.letter) != std::string_view::npos;
  std::string digits = integer ? integer_digits(c, v, minus) : float_digits(c, v, minus);
  std::string begin = minus ? "-" : c.sign ? "+" : c.space ? " " : "";
  if (integer && c.alternate && c.letter == 'o') begin += "0o";
  if (integer && c.alternate && (c.letter == 'x' || c.letter == 'X')) begin += c.letter == 'x' ? "0x" : "0X";
  const auto used = static_cast<std::int64_t>(begin.size() + digits.size());
  if (c.zero && !c.left && used < c.width) digits.insert(0, static_cast<std::size_t>(c.width - used), '0');
  return begin + digits;
}

std::string converted(const Conversion& c, const Value& v, bool safe) {
  const bool text = c.letter == 's' || c.letter == 'r' || c.letter == 'a';
  std::string body = text ? text_part(c, v, safe) : c.letter == 'c' ? one_character(v) : number_part(c, v);
  const auto n = static_cast<std::int64_t>(count_characters(body));
  if (n < c.width) body.insert(c.left ? body.size() : 0, static_cast<std::size_t>(c.width - n), ' ');
  return body;
}

class Printf {
 public:
  Printf(const std::string& format, const Value& argument, bool safe) : format_(format), argument_(argument), safe_(safe) {
    const bool list = argument.is<List>();
    tuple_ = list && argument.as<List>()->tuple;
    subscripts_ = !tuple_ && (list || argument.is<Dict>() || argument.is_undefined() || object_of<Range>(argument));
    left_ = tuple_ ? argument.as<List>()->items.size() : 1;
  }

  std::string run() {
    std::string out;
    while (at_ < format_.size()) {
      if (format_[at_] != '%') {
        out += format_[at_++];
        continue;
      }
      ++at_;
      out += directive();
    }
    if (left_ > 0 && !subscripts_) fail("not all arguments converted during string formatting");
    return out;
  }

 private:
  char now() const { return at_ < format_.size() ? format_[at_] : '\0'; }
  const Value& next() {
    if (left_ == 0) fail("not enough arguments for format string");
    --left_;
    if (named_) return *named_;
    if (!tuple_) return argument_;
    const auto& items = argument_.as<List>()->items;
    return items[items.size() - left_ - 1];
  }
  // %(name): from here on that member is the one argument.
  void name() {
    int open = 1;
    const std::size_t begin = ++at_;
    for (; at_ < format_.size() && open > 0; ++at_) open += format_[at_] == '(' ? 1 : format_[at_] == ')' ? -1 : 0;
    if (open > 0) fail("incomplete format key");
    if (!argument_.is<Dict>()) fail("format requires a mapping");
    named_ = argument_.as<Dict>()->find(std::string_view(format_).substr(begin, at_ - begin - 1));
    if (!named_) fail(fmt::format("the format asks for '{}', which is not given", format_.substr(begin, at_ - begin - 1)));
    left_ = 1;
  }
  std::int64_t size(std::int64_t limit, bool& negative) {
    std::int64_t n = 0;
    if (now() == '*') {
      ++at_;
      const Value& given = next();
      if (!given.is_integer()) fail("* wants int");
      n = given.integer();
    }
    for (; now() >= '0' && now() <= '9' && n <= limit; ++at_) n = n * 10 + (now() - '0');
    negative = n < 0;
    if (n > limit || n < -limit) fail("a width or precision is too large");
    return negative ? -n : n;
  }
  std::string directive() {
    Conversion c;
    if (now() == '(') name();
    for (;; ++at_) {
      if (now() == '-') c.left = true;
      else if (now() == '+') c.sign = true;
      else if (now() == ' ') c.space = true;
      else if (now() == '0') c.zero = true;
      else if (now() == '#') c.alternate = true;
      else break;
    }
    bool negative = false;
    c.width = size(kMaxFormatWidth, negative);
    c.left = c.left || negative;
    if (now() == '.') {
      ++at_;
      c.precision = size(kMaxFormatPrecision, negative);
      if (negative) c.precision = 0;
    }
    if (now() == 'h' || now() == 'l' || now() == 'L') ++at_;
    c.letter = now();
    if (c.letter == '\0') fail("incomplete format");
    ++at_;
    if (c.letter == '%') return "%";
    if (std::string_view("sracdiuoxXfFeEgG").find(c.letter) == std::string_view::npos) fail("unsupported format character");
    charge_bytes(static_cast<std::uint64_t>(c.width) + 16);
    return converted(c, next(), safe_);
  }

  const std::string& format_;
  const Value& argument_;
  bool safe_;
  const Value* named_ = nullptr;
  std::size_t at_ = 0, left_ = 0;
  bool tuple_ = false, subscripts_ = false;
};

// A format specification of str.format: [[fill]align][sign][#][0][width][,][.precision][type].
struct Spec {
  std::string fill = " ";
  char align = '\0';
  bool grouped = false;
  Conversion number;
};

Spec parse_spec(const std::string& text) {
  Spec out;
  std::size_t at = 0;
  const auto is_align = [&](std::size_t i) { return i < text.size() && std::string_view("<>^=").find(text[i]) != std::string_view::npos; };
  const auto skip = [&](char c) { return at < text.size() && text[at] == c && ++at > 0; };
  const auto size = [&](std::int64_t limit) {
    std::int64_t n = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && n <= limit; ++at) n = n * 10 + (text[at] - '0');
    if (n > limit) fail("a width or precision is too large");
    return n;
  };
  const std::size_t first = text.empty() ? 0 : decode_utf8(text, 0).bytes;
  if (first > 0 && is_align(first)) {
    out.fill = text.substr(0, first);
    out.align = text[first];
    at = first + 1;
  } else if (is_align(0)) {
    out.align = text[at++];
  }
  Conversion& c = out.number;
  if (skip('+')) c.sign = true;
  else if (skip(' ')) c.space = true;
  else skip('-');
  c.alternate = skip('#');
  if (skip('0') && out.align == '\0') {
    out.fill = "0";
    out.align = '=';
  }
  c.width = size(kMaxFormatWidth);
  out.grouped = skip(',');
  if (skip('.')) {
    if (at >= text.size() || text[at] < '0' || text[at] > '9') fail("format specifier missing precision");
    c.precision = size(kMaxFormatPrecision);
  }
  c.letter = at < text.size() ? text[at++] : '\0';
  if (at != text.size()) fail("invalid format specifier");
  return out;
}

std::string grouped_digits(std::string digits) {
  std::size_t end = digits.find_first_not_of("0123456789");
  for (end = std::min(end, digits.size()); end > 3; end -= 3) digits.insert(end - 3, ",");
  return digits;
}

// A number by a specification: the sign and prefix, and the digits.
std::pair<std::string, std::string> spec_number(Spec spec, const Value& v) {
  Conversion& c = spec.number;
  bool minus = false, percent = false;
  std::string digits;
  const bool integer = v.is_integer() && (c.letter == '\0' || c.letter == 'd' || c.letter == 'x' || c.letter == 'X' || c.letter == 'o' || c.letter == 'n');
  if (integer) {
    if (c.precision >= 0) fail("precision not allowed in integer format specifier");
    if (c.letter == '\0' || c.letter == 'n') c.letter = 'd';
    digits = integer_digits(c, v, minus);
  } else if (c.letter == 'b' && v.is_integer()) {
    minus = v.integer() < 0;
    digits = fmt::format("{:b}", minus ? ~static_cast<std::uint64_t>(v.integer()) + 1 : static_cast<std::uint64_t>(v.integer()));
  } else if (c.letter == '\0' && c.precision < 0) {
    digits = float_text(std::fabs(v.number()));
    minus = std::signbit(v.number());
  } else {
    if (c.letter == '\0') fail("a precision without a type is not supported in format specifications");
    percent = c.letter == '%';
    if (percent) c.letter = 'f';
    if (std::string_view("fFeEgG").find(c.letter) == std::string_view::npos) fail(fmt::format("unknown format code '{}'", c.letter));
    digits = float_digits(c, percent ? Value(v.number() * 100) : v, minus);
  }
  std::string begin = minus ? "-" : c.sign ? "+" : c.space ? " " : "";
  if (c.alternate && (c.letter == 'x' || c.letter == 'X' || c.letter == 'o' || c.letter == 'b')) begin += std::string("0") + c.letter;
  if (spec.grouped) digits = grouped_digits(std::move(digits));
  return {begin, digits + (percent ? "%" : "")};
}

std::string by_spec(const Value& v, const std::string& text) {
  if (text.empty()) return to_text(v);
  Spec spec = parse_spec(text);
  std::string begin, body;
  if (v.is_number() && !(v.is<bool>() && spec.number.letter == '\0')) {
    std::tie(begin, body) = spec_number(spec, v);
    if (spec.align == '\0') spec.align = '>';
  } else {
    const bool plain = v.is_text() && (spec.number.letter == '\0' || spec.number.letter == 's') && spec.align != '=' && !spec.grouped && !spec.number.sign && !spec.number.space && !spec.number.alternate;
    if (!plain) fail(fmt::format("unsupported format specification for {}", type_name(v)));
    body = spec.number.precision < 0 ? v.str() : first_characters(v.str(), spec.number.precision);
  }
  const auto used = static_cast<std::int64_t>(count_characters(begin) + count_characters(body));
  const std::int64_t missing = std::max<std::int64_t>(spec.number.width - used, 0);
  const std::int64_t left = spec.align == '>' || spec.align == '=' ? missing : spec.align == '^' ? missing / 2 : 0;
  charge_bytes(static_cast<std::uint64_t>(missing) * spec.fill.size());
  std::string out = spec.align == '=' ? begin : "";
  for (std::int64_t i = 0; i < left; ++i) out += spec.fill;
  out += (spec.align == '=' ? "" : begin) + body;
  for (std::int64_t i = left; i < missing; ++i) out += spec.fill;
  return out;
}

class BraceFormat {
 public:
  BraceFormat(Runtime& runtime, const std::string& format, const Arguments& arguments, bool safe)
      : runtime_(runtime), format_(format), arguments_(arguments), safe_(safe) {}

  std::string run() {
    std::string out;
    for (std::size_t at = 0; at < format_.size();) {
      const char c = format_[at++];
      const bool doubled = (c == '{' || c == '}') && at < format_.size() && format_[at] == c;
      if (c == '}' && !doubled) fail("single '}' encountered in format string");
      if (c != '{' || doubled) {
        out += c;
        at += doubled;
        continue;
      }
      const std::size_t close = format_.find('}', at);
      if (close == std::string::npos) fail("expected '}' before end of string");
      const std::string made = field(format_.substr(at, close - at));
      charge_bytes(made.size());
      out += made;
      at = close + 1;
    }
    return out;
  }

 private:
  // "name.member[key]!r:spec"
  std::string field(const std::string& text) {
    if (text.find('{') != std::string::npos) fail("a format specification inside another is not supported");
    const std::size_t colon = std::min(text.find(':'), text.size()), mark = std::min(text.find('!'), colon);
    const std::string path = text.substr(0, mark), conversion = mark < colon ? text.substr(mark + 1, colon - mark - 1) : "";
    const std::string spec = colon < text.size() ? text.substr(colon + 1) : "";
    const Value value = at_path(path);
    if (conversion.empty()) return escaped_for(safe_, value, by_spec(value, spec));
    if (conversion != "s" && conversion != "r" && conversion != "a") fail(fmt::format("unknown conversion specifier '{}'", conversion));
    return escaped_for(safe_, value, by_spec(Value::text(conversion == "s" ? to_text(value) : conversion == "r" ? repr(value) : ascii_repr(value)), spec));
  }
  Value at_path(const std::string& path) {
    const std::size_t name_end = std::min(path.find_first_of(".["), path.size());
    Value value = argument(path.substr(0, name_end));
    for (std::size_t at = name_end; at < path.size();) {
      const bool member = path[at] == '.';
      const std::size_t end = member ? std::min(path.find_first_of(".[", at + 1), path.size()) : path.find(']', at);
      if (end == std::string::npos || end == at + 1) fail("empty attribute in format string");
      const std::string part = path.substr(at + 1, end - at - 1);
      const bool index = !member && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos;
      value = member ? runtime_.member(value, part) : runtime_.item(value, index ? Value(static_cast<std::int64_t>(std::stoll(part))) : Value::text(part));
      if (value.is_undefined()) fail(value.as<Undefined>().what);
      at = member ? end : end + 1;
    }
    return value;
  }
  Value argument(const std::string& name) {
    const bool number = !name.empty() && name.size() < 10 && name.find_first_not_of("0123456789") == std::string::npos;
    if (name.empty() || number) {
      if (mode_ != Mode::kUnknown && mode_ != (number ? Mode::kManual : Mode::kAutomatic)) fail("cannot switch between manual field specification and automatic field numbering");
      mode_ = number ? Mode::kManual : Mode::kAutomatic;
      const std::size_t index = number ? std::stoul(name) : next_++;
      if (index >= arguments_.positional.size()) fail("replacement index out of range for positional args");
      return arguments_.positional[index];
    }
    const auto it = std::find_if(arguments_.named.begin(), arguments_.named.end(), [&](const auto& kv) { return kv.first == name; });
    if (it == arguments_.named.end()) fail(fmt::format("str.format misses '{}'", name));
    return it->second;
  }

  enum class Mode : std::uint8_t { kUnknown, kAutomatic, kManual };
  Runtime& runtime_;
  const std::string& format_;
  const Arguments& arguments_;
  bool safe_;
  Mode mode_ = Mode::kUnknown;
  std::size_t next_ = 0;
};

}  // namespace

std::string brace_format(Runtime& runtime, const std::string& format, const Arguments& arguments, bool safe) {
  return BraceFormat(runtime, format, arguments, safe).run();
}

std::string printf_text(const std::string& format, const Value& argument, bool safe) { return Printf(format, argument, safe).run(); }

}  // namespace assay::jinja
