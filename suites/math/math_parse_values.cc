#include <boost/multiprecision/cpp_int.hpp>

#include "base/check.h"
#include "suites/math/math_parse.h"
#include "suites/math/math_parser.h"

namespace assay {
namespace {

constexpr std::size_t kMaxBasedDigits = 200;

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
  MathTree whole = math_leaf(MathOp::number, value.str());
  return after_point ? math_node(MathOp::quotient, {std::move(whole), math_leaf(MathOp::number, below.str())})
                     : std::move(whole);
}

}  // namespace

MathParser::Sign MathParser::sign() {
  if (take("+")) return sees("/") && sees("-", 1) ? (at_ += 2, Sign::plus_minus) : Sign::plus;
  if (take("-")) return Sign::minus;
  if (take_command("pm")) return Sign::plus_minus;
  if (take_command("mp")) return Sign::minus_plus;
  return Sign::none;
}

MathParser::Tree MathParser::sum() {
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
  MathTree out = parts.size() == 1 ? std::move(parts[0]) : math_node(MathOp::sum, std::move(parts));
  return hoist_unit(std::move(out));
}

MathParser::Tree MathParser::product() {
  bool dollars = take_command("dollar");
  auto first = factor();
  if (!first) return std::nullopt;
  MathTree out = std::move(*first);
  for (;;) {
    if (const auto unit = unit_here(out); !unit.empty()) {
      out = math_node(MathOp::unit, {std::move(out)}, unit);
      dollars = false;
    } else if (take("*") || take_command("cdot") || take_command("times")) {
      auto next = signed_factor();
      if (!next) return std::nullopt;
      out = times(std::move(out), std::move(*next));
    } else if (take("/") || take_command("div")) {
      auto next = signed_factor();
      if (!next) return std::nullopt;
      out = math_node(MathOp::quotient, {std::move(out), std::move(*next)});
    } else if (starts_factor()) {
      auto next = factor();
      if (!next) return std::nullopt;
      out = juxtaposed(std::move(out), std::move(*next));
    } else {
      break;
    }
  }
  return dollars ? math_node(MathOp::unit, {std::move(out)}, "dollar") : std::move(out);
}

MathParser::Tree MathParser::signed_factor() {
  const Sign lead = sign();
  auto next = factor();
  if (!next) return std::nullopt;
  return with_sign(lead, std::move(*next));
}

MathTree MathParser::juxtaposed(MathTree left, MathTree right) {
  const bool whole = is_integer_leaf(left);
  if (whole && right.op == MathOp::quotient && is_integer_leaf(right.kids[0]) &&
      is_integer_leaf(right.kids[1])) {
    return math_node(MathOp::sum, {std::move(left), std::move(right)});
  }
  if (whole && is_integer_leaf(right) && sees("/") && word(1).kind == MathWord::number) {
    ++at_;
    MathTree below = math_leaf(MathOp::number, tokens_[at_++].text);
    return math_node(MathOp::sum,
                     {std::move(left), math_node(MathOp::quotient, {std::move(right), std::move(below)})});
  }
  return times(std::move(left), std::move(right));
}

bool MathParser::starts_factor() const {
  if (done()) return false;
  const MathToken& w = word();
  switch (w.kind) {
    case MathWord::number:
      return tokens_[at_ - 1].kind != MathWord::number || sees("/", 1);  // "1 2" is no product
    case MathWord::letter:
    case MathWord::prose:
      return true;
    case MathWord::word:
      return w.text != "is";
    case MathWord::sign:
      return w.text == "(" || w.text == "{" || w.text == "[" || (w.text == "|" && bars_ == 0);
    case MathWord::command:
      break;
  }
  static constexpr auto kNot = std::to_array<std::string_view>(
      {"cup", "cap", "setminus", "leq",  "geq",    "neq",   "in",     "and", "or",    "times",  "cdot",
       "div", "pm",  "mp",       "circ", "rfloor", "rceil", "rangle", "to",  "equiv", "dollar", "implies"});
  return std::find(kNot.begin(), kNot.end(), w.text) == kNot.end() && !w.text.starts_with("end:") &&
         !w.text.starts_with("begin:");
}

std::string MathParser::unit_here(const MathTree& value) {
  if (sees_command("dollar")) return ++at_, "dollar";
  if ((word().kind != MathWord::prose && word().kind != MathWord::word) || word().text == "is") return {};
  if (value.op == MathOp::symbol && value.text.size() > 1 && word().kind == MathWord::word) return {};
  std::string unit;
  std::size_t end = at_;
  for (; end < tokens_.size(); ++end) {
    const MathToken& w = tokens_[end];
    const bool wordy = w.kind == MathWord::prose || w.kind == MathWord::word;
    const bool glue = w.kind == MathWord::number ||
                      (w.kind == MathWord::sign &&
                       (w.text == "^" || w.text == "/" || w.text == "{" || w.text == "}" || w.text == "-")) ||
                      (w.kind == MathWord::command && w.text == "cdot");
    if (!wordy && !glue) break;
    if (w.kind == MathWord::sign && w.text == "}" &&
        std::count(unit.begin(), unit.end(), '{') <= std::count(unit.begin(), unit.end(), '}'))
      break;
    unit += (wordy && !unit.empty() && unit.back() != '/' ? " " : "") + w.text;
  }
  const bool ends = end == tokens_.size() || tokens_[end].text == "," || tokens_[end].text == ";" ||
                    tokens_[end].text == "." || tokens_[end].text == ")" || tokens_[end].text == "}" ||
                    tokens_[end].text == "and" || tokens_[end].text == "or" || tokens_[end].text == "]" ||
                    tokens_[end].text == "=";
  if (!ends) return {};
  at_ = end;
  std::erase_if(unit, [](char c) { return c == '{' || c == '}'; });
  return unit;
}

