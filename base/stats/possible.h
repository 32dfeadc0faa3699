// Can a printed score be the result of n questions at all? (the GRIM idea: Brown and Heathers 2017)
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay::stats {

// A printed decimal: value = units / 10^digits. "70.0" is 700 with one digit: its digits are its precision.
struct Published {
  std::int64_t units = 0;
  int digits = 0;

  double value() const;
  double step() const;  // 10^-digits: distance of two neighbouring printed figures
};

inline constexpr int kMaxPublishedDigits = 12;  // after the point; 15 significant digits at most
inline constexpr std::int64_t kMaxScale = 1'000'000;

// Digits with at most one point and at least one digit; no sign, no exponent, no percent sign.
Result<Published> parse_published(std::string_view text);

// The numbers that print as the figure: from low on, below high; `low` itself rounds half up and half to even where its last digit is
// even. Cut off: from the figure to one unit above.
struct RoundingInterval {
  double rounded_low = 0, rounded_high = 0;  // half a unit to each side
  double cut_low = 0, cut_high = 0;
};
RoundingInterval rounding_interval(const Published& published);

enum class Rounding { half_up, half_even, cut_off };
// As possible_counts, under one rule alone: the first and last count, or no value.
struct CountRange {
  std::int64_t first = 0, last = -1;
  bool empty() const { return first > last; }
};
CountRange counts_under(const Published& published, std::int64_t total, std::int64_t scale, Rounding rule);

struct Possible {
  bool possible = false;
  std::vector<std::int64_t>
      nearest;  // the counts next to the figure, below and above it, the nearer one first
  std::int64_t first = 0, last = -1;  // all counts that print as the figure; empty where it is not possible
};

// Which counts k of `total` right answers (questions times samples) print as `published` when k / total x
// scale is rounded half up, half to even or cut off? 1 <= total <= 1e12, 1 <= scale <= kMaxScale. Exact
// integer arithmetic.
Possible possible_counts(const Published& published, std::int64_t total, std::int64_t scale);

}  // namespace assay::stats
