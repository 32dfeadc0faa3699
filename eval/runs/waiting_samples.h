// Samples of a run whose items do not have all of theirs yet (table sample_waiting): what lets a run of many samples an item stop between two of them.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "eval/runs/ask.h"
#include "reports/database.h"

namespace assay {

// Position in suite.items -> samples by ascending number.
using WaitingSamples = std::map<std::size_t, std::vector<MadeSample>>;

// Those of `items`; `item_rows` maps item ids to rows. Refused: a number that no sample of the protocol has is the caller's to see.
Result<WaitingSamples> waiting_samples(const Database& database, std::int64_t run_id, const Suite& suite, const std::vector<std::size_t>& items,
                                       const std::unordered_map<std::string, std::int64_t>& item_rows);
Status store_waiting(const Database& database, std::int64_t run_id, std::int64_t item_id, const MadeSample& sample);
Status drop_waiting(const Database& database, std::int64_t run_id, std::int64_t item_id);

}  // namespace assay
