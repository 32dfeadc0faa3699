// Cost: a bill line by line, each with its unit and where it comes from.
#include <fmt/format.h>

#include "gui/format.h"
#include "gui/plot_draw.h"
#include "gui/widgets.h"
#include "gui/window.h"
#include "reports/plot/charts.h"

namespace assay::gui {
namespace {

// Rows are (estimate, line); an id carries both. Line 0 is the estimate itself.
constexpr std::int64_t kLinesPerCost = 1'000'000;

std::string value_of(const CostLine& line) {
  if (!line.value) return kUnknown;
  const double v = *line.value;
  if (line.unit.find("usd") != std::string::npos || line.unit.find("USD") != std::string::npos ||
      line.unit.starts_with("$")) {
    return dollars(v);
  }
  const bool whole = v == static_cast<double>(static_cast<std::int64_t>(std::clamp(v, -9e15, 9e15)));
  return whole ? count(static_cast<std::int64_t>(v)) : significant(v, 6);
}

Line head_of(const CostRow& cost) {
  return {cost.id * kLinesPerCost,
          {plain(cost.subject), plain(cost.stage),
           plain(cost.verdict.empty() ? cost.level : cost.verdict, Tone::soft),
           numeric(dollars(cost.cost_usd), cost.cost_usd),
           plain(cost.hours ? fmt::format("{} h", short_count(static_cast<std::int64_t>(*cost.hours))) : "",
                 Tone::soft),
           plain(one_line(cost.reason), Tone::soft)}};
}

Line line_of(const CostRow& cost, const CostLine& line) {
  return {cost.id * kLinesPerCost + 1 + line.ordinal,
          {plain("", Tone::faint), plain("", Tone::faint), plain(one_line(line.step)),
           numeric(value_of(line), line.value), plain(line.unit, Tone::soft),
           plain(one_line(line.source), Tone::faint)}};
}

class Cost : public TableWindow {
 public:
  Cost() : TableWindow(Place::cost) {}
  std::string_view key() const override { return "cost"; }
  std::string_view title() const override { return "Cost"; }
  std::string_view subtitle() const override { return "What did it take, and which lines make the bill?"; }
  std::vector<std::string> modes() const override { return {"lines", "totals"}; }
  std::string total(const Store& store) const override {
    return count(static_cast<std::int64_t>(store.costs.size()));
  }
  std::string summary() const override { return "every line names its unit and its source"; }
  void draw(const Store& store, State& state, const Fonts& fonts) override {
    if (!store.costs.empty()) draw_bills(store, state, fonts);
    TableWindow::draw(store, state, fonts);
  }
  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    const CostRow* cost = find(store, state);
    if (cost == nullptr) return;
    draw_wrapped(dollars(cost->cost_usd), colour::kText, fonts.title);
    draw_wrapped(cost->subject + ", " + cost->stage, colour::kSoft, fonts.text);
    if (!cost->reason.empty()) draw_wrapped(cost->reason, colour::kText, fonts.text);
    heading("Bill", fonts);
    fact("verdict", cost->verdict, fonts);
    if (cost->hours) fact("hours", significant(cost->hours, 7), fonts);
    if (cost->low_usd && cost->high_usd)
      fact("range", dollars(cost->low_usd) + " to " + dollars(cost->high_usd), fonts);
    fact("obtained by", cost->level, fonts);
    if (cost->usd_per_hour)
      fact("price",
           fmt::format("{} a {} ({})", dollars(cost->usd_per_hour), cost->price_unit, cost->price_device),
           fonts);
    fact("price source", cost->price_source, fonts, Tone::soft);
    if (cost->uses_measurements) fact("note", "uses speeds measured on this machine", fonts, Tone::open);
    heading("Lines", fonts);
    for (const CostLine& line : cost->lines) {
      fact(line.step, fmt::format("{} {}", value_of(line), line.unit), fonts);
      fact("", line.source, fonts, Tone::faint);
    }
  }
  Evidence evidence(const Store& store, const State& state) const override {
    const CostRow* cost = find(store, state);
    if (cost == nullptr) return {};
    return {
        "Lines of the bill",
        fmt::format(
            "SELECT e.subject, e.stage, e.cost_usd, l.step, l.value, l.unit, l.source\nFROM cost_estimate e "
            "LEFT JOIN cost_line l ON l.cost_estimate_id = e.id\nWHERE e.id = {} ORDER BY l.ordinal",
            cost->id)};
  }

 protected:
  Table fill(const Store& store, const State&, int mode) const override {
    Table table{.columns = {elastic("Subject", 150), elastic("Stage", 110),
                            elastic("Step / how obtained", 190), numbers("Value", 96), elastic("Unit", 110),
                            elastic("Source", 230, 1)}};
    for (const CostRow& cost : store.costs) {
      table.lines.push_back(head_of(cost));
      if (mode != 0) continue;
      for (const CostLine& line : cost.lines) table.lines.push_back(line_of(cost, line));
    }
    return table;
  }
  std::string empty_hint() const override {
    return "No bill yet.\n\nassay cost check --in CLAIM.json   recomputes a published one,\nassay cost "
           "estimate --in PLAN.json   makes one.";
  }

 private:
  void draw_bills(const Store& store, State& state, const Fonts& fonts) {
    const plot::PlotScene& scene =
        cache_.at_width([&](double width) { return plot::cost_plot(store.costs, width); });
    if (scene.hits.empty()) return;
    const float height =
        static_cast<float>(scene.height) * ImGui::GetFontSize() / static_cast<float>(kPlotPixels);
    ImGui::BeginChild("bills", {0, std::min(height + 4, ImGui::GetContentRegionAvail().y * 0.45F)});
    const CostRow* cost = find(store, state);
    const auto clicked =
        draw_plot(scene, fonts, cost == nullptr ? -1 : static_cast<int>(cost - store.costs.data()));
    ImGui::EndChild();
    if (clicked && *clicked >= 0)
      select_cost(store, state, store.costs[static_cast<std::size_t>(*clicked)].id);
  }
  void select_cost(const Store& store, State& state, Id id) {
    for (std::size_t i = 0; i < table().lines.size(); ++i) {
      if (table().lines[i].id == id * kLinesPerCost) select(store, state, static_cast<std::int64_t>(i));
    }
    state.cursor_of(Place::cost).reveal = true;
  }
  const CostRow* find(const Store& store, const State& state) const {
    const auto id = selected_id(state);
    for (const CostRow& cost : store.costs) {
      if (id && cost.id == *id / kLinesPerCost) return &cost;
    }
    return nullptr;
  }

  PlotCache cache_;
};

}  // namespace

std::unique_ptr<Window> make_cost_window() { return std::make_unique<Cost>(); }

}  // namespace assay::gui
