// Where the published record contradicts itself, and which field of the protocol explains it.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/claims/claim_ledger.h"

namespace assay {

// The protocol of a claim as far as its source prints it; "" where it does not say.
struct PrintedProtocol {
  std::string shots;    // "5", "3-5"
  std::string metric;   // acc em pass@1 f1 ...: one word for the spellings of one thing
  std::string window;   // split, window or version: "0901-0401", "v5", "7 langs"
  std::string mode;     // cot, thinking, ppl, vote ...
  std::string samples;  // a question: "64", "4-64"
  std::string harness;  // who asked: internal, lm-eval, opencompass ...
};
PrintedProtocol printed_protocol(const LedgerClaim& claim);

// Fields by name in the order in which they explain a difference; `kind` (who measured: the maker, a peer, a third party) comes last.
struct ClaimedDifference {
  std::vector<std::string> differs;  // printed on both sides, and not the same
  std::vector<std::string> unknown;  // printed on one side only
  std::string explained_by() const { return differs.empty() ? std::string() : differs.front(); }
};
ClaimedDifference protocol_difference(const LedgerClaim& a, const LedgerClaim& b);

// Could two sampled averages of one model differ by so much? Sampling alone: the same questions, `samples` answers each; the variance of an
// answer is at most 1/4, so that no knowledge of the questions is needed. Two-sided normal, the figures' rounding taken off the gap.
struct SamplingTest {
  std::string verdict;              // contradicted: with the fewest samples that the sources allow. undecided: with the most. "": hangs on the number
  double z_fewest = 0, z_most = 0, p_fewest = 1, p_most = 1;
  std::optional<std::int64_t> from_samples;  // as many on the side whose number is open contradict
  std::string hangs_on;             // "": nothing
};
struct SampledFigure {
  double value = 0, half_unit = 0;  // points
  std::optional<std::int64_t> samples_low, samples_high;
  std::string who, printed;         // whose answers, and their number as printed; "": not printed
};
SamplingTest sampling_test(const SampledFigure& a, const SampledFigure& b, std::int64_t items);
SamplingTest sampling_test(const LedgerClaim& a, const LedgerClaim& b, std::int64_t items);

enum class Scope : std::uint8_t { claimants, own_files };  // several claimants; one claimant's several files

struct Conflict {
  Scope scope = Scope::claimants;
  std::string model, benchmark;
  double spread = 0;                       // highest less lowest figure, points
  const LedgerClaim *low = nullptr, *high = nullptr;
  ClaimedDifference difference;           // between these two
  double unexplained_spread = 0;           // the same over pairs that no printed field of the protocol tells apart
  const LedgerClaim *unexplained_low = nullptr, *unexplained_high = nullptr;
  std::size_t figures = 0, claimants = 0, independent = 0;  // independent: claimants with a measurement of their own
  std::optional<SamplingTest> sampling;    // where the number of questions is known and a side says that it sampled
};

// Figures that can be joined: points, not quoted ones of other texts, not votes over samples, not percentiles (evaluation.md 4.2).
bool comparable(const LedgerClaim& claim);
// All groups whose figures are spread by more than `above` points, the widest first.
std::vector<Conflict> find_conflicts(const Ledger& ledger, std::span<const Benchmark> known, double above);

// What evaluation.md 4.2 counts. Spreads are differences of doubles there; `exact` counts the printed decimals.
inline constexpr double kSpreads[] = {0.3, 1, 2, 5, 10, 20};
struct SpreadCount {
  std::size_t pairs = 0;
  double median = 0;
  std::vector<std::size_t> over, over_exact;  // of kSpreads
};
// A claimant's figures for somebody else's model beside the maker's own: benchmarks that both print, and those with the same figure.
struct Copying {
  std::string claimant, maker, model;
  std::size_t equal = 0, shared = 0;
  bool copied = false;  // find_dependence took them as quoted
};
struct Census {
  std::size_t claims = 0, compared = 0;
  SpreadCount claimants, own_files;
  SpreadCount independent;                          // as `claimants`, copies left out
  std::map<std::string, std::size_t> dependence;
  std::vector<Copying> copying;
};
Census census(const Ledger& ledger);

Json conflicts_json(std::span<const Conflict> conflicts);
std::string conflicts_text(std::span<const Conflict> conflicts, std::size_t top);
Json census_json(const Census& census);

}  // namespace assay
