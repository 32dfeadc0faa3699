// The forest plot's view model: what is drawn where, in the units of each group's axis.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "gui/details.h"
#include "gui/store.h"

namespace assay::gui {

struct ForestRow {
  Id claim_id = 0;
  std::string label, verdict, relation;
  double published = 0;
  std::optional<double> measured;
  std::optional<Span> fixed, population;  // intervals: on these items (thick), on the population (thin)
  std::optional<Span> band;               // what would count as equal
  std::string numbers;                    // "76.4 -> 76.40 [72.50, 79.95]"
};

// Claims that share an axis.
struct ForestGroup {
  std::string title;  // "scores, %"
  double low = 0, high = 1;
  std::vector<double> ticks;
  int tick_decimals = 0;
  std::vector<ForestRow> rows;
};

struct Forest {
  std::vector<ForestGroup> groups;
  std::int64_t n_rows = 0;
  const ForestRow* row(std::int64_t index) const;  // through all groups; nullptr: none
};

// `differences`: everything minus the published figure, so that all diamonds stand on 0.
Forest build_forest(const Store& store, const std::string& filter, bool differences);

// Ticks at 1, 2 or 5 times a power of ten: at most `most`, all within [low, high].
std::vector<double> nice_ticks(double low, double high, int most);

}  // namespace assay::gui
