// Training bills: recomputed line by line from what was published (check) or estimated from measured or stated rates (estimate).
// Every line carries value, unit and source. A bill that adds up shows that its lines agree with each other; no more.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "eval/cost/price.h"
#include "reference/model/config.h"
#include "reports/database.h"

namespace assay {

// Floating-point operations of one forward pass for one token, by part; a multiply-add is two. Attention is causal: a token sees
// half of the sequence on average.
struct ForwardFlops {
  double attention_projections = 0, attention_core = 0, routed_experts = 0, shared_expert = 0,
         dense_layers = 0, router = 0, head = 0;
  double mtp = 0;  // multi-token-prediction modules with their heads; trained, not used for scores
  double without_mtp() const;
};
ForwardFlops forward_flops(const ModelConfig& config, double sequence_length);
double active_parameters(const ModelConfig& config);  // per token: embedding and head included, MTP not

inline constexpr double kTrainingPerForward = 3;  // backward is twice forward: arXiv 2001.08361, section 2.1

struct BillLine {
  std::string step;
  std::optional<double> value;
  std::string unit, source;
};

struct Bill {
  std::string subject, stage = "total";
  std::optional<double> hours, cost_usd, low_usd, high_usd;
  std::string level;    // stated, arithmetic, measured-kernels, rule-of-thumb
  std::string verdict;  // check: consistent, contradicted, impossible; estimate: estimate
  std::string reason;
  std::vector<BillLine> lines;
  std::vector<std::string> faults, shows, does_not_show;
  std::optional<Price> price;
  bool uses_measurements = false;
};

// Document: {"subject", "config": {config.json} or "config_file": path, "devices": {"name", "count", "peak_bf16_flops_per_s",
// "peak_fastest_flops_per_s", "source"}, "price": {"usd_per_hour", "as_of", "source"}, "claim": {"hours", "usd", "source",
// "hours_per_trillion_tokens"?, "days_per_trillion_tokens"?, "stages": [{"name", "hours", "tokens"?, "sequence_length"?}]},
// "excluded": []}. A figure is as exact as its last digit that is not 0.
Result<Bill> check_bill(const Json& document, const std::vector<Price>& book, const std::string& file);

// As above with "tokens", "sequence_length" in place of the claim and, for the rate, "utilisation": {"value", "low", "high",
// "source"} of the bf16 peak; without it the kernel rows of `database` measured for this model, else a rule of thumb.
Result<Bill> estimate_bill(const Json& document, const std::vector<Price>& book, const Database* database,
                           const std::string& file);

Result<std::int64_t> record_bill(Database& database, const Bill& bill);  // replaces the one of that subject, stage and level
Json bill_json(const Bill& bill);                                        // as INTERFACE prints it
std::string bill_text(const Bill& bill);

}  // namespace assay
