// Runs: what was measured, on what the score rests, what it took; and which two are compared.
#include <fmt/format.h>

#include "gui/details.h"
#include "gui/format.h"
#include "gui/widgets.h"
#include "gui/window.h"

namespace assay::gui {
namespace {

std::optional<double> real(MaybeInt value) {
  return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}

Line line_of(const RunRow& run, const Selection& selection) {
  const bool a = selection.run_a == run.id, b = selection.run_b == run.id;
  const std::string chosen = a && b ? "A B" : a ? "A" : b ? "B" : "";
  return {
      run.id,
      {plain(chosen, a ? Tone::first : Tone::second),
       numeric(std::to_string(run.id), static_cast<double>(run.id), Tone::soft), plain(run.model),
       plain(run_where(run)), numeric(score(run.score, run.metric), run.score),
       numeric(score_interval(run.low, run.high, run.metric), run.low, Tone::soft),
       numeric(count(run.n), static_cast<double>(run.n), Tone::soft), plain(audit_text(run), audit_tone(run)),
       numeric(short_count(run.tokens_computed), real(run.tokens_computed), Tone::soft),
       numeric(seconds(run.seconds), run.seconds, Tone::soft),
       numeric(dollars(run.cost_usd), run.cost_usd, Tone::soft),
       plain(run.status == "complete" ? run.kind : run.status,
             run.status == "complete" ? Tone::faint : Tone::open)}};
}

class Runs : public TableWindow {
 public:
  Runs() : TableWindow(Place::runs) {}
  std::string_view key() const override { return "runs"; }
  std::string_view title() const override { return "Runs"; }
  std::string_view subtitle() const override {
    return "What was measured, how well it is founded, what it took";
  }
  std::vector<std::string> modes() const override { return {"all", "run", "replay"}; }
  std::string total(const Store& store) const override {
    return count(static_cast<std::int64_t>(store.runs.size()));
  }
  std::string summary() const override { return summary_; }
  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    if (const RunRow* run = store.run(selected_id(state))) draw_run(store, state, *run, fonts);
  }
  MaybeId run_here(const Store&, const State& state) const override { return selected_id(state); }
  Evidence evidence(const Store& store, const State& state) const override {
    const RunRow* run = store.run(selected_id(state));
    return run == nullptr ? Evidence{} : run_evidence(*run);
  }

 protected:
  Table fill(const Store& store, const State& state, int mode) const override {
    Table table{.columns = {fixed("", 28), numbers("#", 26), elastic("Model", 130),
                            elastic("Suite / protocol", 200), numbers("Score", 64),
                            numbers("Interval, 95 %", 104, 2), numbers("n", 48), elastic("Audit", 130, 1),
                            numbers("Tokens", 56, 3), numbers("Time", 66), numbers("Cost", 70),
                            fixed("Kind", 48, 4)}};
    double seconds_sum = 0, dollars_sum = 0;
    for (const RunRow& run : store.runs) {
      if (mode != 0 && run.kind != modes()[static_cast<std::size_t>(mode)]) continue;
      table.lines.push_back(line_of(run, state.selection));
      seconds_sum += run.seconds.value_or(0);
      dollars_sum += run.cost_usd.value_or(0);
    }
    summary_ = fmt::format("{} runs, {}, {}   -   a / b choose, x swaps, Enter opens items",
                           table.lines.size(), seconds(seconds_sum), dollars(dollars_sum));
    return table;
  }
  std::string empty_hint() const override {
    return "No runs yet.\n\nassay run MODEL --suite NAME   measures,\nassay replay FILE --format NAME "
           "--suite NAME   re-scores stored outputs.";
  }
  void on_drill(const Store&, State& state, std::int64_t id) override {
    state.selection.run_a = id;
    state.go(Place::items);
  }
  std::optional<std::int64_t> linked(const State& state) const override { return state.selection.run_a; }

 private:
  mutable std::string summary_;
};

}  // namespace

std::unique_ptr<Window> make_runs_window() { return std::make_unique<Runs>(); }

}  // namespace assay::gui
