#include "suites/math/math_lex.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace assay {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Unicode signs as the TeX or ASCII that says the same.
constexpr Pair kUnicode[] = {
    {"\u2212", "-"},       {"\u2013", "-"},       {"\u00d7", "\\times "}, {"\u00b7", "\\cdot "}, {"\u22c5", "\\cdot "},
    {"\u00f7", "\\div "},  {"\u221a", "\\sqrt "}, {"\u03c0", "\\pi "},    {"\u221e", "\\infty "}, {"\u2264", "\\leq "},
    {"\u2265", "\\geq "},  {"\u2260", "\\neq "},  {"\u00b0", "^\\circ "}, {"\u00b2", "^2"},       {"\u00b3", "^3"},
    {"\u222a", "\\cup "},  {"\u2208", "\\in "},   {"\u00b1", "\\pm "},    {"\u03b8", "\\theta "}, {"\u03b1", "\\alpha "},
    {"\u03b2", "\\beta "}, {"\u00bd", "\\frac{1}{2}"}, {"\u2205", "\\emptyset "}, {"\u00a0", " "}, {"\u2009", " "},
    {"\u20ac", "\\$"},     {"\u00a3", "\\$"},     {"\u2032", "'"},        {"\u27e8", "\\langle "}, {"\u27e9", "\\rangle "},
    {"\uff0c", ", "},      {"\u3001", ", "},
};

// Commands that say how something looks, not what it is.
constexpr auto kLooks = std::to_array<std::string_view>(
    {"left",         "right",     "big",    "Big",     "bigg",   "Bigg",   "bigl",    "bigr",       "Bigl",   "Bigr",  "biggl",
     "biggr",        "displaystyle", "textstyle", "quad", "qquad", "limits", "boldsymbol", "mathbf", "mathit", "mathsf",
     "boxed",        "fbox",      "bf",     "it",      "rm",     "tt",     "mathcal", "mathscr",    "thinspace", "hspace", "ensuremath",
     "phantom",      "nonumber",  "large",  "Large",   "small",  "bm",     "nolimits", "middle",     "mathord", "scriptstyle"});
constexpr auto kProse = std::to_array<std::string_view>({"text", "textbf", "textit", "textrm", "texttt", "textnormal", "mbox", "hbox",
                                                         "mathrm", "operatorname", "textup", "textsf", "mathtt", "emph"});
constexpr Pair kSame[] = {{"dfrac", "frac"}, {"tfrac", "frac"}, {"cfrac", "frac"}, {"le", "leq"},        {"ge", "geq"},         {"leqslant", "leq"},
                          {"geqslant", "geq"}, {"ne", "neq"},   {"lbrace", "{"},   {"rbrace", "}"},      {"dbinom", "binom"},   {"tbinom", "binom"},
                          {"lt", "<"},       {"gt", ">"},       {"mid", "|"},      {"vert", "|"},        {"lvert", "|"},        {"rvert", "|"},
                          {"land", "and"},   {"lor", "or"},     {"wedge", "and"},  {"vee", "or"},        {"arccos", "acos"},    {"arcsin", "asin"},
                          {"arctan", "atan"}, {"lbrack", "["},  {"rbrack", "]"},   {"lparen", "("},      {"rparen", ")"},       {"ast", "*"},
                          {"varnothing", "emptyset"}, {"colon", ":"}, {"prime", "'"}, {"degree", "circ"}, {"degrees", "circ"}, {"varphi", "phi"},
                          {"backslash", "setminus"}, {"star", "*"}, {"varepsilon", "epsilon"}, {"over", "/"}};
// Plain words that mean what the command of that name does.
constexpr Pair kPlain[] = {{"sqrt", "sqrt"}, {"sin", "sin"},   {"cos", "cos"},   {"tan", "tan"},   {"cot", "cot"},       {"sec", "sec"},
                           {"csc", "csc"},   {"ln", "ln"},     {"log", "log"},   {"exp", "exp"},   {"pi", "pi"},         {"infinity", "infty"},
                           {"inf", "infty"}, {"oo", "infty"},  {"and", "and"},   {"or", "or"},     {"arcsin", "asin"},   {"arccos", "acos"},
                           {"arctan", "atan"}, {"asin", "asin"}, {"acos", "acos"}, {"atan", "atan"}, {"sinh", "sinh"}, {"cosh", "cosh"},
                           {"tanh", "tanh"}, {"abs", "abs"},   {"floor", "floor"}, {"ceil", "ceil"}, {"cup", "cup"}, {"union", "cup"}, {"binom", "binom"}};
