// The statistics library behind `assay stats`: JSON in, JSON out, every fault of the input refused
// (INTERFACE, table `stats`).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

std::vector<std::string_view> statistic_names();

// `name`: proportion binomial mcnemar paired cluster tost holm bh power passk possible. `file` is only for
// errors. Defaults: level 0.95, samples 1, scale 100; every other key of the table must be there, others are
// ignored.
Result<Json> run_statistic(std::string_view name, const Json& in, std::string_view file, std::uint64_t seed);

}  // namespace assay
