// The grammar of answers by recursive descent: math_parse.cc has what holds values together, math_parse_values.cc the values,
// math_parse_commands.cc the commands of TeX. A member returns no value where the text is not what it expects, and then all of it is given up.
#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "suites/math/math_lex.h"
#include "suites/math/math_tree.h"

namespace assay {

inline MathTree math_leaf(MathOp op, std::string text) { return {op, std::move(text), {}}; }
inline MathTree math_node(MathOp op, std::vector<MathTree> kids, std::string text = {}) {
  return {op, std::move(text), std::move(kids)};
}

inline bool is_integer_leaf(const MathTree& tree) {
  return tree.op == MathOp::number && tree.text.find_first_not_of("0123456789") == std::string::npos;
}

class MathParser {
 public:
  explicit MathParser(std::vector<MathToken> tokens) : tokens_(std::move(tokens)) {}

  std::optional<MathTree> run();

 private:
  using Tree = std::optional<MathTree>;

  // --- words ---
  bool done() const { return at_ >= tokens_.size(); }
  const MathToken& word(std::size_t ahead = 0) const {
    static const MathToken kEnd{MathWord::sign, "", false};
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : kEnd;
  }
  bool sees(std::string_view sign, std::size_t ahead = 0) const {
    return word(ahead).kind == MathWord::sign && word(ahead).text == sign && at_ + ahead < tokens_.size();
  }
  bool sees_command(std::string_view name, std::size_t ahead = 0) const {
    return word(ahead).kind == MathWord::command && word(ahead).text == name;
  }
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
  bool takes_separator();
  Tree list();
  bool closes() const { return sees(")") || sees("]") || sees("}") || sees("\\}"); }

  char relation_sign();
  Tree statement();
  Tree join();

  // --- values ---
  enum class Sign { none, plus, minus, plus_minus, minus_plus };
  Sign sign();
  static MathTree with_sign(Sign sign, MathTree tree) {
    switch (sign) {
      case Sign::minus:
        return math_node(MathOp::negative, {std::move(tree)});
      case Sign::plus_minus:
        return math_node(MathOp::plus_minus, {std::move(tree)}, "+-");
      case Sign::minus_plus:
        return math_node(MathOp::plus_minus, {std::move(tree)}, "-+");
      default:
        return tree;
    }
  }

  Tree sum();
  // "-5 cm": the unit is of the whole.
  static MathTree hoist_unit(MathTree tree) {
    if (tree.op != MathOp::negative || tree.kids[0].op != MathOp::unit) return tree;
    MathTree unit = std::move(tree.kids[0]);
    unit.kids[0] = math_node(MathOp::negative, {std::move(unit.kids[0])});
    return unit;
  }

  Tree product();
  Tree signed_factor();
  // 3 \frac12 and "3 1/2" are mixed numbers; everything else that stands side by side is a product. "3 1/2" comes here as 3, then 1:
  // the quotient is taken at once.
  MathTree juxtaposed(MathTree left, MathTree right);
  static MathTree times(MathTree left, MathTree right) {
    if (left.op != MathOp::product) return math_node(MathOp::product, {std::move(left), std::move(right)});
    left.kids.push_back(std::move(right));
    return left;
  }

  bool starts_factor() const;
  // Words after a value up to where its statement ends: "cm^2", "km / h", "square units". Empty: something else stands there.
  std::string unit_here(const MathTree& value);
  // A primary with what follows it: ! ^ _ % degrees and primes.
  Tree factor();
  bool done_after_marks() const {
    return at_ + 1 >= tokens_.size() && tokens_[at_ - 1].kind == MathWord::word;
  }

  bool take_degrees();
  bool raise(MathTree& base);
  // What TeX takes as the argument of a command: a group or the next word, of a number its first digit. Exponents of plain text
  // (x^10) take the whole number.
  Tree argument(bool first_digit_only);
  Tree braced();
  Tree primary();
  // A number with a base, or one whose last digits repeat.
  Tree number(const std::string& digits);
  // 0.1\overline{36} = 0.1 + 36 / (99 * 10).
  Tree repeating(const std::string& digits, const std::string& repeated);
  // A variable with its index: x_1, C_{12}, x_n, m_{\max}.
  Tree letter(std::string name);

  // --- brackets ---
  Tree bracket();
  Tree set();
  Tree bars();

  // --- commands ---
  Tree command(const std::string& name);
  Tree currency();
  Tree fraction();
  Tree two_of(const std::string& name);
  Tree radical();
  Tree until(std::string_view end, const std::string& name);
  Tree vector();
  // A name under a mark or after a sign: \overrightarrow{AB}, \angle ABC. It is one symbol.
  Tree marked(const std::string& mark);
  Tree function(const std::string& name);
  // A bracket, or the factors that follow side by side up to the next function: sin 2x cos y.
  Tree function_argument();
  static bool is_function(const MathToken& w) {
    static constexpr auto kNot = std::to_array<std::string_view>({"pi", "frac", "sqrt", "infty"});
    return w.kind == MathWord::command && std::find(kNot.begin(), kNot.end(), w.text) == kNot.end();
  }

  // Cells may be empty nowhere; rows end with \\.
  Tree matrix(const std::string& name);

  std::vector<MathToken> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int bars_ = 0;  // 1: a bar closes
};

}  // namespace assay
