#include "base/stats/multiple.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "base/check.h"

namespace assay::stats {
namespace {

std::vector<std::size_t> ascending(std::span<const double> p) {
  ASSAY_CHECK(!p.empty());
  for (const double value : p) ASSAY_CHECK(value >= 0 && value <= 1);
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  return order;
}

}  // namespace

std::vector<double> holm(std::span<const double> p) {
  const std::vector<std::size_t> order = ascending(p);
  std::vector<double> adjusted(p.size());
  double running = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double factor = static_cast<double>(order.size() - i);
    running = std::max(running, std::min(1.0, factor * p[order[i]]));
    adjusted[order[i]] = running;
  }
  return adjusted;
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  const std::vector<std::size_t> order = ascending(p);
  std::vector<double> adjusted(p.size());
  double running = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    const double factor = static_cast<double>(order.size()) / static_cast<double>(i + 1);
    running = std::min(running, factor * p[order[i]]);
    adjusted[order[i]] = running;
  }
  return adjusted;
}

}  // namespace assay::stats