constexpr auto kGreek = std::to_array<std::string_view>(
    {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta",   "theta", "iota", "kappa", "lambda", "mu",    "nu",    "xi",  "rho",   "sigma", "tau",
     "upsilon", "phi", "chi",  "psi",   "omega",   "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi",    "Sigma", "Phi", "Psi", "Omega", "hbar",  "ell"});

std::string_view same_as(std::string_view name) {
  const auto* at = std::find_if(std::begin(kSame), std::end(kSame), [&](const Pair& p) { return p.first == name; });
  return at == std::end(kSame) ? name : at->second;
}

std::string to_ascii(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto* at = std::find_if(std::begin(kUnicode), std::end(kUnicode), [&](const Pair& p) { return text.substr(i).starts_with(p.first); });
    if (at == std::end(kUnicode)) {
      out += text[i++];
    } else {
      out += at->second;
      i += at->first.size();
    }
  }
  return out;
}

class MathLexer {
 public:
  MathLexer(std::string_view text, bool commas_separate) : text_(text), commas_separate_(commas_separate) {}

  std::optional<MathTokens> run() {
    while (at_ < text_.size()) {
      if (out_.list.size() > kMaxMathTokens) return std::nullopt;
      step();
    }
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool sees(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void put(MathWord kind, std::string_view text) {
    if (kind == MathWord::sign && (text == "(" || text == "[" || text == "\\{")) ++depth_;
    if (kind == MathWord::sign && (text == ")" || text == "]" || text == "\\}")) --depth_;
    out_.list.push_back({kind, std::string(text), blank_ || out_.list.empty()});
    blank_ = false;
  }

  void step() {
    const char c = peek();
    if (is_blank(c) || c == '~' || c == '$' || c == '`') {
      ++at_;
      blank_ = true;
    } else if (c == '\\') {
      command();
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
    } else if (is_letter(c)) {
      letters();
    } else if (sees("**")) {
      put(MathWord::sign, "^");
      at_ += 2;
    } else if (sees("<=") || sees(">=") || sees("!=")) {
      put(MathWord::command, c == '<' ? "leq" : c == '>' ? "geq" : "neq");
      at_ += 2;
    } else {
      put(MathWord::sign, text_.substr(at_, 1));
      ++at_;
    }
  }

  // "1,000": exactly three digits after every comma, one to three before the first, outside brackets (there it would
  // be a pair). Length of the separator at `i` and what follows it, or 0.
  std::size_t separator(std::size_t i, std::size_t digits_before, bool plain_seen) {
    const std::string_view rest = text_.substr(i);
    for (const std::string_view mark : {"{,}", ",\\!", "\\,", ",\\,", "{,}\\!", ","}) {
      if (!rest.starts_with(mark)) continue;
      const bool plain = mark == ",";
      if (plain && (commas_separate_ || depth_ > 0)) return 0;
      const std::string_view after = rest.substr(mark.size());
      const bool three = after.size() >= 3 && is_digit(after[0]) && is_digit(after[1]) && is_digit(after[2]) && !(after.size() > 3 && is_digit(after[3]));
      if (!three || digits_before > 3 || (plain_seen && !plain)) return 0;
      out_.ambiguous_commas = out_.ambiguous_commas || plain;
      return mark.size();
    }
    return 0;
  }

  void number() {
    std::string digits;
    std::size_t group = 0;
    bool plain_seen = false;
    while (is_digit(peek())) {
      digits += text_[at_++];
      ++group;
      if (is_digit(peek())) continue;
      const std::size_t mark = separator(at_, group, plain_seen);
      plain_seen = plain_seen || mark == 1;
      group = 0;
      at_ += mark;
      if (mark == 0) break;
    }
    if (sees(".\\overline") || sees(".\\bar")) {
      ++at_;  // the digits that repeat follow
    } else if (peek() == '.' && is_digit(peek(1))) {
      do digits += text_[at_++];
      while (is_digit(peek()));
    } else if (peek() == '.' && !is_letter(peek(1)) && peek(1) != '\\') {
      ++at_;  // "5." and the full stop of a sentence
    }
    const std::size_t sign = peek(1) == '-' || peek(1) == '+' ? 1 : 0;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(1 + sign))) {
      do digits += text_[at_++];
      while (is_digit(peek()) || digits.back() == 'e' || digits.back() == 'E');
    }
    put(MathWord::number, digits);
  }

