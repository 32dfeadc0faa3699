// Numbers as people and models write them: $1,234.50, 12 %, -3/4. Compared exactly, digit by digit: no
// rounding decides a score.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace assay {

struct NumberSpan {
  std::size_t begin = 0, size = 0;
};

// The first or last number in a text: an optional minus that does not follow a letter or digit, digits with
// commas between digits, an optional fraction part. Blanks are no part of it.
std::optional<NumberSpan> find_number(std::string_view text, bool last);

// A number in its one spelling: "-1234.5", "3/4" (lowest terms are not needed to compare, see same_number). $
// , % and blanks are taken off, leading zeros and final zeros too. No value: something else stands in the
// text, or it is too long.
std::optional<std::string> plain_number(std::string_view text);

// Equal as numbers, fractions by cross multiplication. No value: one of them is no number or is too long to
// multiply exactly.
std::optional<bool> same_number(std::string_view a, std::string_view b);

}  // namespace assay
