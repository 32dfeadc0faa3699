#include "suites/math/math_parse.h"

#include <algorithm>
#include <array>
#include <boost/multiprecision/cpp_int.hpp>
#include <utility>

#include "base/check.h"
#include "suites/math/math_lex.h"

namespace assay {
namespace {

constexpr std::size_t kMaxBasedDigits = 200;

MathTree leaf(MathOp op, std::string text) { return {op, std::move(text), {}}; }
MathTree node(MathOp op, std::vector<MathTree> kids, std::string text = {}) { return {op, std::move(text), std::move(kids)}; }

bool is_integer(const MathTree& tree) { return tree.op == MathOp::number && tree.text.find_first_not_of("0123456789") == std::string::npos; }

// "10.12" in base 3 as a decimal number over a power of the base; no value where a digit is too large.
std::optional<MathTree> from_base(const std::string& digits, const std::string& base_text) {
  if (digits.size() > kMaxBasedDigits || base_text.empty() || base_text.size() > 2) return std::nullopt;
  const int base = base_text.find_first_not_of("0123456789") == std::string::npos ? std::stoi(base_text) : 0;
  if (base < 2 || base > 10) return std::nullopt;
  boost::multiprecision::cpp_int value = 0, below = 1;
  bool after_point = false;
  for (const char c : digits) {
    if (c == '.' && !after_point) {
      after_point = true;
      continue;
    }
    if (c < '0' || c - '0' >= base) return std::nullopt;
    value = value * base + (c - '0');
    if (after_point) below *= base;
  }
  MathTree whole = leaf(MathOp::number, value.str());
  return after_point ? node(MathOp::quotient, {std::move(whole), leaf(MathOp::number, below.str())}) : std::move(whole);
}

// Recursive descent; a member returns no value where the text is not what it expects, and then all of it is given up.
class MathParser {
 public:
  explicit MathParser(std::vector<MathToken> tokens) : tokens_(std::move(tokens)) {}

  std::optional<MathTree> run() {
    auto tree = list();
    while (sees("!") || sees(".") || sees(",") || sees(";")) ++at_;  // what ends a sentence
    if (!tree || at_ != tokens_.size()) return std::nullopt;
    return tree;
  }

 private:
  using Tree = std::optional<MathTree>;

  // --- words ---
  bool done() const { return at_ >= tokens_.size(); }
  const MathToken& word(std::size_t ahead = 0) const {
    static const MathToken kEnd{MathWord::sign, "", false};
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : kEnd;
  }
  bool sees(std::string_view sign, std::size_t ahead = 0) const { return word(ahead).kind == MathWord::sign && word(ahead).text == sign && at_ + ahead < tokens_.size(); }
  bool sees_command(std::string_view name, std::size_t ahead = 0) const { return word(ahead).kind == MathWord::command && word(ahead).text == name; }
  bool take(std::string_view sign) {
    if (!sees(sign)) return false;
    ++at_;
    return true;
  }
  bool take_command(std::string_view name) {
    if (!sees_command(name)) return false;
    ++at_;
    return true;
  }

  struct Deeper {
    explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
    ~Deeper() { --depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    int& depth_;
  };

  // --- structures ---
  bool takes_separator() {
    if (sees(",") && (word(1).kind == MathWord::command && (word(1).text == "and" || word(1).text == "or"))) ++at_;
    return take(",") || take(";") || take_command("and") || take_command("or");
  }

  Tree list() {
    const Deeper deeper(depth_);
    if (depth_ > kMaxMathDepth) return std::nullopt;
    std::vector<MathTree> parts;
    do {
      auto part = statement();
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    } while (takes_separator() && !done() && !closes());
    return parts.size() == 1 ? std::move(parts[0]) : node(MathOp::list, std::move(parts));
  }

  bool closes() const { return sees(")") || sees("]") || sees("}") || sees("\\}"); }

  char relation_sign() {
    static constexpr std::pair<std::string_view, char> kCommands[] = {{"leq", 'l'}, {"geq", 'g'}, {"neq", 'n'}, {"in", 'e'}, {"equiv", '='}};
    for (const auto& [name, sign] : kCommands) {
      if (take_command(name)) return sign;
    }
    if (word().kind == MathWord::word && word().text == "is" && ++at_) return '=';
    for (const char* sign : {"=", "<", ">"}) {
      if (take(sign)) return *sign;
    }
    return '\0';
  }

