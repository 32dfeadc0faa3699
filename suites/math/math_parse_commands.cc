#include "suites/math/math_parser.h"

namespace assay {

MathParser::Tree MathParser::command(const std::string& name) {
  static constexpr auto kFunctions = std::to_array<std::string_view>(
      {"sin", "cos", "tan", "cot", "sec",   "csc",  "asin", "acos", "atan", "sinh", "cosh", "tanh",
       "ln",  "log", "exp", "abs", "floor", "ceil", "arg",  "det",  "gcd",  "lcm",  "max",  "min"});
  if (name == "frac") return fraction();
  if (name == "sqrt") return radical();
  if (name == "binom") return two_of("binom");
  if (name == "infty") return math_leaf(MathOp::symbol, "inf");
  if (name == "pi") return math_leaf(MathOp::symbol, "pi");
  if (name == "emptyset") return math_node(MathOp::set, {});
  if (name == "lfloor") return until("rfloor", "floor");
  if (name == "lceil") return until("rceil", "ceil");
  if (name == "langle") return vector();
  if (name == "dollar") return currency();
  if (name.starts_with("begin:")) return matrix(name.substr(6));
  if (name == "overline" || name == "overrightarrow" || name == "vec" || name == "hat" || name == "dot" ||
      name == "ddot" || name == "bar" || name == "angle" || name == "triangle" || name == "mathbb" ||
      name == "tilde" || name == "overleftrightarrow") {
    return marked(name);
  }
  if (std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end()) return function(name);
  return std::nullopt;
}

MathParser::Tree MathParser::currency() {
  auto value = factor();
  if (!value) return std::nullopt;
  return math_node(MathOp::unit, {std::move(*value)}, "dollar");
}

MathParser::Tree MathParser::fraction() {
  auto above = argument(true);
  if (!above) return std::nullopt;
  auto below = argument(true);
  if (!below) return std::nullopt;
  return math_node(MathOp::quotient, {std::move(*above), std::move(*below)});
}

MathParser::Tree MathParser::two_of(const std::string& name) {
  auto first = argument(true);
  if (!first) return std::nullopt;
  auto second = argument(true);
  if (!second) return std::nullopt;
  return math_node(MathOp::function, {std::move(*first), std::move(*second)}, name);
}

MathParser::Tree MathParser::radical() {
  MathTree index = math_leaf(MathOp::number, "2");
  if (take("[")) {
    auto given = sum();
    if (!given || !take("]")) return std::nullopt;
    index = std::move(*given);
  }
  auto inside = argument(true);
  if (!inside) return std::nullopt;
  return math_node(MathOp::root, {std::move(*inside), std::move(index)});
}

MathParser::Tree MathParser::until(std::string_view end, const std::string& name) {
  auto inner = sum();
  if (!inner || !take_command(end)) return std::nullopt;
  return math_node(MathOp::function, {std::move(*inner)}, name);
}

MathParser::Tree MathParser::vector() {
  auto inner = list();
  if (!inner || !take_command("rangle")) return std::nullopt;
  if (inner->op != MathOp::list) return std::nullopt;
  return math_node(MathOp::group, std::move(inner->kids), "()");
}

MathParser::Tree MathParser::marked(const std::string& mark) {
  std::string name = mark + ":";
  const bool group = take("{");
  while (!done() && (word().kind == MathWord::letter || word().kind == MathWord::word ||
                     word().kind == MathWord::number))
    name += tokens_[at_++].text;
  if ((group && !take("}")) || name.back() == ':') return std::nullopt;
  return letter(name);
}

MathParser::Tree MathParser::function(const std::string& name) {
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
  if (inside->op == MathOp::list)
    kids = std::move(inside->kids);
  else
    kids.push_back(std::move(*inside));
  if (base) kids.push_back(std::move(*base));
  MathTree out = math_node(MathOp::function, std::move(kids), name);
  if (!exponent) return out;
  const bool inverse = exponent->op == MathOp::negative && exponent->kids[0].text == "1";
  if (inverse && (name == "sin" || name == "cos" || name == "tan")) {
    out.text = "a" + name;
    return out;
  }
  return math_node(MathOp::power, {std::move(out), std::move(*exponent)});
}

MathParser::Tree MathParser::function_argument() {
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
  while (starts_factor() && word().kind != MathWord::prose && word().kind != MathWord::word &&
         !is_function(word())) {
    auto next = factor();
    if (!next) return std::nullopt;
    out = juxtaposed(std::move(out), std::move(*next));
  }
  return with_sign(lead, std::move(out));
}

MathParser::Tree MathParser::matrix(const std::string& name) {
  const bool matrix = name.ends_with("matrix") || name.ends_with("array");
  if (!matrix) return std::nullopt;
  std::vector<MathTree> rows, row;
  for (;;) {
    auto cell = sum();
    if (!cell) return std::nullopt;
    row.push_back(std::move(*cell));
    if (take("&")) continue;
    rows.push_back(math_node(MathOp::list, std::exchange(row, {})));
    const bool more = take("\\\\");
    if (take_command("end:" + name)) break;
    if (!more) return std::nullopt;
  }
  const std::size_t columns = rows.front().kids.size();
  if (std::any_of(rows.begin(), rows.end(), [&](const MathTree& r) { return r.kids.size() != columns; }))
    return std::nullopt;
  return math_node(MathOp::matrix, std::move(rows));
}

}  // namespace assay
