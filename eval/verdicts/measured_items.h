// The items of a stored run in the metric that a claim names: all metrics of an item follow from its rows, so one run serves claims in several.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"
#include "eval/verdicts/verdict.h"
#include "reports/database.h"

namespace assay {

// `metric`: one of INTERFACE's names, or lm-evaluation-harness's acc_norm, acc_bytes, acc_mutual_info; "": the protocol's main one. Items that
// could not be judged are left out. Refused: no such run; acc_uncond of a run that asked no unconditional likelihoods.
Result<Measurement> load_measurement(const Database& database, std::int64_t run_id, const std::string& metric);

}  // namespace assay