  Tree statement() {
    auto first = join();
    if (!first) return std::nullopt;
    std::vector<MathTree> parts;
    std::string signs;
    parts.push_back(std::move(*first));
    while (const char sign = relation_sign()) {
      auto next = join();
      if (!next) return std::nullopt;
      signs += sign;
      parts.push_back(std::move(*next));
    }
    return parts.size() == 1 ? std::move(parts[0]) : node(MathOp::relation, std::move(parts), signs);
  }

  Tree join() {
    std::vector<MathTree> parts;
    do {
      auto part = sum();
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    } while (take_command("cup"));
    return parts.size() == 1 ? std::move(parts[0]) : node(MathOp::join, std::move(parts));
  }

  // --- values ---
  enum class Sign { none, plus, minus, plus_minus, minus_plus };
  Sign sign() {
    if (take("+")) return sees("/") && sees("-", 1) ? (at_ += 2, Sign::plus_minus) : Sign::plus;
    if (take("-")) return Sign::minus;
    if (take_command("pm")) return Sign::plus_minus;
    if (take_command("mp")) return Sign::minus_plus;
    return Sign::none;
  }
  static MathTree with_sign(Sign sign, MathTree tree) {
    switch (sign) {
      case Sign::minus: return node(MathOp::negative, {std::move(tree)});
      case Sign::plus_minus: return node(MathOp::plus_minus, {std::move(tree)}, "+-");
      case Sign::minus_plus: return node(MathOp::plus_minus, {std::move(tree)}, "-+");
      default: return tree;
    }
  }

  Tree sum() {
    const Deeper deeper(depth_);
    if (depth_ > kMaxMathDepth) return std::nullopt;
    std::vector<MathTree> parts;
    Sign lead = sign();
    do {
      const Sign second = lead == Sign::none ? Sign::none : sign();  // "+ -3"
      auto part = product();
      if (!part) return std::nullopt;
      parts.push_back(with_sign(lead, with_sign(second, std::move(*part))));
      lead = sign();
    } while (lead != Sign::none);
    MathTree out = parts.size() == 1 ? std::move(parts[0]) : node(MathOp::sum, std::move(parts));
    return hoist_unit(std::move(out));
  }

  // "-5 cm": the unit is of the whole.
  static MathTree hoist_unit(MathTree tree) {
    if (tree.op != MathOp::negative || tree.kids[0].op != MathOp::unit) return tree;
    MathTree unit = std::move(tree.kids[0]);
    unit.kids[0] = node(MathOp::negative, {std::move(unit.kids[0])});
    return unit;
  }

  Tree product() {
    bool dollars = take_command("dollar");
    auto first = factor();
    if (!first) return std::nullopt;
    MathTree out = std::move(*first);
    for (;;) {
      if (const auto unit = unit_here(out); !unit.empty()) {
        out = node(MathOp::unit, {std::move(out)}, unit);
        dollars = false;
      } else if (take("*") || take_command("cdot") || take_command("times")) {
        auto next = signed_factor();
        if (!next) return std::nullopt;
        out = times(std::move(out), std::move(*next));
      } else if (take("/") || take_command("div")) {
        auto next = signed_factor();
        if (!next) return std::nullopt;
        out = node(MathOp::quotient, {std::move(out), std::move(*next)});
      } else if (starts_factor()) {
        auto next = factor();
        if (!next) return std::nullopt;
        out = juxtaposed(std::move(out), std::move(*next));
      } else {
        break;
      }
    }
    return dollars ? node(MathOp::unit, {std::move(out)}, "dollar") : std::move(out);
  }

  Tree signed_factor() {
    const Sign lead = sign();
    auto next = factor();
    if (!next) return std::nullopt;
    return with_sign(lead, std::move(*next));
  }

  // 3 \frac12 and "3 1/2" are mixed numbers; everything else that stands side by side is a product. "3 1/2" comes here as 3, then 1:
  // the quotient is taken at once.
  MathTree juxtaposed(MathTree left, MathTree right) {
    const bool whole = is_integer(left);
    if (whole && right.op == MathOp::quotient && is_integer(right.kids[0]) && is_integer(right.kids[1])) {
      return node(MathOp::sum, {std::move(left), std::move(right)});
    }
    if (whole && is_integer(right) && sees("/") && word(1).kind == MathWord::number) {
      ++at_;
      MathTree below = leaf(MathOp::number, tokens_[at_++].text);
      return node(MathOp::sum, {std::move(left), node(MathOp::quotient, {std::move(right), std::move(below)})});
    }
    return times(std::move(left), std::move(right));
  }

