// What one file of stored outputs holds, its scores, and its rows in the database.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "eval/replay/replay.h"
#include "eval/replay/replay_items.h"
#include "eval/replay/replay_score.h"

namespace assay {

// A record with the item it speaks of: the suite's own, or one made from it. None: no item of the suite.
struct ReplayedOutput {
  StoredOutput output;
  std::optional<Item> own;
  const Item* item = nullptr;
};

using ReplayedOutputs = std::vector<ReplayedOutput>;

// What one file holds: the outputs of each model, in the order in which the models appear.
struct ReplayedFile {
  std::string path, digest;
  std::int64_t size_bytes = 0;
  StoredCounts counts;
  std::vector<std::pair<std::string, ReplayedOutputs>> models;

  ReplayedOutputs& of(const std::string& model) {
    const auto [at, fresh] = places_.try_emplace(model, models.size());
    if (fresh) models.emplace_back(model, ReplayedOutputs{});
    return models[at->second].second;
  }

 private:
  std::unordered_map<std::string, std::size_t> places_;
};

// One result with what the recorder needs beside it.
struct ScoredOutputs {
  ReplayResult result;
  const Protocol* protocol = nullptr;
  struct Row {
    const ReplayedOutput* stored;
    ReplayScore score;
  };
  std::vector<Row> rows;
};

struct ScoredFile {
  ReplayedFile content;
  std::vector<ScoredOutputs> scored;
};

// The file scored under each of the protocols; threads for what programs its outputs are.
Result<ScoredFile> score_file(const std::string& path, const Suite& suite, const ItemFinder& finder,
                              const Importer& importer, const std::vector<const Protocol*>& protocols,
                              const FieldMap& fields, int threads);

// One transaction a file: all of it or nothing. What was recorded before stays as it is.
Status record_file(Recorder& recorder, const Suite& suite, ScoredFile& file);

}  // namespace assay
