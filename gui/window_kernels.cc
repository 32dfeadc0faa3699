// Kernels: how close to the machine's limits, as a roofline and as a list.
#include <fmt/format.h>

#include "gui/format.h"
#include "gui/plot_draw.h"
#include "gui/widgets.h"
#include "gui/window.h"
#include "reports/plot/charts.h"

namespace assay::gui {
namespace {

class Kernels : public TableWindow {
 public:
  Kernels() : TableWindow(Place::kernels) {}
  std::string_view key() const override { return "kernels"; }
  std::string_view title() const override { return "Kernels"; }
  std::string_view subtitle() const override { return "How close to this machine's limits?"; }
  std::string total(const Store& store) const override {
    return count(static_cast<std::int64_t>(store.kernels.size()));
  }
  std::string summary() const override {
    return fmt::format("{} measurements; above 100 % of a bandwidth: read from a cache; of a peak: wrong units", rows());
  }
  void draw(const Store& store, State& state, const Fonts& fonts) override {
    if (!store.kernels.empty()) draw_roofline(store, state, fonts);
    TableWindow::draw(store, state, fonts);
  }
  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    const KernelRow* row = find(store, state);
    if (row == nullptr) return;
    draw_wrapped(row->kernel + " " + row->shape, colour::kText, fonts.title);
    fact("for", row->what_for, fonts);
    fact("device", row->device, fonts);
    fact("instructions", row->isa, fonts);
    fact("threads", count(row->threads), fonts);
    heading("Measured", fonts);
    fact("median", seconds(row->seconds_p50), fonts);
    fact("spread", number(row->spread * 100, 1) + " % between p10 and p90", fonts);
    fact("repetitions", count(row->repetitions), fonts);
    fact("operations", count(row->flops), fonts);
    fact("bytes", bytes(row->bytes), fonts);
    fact("throughput", rate(row->flops_per_s, "FLOP"), fonts);
    fact("traffic", rate(row->bytes_per_s, "B"), fonts);
    fact("intensity", significant(row->intensity_flops_per_byte, 4) + " FLOP per byte", fonts);
    fact("limit", row->limit_name, fonts);
    fact("measured at", row->measured_at_utc, fonts);
  }
  Evidence evidence(const Store&, const State& state) const override {
    const auto id = selected_id(state);
    return id ? Evidence{"Kernel measurement",
                         fmt::format("SELECT *, flops / seconds_p50 AS flops_per_s, bytes / seconds_p50 AS "
                                     "bytes_per_s\nFROM kernel_measurement WHERE id = {}",
                                     *id)}
              : Evidence{};
  }

 protected:
  Table fill(const Store& store, const State&, int) const override {
    Table table{.columns = {elastic("Kernel", 130), elastic("Shape", 130), elastic("For", 120, 3),
                            fixed("ISA", 60, 2), numbers("Threads", 56, 4), numbers("Median", 72),
                            numbers("Throughput", 100), numbers("Traffic", 84, 1),
                            numbers("Of the limit", 82), elastic("Limit", 120, 5)}};
    for (const KernelRow& k : store.kernels) {
      const bool odd = k.fraction_of_limit && *k.fraction_of_limit > 1;
      table.lines.push_back(
          {k.id,
           {plain(k.kernel), plain(k.shape), plain(k.what_for, Tone::soft), plain(k.isa, Tone::soft),
            numeric(count(k.threads), static_cast<double>(k.threads), Tone::soft),
            numeric(seconds(k.seconds_p50), k.seconds_p50),
            numeric(rate(k.flops_per_s, "FLOP"), k.flops_per_s),
            numeric(rate(k.bytes_per_s, "B"), k.bytes_per_s),
            numeric(k.fraction_of_limit ? number(*k.fraction_of_limit * 100, 1) + " %" : kUnknown,
                    k.fraction_of_limit, odd ? Tone::bad : Tone::normal),
            plain(k.limit_name, Tone::soft)}});
    }
    return table;
  }
  std::string empty_hint() const override {
    return "No kernel has been timed yet.\n\nassay bench --for MODEL   measures every kernel on this "
           "machine.";
  }

 private:
  void draw_roofline(const Store& store, State& state, const Fonts& fonts) {
    const plot::PlotScene& scene =
        cache_.at_width([&](double width) { return plot::roofline_plot(store.kernels, width); });
    if (scene.hits.empty()) return;
    const float height =
        static_cast<float>(scene.height) * ImGui::GetFontSize() / static_cast<float>(kPlotPixels);
    ImGui::BeginChild("roofline", {0, std::min(height + 4, ImGui::GetContentRegionAvail().y * 0.7F)});
    const KernelRow* row = find(store, state);
    const auto clicked =
        draw_plot(scene, fonts, row == nullptr ? -1 : static_cast<int>(row - store.kernels.data()));
    ImGui::EndChild();
    if (!clicked || *clicked < 0) return;
    for (std::size_t i = 0; i < table().lines.size(); ++i) {
      if (table().lines[i].id == store.kernels[static_cast<std::size_t>(*clicked)].id)
        select(store, state, static_cast<std::int64_t>(i));
    }
    state.cursor_of(Place::kernels).reveal = true;
  }
  const KernelRow* find(const Store& store, const State& state) const {
    const auto id = selected_id(state);
    for (const KernelRow& row : store.kernels) {
      if (id && row.id == *id) return &row;
    }
    return nullptr;
  }

  PlotCache cache_;
};

}  // namespace

std::unique_ptr<Window> make_kernels_window() { return std::make_unique<Kernels>(); }

}  // namespace assay::gui