  static MathTree times(MathTree left, MathTree right) {
    if (left.op != MathOp::product) return node(MathOp::product, {std::move(left), std::move(right)});
    left.kids.push_back(std::move(right));
    return left;
  }

  bool starts_factor() const {
    if (done()) return false;
    const MathToken& w = word();
    switch (w.kind) {
      case MathWord::number: return tokens_[at_ - 1].kind != MathWord::number || sees("/", 1);  // "1 2" is no product
      case MathWord::letter: case MathWord::prose: return true;
      case MathWord::word: return w.text != "is";
      case MathWord::sign: return w.text == "(" || w.text == "{" || w.text == "[" || (w.text == "|" && bars_ == 0);
      case MathWord::command: break;
    }
    static constexpr auto kNot = std::to_array<std::string_view>({"cup", "cap", "setminus", "leq", "geq", "neq", "in", "and", "or", "times", "cdot",
                                                                  "div", "pm", "mp", "circ", "rfloor", "rceil", "rangle", "to", "equiv", "dollar", "implies"});
    return std::find(kNot.begin(), kNot.end(), w.text) == kNot.end() && !w.text.starts_with("end:") && !w.text.starts_with("begin:");
  }

  // Words after a value up to where its statement ends: "cm^2", "km / h", "square units". Empty: something else stands there.
  std::string unit_here(const MathTree& value) {
    if (sees_command("dollar")) return ++at_, "dollar";
    if ((word().kind != MathWord::prose && word().kind != MathWord::word) || word().text == "is") return {};
    if (value.op == MathOp::symbol && value.text.size() > 1 && word().kind == MathWord::word) return {};
    std::string unit;
    std::size_t end = at_;
    for (; end < tokens_.size(); ++end) {
      const MathToken& w = tokens_[end];
      const bool wordy = w.kind == MathWord::prose || w.kind == MathWord::word;
      const bool glue = w.kind == MathWord::number || (w.kind == MathWord::sign && (w.text == "^" || w.text == "/" || w.text == "{" || w.text == "}" || w.text == "-")) ||
                        (w.kind == MathWord::command && w.text == "cdot");
      if (!wordy && !glue) break;
      if (w.kind == MathWord::sign && w.text == "}" && std::count(unit.begin(), unit.end(), '{') <= std::count(unit.begin(), unit.end(), '}')) break;
      unit += (wordy && !unit.empty() && unit.back() != '/' ? " " : "") + w.text;
    }
    const bool ends = end == tokens_.size() || tokens_[end].text == "," || tokens_[end].text == ";" || tokens_[end].text == "." || tokens_[end].text == ")" || tokens_[end].text == "}" ||
                      tokens_[end].text == "and" || tokens_[end].text == "or" || tokens_[end].text == "]" || tokens_[end].text == "=";
    if (!ends) return {};
    at_ = end;
    std::erase_if(unit, [](char c) { return c == '{' || c == '}'; });
    return unit;
  }

  // A primary with what follows it: ! ^ _ % degrees and primes.
  Tree factor() {
    const Deeper deeper(depth_);
    if (depth_ > kMaxMathDepth) return std::nullopt;
    auto first = primary();
    if (!first) return std::nullopt;
    MathTree out = std::move(*first);
    for (;;) {
      if (sees("!") && !sees("=", 1) && (out.op != MathOp::symbol || !done_after_marks())) {
        ++at_;
        out = node(MathOp::factorial, {std::move(out)});
      } else if (take("%")) {
        out = node(MathOp::unit, {std::move(out)}, "%");
      } else if (take_degrees()) {
        out = node(MathOp::unit, {std::move(out)}, "deg");
      } else if (sees("^") || sees("'")) {
        if (!raise(out)) return std::nullopt;
      } else {
        return out;
      }
    }
  }

  bool done_after_marks() const { return at_ + 1 >= tokens_.size() && tokens_[at_ - 1].kind == MathWord::word; }

  bool take_degrees() {
    if (take_command("circ")) return true;
    if (sees("^") && sees_command("circ", 1)) return at_ += 2, true;
    if (sees("^") && sees("{", 1) && sees_command("circ", 2) && sees("}", 3)) return at_ += 4, true;
    return false;
  }

