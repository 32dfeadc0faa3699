// What inspectors say about a claim and about a run; several windows show the same details.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "gui/state.h"
#include "gui/store.h"
#include "gui/theme.h"
#include "gui/window.h"

namespace assay::gui {

struct Span {
  double low = 0, high = 0;
};
// The interval that the verdict's sentence speaks of: on these very items or on the population; the other one
// where that is missing.
std::optional<Span> spoken_interval(const ClaimRow& claim);
int claim_decimals(const ClaimRow& claim);           // of measured figures: one more than was published
std::string claim_published(const ClaimRow& claim);  // "at least 68 %"
std::string claim_measured(const ClaimRow& claim);
std::string claim_where(const ClaimRow& claim);  // "world-mc / text-3shot [distant]"
std::string run_where(const RunRow& run);
std::string run_name(const Store& store, MaybeId id);  // "#3 demo world-mc text-0shot", "" for none
Tone audit_tone(const RunRow& run);
std::string audit_text(const RunRow& run);  // "complete" or what is wrong with it

void draw_claim(const Store& store, State& state, const ClaimRow& claim, const Fonts& fonts);
void draw_run(const Store& store, State& state, const RunRow& run, const Fonts& fonts);

Evidence claim_evidence(const ClaimRow& claim);
Evidence run_evidence(const RunRow& run);

}  // namespace assay::gui
