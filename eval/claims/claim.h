// Published claims as data. Two forms of ledger are read: INTERFACE's {id, model, suite, protocol, metric, value, n, samples,
// source} and the bundled one {id, claim, value, suite, protocol, subset, claimed_n, weights, against, expected_verdict}.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/stats/possible.h"
#include "eval/runs/record.h"
#include "reports/database.h"

namespace assay {

// equals: the score is the printed one. at_least: a score, or its difference to `against`, is no smaller. within: the model's
// score differs from that of `against` by no more than the printed margin ("lossless").
enum class Relation { equals, at_least, within };
std::string_view name_of(Relation relation);

// One printed number with the numbers that print as it: rounding gives half a unit below, cutting off a whole one above.
struct Figure {
  std::string text;  // as printed
  double value = 0;
  double low = 0, high = 0;         // low <= true value < high; equal to value for counts and fractions
  stats::Published decimal;         // of a decimal
  std::int64_t right = -1, of = 0;  // of "382/500"; right < 0: not such a fraction
};

// One summand of a figure that joins several measurements.
struct ClaimPart {
  std::string suite, protocol, metric, subset;  // protocol "": the suite's main one; metric "": the protocol's
  double weight = 1;          // weights are shares of their sum
  bool by_items = false;      // its weight is the number of the suite's items
  bool macro = false;         // the mean over sub-tasks of their figures
  std::optional<std::int64_t> n;  // items, as claimed
};

struct Claim {
  std::string id, text, claimant, model, suite, protocol, metric, subset;
  Relation relation = Relation::equals;
  std::vector<Figure> figures;    // one; a claim about parameters may print total and active
  std::optional<double> scale;    // 100: percent, 1: fractions and natural units; none: not said (scale_of)
  bool about_parameters = false;  // counts of the model's numbers instead of a score
  std::optional<std::int64_t> n, samples;  // as claimed
  std::optional<std::int64_t> samples_low, samples_high;  // the same, or the range where the source prints one ("4-64")
  std::optional<double> margin;            // a difference that the claimant himself calls none, in the claim's scale
  std::string margin_origin;               // "" where there is no margin
  std::optional<double> scale_low, scale_high;            // ends of the metric's own scale, where the claim names them
  std::string kind, dependence, protocol_printed, source_digest;  // of the ledger; "": not said
  std::optional<Figure> reported;          // what somebody else prints for the same; with its samples and who it is
  std::optional<std::int64_t> reported_samples_low, reported_samples_high;
  std::string reported_by;
  std::string against;                     // another protocol of the suite, or another model
  std::vector<ClaimPart> parts;            // of a figure that joins several measurements; none: it is that of `suite`
  std::optional<std::vector<std::string>> others;  // protocols that the figure may be of as well; none: any of the suite
  std::string weights_format;              // of the weights that the claim speaks of: "BF16"; "": not said
  std::vector<std::string> unknown;        // what the source leaves unsaid
  std::string source, expected_verdict, definition_json;

  const Figure& figure() const;
  std::string published() const;  // all figures as printed
};

// The unit of the claim's figures when it speaks of a share of items (`is_share`) or of something else.
double scale_of(const Claim& claim, bool is_share);

// Reads an array of claims, {"claims": [...]} or a single claim. Refused: a claim without an id, model or number, a number that is
// none, two claims of one id. `file` is only for errors.
Result<std::vector<Claim>> parse_claims(const Json& document, const std::string& file);
Result<std::vector<Claim>> read_claims(const std::string& path);

// A figure of several measurements: "parts": [{suite, protocol, metric, subset, weight, n}, ...], a weight being a number above 0 (1) or "items" in all of
// them; a metric METRIC_macro is the mean over sub-tasks. Parts on the same items of a suite are taken as paired. `suite` beside is then only a label.
// Also "others": [protocols], "weights_format", "unknown": [texts].
// "value" beside "margin", "samples" as a number or "4-64", "scale_min" and "scale_max", and "reported": {value, samples, by} are read where
// they are there.

// "76.4", "76.4 %", "0.764", "382/500", "2.03M", 76.4 (a JSON number: its shortest digits are its precision).
Result<Figure> parse_figure(const Json& value, const std::string& file, const std::string& field);

// A row of table `claim` (eval/runs/record.h writes it), and the claims that are in that table.
ClaimRecord claim_record(const Claim& claim);
Result<std::vector<Claim>> load_claims(const Database& database);

}  // namespace assay