  bool raise(MathTree& base) {
    const bool prime = take("'") || (sees("^") && sees("'", 1) && ++at_ && ++at_) || (sees("^") && sees("{", 1) && sees("'", 2) && sees("}", 3) && (at_ += 4));
    if (prime) {
      if (base.op != MathOp::symbol) return false;
      base.text += "'";
      return true;
    }
    ++at_;  // ^
    auto exponent = sees("-") || sees("+") ? signed_factor() : argument(false);
    if (!exponent) return false;
    base = node(MathOp::power, {std::move(base), std::move(*exponent)});
    return true;
  }

  // What TeX takes as the argument of a command: a group or the next word, of a number its first digit. Exponents of plain text
  // (x^10) take the whole number.
  Tree argument(bool first_digit_only) {
    const Deeper deeper(depth_);
    if (depth_ > kMaxMathDepth) return std::nullopt;
    if (sees("{")) return braced();
    if (first_digit_only && word().kind == MathWord::number && word().text.size() > 1) {
      MathToken& number = tokens_[at_];
      MathTree digit = leaf(MathOp::number, number.text.substr(0, 1));
      number.text.erase(0, 1);
      number.after_blank = false;
      return digit;
    }
    return primary();
  }

  Tree braced() {
    if (!take("{")) return std::nullopt;
    const int bars = std::exchange(bars_, 0);
    auto inner = list();
    bars_ = bars;
    if (!inner || !take("}")) return std::nullopt;
    return inner;
  }

  Tree primary() {
    const MathToken w = word();
    if (done()) return std::nullopt;
    switch (w.kind) {
      case MathWord::number: return ++at_, number(w.text);
      case MathWord::letter: return ++at_, letter(w.text);
      case MathWord::word: case MathWord::prose: return ++at_, leaf(MathOp::symbol, w.text);
      case MathWord::sign: return bracket();
      case MathWord::command: return ++at_, command(w.text);
    }
    return std::nullopt;
  }

  // A number with a base, or one whose last digits repeat.
  Tree number(const std::string& digits) {
    if (take("_")) {
      const bool group = take("{");
      if (word().kind != MathWord::number) return std::nullopt;
      auto value = from_base(digits, tokens_[at_++].text);
      if (group && !take("}")) return std::nullopt;
      return value;
    }
    if ((sees_command("overline") || sees_command("bar")) && sees("{", 1) && word(2).kind == MathWord::number && sees("}", 3)) {
      const std::string repeated = word(2).text;
      at_ += 4;
      return repeating(digits, repeated);
    }
    return leaf(MathOp::number, digits);
  }

  // 0.1\overline{36} = 0.1 + 36 / (99 * 10).
  Tree repeating(const std::string& digits, const std::string& repeated) {
    const auto dot = digits.find('.');
    const std::size_t places = dot == std::string::npos ? 0 : digits.size() - dot - 1;
    if (repeated.find_first_not_of("0123456789") != std::string::npos || repeated.size() > 100 || places > 100) return std::nullopt;
    std::string below = std::string(repeated.size(), '9') + std::string(places, '0');
    return node(MathOp::sum, {leaf(MathOp::number, digits), node(MathOp::quotient, {leaf(MathOp::number, repeated), leaf(MathOp::number, below)})});
  }

  // A variable with its index: x_1, C_{12}, x_n, m_{\max}.
  Tree letter(std::string name) {
    if (take("_")) {
      const bool group = take("{");
      name += "_";
      do {
        const bool other = word().kind == MathWord::sign ? !sees(",") : word().kind == MathWord::command && (sees("{", 1) || sees("(", 1));
        if (done() || other) return std::nullopt;
        name += tokens_[at_++].text;
      } while (group && !sees("}"));
      if (group && !take("}")) return std::nullopt;
    }
    return leaf(MathOp::symbol, name);
  }

  // --- brackets ---
  Tree bracket() {
    if (sees("{")) return braced();
    if (take("\\{")) return set();
    if (take("|")) return bars();
    const bool square = sees("[");
    if (!square && !sees("(")) return std::nullopt;
    ++at_;
    if (!square && sees(")")) return std::nullopt;
    const int bars = std::exchange(bars_, 0);
    auto inner = list();
    bars_ = bars;
    if (!inner || (!sees(")") && !sees("]"))) return std::nullopt;
    const std::string ends = std::string(square ? "[" : "(") + word().text;
    ++at_;
    if (inner->op == MathOp::list) return node(MathOp::group, std::move(inner->kids), ends);
    if (ends == "()" && inner->op == MathOp::symbol && inner->text.size() == 1 && inner->text[0] >= 'A' && inner->text[0] <= 'Z') return inner;  // (B)
    if (ends == "()" || ends == "[]") return inner;
    return std::nullopt;
  }

