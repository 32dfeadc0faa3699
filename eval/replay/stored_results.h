// Results that a run has in the database already, scored again from their rows: what a resumed run counts beside its new ones.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "eval/runs/ask.h"
#include "reports/database.h"
#include "suites/suite.h"

namespace assay {

// The items of `items` (positions in suite.items) that have a result in run `run_id`, in that order; `item_rows` maps item ids to rows. The
// records of the answer are empty: the rows hold them.
Result<std::vector<AskedItem>> stored_results(const Database& database, std::int64_t run_id, const Suite& suite, const Protocol& protocol,
                                              const std::vector<std::size_t>& items,
                                              const std::unordered_map<std::string, std::int64_t>& item_rows);

}  // namespace assay
