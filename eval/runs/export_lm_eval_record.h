// One item of a run as a line of lm-evaluation-harness's samples file.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "suites/score.h"
#include "suites/suite.h"

namespace assay {

// What the run stored for one item.
struct LmEvalAnswer {
  std::string prompt;                 // as it was rendered, "" where it was not kept
  std::vector<OptionScore> options;   // choice and rolling
  std::vector<bool> greedy;           // of each
  std::vector<std::string> texts;     // the continuations
  std::vector<std::string> outputs;   // generation: the samples
};

struct LmEvalRecord {
  Json line;
  ItemScore score;
};

// Refused: an answer that does not fit the item.
Result<LmEvalRecord> lm_eval_record(const Suite& suite, const Protocol& protocol, const Item& item, const LmEvalAnswer& answer,
                                    std::int64_t ordinal);

// The harness's name of a metric; "" where it has none.
std::string_view lm_eval_metric(std::string_view ours);
std::string lm_eval_filter(const Protocol& protocol);
Json lm_eval_config(const Protocol& protocol, const std::string& task);  // a task's entry in `configs`

}  // namespace assay
