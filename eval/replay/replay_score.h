// Scoring one stored record: its text under the protocol's extractors, or the verdicts that lie beside it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "eval/replay/stored.h"
#include "eval/runs/record.h"
#include "suites/score.h"
#include "suites/suite.h"

namespace assay {

// One of several outputs for an item, scored.
struct SampleMark {
  std::optional<bool> correct;
  std::optional<std::string> extracted;
};

struct ReplayScore {
  ItemScore score = {};
  std::vector<SampleMark> marks = {};  // one a sample; empty where the record has one output
  double variance = 0;            // of the item's share of right samples, as an estimate of what it is under new samples
};

// Makes the item that a record speaks of where the suite's own are not here. Takes the question, options and gold out of `output`.
Item item_of_record(StoredOutput& output);

// No value: the record lacks what the protocol scores. With several samples an item is right or wrong only where it has one; its accuracy is
// the share of right ones, pass@k is unbiased (base/stats/passk.h). Under equality `stored` the file's figures and flags are taken as they are.
std::optional<ReplayScore> score_record(const Protocol& protocol, const Item& item, const StoredOutput& output, const std::string& model);

// The rows of a record's outputs.
std::vector<SampleRecord> sample_rows(const StoredOutput& output, const ReplayScore& score);

}  // namespace assay
