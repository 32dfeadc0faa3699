#include "suites/arithmetic.h"

#include <charconv>
#include <cmath>

namespace assay {
namespace {

using Value = std::optional<double>;

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }

// Recursive descent over the grammar of Python's expressions, so far as numbers go.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Value whole() {
    const Value value = sum();
    skip_blanks();
    return at_ == text_.size() ? value : std::nullopt;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  bool take(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  Value sum() {
    Value left = product();
    while (left) {
      const bool plus = take("+");
      if (!plus && !take("-")) return left;
      const Value right = product();
      if (!right) return std::nullopt;
      left = plus ? *left + *right : *left - *right;
    }
    return left;
  }

  Value product() {
    Value left = signed_power();
    while (left) {
      skip_blanks();
      if (text_.substr(at_).starts_with("**")) return left;
      const bool times = take("*"), floored = !times && take("//");
      if (!times && !floored && !take("/")) return left;
      const Value right = signed_power();
      if (!right || (!times && *right == 0)) return std::nullopt;
      left = times ? *left * *right : (floored ? std::floor(*left / *right) : *left / *right);
    }
    return left;
  }

  // Binds looser than ** on its right: -2**2 is -4.
  Value signed_power() {
    if (++depth_ > kMaxArithmeticDepth) return std::nullopt;
    const bool minus = take("-");
    Value value = minus || take("+") ? signed_power() : power();
    --depth_;
    if (value && minus) value = -*value;
    return value;
  }

  Value power() {
    const Value base = atom();
    if (!base || !take("**")) return base;
    const Value exponent = signed_power();
    return exponent ? Value(std::pow(*base, *exponent)) : std::nullopt;
  }

  Value atom() {
    if (!take("(")) return number();
    const Value inner = sum();
    return inner && take(")") ? inner : std::nullopt;
  }

  Value number() {
    skip_blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_decimal_digit(text_[at_])) ++at_;
    const std::string_view whole = text_.substr(begin, at_ - begin);
    const bool fraction = at_ < text_.size() && text_[at_] == '.';
    if (fraction) {
      ++at_;
      while (at_ < text_.size() && is_decimal_digit(text_[at_])) ++at_;
    }
    const bool leading_zero = whole.size() > 1 && whole.front() == '0' && whole.find_first_not_of('0') != std::string_view::npos;
    if (leading_zero && !fraction) return std::nullopt;
    double value = 0;
    const auto [end, failed] = std::from_chars(text_.data() + begin, text_.data() + at_, value);
    const bool read_all = failed == std::errc{} && end == text_.data() + at_;
    return read_all && at_ > begin ? Value(value) : std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<double> arithmetic_value(std::string_view text) {
  if (text.size() > kMaxArithmeticBytes) return std::nullopt;
  const Value value = Parser(text).whole();
  return value && std::isfinite(*value) ? value : std::nullopt;
}

}  // namespace assay
