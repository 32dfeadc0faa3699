// The value of "80/100 * 5": numbers with + - * / ** // and brackets, in doubles, as Python's eval gives it for such a text.
#pragma once
#include <optional>
#include <string_view>

namespace assay {

// No value: something else stands in the text, a division by zero, an integer with a leading zero (Python refuses "05"), a result that is
// not finite, or more than kMaxArithmetic characters or nested brackets.
inline constexpr std::size_t kMaxArithmeticBytes = 300;
inline constexpr int kMaxArithmeticDepth = 50;
std::optional<double> arithmetic_value(std::string_view text);

}  // namespace assay