  Tree set() {
    if (take("\\}")) return node(MathOp::set, {});
    const int bars = std::exchange(bars_, 1);  // a bar ends the element
    auto inner = list();
    bars_ = bars;
    if (!inner) return std::nullopt;
    if (take("|") || take(":")) {
      auto condition = list();
      if (!condition || !take("\\}")) return std::nullopt;
      return node(MathOp::set, {std::move(*inner), std::move(*condition)}, "|");
    }
    if (!take("\\}")) return std::nullopt;
    if (inner->op == MathOp::list) return node(MathOp::set, std::move(inner->kids));
    return node(MathOp::set, {std::move(*inner)});
  }

  Tree bars() {
    const int bars = std::exchange(bars_, 1);
    auto inner = sum();
    bars_ = bars;
    if (!inner || !take("|")) return std::nullopt;
    return node(MathOp::function, {std::move(*inner)}, "abs");
  }

  // --- commands ---
  Tree command(const std::string& name) {
    static constexpr auto kFunctions = std::to_array<std::string_view>({"sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh",
                                                                        "ln", "log", "exp", "abs", "floor", "ceil", "arg", "det", "gcd", "lcm", "max", "min"});
    if (name == "frac") return fraction();
    if (name == "sqrt") return radical();
    if (name == "binom") return two_of("binom");
    if (name == "infty") return leaf(MathOp::symbol, "inf");
    if (name == "pi") return leaf(MathOp::symbol, "pi");
    if (name == "emptyset") return node(MathOp::set, {});
    if (name == "lfloor") return until("rfloor", "floor");
    if (name == "lceil") return until("rceil", "ceil");
    if (name == "langle") return vector();
    if (name == "dollar") return currency();
    if (name.starts_with("begin:")) return matrix(name.substr(6));
    if (name == "overline" || name == "overrightarrow" || name == "vec" || name == "hat" || name == "dot" || name == "ddot" || name == "bar" || name == "angle" ||
        name == "triangle" || name == "mathbb" || name == "tilde" || name == "overleftrightarrow") {
      return marked(name);
    }
    if (std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end()) return function(name);
    return std::nullopt;
  }

  Tree currency() {
    auto value = factor();
    if (!value) return std::nullopt;
    return node(MathOp::unit, {std::move(*value)}, "dollar");
  }

  Tree fraction() {
    auto above = argument(true);
    if (!above) return std::nullopt;
    auto below = argument(true);
    if (!below) return std::nullopt;
    return node(MathOp::quotient, {std::move(*above), std::move(*below)});
  }

  Tree two_of(const std::string& name) {
    auto first = argument(true);
    if (!first) return std::nullopt;
    auto second = argument(true);
    if (!second) return std::nullopt;
    return node(MathOp::function, {std::move(*first), std::move(*second)}, name);
  }

  Tree radical() {
    MathTree index = leaf(MathOp::number, "2");
    if (take("[")) {
      auto given = sum();
      if (!given || !take("]")) return std::nullopt;
      index = std::move(*given);
    }
    auto inside = argument(true);
    if (!inside) return std::nullopt;
    return node(MathOp::root, {std::move(*inside), std::move(index)});
  }

  Tree until(std::string_view end, const std::string& name) {
    auto inner = sum();
    if (!inner || !take_command(end)) return std::nullopt;
    return node(MathOp::function, {std::move(*inner)}, name);
  }

  Tree vector() {
    auto inner = list();
    if (!inner || !take_command("rangle")) return std::nullopt;
    if (inner->op != MathOp::list) return std::nullopt;
    return node(MathOp::group, std::move(inner->kids), "()");
  }

  // A name under a mark or after a sign: \overrightarrow{AB}, \angle ABC. It is one symbol.
  Tree marked(const std::string& mark) {
    std::string name = mark + ":";
    const bool group = take("{");
    while (!done() && (word().kind == MathWord::letter || word().kind == MathWord::word || word().kind == MathWord::number)) name += tokens_[at_++].text;
    if ((group && !take("}")) || name.back() == ':') return std::nullopt;
    return letter(name);
  }

