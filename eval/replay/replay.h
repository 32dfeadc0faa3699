// Scoring stored outputs again, without a model: import, extraction, judgement, audit, and the rows of the database. What the
// outputs' owner published about them is read where it lies beside them and held against our own figure.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/replay/replay_labels.h"
#include "eval/replay/stored.h"
#include "eval/runs/record.h"
#include "suites/guess.h"
#include "suites/score.h"
#include "suites/suite.h"

namespace assay {

struct ReplayOptions {
  std::string format, suite,
      protocol;  // protocol "": the format's own where the suite has it, else the main one; "all"
  FieldMap fields;
  std::string data_dir;  // where the suite's items lie, if they are others' data
  int threads = 1;
};

// The file's own verdicts on its outputs, item by item.
struct FlagAgreement {
  std::int64_t agree = 0, of = 0, flagged_right = 0;
  std::vector<std::string> differing;  // ids, the first kMaxListed
};

// A figure that somebody printed about these outputs.
struct PublishedFigure {
  std::string metric;     // ours
  std::string published;  // as printed: in percent, but for figures that are no shares
  std::string ours;       // rounded to the same digits
  std::string source;     // the file that prints it
  double scale = 100;     // of a share printed in percent
  bool agrees = false;
};

struct ReplayResult {
  std::string file, model, suite, protocol;
  std::string digest;                  // sha256 of the file
  std::optional<std::int64_t> run_id;  // in the database, if one was given
  Audit audit;
  std::vector<Metric> metrics;
  std::vector<std::pair<std::string, std::vector<Metric>>> tasks;  // sub-tasks, where the suite has any
  std::optional<FlagAgreement> flags;
  // Every value that another harness stored for its outputs, by its name, against ours: acc, acc_char, "exact_match,strict-match".
  std::vector<std::pair<std::string, FlagAgreement>> own_values;
  std::optional<GuessRange> guess;  // where the protocol draws letters for what has no answer
  std::optional<LabelAgreement> labels;  // IFEval: verdicts on instructions
  std::vector<Metric> rescored;          // where `metrics` come from the file's own labels: by our checkers
  std::vector<PublishedFigure> published;
  std::vector<std::pair<std::string, std::optional<bool>>>
      verdicts;  // item id, correct; in the order of the file
  std::vector<std::string> warnings;
};

inline constexpr std::size_t kMaxListed = 20;

// Files as given, folders whole (sorted by name; folders called "published", files whose name begins so, and files that are no stored outputs are left out).
Result<std::vector<std::string>> list_outputs(const std::vector<std::string>& paths);

// One result per file, model in it, and protocol, in the order given. `recorder` may be null: nothing is kept.
Result<std::vector<ReplayResult>> replay(const std::vector<std::string>& paths, const ReplayOptions& options,
                                         Recorder* recorder);

// The stem of a stored file's name: folders and .jsonl .json .csv .gz .zst .zip taken off.
std::string model_of_file(const std::string& path);

// eval/replay/replay_published.cc: what the owner printed about the outputs of that file and model: `inside` the file, or in the tables that the
// projects of the formats keep beside their outputs. Asked for under the protocol that has the format's name; no table: empty.
std::vector<PublishedFigure> find_published(const ReplayResult& result, const std::string& format, const std::vector<StoredFigure>& inside);
// `printed` with as many digits as it has, or as an exact double, against ours (eval/replay/replay_published.cc).
PublishedFigure hold_against(const std::string& metric, double ours, const std::string& printed, bool exact_double, double scale, std::string source);
const Metric* find_metric(const ReplayResult& result, std::string_view name);
// eval/replay/replay_published_ifeval.cc: the cell of M-IFEval's table for that file, and the means over languages once all results are there.
std::vector<PublishedFigure> m_ifeval_figures(const ReplayResult& result);
Status add_leaderboard_averages(std::vector<ReplayResult>& results, Recorder* recorder);
// Claim and verdict rows for the figures and flags of a recorded result.
Status record_published(Recorder& recorder, const ReplayResult& result);

// eval/replay/replay_sensitivity.cc: how the score hangs on the extractor, over results of `--protocol all`.
struct Sensitivity {
  std::vector<std::pair<std::string, double>> values;  // protocol -> main metric
  std::vector<std::string>
      flips;  // items that are right under one protocol and wrong under another, the first kMaxListed
  std::int64_t n_flips = 0;
  std::vector<std::string> inversions;  // "A above B under x, below under y"
};
std::vector<Sensitivity> sensitivity_of(const std::vector<ReplayResult>& results);  // one a result

Json replay_json(const std::vector<ReplayResult>& results, bool with_sensitivity);
std::string replay_text(const std::vector<ReplayResult>& results, bool with_sensitivity);

}  // namespace assay
