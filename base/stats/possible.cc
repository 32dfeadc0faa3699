#include "base/stats/possible.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"

namespace assay::stats {
namespace {

__extension__ using Wide = __int128;  // k x scale x 10^digits needs up to 1e12 x 1e6 x 1e12

constexpr int kMaxSignificant = 15;
constexpr std::int64_t kMaxTotal = 1'000'000'000'000;

Wide power_of_ten(int exponent) {
  ASSAY_CHECK(exponent >= 0 && exponent <= kMaxPublishedDigits);
  Wide value = 1;
  for (int i = 0; i < exponent; ++i) value *= 10;
  return value;
}

Wide floor_divide(Wide a, Wide b) {
  ASSAY_CHECK(b > 0);
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}
Wide ceil_divide(Wide a, Wide b) { return -floor_divide(-a, b); }

Error not_published(std::string_view text) {
  return Error{.code = Code::bad_value,
               .message = "a published figure is digits with at most one point, 15 digits in all",
               .field = "published",
               .expected = "such as \"89.3\"",
               .got = fmt::format("\"{}\"", text.substr(0, 40))};
}

// The neighbours of total x published / scale among 0 … total, the nearer one first, one where it is met
// exactly.
std::vector<std::int64_t> neighbours(Wide target, Wide denominator, std::int64_t total) {
  const auto inside = [&](Wide k) { return static_cast<std::int64_t>(std::clamp<Wide>(k, 0, total)); };
  const std::int64_t below = inside(floor_divide(target, denominator));
  const std::int64_t above = inside(ceil_divide(target, denominator));
  if (below == above) return {below};
  const Wide to_below = target - below * denominator, to_above = above * denominator - target;
  return to_above < to_below ? std::vector{above, below} : std::vector{below, above};
}

}  // namespace

double Published::value() const { return static_cast<double>(units) / std::pow(10.0, digits); }
double Published::step() const { return 1.0 / std::pow(10.0, digits); }

Result<Published> parse_published(std::string_view text) {
  Published out;
  bool point = false;
  int figures = 0;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return not_published(text);
    figures += (figures > 0 || c != '0') ? 1 : 0;
    out.digits += point ? 1 : 0;
    if (figures > kMaxSignificant || out.digits > kMaxPublishedDigits) return not_published(text);
    out.units = out.units * 10 + (c - '0');
  }
  if (text.empty() || text == ".") return not_published(text);
  return out;
}

RoundingInterval rounding_interval(const Published& published) {
  const double value = published.value(), step = published.step();
  return {.rounded_low = value - step / 2, .rounded_high = value + step / 2, .cut_low = value, .cut_high = value + step};
}

CountRange counts_under(const Published& published, std::int64_t total, std::int64_t scale, Rounding rule) {
  ASSAY_CHECK(total >= 1 && total <= kMaxTotal && scale >= 1 && scale <= kMaxScale);
  const Wide s = scale * power_of_ten(published.digits), n = total, units = published.units;
  // Half to even takes both halves where the last digit is even, none where it is odd; half up takes the lower one.
  const bool even = units % 2 == 0;
  const Wide low = rule == Rounding::cut_off ? 2 * units : 2 * units - 1;
  const Wide high = rule == Rounding::cut_off ? 2 * units + 2 : 2 * units + 1;
  const bool with_low = rule != Rounding::half_even || even, with_high = rule == Rounding::half_even && even;
  const Wide first = with_low ? ceil_divide(low * n, 2 * s) : floor_divide(low * n, 2 * s) + 1;
  const Wide last = with_high ? floor_divide(high * n, 2 * s) : ceil_divide(high * n, 2 * s) - 1;
  if (std::max<Wide>(first, 0) > std::min<Wide>(last, n)) return {};
  return {static_cast<std::int64_t>(std::max<Wide>(first, 0)), static_cast<std::int64_t>(std::min<Wide>(last, n))};
}

Possible possible_counts(const Published& published, std::int64_t total, std::int64_t scale) {
  ASSAY_CHECK(total >= 1 && total <= kMaxTotal);
  ASSAY_CHECK(scale >= 1 && scale <= kMaxScale);
  ASSAY_CHECK(published.units >= 0);
  // k prints as P units iff k s / N lies in [P - 1/2, P + 1): rounding takes from half a unit below, cutting
  // off up to one above.
  const Wide s = scale * power_of_ten(published.digits), n = total, units = published.units;
  const Wide first = std::max<Wide>(0, ceil_divide((2 * units - 1) * n, 2 * s));
  const Wide last = std::min<Wide>(n, ceil_divide((units + 1) * n, s) - 1);
  Possible out;
  out.possible = first <= last;
  if (out.possible) {
    out.first = static_cast<std::int64_t>(first);
    out.last = static_cast<std::int64_t>(last);
  }
  out.nearest = neighbours(units * n, s, total);
  return out;
}

}  // namespace assay::stats
