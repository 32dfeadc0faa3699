#include "reference/text/jinja_lexer.h"

#include <algorithm>
#include <optional>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

bool python_space(char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); }
bool digit(char c) { return c >= '0' && c <= '9'; }

// Line ends become '\n'; one at the end of the template is dropped, unless it is to be kept.
std::string unify_lines(std::string_view source, bool keep_last) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!keep_last && out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string source, bool trim) : source_(std::move(source)), trim_(trim) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) text_until_tag();
    push(Lexeme::kEnd, "");
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string message) const { throw Fault{std::move(message), line_}; }
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  void push(Lexeme kind, std::string text) {
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    token.line = line_;
    out_.push_back(std::move(token));
  }
  void advance(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) line_ += source_[at_ + i] == '\n';
    at_ += n;
    if (n > 0) line_starting_ = source_[at_ - 1] == '\n';
  }
  void skip_space() {
    while (at_ < source_.size()) {
      const Utf8Char c = decode_utf8(source_, at_);
      if (!python_space(c.code)) return;
      advance(c.bytes);
    }
  }

  std::size_t find_tag() const {
    std::size_t at = at_;
    for (;; ++at) {
      at = source_.find('{', at);
      if (at == std::string::npos || at + 1 >= source_.size()) return source_.size();
      const char next = source_[at + 1];
      if (next == '{' || next == '%' || next == '#') return at;
    }
  }

  // Text before a tag, after '-' or lstrip_blocks took the space away.
  std::string stripped(std::string text, char sign, bool variable) const {
    if (sign == '-') {
      std::size_t end = text.size();
      while (end > 0) {
        std::size_t begin = end - 1;
        while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) --begin;
        if (!python_space(decode_utf8(text, begin).code)) break;
        end = begin;
      }
      text.resize(end);
      return text;
    }
    if (sign == '+' || variable || !trim_) return text;
    const std::size_t line = text.rfind('\n') + 1;  // npos + 1 is 0
    if (line == 0 && !line_starting_) return text;
    for (std::size_t i = line; i < text.size();) {
      const Utf8Char c = decode_utf8(text, i);
      if (!python_space(c.code)) return text;
      i += c.bytes;
    }
    text.resize(line);
    return text;
  }

  void text_until_tag() {
    const std::size_t tag = find_tag();
    std::string text = source_.substr(at_, tag - at_);
    if (tag == source_.size()) {
      push(Lexeme::kText, text);
      advance(tag - at_);
      return;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    const bool signed_tag = sign == '-' || sign == '+';
    text = stripped(std::move(text), sign, kind == '{');
    if (!text.empty()) push(Lexeme::kText, text);
    advance(tag - at_);
    const bool raw = kind == '%' && raw_begin(signed_tag);
    if (raw) return;
    advance(signed_tag ? 3 : 2);
    if (kind == '#') comment();
    else tag_tokens(kind == '{');
  }

  void comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) refuse("a comment is not closed");
    const char sign = end > at_ ? source_[end - 1] : ' ';
    advance(end + 2 - at_);
    after_block(sign);
  }
  // What a block's or comment's end takes along.
  void after_block(char sign) {
    if (sign == '-') skip_space();
    else if (sign != '+' && trim_ && rest().starts_with('\n')) advance(1);
  }

  // "{%- raw -%}" up to its endraw is text. False: another block.
  bool raw_begin(bool signed_tag) {
    std::size_t i = at_ + (signed_tag ? 3 : 2);
    const auto spaces = [&] { while (i < source_.size() && python_space(static_cast<unsigned char>(source_[i]))) ++i; };
    spaces();
    if (source_.compare(i, 3, "raw") != 0) return false;
    i += 3;
    spaces();
    const bool minus = i < source_.size() && source_[i] == '-';
    i += minus;
    if (source_.compare(i, 2, "%}") != 0) return false;
    advance(i + 2 - at_);
    if (minus) skip_space();  // trim_blocks does not reach into raw text
    raw_body();
    return true;
  }
  void raw_body() {
    for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos; tag = source_.find("{%", tag + 2)) {
      std::size_t i = tag + 2;
      char sign = ' ';
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) sign = source_[i++];
      while (i < source_.size() && python_space(static_cast<unsigned char>(source_[i]))) ++i;
      if (source_.compare(i, 6, "endraw") != 0) continue;
      i += 6;
      while (i < source_.size() && python_space(static_cast<unsigned char>(source_[i]))) ++i;
      char end_sign = ' ';
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) end_sign = source_[i++];
      if (source_.compare(i, 2, "%}") != 0) continue;
      push(Lexeme::kText, stripped(source_.substr(at_, tag - at_), sign, false));
      advance(i + 2 - at_);
      after_block(end_sign);
      return;
    }
    refuse("a raw block is not closed");
  }

  void tag_tokens(bool variable) {
    push(variable ? Lexeme::kVariableBegin : Lexeme::kBlockBegin, "");
    std::string open;  // brackets
    for (;;) {
      skip_space();
      if (at_ >= source_.size()) refuse(variable ? "a '{{' is not closed" : "a '{%' is not closed");
      if (open.empty() && tag_end(variable)) return;
      token(open);
    }
  }
  bool tag_end(bool variable) {
    const std::string_view end = variable ? "}}" : "%}";
    const std::string_view r = rest();
    const bool sign = r.starts_with('-') || (!variable && r.starts_with('+'));
    if (!r.substr(sign ? 1 : 0).starts_with(end)) return false;
    push(variable ? Lexeme::kVariableEnd : Lexeme::kBlockEnd, "");
    const char mark = sign ? r[0] : ' ';
    advance(sign ? 3 : 2);
    if (variable) {
      if (mark == '-') skip_space();
    } else {
      after_block(mark);
    }
    return true;
  }

  void token(std::string& open) {
    const Utf8Char c = decode_utf8(source_, at_);
    if (c.code == '\'' || c.code == '"') return string(static_cast<char>(c.code));
    if (c.code < 0x80 && digit(static_cast<char>(c.code))) return number();
    if (c.code == '_' || (is_word(c.code) && !is_numeric(c.code))) return name();
    operation(open);
  }
  void name() {
    const std::size_t begin = at_;
    while (at_ < source_.size()) {
      const Utf8Char c = decode_utf8(source_, at_);
      if (!is_word(c.code)) break;
      advance(c.bytes);
    }
    push(Lexeme::kName, source_.substr(begin, at_ - begin));
  }
  void operation(std::string& open) {
    static constexpr std::array<std::string_view, 28> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]",
                                                                    "(",  ")",  "{",  "}",  ">",  "<",  "=", ".", ":", "|", ",", ";", "&", "!"};
    for (const std::string_view op : kOperators) {
      if (!rest().starts_with(op)) continue;
      if (op == "&" || op == "!") break;
      if (op == "(" || op == "[" || op == "{") open += op[0] == '(' ? ')' : op[0] == '[' ? ']' : '}';
      if (op == ")" || op == "]" || op == "}") {
        if (open.empty() || open.back() != op[0]) refuse(fmt::format("unexpected '{}'", op));
        open.pop_back();
      }
      push(Lexeme::kOperator, std::string(op));
      advance(op.size());
      return;
    }
    refuse(fmt::format("unexpected character '{}'", rest().substr(0, decode_utf8(source_, at_).bytes)));
  }

  void number() {
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    const std::string_view r = rest();
    if (r.size() > 2 && r[0] == '0' && std::string_view("xXbBoO").find(r[1]) != std::string_view::npos) return based_number();
    std::size_t n = 0;
    const auto digits = [&] {
      const std::size_t begin = n;
      while (n < r.size() && (digit(r[n]) || (r[n] == '_' && n > begin && n + 1 < r.size() && digit(r[n + 1])))) ++n;
      return n > begin;
    };
    digits();
    bool real = false;
    if (!after_dot && n + 1 < r.size() && r[n] == '.' && digit(r[n + 1])) {
      ++n;
      real = digits();
    }
    if (!after_dot && n < r.size() && (r[n] == 'e' || r[n] == 'E')) {
      const std::size_t mantissa = n++;
      if (n < r.size() && (r[n] == '+' || r[n] == '-')) ++n;
      if (digits()) real = true;
      else n = mantissa;
    }
    std::string text;
    for (const char c : r.substr(0, n)) {
      if (c != '_') text += c;
    }
    if (!real && text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != std::string::npos) refuse("a number begins with 0");
    push_number(text, real, 10, n);
  }
  void based_number() {
    const std::string_view r = rest();
    const int base = r[1] == 'x' || r[1] == 'X' ? 16 : r[1] == 'b' || r[1] == 'B' ? 2 : 8;
    std::string text;
    std::size_t n = 2;
    const std::string_view allowed = std::string_view("0123456789abcdefABCDEF").substr(0, base == 16 ? 22 : static_cast<std::size_t>(base));
    for (; n < r.size() && (allowed.find(r[n]) != std::string_view::npos || r[n] == '_'); ++n) {
      if (r[n] != '_') text += r[n];
    }
    if (text.empty()) refuse("a number has no digits");
    push_number(text, false, base, n);
  }
  void push_number(const std::string& text, bool real, int base, std::size_t n) {
    push(Lexeme::kNumber, text);
    if (real) {
      out_.back().number = Value(std::strtod(text.c_str(), nullptr));
    } else {
      errno = 0;
      out_.back().number = Value(static_cast<std::int64_t>(std::strtoll(text.c_str(), nullptr, base)));
      if (errno != 0 && base != 10) refuse("an integer is beyond 64 bits");
      if (errno != 0) out_.back().number = Value::decimal(text);
    }
    advance(n);
  }

  void string(char quote) {
    std::size_t i = at_ + 1;
    while (i < source_.size() && source_[i] != quote) i += source_[i] == '\\' ? 2 : 1;
    if (i >= source_.size()) refuse("a string is not closed");
    push(Lexeme::kString, unescape(std::string_view(source_).substr(at_ + 1, i - at_ - 1)));
    advance(i + 1 - at_);
  }

  // Python's "unicode-escape".
  std::string unescape(std::string_view in) const {
    static constexpr std::string_view kPlain = "\\'\"abfnrtv", kMeaning = "\\'\"\a\b\f\n\r\t\v";
    std::string out;
    for (std::size_t i = 0; i < in.size();) {
      if (in[i] != '\\' || i + 1 >= in.size()) {
        out += in[i++];
        continue;
      }
      const char c = in[i + 1];
      const std::size_t plain = kPlain.find(c);
      i += 2;
      if (plain != std::string_view::npos) out += kMeaning[plain];
      else if (c == '\n') continue;
      else if (c == 'x' || c == 'u' || c == 'U') append_code(out, in, i, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
      else if (c >= '0' && c <= '7') append_octal(out, in, --i);
      else if (c == 'N') refuse("named characters are not supported in strings");
      else (out += '\\') += c;
    }
    return out;
  }
  void append_code(std::string& out, std::string_view in, std::size_t& i, std::size_t digits, int base) const {
    const std::string text(in.substr(i, digits));
    const bool whole = text.size() == digits && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    const unsigned long code = whole ? std::strtoul(text.c_str(), nullptr, base) : 0x110000;
    if (code >= 0x110000 || (code >= 0xD800 && code < 0xE000)) refuse("a string has a broken escape");
    append_utf8(out, static_cast<char32_t>(code));
    i += digits;
  }
  static void append_octal(std::string& out, std::string_view in, std::size_t& i) {
    char32_t code = 0;
    for (int n = 0; n < 3 && i < in.size() && in[i] >= '0' && in[i] <= '7'; ++n, ++i) code = code * 8 + static_cast<char32_t>(in[i] - '0');
    append_utf8(out, code);
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true, trim_ = true;
  std::vector<Token> out_;
};

}  // namespace

std::vector<Token> lex(std::string_view source, Blocks blocks) {
  if (source.size() > kMaxTemplateBytes) fail(fmt::format("the template is longer than {} bytes", kMaxTemplateBytes));
  if (!valid_utf8(source)) fail("the template is not UTF-8");
  const bool kept = blocks == Blocks::kept;
  return Lexer(unify_lines(source, kept), !kept).run();
}

}  // namespace assay::jinja
