// From item-level rows to verdicts. Pure: no files, no database, no clock; the same rows give the same verdicts.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/claims/claim.h"

namespace assay {

// One item of a run, as far as a verdict needs it.
struct MeasuredItem {
  std::string key, subset;
  double value = 0;              // 0 or 1 of a share; the item's score of a mean; bits of a ratio
  double weight = 1;             // bytes of a ratio
  std::optional<double> margin;  // distance of the decision, nats; none: not known
  std::int64_t samples = 1;      // answers that were drawn; with more than one, value is the share of right ones
};

enum class Score : std::uint8_t {
  share,
  mean,
  ratio,
  part_share
};  // of right items; of item scores; total bits over total bytes; hits over parts of items

struct Measurement {
  std::string model, suite, protocol, metric;
  std::string weights_formats;  // of the model that answered, as in table `model`; "": not known
  std::optional<std::int64_t> run_id;
  Score score = Score::share;
  std::vector<MeasuredItem> items;  // those that could be judged
  std::optional<std::int64_t> of_items;  // a drawn part of a suite of so many; none: all of it was asked
  std::optional<double> seconds_per_item, usd_per_item;  // as measured

  bool sampled() const;  // several answers to every item
};

struct ParameterCounts {
  std::optional<std::int64_t> stored, total, active;  // as in table `model`
};

// One summand as it was measured. Of a mean over sub-tasks every sub-task is one.
struct CasePart {
  ClaimPart asked;
  std::string protocol;
  double weight = 0;      // of the whole; all of them sum to 1
  std::size_t group = 0;  // place in Claim::parts
  std::optional<Measurement> measured, against;
  std::string missing;    // why it was not measured
};

// The same figure asked in another way.
struct CaseWay {
  std::string label;
  std::vector<CasePart> parts;  // all measured
};

// A claim with what was measured for it.
struct Case {
  Claim claim;
  std::optional<Measurement> main;     // the claimed model under the claimed protocol
  std::optional<Measurement> against;  // the other protocol or model of the claim
  std::vector<Measurement> others;     // the claimed model under other protocols of the suite
  ParameterCounts counts;              // of the claimed model
  std::optional<double> scale_low, scale_high;  // ends of the suite's own scale, as it prints figures
  std::string scale_source;                     // where they come from
  std::optional<std::int64_t> suite_items;      // questions of the suite, where known
  std::string missing;                          // why nothing was measured; "": no reason is known
  std::vector<CasePart> parts;                  // of a claim with parts; main, against and others are then none
  std::vector<CaseWay> ways;
};

enum class Outcome : std::uint8_t { reproduced, contradicted, undecided, protocol_mismatch, impossible };
std::string_view name_of(Outcome outcome);

struct Bounds {
  double low = 0, high = 0;
};

// A summand of the figure, in the claim's scale.
struct VerdictPart {
  std::string suite, protocol, metric, subset;
  double weight = 0;
  std::optional<double> measured, se;  // se: of the part alone
  std::int64_t n = 0;
  std::optional<std::int64_t> of_items, run_id, against_run_id;  // of_items: the part was drawn from so many
  std::string missing;
};

// All figures in the claim's own scale (percent, fraction, bits per byte, count).
struct Verdict {
  std::string claim_id;
  Outcome outcome = Outcome::undecided;
  double published = 0, scale = 1;
  std::optional<double> measured;
  std::int64_t n = 0;
  std::string test;  // binomial-exact hypergeometric-exact paired-exact normal tost count none
  std::optional<double> p, p_adjusted;  // Holm over the claims decided together
  std::optional<double> margin;
  std::string margin_origin;         // what the margin is: rounding, claimed
  double level = 0.95;               // of interval_population
  std::optional<Bounds> fixed;       // on these very items: near ties may go either way
  std::optional<Bounds> population;  // of items like these
  std::string speaks_of = "items";   // items population weights: what the outcome is about
  std::string reason;                // one sentence
  std::string hangs_on, next;        // the undocumented fact; what would decide it; empty: nothing
  std::optional<std::int64_t> next_items, next_samples;  // the numbers in `next`
  std::optional<double> next_seconds, next_usd;          // at the speed and price of what was measured
  std::optional<std::int64_t> run_id, against_run_id, holds_under_run_id;
  std::string holds_under;  // protocol-mismatch: the protocol that gives the figure
  std::vector<VerdictPart> parts;    // of a figure that joins several measurements
  std::string fork;                  // how the measured weights differ from those that the claim names; "": not at all, or not known
  std::vector<std::string> unknown;  // as the claim lists it
};

// How the rules decide (docs of `verify --help` say the same):
//  equals    on the same items: one count of right items prints as the figure or it does not; items decided by less than kNearTie nats
//            may go either way. A figure that another protocol gives is a protocol-mismatch. Otherwise an exact binomial test against the
//            printed interval, Holm-adjusted, contradicts below 5 %. A claim that names its n, and it is ours, is contradicted on these
//            items; one that does not stays undecided. A claim on fewer or more items than ours is tested by drawing without
//            replacement (Fisher), and stays undecided where that test does not contradict it.
//  at_least  a test of the paired difference (or share) against the threshold: shown above, shown below, or undecided.
//  within    two one-sided tests at 5 % for the population; the reason also says what holds on these very items.
//  parameters: counts, compared with the printed digits.
//  sampled: several answers to each question. The figure is held against the average with the sampling error of both sides on these very
//            questions; where the claim's number of answers is not printed, or a range is, the verdict says on which number it hangs.
//  part: only some items were drawn. The figure is refuted where such a draw is too unlikely (hypergeometric); a part never reproduces it.
//  reported: nothing was measured, and somebody else prints a figure: only the sampling of both sides speaks, bounded (claim_conflicts.h).
//  parts: a figure that joins several measurements. Normal, with the error of the sum (eval/verdicts/composite.h). A part that is missing leaves the
//            figure open unless nothing that it could give would make the whole the figure.
//  fork: the claim names the format of its weights, and those that answered are quantised otherwise: a figure that they give is reproduced, one that
//            they do not give stays undecided, however small p is, because the published weights may answer otherwise.
// impossible: no count of the claimed n prints as the figure, or it lies beyond the ends of its metric's scale.
inline constexpr double kNearTie = 1e-4;    // nats; what two float32 engines may disagree about
inline constexpr double kCoarseTie = 0.05;  // nats; what bfloat16 arithmetic may move
inline constexpr double kAlpha = 0.05;
std::vector<Verdict> decide(std::span<const Case> cases);

// True where more measurements could change the answer: an equals-claim that the claimed protocol does not give. Other protocols
// of the suite should then be measured and given as `others`.
bool wants_other_protocols(const Case& one);

}  // namespace assay