MathParser::Tree MathParser::factor() {
  const Deeper deeper(depth_);
  if (depth_ > kMaxMathDepth) return std::nullopt;
  auto first = primary();
  if (!first) return std::nullopt;
  MathTree out = std::move(*first);
  for (;;) {
    if (sees("!") && !sees("=", 1) && (out.op != MathOp::symbol || !done_after_marks())) {
      ++at_;
      out = math_node(MathOp::factorial, {std::move(out)});
    } else if (take("%")) {
      out = math_node(MathOp::unit, {std::move(out)}, "%");
    } else if (take_degrees()) {
      out = math_node(MathOp::unit, {std::move(out)}, "deg");
    } else if (sees("^") || sees("'")) {
      if (!raise(out)) return std::nullopt;
    } else {
      return out;
    }
  }
}

bool MathParser::take_degrees() {
  if (take_command("circ")) return true;
  if (sees("^") && sees_command("circ", 1)) return at_ += 2, true;
  if (sees("^") && sees("{", 1) && sees_command("circ", 2) && sees("}", 3)) return at_ += 4, true;
  return false;
}

bool MathParser::raise(MathTree& base) {
  const bool prime = take("'") || (sees("^") && sees("'", 1) && ++at_ && ++at_) ||
                     (sees("^") && sees("{", 1) && sees("'", 2) && sees("}", 3) && (at_ += 4));
  if (prime) {
    if (base.op != MathOp::symbol) return false;
    base.text += "'";
    return true;
  }
  ++at_;  // ^
  auto exponent = sees("-") || sees("+") ? signed_factor() : argument(false);
  if (!exponent) return false;
  base = math_node(MathOp::power, {std::move(base), std::move(*exponent)});
  return true;
}

MathParser::Tree MathParser::argument(bool first_digit_only) {
  const Deeper deeper(depth_);
  if (depth_ > kMaxMathDepth) return std::nullopt;
  if (sees("{")) return braced();
  if (first_digit_only && word().kind == MathWord::number && word().text.size() > 1) {
    MathToken& number = tokens_[at_];
    MathTree digit = math_leaf(MathOp::number, number.text.substr(0, 1));
    number.text.erase(0, 1);
    number.after_blank = false;
    return digit;
  }
  return primary();
}

MathParser::Tree MathParser::braced() {
  if (!take("{")) return std::nullopt;
  const int bars = std::exchange(bars_, 0);
  auto inner = list();
  bars_ = bars;
  if (!inner || !take("}")) return std::nullopt;
  return inner;
}

MathParser::Tree MathParser::primary() {
  const MathToken w = word();
  if (done()) return std::nullopt;
  switch (w.kind) {
    case MathWord::number:
      return ++at_, number(w.text);
    case MathWord::letter:
      return ++at_, letter(w.text);
    case MathWord::word:
    case MathWord::prose:
      return ++at_, math_leaf(MathOp::symbol, w.text);
    case MathWord::sign:
      return bracket();
    case MathWord::command:
      return ++at_, command(w.text);
  }
  return std::nullopt;
}

MathParser::Tree MathParser::number(const std::string& digits) {
  if (take("_")) {
    const bool group = take("{");
    if (word().kind != MathWord::number) return std::nullopt;
    auto value = from_base(digits, tokens_[at_++].text);
    if (group && !take("}")) return std::nullopt;
    return value;
  }
  if ((sees_command("overline") || sees_command("bar")) && sees("{", 1) && word(2).kind == MathWord::number &&
      sees("}", 3)) {
    const std::string repeated = word(2).text;
    at_ += 4;
    return repeating(digits, repeated);
  }
  return math_leaf(MathOp::number, digits);
}

MathParser::Tree MathParser::repeating(const std::string& digits, const std::string& repeated) {
  const auto dot = digits.find('.');
  const std::size_t places = dot == std::string::npos ? 0 : digits.size() - dot - 1;
  if (repeated.find_first_not_of("0123456789") != std::string::npos || repeated.size() > 100 || places > 100)
    return std::nullopt;
  std::string below = std::string(repeated.size(), '9') + std::string(places, '0');
  return math_node(
      MathOp::sum,
      {math_leaf(MathOp::number, digits),
       math_node(MathOp::quotient, {math_leaf(MathOp::number, repeated), math_leaf(MathOp::number, below)})});
}

MathParser::Tree MathParser::letter(std::string name) {
  if (take("_")) {
    const bool group = take("{");
    name += "_";
    do {
      const bool other = word().kind == MathWord::sign
                             ? !sees(",")
                             : word().kind == MathWord::command && (sees("{", 1) || sees("(", 1));
      if (done() || other) return std::nullopt;
      name += tokens_[at_++].text;
    } while (group && !sees("}"));
    if (group && !take("}")) return std::nullopt;
  }
  return math_leaf(MathOp::symbol, name);
}

}  // namespace assay
