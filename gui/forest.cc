#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "gui/forest.h"
#include "gui/format.h"
#include "gui/table.h"

namespace assay::gui {
namespace {

constexpr double kPadShare = 0.06;  // free room at both ends of an axis
constexpr int kMostTicks = 9;
constexpr std::size_t kAxisChars = 44;  // of tick labels that a narrow axis has room for

bool is_difference(const ClaimRow& claim) { return claim.relation == "within" || !claim.against.empty(); }

std::string group_of(const ClaimRow& claim) {
  if (claim.scale == 100) return is_difference(claim) ? "Differences, percentage points" : "Scores, %";
  if (!claim.metric.empty()) return claim.metric;
  return claim.suite.empty() ? "Counts" : claim.suite;  // one axis a unit: a suite has one
}

// "within 0.3 points" names a band around 0, not a figure; a margin names one around the figure.
std::optional<Span> band_of(const ClaimRow& claim) {
  if (claim.relation == "within") return Span{-std::abs(claim.value), std::abs(claim.value)};
  if (!claim.margin || !(*claim.margin > 0)) return std::nullopt;
  return Span{claim.value - *claim.margin, claim.value + *claim.margin};
}

std::optional<Span> forest_span(MaybeReal low, MaybeReal high) {
  return low && high ? std::optional(Span{*low, *high}) : std::nullopt;
}

void shift(std::optional<Span>& span, double by) {
  if (span) span = Span{span->low - by, span->high - by};
}

ForestRow row_of(const ClaimRow& claim, bool differences) {
  ForestRow row{
      .claim_id = claim.id, .label = claim.key, .verdict = claim.verdict, .relation = claim.relation};
  row.published = claim.relation == "within" ? 0 : claim.value;
  row.measured = claim.measured;
  row.fixed = forest_span(claim.fixed_low, claim.fixed_high);
  row.population = forest_span(claim.population_low, claim.population_high);
  row.band = band_of(claim);
  const auto spoken = spoken_interval(claim);
  const int decimals = claim_decimals(claim);
  row.numbers = fmt::format("{}  |  {}  {}", claim_published(claim), claim_measured(claim),
                            spoken ? interval(spoken->low, spoken->high, decimals) : "");
  if (!differences) return row;
  if (row.measured) *row.measured -= row.published;
  shift(row.fixed, row.published);
  shift(row.population, row.published);
  shift(row.band, row.published);
  row.published = 0;
  return row;
}

void widen(double& low, double& high, double value) {
  if (!std::isfinite(value)) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

void set_ticks(ForestGroup& group, int most) {
  group.ticks = nice_ticks(group.low, group.high, most);
  const double step = group.ticks.size() > 1 ? group.ticks[1] - group.ticks[0] : 1;
  group.tick_decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 9);
}

void set_axis(ForestGroup& group) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const ForestRow& row : group.rows) {
    widen(low, high, row.published);
    if (row.measured) widen(low, high, *row.measured);
    for (const auto& span : {row.fixed, row.population, row.band}) {
      if (!span) continue;
      widen(low, high, span->low);
      widen(low, high, span->high);
    }
  }
  if (!(low <= high)) low = high = 0;
  const double width = high - low;
  const double pad = width > 0 ? width * kPadShare : std::max(1.0, std::abs(low) * 0.1);
  group.low = low - pad;
  group.high = high + pad;
  set_ticks(group, kMostTicks);
  std::size_t widest = 0;
  for (const double tick : group.ticks) widest = std::max(widest, number(tick, group.tick_decimals).size());
  if (widest * group.ticks.size() <= kAxisChars) return;
  set_ticks(group, std::max(2, static_cast<int>(kAxisChars / (widest + 2))));
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int most) {
  ASSAY_CHECK(most >= 2);
  std::vector<double> ticks;
  if (!(high > low) || !std::isfinite(high - low)) return ticks;
  const double raw = (high - low) / most;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= raw) step = factor * power;
  }
  const double first = std::ceil(low / step);
  for (int i = 0; i <= most && (first + i) * step <= high; ++i) ticks.push_back((first + i) * step);
  return ticks;
}

const ForestRow* Forest::row(std::int64_t index) const {
  for (const ForestGroup& group : groups) {
    const auto n = static_cast<std::int64_t>(group.rows.size());
    if (index >= 0 && index < n) return &group.rows[static_cast<std::size_t>(index)];
    index -= n;
  }
  return nullptr;
}

Forest build_forest(const Store& store, const std::string& filter, bool differences) {
  Forest forest;
  for (const ClaimRow& claim : store.claims) {
    const std::string title = group_of(claim);
    const std::string all = claim.key + " " + claim.verdict + " " + claim.text + " " + title;
    if (!contains_folded(all, filter)) continue;
    auto found = std::find_if(forest.groups.begin(), forest.groups.end(),
                              [&](const ForestGroup& g) { return g.title == title; });
    if (found == forest.groups.end()) {
      forest.groups.push_back({.title = title});
      found = forest.groups.end() - 1;
    }
    found->rows.push_back(row_of(claim, differences));
    ++forest.n_rows;
  }
  for (ForestGroup& group : forest.groups) set_axis(group);
  return forest;
}

}  // namespace assay::gui
