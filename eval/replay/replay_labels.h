// Stored verdicts on single instructions (IFEval): what they say by themselves, and where our own checkers judge otherwise.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/replay/stored.h"
#include "suites/score.h"
#include "suites/suite.h"

namespace assay {

struct LabelCount {
  std::int64_t agree = 0, of = 0;
};

// Our verdicts against the file's, instruction by instruction.
struct LabelAgreement {
  LabelCount strict, loose;
  std::int64_t stored_right = 0;  // strict labels that say "followed"
  std::map<std::string, std::pair<LabelCount, LabelCount>> by_instruction;  // id -> strict, loose
  std::vector<std::string> differing;  // "item instruction" of strict labels, the first kMaxListedLabels
};
inline constexpr std::size_t kMaxListedLabels = 20;

// The item's score from the record's labels. No value: it has none, or the protocol does not ask for them (equality instruction-labels).
std::optional<ItemScore> score_labels(const Protocol& protocol, const StoredOutput& output);

// Our checkers' score of one record, which is added to the agreement. No value, and nothing added: either side has no verdict.
std::optional<ItemScore> rescore_labels(LabelAgreement& agreement, const Item& item, const StoredOutput& output);

Json labels_json(const LabelAgreement& agreement);

// The suite that a file of stored outputs is judged by: `ifeval` stands for the suite of the language that the file's first instruction names.
std::string suite_of_file(const std::string& format, const std::string& suite, const std::string& path);

// The folder with the suite's items among the three above a file of outputs; "" where none holds them.
std::string items_beside(const std::string& suite, const std::string& path);

}  // namespace assay
