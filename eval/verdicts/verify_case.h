// What a verdict is decided from: the runs that a claim speaks of, found in the database or measured, and why they are missing where they are.
#pragma once
#include <span>
#include <string>

#include "eval/claims/claim_ledger.h"
#include "eval/verdicts/verify.h"

namespace assay {

// `known`: what is known of the benchmarks' scales.
Result<Case> build_case(const Database& database, const VerifyOptions& options, std::span<const Benchmark> known, const Claim& claim);

}  // namespace assay