  Tree function(const std::string& name) {
    std::optional<MathTree> exponent, base;
    for (int i = 0; i < 2; ++i) {
      if (take("^")) {
        exponent = sees("-") ? signed_factor() : argument(false);
        if (!exponent) return std::nullopt;
      }
      if (name == "log" && take("_")) {
        base = argument(true);
        if (!base) return std::nullopt;
      }
    }
    auto inside = function_argument();
    if (!inside) return std::nullopt;
    std::vector<MathTree> kids;
    if (inside->op == MathOp::list) kids = std::move(inside->kids);
    else kids.push_back(std::move(*inside));
    if (base) kids.push_back(std::move(*base));
    MathTree out = node(MathOp::function, std::move(kids), name);
    if (!exponent) return out;
    const bool inverse = exponent->op == MathOp::negative && exponent->kids[0].text == "1";
    if (inverse && (name == "sin" || name == "cos" || name == "tan")) {
      out.text = "a" + name;
      return out;
    }
    return node(MathOp::power, {std::move(out), std::move(*exponent)});
  }

  // A bracket, or the factors that follow side by side up to the next function: sin 2x cos y.
  Tree function_argument() {
    if (sees("(") || sees("{") || sees("[")) {
      const bool braces = sees("{");
      const int bars = std::exchange(bars_, 0);
      ++at_;
      auto inner = list();
      bars_ = bars;
      if (!inner || (braces ? !take("}") : !take(")") && !take("]"))) return std::nullopt;
      return inner;
    }
    const Sign lead = sign();
    auto first = factor();
    if (!first) return std::nullopt;
    MathTree out = std::move(*first);
    while (starts_factor() && word().kind != MathWord::prose && word().kind != MathWord::word && !is_function(word())) {
      auto next = factor();
      if (!next) return std::nullopt;
      out = juxtaposed(std::move(out), std::move(*next));
    }
    return with_sign(lead, std::move(out));
  }

  static bool is_function(const MathToken& w) {
    static constexpr auto kNot = std::to_array<std::string_view>({"pi", "frac", "sqrt", "infty"});
    return w.kind == MathWord::command && std::find(kNot.begin(), kNot.end(), w.text) == kNot.end();
  }

  // Cells may be empty nowhere; rows end with \\.
  Tree matrix(const std::string& name) {
    const bool matrix = name.ends_with("matrix") || name.ends_with("array");
    if (!matrix) return std::nullopt;
    std::vector<MathTree> rows, row;
    for (;;) {
      auto cell = sum();
      if (!cell) return std::nullopt;
      row.push_back(std::move(*cell));
      if (take("&")) continue;
      rows.push_back(node(MathOp::list, std::exchange(row, {})));
      const bool more = take("\\\\");
      if (take_command("end:" + name)) break;
      if (!more) return std::nullopt;
    }
    const std::size_t columns = rows.front().kids.size();
    if (std::any_of(rows.begin(), rows.end(), [&](const MathTree& r) { return r.kids.size() != columns; })) return std::nullopt;
    return node(MathOp::matrix, std::move(rows));
  }

  std::vector<MathToken> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int bars_ = 0;  // 1: a bar closes
};

}  // namespace

namespace {

// Levels of a tree, counted without recursion: a chain of quotients or of % may be as long as the text.
int depth_of(const MathTree& tree) {
  int deepest = 0;
  std::vector<std::pair<const MathTree*, int>> open = {{&tree, 1}};
  while (!open.empty()) {
    const auto [at, depth] = open.back();
    open.pop_back();
    deepest = std::max(deepest, depth);
    for (const MathTree& kid : at->kids) open.emplace_back(&kid, depth + 1);
  }
  return deepest;
}

}  // namespace

std::optional<ParsedMath> parse_math(std::string_view text, bool commas_separate) {
  auto tokens = lex_math(text, commas_separate);
  if (!tokens || tokens->list.empty()) return std::nullopt;
  const bool ambiguous = tokens->ambiguous_commas;
  auto tree = MathParser(std::move(tokens->list)).run();
  if (!tree || depth_of(*tree) > kMaxMathLevels) return std::nullopt;
  return ParsedMath{std::move(*tree), ambiguous};
}

}  // namespace assay
