// The plots of the report and the viewer, made of query rows. Each returns a scene of the width that is asked for; `hits` carry
// the index of the row (or of the pair, row-major) and its exact figures.
#pragma once
#include <string>
#include <vector>

#include "reports/plot/scene.h"
#include "reports/query.h"

namespace assay::plot {

// Where a claim stands on the common axis of the forest plot: measured minus published, in points for percentages, else in percent of the
// published value. A claim "within m" compares a difference with its margin, so there the measured difference itself is shown.
struct ForestRow {
  int claim = -1;  // index into the claims
  bool points = true;
  double measured = 0;
  MaybeReal fixed_low, fixed_high, population_low, population_high;
  MaybeReal band_low, band_high;  // where the claim counts as kept; no value: open to that side
  bool has_published = true;      // a diamond at 0
};

// No value where nothing was measured or the published value is 0 and not a percentage.
std::optional<ForestRow> forest_row(const ClaimRow& claim, int index);

// One line a claim: letter and name, equivalence band, interval on the population (thin) and on these items (thick), the measured
// value, the published diamond at 0; n and figures at the right. Percentages above, other scales below, each with its own axis.
PlotScene forest_plot(const std::vector<ClaimRow>& claims, double width = 960);

// Models against models; the cells hold the value that `of_effect` chooses, darker is more alike. One scene for each kind and
// test, because values of different tests do not share a scale.
struct SimilarityMatrix {
  std::string kind, test;
  std::vector<std::string> names;  // in order of first appearance
  std::vector<int> cells;          // (names, names), row-major: index into the rows, -1: not compared
};
std::vector<SimilarityMatrix> similarity_matrices(const std::vector<SimilarityRow>& rows);
PlotScene similarity_plot(const SimilarityMatrix& matrix, const std::vector<SimilarityRow>& rows,
                          double width = 960);

// One line a bill: from the low to the high price, the point at the bill itself, US dollars on a logarithmic axis.
PlotScene cost_plot(const std::vector<CostRow>& rows, double width = 960);

// Work per second against work per byte, both logarithmic, with the highest rates measured on each device as the roof.
PlotScene roofline_plot(const std::vector<KernelRow>& rows, double width = 960);
// Fraction of the machine's limit, one bar a measurement.
PlotScene kernel_bars(const std::vector<KernelRow>& rows, double width = 960);

}  // namespace assay::plot