  void letters() {
    const std::size_t begin = at_;
    while (is_letter(peek())) ++at_;
    const std::string_view run = text_.substr(begin, at_ - begin);
    const auto* plain = std::find_if(std::begin(kPlain), std::end(kPlain), [&](const Pair& p) { return p.first == run; });
    if (plain != std::end(kPlain)) return put(MathWord::command, plain->second);
    if (is_one_of(run, kGreek)) return put(MathWord::letter, run);
    const bool alone_before = begin == 0 || is_blank(text_[begin - 1]) || is_digit(text_[begin - 1]);
    const char next = peek();
    const bool alone_after = next == '\0' || is_blank(next) || next == '.' || next == ',' || next == '^' || next == '/';
    const bool attached = begin > 0 && is_digit(text_[begin - 1]);
    if (run.size() >= (attached ? 2 : 3) && alone_before && alone_after) return put(MathWord::word, run);
    if (run.size() == 2 && alone_before && alone_after && is_unit_word(run)) return put(MathWord::word, run);
    for (const char& c : run) put(MathWord::letter, std::string_view(&c, 1));
  }

  static bool is_unit_word(std::string_view run) {
    constexpr auto kShort = std::to_array<std::string_view>({"cm", "mm", "km", "in", "ft", "kg", "mg", "hr", "ml", "mL", "mi", "yd", "lb", "oz", "is", "no", "No"});
    return is_one_of(run, kShort);
  }

  void command() {
    const std::size_t begin = ++at_;
    if (!is_letter(peek())) {
      symbol_command();
      return;
    }
    while (is_letter(peek())) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    ASSAY_CHECK(!name.empty());
    if (name == "begin" || name == "end") return environment(name);
    if (is_one_of(name, kProse)) return prose();
    if (name == "left" || name == "right") {
      if (peek() == '.') ++at_;
      return;
    }
    if (is_one_of(name, kLooks)) return;
    const std::string_view same = same_as(name);
    if (same.size() == 1 && !is_letter(same[0])) return put(MathWord::sign, same == "{" ? "\\{" : same == "}" ? "\\}" : same);
    if (is_one_of(same, kGreek)) return put(MathWord::letter, same);
    put(MathWord::command, same);
  }

  void symbol_command() {
    const char c = peek();
    if (at_ < text_.size()) ++at_;
    switch (c) {
      case '{': return put(MathWord::sign, "\\{");
      case '}': return put(MathWord::sign, "\\}");
      case '\\': return put(MathWord::sign, "\\\\");
      case '%': return put(MathWord::sign, "%");
      case '$': return put(MathWord::command, "dollar");
      case '|': return put(MathWord::sign, "|");
      case '&': case '#': case '_': return put(MathWord::word, std::string_view(&c, 1));
      default: blank_ = true;  // \! \, \; \: "\ " \( \) \[ \] are spacing and delimiters of formulas
    }
  }

  std::string_view braced() {
    while (is_blank(peek())) ++at_;
    if (peek() != '{') return {};
    const std::size_t begin = ++at_;
    for (int depth = 1; at_ < text_.size(); ++at_) {
      if (text_[at_] == '{') ++depth;
      if (text_[at_] == '}' && --depth == 0) return text_.substr(begin, at_++ - begin);
    }
    return text_.substr(begin);
  }

  void environment(std::string_view name) {
    const std::string what = std::string(name) + ":" + std::string(braced());
    put(MathWord::command, what);
    if (name == "begin" && what.ends_with("array")) braced();  // the columns' alignment
  }

  // The content speaks for itself, but for a single letter or a number in it, which are what they would be outside.
  void prose() {
    std::string content;
    for (const char c : braced()) {
      if (c != '\\' && c != '$') content += c == '~' || is_blank(c) ? ' ' : c;
    }
    const auto begin = content.find_first_not_of(' ');
    if (begin == std::string::npos) {
      blank_ = true;
      return;
    }
    const std::string trimmed = content.substr(begin, content.find_last_not_of(' ') - begin + 1);
    if (trimmed == "and" || trimmed == "or") return put(MathWord::command, trimmed);
    put(MathWord::prose, trimmed);
  }

  std::string_view text_;
  bool commas_separate_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool blank_ = false;
  MathTokens out_;
};

}  // namespace

std::optional<MathTokens> lex_math(std::string_view text, bool commas_separate) {
  if (text.size() > kMaxMathBytes) return std::nullopt;
  const std::string ascii = to_ascii(text);
  return MathLexer(ascii, commas_separate).run();
}

}  // namespace assay
