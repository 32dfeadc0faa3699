#include "gui/format.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>

#include "base/check.h"

namespace assay::gui {

std::string number(double value, int decimals) {
  ASSAY_CHECK(decimals >= 0 && decimals <= 17);
  if (!std::isfinite(value)) return kUnknown;
  std::string text = fmt::format("{:.{}f}", value, decimals);
  // "-0.0" says less than "0.0".
  if (text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos) return text.substr(1);
  return text;
}

std::string number(std::optional<double> value, int decimals) {
  return value ? number(*value, decimals) : kUnknown;
}

std::string significant(std::optional<double> value, int digits) {
  ASSAY_CHECK(digits > 0 && digits <= 17);
  return value && std::isfinite(*value) ? fmt::format("{:.{}g}", *value, digits) : kUnknown;
}

std::string count(std::int64_t value) {
  std::string digits = fmt::format("{}", value);
  const std::size_t start = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = digits.size(); at > start + 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string count(std::optional<std::int64_t> value) { return value ? count(*value) : kUnknown; }

namespace {

struct Step {
  double size;
  const char* name;
};

// The largest step that `value` reaches, with three significant digits; `value` itself where it reaches none.
std::string in_steps(double value, std::span<const Step> steps, const char* plain) {
  for (const Step& step : steps) {
    if (!(std::abs(value) >= step.size)) continue;
    const double scaled = value / step.size;
    return fmt::format("{:.{}f}{}", scaled,
                       std::abs(scaled) < 10    ? 2
                       : std::abs(scaled) < 100 ? 1
                                                : 0,
                       step.name);
  }
  return fmt::format("{:.0f}{}", value, plain);
}

}  // namespace

std::string short_count(std::optional<std::int64_t> value) {
  static constexpr std::array kSteps = {Step{1e12, "T"}, Step{1e9, "B"}, Step{1e6, "M"}};
  if (!value) return kUnknown;
  const auto v = static_cast<double>(*value);
  return std::abs(v) < 1e4   ? count(*value)
         : std::abs(v) < 1e6 ? fmt::format("{:.1f}k", v / 1e3)
                             : in_steps(v, kSteps, "");
}

std::string seconds(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return kUnknown;
  const double s = *value;
  if (s < 1e-3) return fmt::format("{:.3g} us", s * 1e6);
  if (s < 1) return fmt::format("{:.3g} ms", s * 1e3);
  if (s < 60) return fmt::format("{:.1f} s", s);
  const auto whole = static_cast<std::int64_t>(std::llround(std::min(s, 1e15)));
  if (s < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", count(whole / 3600), whole / 60 % 60);
}

std::string bytes(std::optional<std::int64_t> value) {
  static constexpr std::array kSteps = {Step{0x1p40, " TiB"}, Step{0x1p30, " GiB"}, Step{0x1p20, " MiB"},
                                        Step{0x1p10, " KiB"}};
  return value ? in_steps(static_cast<double>(*value), kSteps, " B") : kUnknown;
}

std::string dollars(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return kUnknown;
  const double v = *value;
  if (v == 0) return "$0";
  if (std::abs(v) < 0.01) return fmt::format("${:.2g}", v);
  if (std::abs(v) < 1000) return fmt::format("${:.2f}", v);
  return std::abs(v) < 1e15 ? fmt::format("${}", count(static_cast<std::int64_t>(std::llround(v))))
                            : fmt::format("${:.3g}", v);
}

std::string probability(std::optional<double> p) {
  if (!p || !std::isfinite(*p)) return kUnknown;
  if (*p < 1e-12) return "< 1e-12";
  return *p < 0.001 ? fmt::format("{:.1e}", *p) : fmt::format("{:.3f}", *p);
}

std::string rate(std::optional<double> per_second, std::string_view unit) {
  static constexpr std::array kSteps = {Step{1e12, " T"}, Step{1e9, " G"}, Step{1e6, " M"}, Step{1e3, " k"}};
  if (!per_second || !std::isfinite(*per_second)) return kUnknown;
  return in_steps(*per_second, kSteps, " ") + std::string(unit) + "/s";
}

std::string figure(std::optional<double> value, double scale, int decimals) {
  return value ? number(*value, decimals) + (scale == 100 ? " %" : "") : kUnknown;
}

std::string interval(std::optional<double> low, std::optional<double> high, int decimals) {
  return low && high ? fmt::format("[{}, {}]", number(*low, decimals), number(*high, decimals)) : kUnknown;
}

int decimals_of(std::string_view printed) {
  const std::size_t point = printed.find('.');
  if (point == std::string_view::npos) return 0;
  int digits = 0;
  while (point + 1 + digits < printed.size() && digits < 12) {
    const char c = printed[point + 1 + static_cast<std::size_t>(digits)];
    if (c < '0' || c > '9') break;
    ++digits;
  }
  return digits;
}

bool is_fraction(std::string_view metric) {
  return metric.find("bits") == std::string_view::npos && metric.find("logprob") == std::string_view::npos;
}

std::string score(std::optional<double> value, std::string_view metric) {
  if (!value) return kUnknown;
  return is_fraction(metric) ? number(*value * 100, 1) + " %" : number(*value, 4);
}

std::string score_interval(std::optional<double> low, std::optional<double> high, std::string_view metric) {
  if (!low || !high) return kUnknown;
  return is_fraction(metric) ? interval(*low * 100, *high * 100, 1) : interval(low, high, 4);
}

std::string short_digest(std::string_view hex) {
  return hex.empty() ? kUnknown : std::string(hex.substr(0, 12));
}

std::string one_line(std::string_view text, std::size_t max_bytes) {
  const bool cut = text.size() > max_bytes;
  std::size_t end = cut ? max_bytes : text.size();
  while (cut && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  std::string line(text.substr(0, end));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return cut ? line.append("...") : line;
}

}  // namespace assay::gui
