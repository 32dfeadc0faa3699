// Claims: did they hold?
#include <fmt/format.h>

#include <map>

#include "gui/details.h"
#include "gui/format.h"
#include "gui/window.h"

namespace assay::gui {
namespace {

const std::vector<std::string> kModes = {"all",       "reproduced",        "contradicted",
                                         "undecided", "protocol-mismatch", "impossible"};

Line line_of(const ClaimRow& claim) {
  const auto span = spoken_interval(claim);
  const int decimals = claim_decimals(claim);
  const auto real_n = claim.n ? std::optional(static_cast<double>(*claim.n)) : std::nullopt;
  return {claim.id,
          {verdict_cell(claim.verdict), plain(claim.key), plain(one_line(claim.text), Tone::soft),
           plain(claim_where(claim), Tone::soft), numeric(claim_published(claim), claim.value),
           numeric(claim_measured(claim), claim.measured),
           numeric(span ? interval(span->low, span->high, decimals) : kUnknown,
                   span ? std::optional(span->low) : std::nullopt, Tone::soft),
           numeric(count(claim.n), real_n, Tone::soft), numeric(probability(claim.p), claim.p, Tone::soft)}};
}

class Claims : public TableWindow {
 public:
  Claims() : TableWindow(Place::claims) {}
  std::string_view key() const override { return "claims"; }
  std::string_view title() const override { return "Claims"; }
  std::string_view subtitle() const override { return "Did the published figures hold?"; }
  std::vector<std::string> modes() const override { return kModes; }
  std::string total(const Store& store) const override {
    return count(static_cast<std::int64_t>(store.claims.size()));
  }
  std::string summary() const override { return summary_; }
  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    if (const ClaimRow* claim = store.claim(state.selection.claim)) draw_claim(store, state, *claim, fonts);
  }
  MaybeId run_here(const Store& store, const State& state) const override {
    const ClaimRow* claim = store.claim(state.selection.claim);
    return claim == nullptr ? std::nullopt : claim->run_id;
  }
  Evidence evidence(const Store& store, const State& state) const override {
    const ClaimRow* claim = store.claim(state.selection.claim);
    return claim == nullptr ? Evidence{} : claim_evidence(*claim);
  }

 protected:
  Table fill(const Store& store, const State&, int mode) const override {
    Table table{.columns = {fixed("Verdict", 150), elastic("Claim", 150), elastic("What it says", 240),
                            elastic("Suite / protocol", 180, 3), numbers("Published", 124),
                            numbers("Measured", 74), numbers("Interval", 112), numbers("n", 44, 1),
                            numbers("p", 52, 2)}};
    std::map<std::string, int> seen;
    for (const ClaimRow& claim : store.claims) {
      ++seen[claim.verdict];
      if (mode == 0 || claim.verdict == kModes[static_cast<std::size_t>(mode)])
        table.lines.push_back(line_of(claim));
    }
    summary_.clear();
    for (std::size_t i = 1; i < kModes.size(); ++i) {
      if (seen[kModes[i]] > 0)
        summary_ += fmt::format("{}{} {}", summary_.empty() ? "" : ", ", seen[kModes[i]], kModes[i]);
    }
    if (seen[""] > 0) summary_ += fmt::format("{}{} not decided", summary_.empty() ? "" : ", ", seen[""]);
    return table;
  }
  std::string empty_hint() const override {
    return "No claims yet.\n\nassay verify CLAIMS.json --model NAME=MODEL   decides claims and stores the "
           "verdicts here;\n"
           "assay demo   does it for the bundled model.";
  }
  void on_select(const Store& store, State& state, std::int64_t id) override {
    state.selection.claim = id;
    const ClaimRow* claim = store.claim(id);
    if (claim == nullptr || !claim->run_id) return;
    state.selection.run_a = claim->run_id;
    if (claim->against_run_id) state.selection.run_b = claim->against_run_id;
  }
  void on_drill(const Store&, State& state, std::int64_t) override { state.go(Place::forest); }
  std::optional<std::int64_t> linked(const State& state) const override { return state.selection.claim; }

 private:
  mutable std::string summary_;
};

}  // namespace

std::unique_ptr<Window> make_claims_window() { return std::make_unique<Claims>(); }

}  // namespace assay::gui
