// Which runs decide which claims, how long they take, and what fits into a budget.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/verdicts/verify.h"

namespace assay {

struct PlannedRun {
  std::string model, suite, protocol;
  std::vector<std::string> claims;           // ids that it serves
  std::int64_t items = 0;                    // of the suite
  std::int64_t planned = 0;                  // items to ask; fewer than all: a drawn part
  double tokens_per_item = 0;                // guessed (Askable)
  std::optional<double> seconds_per_item;    // none: this model was not measured before
  std::string origin;                        // where that figure comes from
  bool rough = false;                        // it is of other suites: a probe comes first
  std::optional<double> seconds, usd;        // of the planned items
  std::optional<double> detects;             // points: the smallest difference that the planned part shows (exact test, 5 %, power 80 %); 0: all items
};

struct VerifyPlan {
  std::vector<PlannedRun> runs;              // in the order in which they are worth their time
  std::vector<std::string> stored;           // claims whose runs are in the database
  std::vector<std::pair<std::string, std::string>> undecided;  // claims that stay open, and why
  std::optional<double> budget_seconds;
  double seconds = 0;                        // of all planned runs whose speed is known
  double whole_seconds = 0;                  // of all items of these runs
  bool speeds_known = true;                  // of every run
};

inline constexpr std::int64_t kProbeItems = 16;  // what a model is asked first where its speed is not known
inline constexpr std::int64_t kUsefulPart = 100;  // shows ten points or so
inline constexpr std::int64_t kLeastPart = 30;   // a smaller part shows only differences that nobody disputes

// "90s", "20min", "1.5h", "600" in seconds; more than 0, at most 10,000 hours.
Result<double> parse_duration(const std::string& text);

// With a budget: runs of all items first, those that decide most claims for their time before the others; what time is left goes to drawn
// parts of the others, in equal times. A run whose speed is not known is planned as a probe. Without a budget everything is run whole.
Result<VerifyPlan> plan_verification(const Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, std::optional<double> budget_seconds);

// Runs `limit` items, 0: all.
using MeasurePart = std::function<Result<std::int64_t>(const std::string& model, const std::string& suite, const std::string& protocol, std::int64_t limit)>;
// Plans, runs the first of the plan, and plans again with what that run measured, until nothing fits any more. Gives the last plan, with
// all claims that stayed open. `spent` sums the runs' own wall times: no clock is read here.
Result<VerifyPlan> run_within_budget(Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, double budget_seconds, const MeasurePart& measure);

// Asks kProbeItems of the run with the shortest prompts and answers, for every model of whose speed nothing is known.
Status measure_speeds(Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, const MeasurePart& measure);

Json plan_json(const VerifyPlan& plan);
std::string plan_text(const VerifyPlan& plan);

}  // namespace assay
