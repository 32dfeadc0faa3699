#include "eval/replay/replay_file.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <unordered_set>

#include "base/file.h"
#include "base/sha256.h"
#include "eval/runs/judge_programs.h"

namespace assay {
namespace {

Result<ReplayedFile> read_content(const std::string& path, const Suite& suite, const ItemFinder& finder,
                                  const Importer& importer, const FieldMap& fields) {
  ReplayedFile content;
  content.path = path;
  ASSAY_TRY(const MappedFile file, MappedFile::open(path));
  content.digest = sha256_hex(file.text());
  content.size_bytes = static_cast<std::int64_t>(file.bytes().size());
  const std::string fallback_name = model_of_file(path);
  ASSAY_TRY(content.counts, read_stored(path, importer, fields, [&](StoredOutput output) -> Status {
              ReplayedOutput stored;
              if (!suite.items_loaded) stored.own = item_of_record(output);
              const bool by_name = importer.parts == nullptr && !output.id.empty();
              stored.item = by_name ? finder.find_id(output.id) : finder.find(output);
              ReplayedOutputs& outputs = content.of(output.model.empty() ? fallback_name : output.model);
              stored.output = std::move(output);
              outputs.push_back(std::move(stored));
              return {};
            }));
  if (content.models.empty()) content.of(fallback_name);
  for (auto& [name, outputs] : content.models) {
    for (auto& stored : outputs) {
      if (stored.own) stored.item = &*stored.own;
    }
  }
  return content;
}

void count_flag(FlagAgreement& flags, bool flag, const StoredOutput& output, const ItemScore& score) {
  ++flags.of;
  flags.flagged_right += flag ? 1 : 0;
  if (score.correct == flag) {
    ++flags.agree;
  } else if (flags.differing.size() < kMaxListed) {
    flags.differing.push_back(output.id);
  }
}

void count_audit(Audit& audit, const Protocol& protocol, const StoredOutput& output, const ItemScore& score) {
  ++audit.seen;
  if (output.finish_reason == "length") ++audit.truncated;
  const bool is_read = protocol.kind == ProtocolKind::generate && protocol.equality != "stored";
  if (is_read && !score.extracted) ++audit.unextractable;
  if (score.fallback) ++audit.fallback;
  if (score.harness_fault) ++audit.harness_faults;
}

// Where items were asked several times, the error of their shares on these very items.
void set_sampling_error(std::vector<Metric>& metrics, const std::vector<ScoredOutputs::Row>& rows) {
  double variance = 0;
  for (const auto& row : rows) variance += row.score.variance;
  for (auto& metric : metrics) {
    const bool is_share =
        metric.name == "accuracy" || metric.name == "exact_match" || metric.name == "pass@1";
    if (is_share && variance > 0) metric.se_fixed = std::sqrt(variance) / static_cast<double>(rows.size());
  }
}

// The metrics of each sub-task. Scores are moved into its list and back: a file may have 100,000 of them.
void set_tasks(ReplayResult& result, const Protocol& protocol, std::vector<ScoredItem>& all) {
  std::map<std::string_view, std::vector<std::size_t>> subsets;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].item->subset.empty()) subsets[all[i].item->subset].push_back(i);
  }
  if (subsets.size() < 2) return;
  for (const auto& [name, places] : subsets) {
    std::vector<ScoredItem> items;
    items.reserve(places.size());
    for (const std::size_t i : places) items.push_back(std::move(all[i]));
    result.tasks.emplace_back(name, aggregate(protocol, items));
    for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = std::move(items[i]);
  }
}

void set_metrics(ScoredOutputs& scored) {
  std::vector<ScoredItem> all;
  all.reserve(scored.rows.size());
  for (auto& row : scored.rows) all.push_back({row.stored->item, std::move(row.score.score)});
  scored.result.guess = guess_answers(*scored.protocol, all);
  scored.result.metrics = aggregate(*scored.protocol, all);
  set_sampling_error(scored.result.metrics, scored.rows);
  set_tasks(scored.result, *scored.protocol, all);
  for (std::size_t i = 0; i < all.size(); ++i) scored.rows[i].score.score = std::move(all[i].score);
}

// Accuracies above 1 come from files whose weights do not add up; they are counted as they are.
void warn_of_impossible(ScoredOutputs& scored) {
  for (const auto& row : scored.rows) {
    for (const auto& [name, value] : row.score.score.values) {
      if (name != "accuracy" || value <= 1 || scored.result.warnings.size() >= kMaxListed) continue;
      scored.result.warnings.push_back(
          fmt::format("{}: the file's accuracy of {} is above 1", row.stored->output.id, value));
    }
  }
}

// Where the file's own labels were taken: what our checkers say of the same outputs.
void rescore(ScoredOutputs& scored) {
  LabelAgreement labels;
  std::vector<std::pair<const Item*, ItemScore>> own;
  for (const auto& row : scored.rows) {
    if (auto score = rescore_labels(labels, *row.stored->item, row.stored->output))
      own.emplace_back(row.stored->item, std::move(*score));
  }
  if (own.empty()) return;
  FlagAgreement& flags = scored.result.flags.emplace();
  flags.agree = labels.strict.agree;
  flags.of = labels.strict.of;
  flags.flagged_right = labels.stored_right;
  flags.differing = labels.differing;
  scored.result.labels = std::move(labels);
  std::vector<ScoredItem> items;
  for (const auto& [item, score] : own) items.push_back({item, score});
  scored.result.rescored = aggregate(*scored.protocol, items);
}

ReplayResult empty_result(const Suite& suite, const Protocol& protocol, const ReplayedFile& content,
                          const std::string& model) {
  ReplayResult result;
  result.file = content.path;
  result.digest = content.digest;
  result.model = model;
  result.suite = suite.name;
  result.protocol = protocol.name;
  result.audit.expected = suite.n_items;
  result.audit.malformed = content.counts.malformed;
  if (content.counts.unterminated)
    result.warnings.push_back("the array of records does not end: the file is cut");
  return result;
}

// A row for each output that can be scored and is the first of its item.
void score_rows(ScoredOutputs& scored, const Protocol& protocol, const ReplayedOutputs& outputs,
                int threads) {
  std::unordered_set<std::string_view> seen;
  scored.rows.reserve(outputs.size());
  for (const auto& stored : outputs) {
    auto score = stored.item != nullptr
                     ? score_record(protocol, *stored.item, stored.output, scored.result.model)
                     : std::nullopt;
    if (!score) {
      ++scored.result.audit.malformed;
    } else if (!seen.insert(stored.item->id).second) {
      ++scored.result.audit.duplicated;
    } else {
      scored.rows.push_back({&stored, std::move(*score)});
    }
  }
  std::vector<ItemScore*> scores;
  for (auto& row : scored.rows) scores.push_back(&row.score.score);
  judge_programs(scores, threads);
}

ScoredOutputs score_model(const Suite& suite, const Protocol& protocol, const ReplayedFile& content,
                          const std::string& model, const ReplayedOutputs& outputs, const Importer& importer,
                          int threads) {
  ScoredOutputs scored;
  scored.protocol = &protocol;
  scored.result = empty_result(suite, protocol, content, model);
  ReplayResult& result = scored.result;
  score_rows(scored, protocol, outputs, threads);
  FlagAgreement flags;
  for (const auto& row : scored.rows) {
    const StoredOutput& output = row.stored->output;
    count_audit(result.audit, protocol, output, row.score.score);
    const auto flag = importer.parts != nullptr ? own_flag(output, protocol) : output.flag;
    if (flag && protocol.equality != "stored") count_flag(flags, *flag, output, row.score.score);
    if (importer.parts != nullptr && protocol.equality != "stored")
      count_own_values(result.own_values, output, protocol, row.score.score);
    result.verdicts.emplace_back(row.stored->item->id, row.score.score.correct);
  }
  if (flags.of > 0) result.flags = std::move(flags);
  warn_of_impossible(scored);
  set_metrics(scored);
  rescore(scored);
  if (importer.parts != nullptr)
    result.published = reported_figures(content.counts.figures, protocol, result);
  else if (protocol.name == importer.name)
    result.published = find_published(result, std::string(importer.name), content.counts.figures);
  return scored;
}

}  // namespace

Result<ScoredFile> score_file(const std::string& path, const Suite& suite, const ItemFinder& finder,
                              const Importer& importer, const std::vector<const Protocol*>& protocols,
                              const FieldMap& fields, int threads) {
  ScoredFile file;
  ASSAY_TRY(file.content, read_content(path, suite, finder, importer, fields));
  for (const auto& [model, outputs] : file.content.models) {
    for (const Protocol* protocol : protocols) {
      file.scored.push_back(score_model(suite, *protocol, file.content, model, outputs, importer, threads));
    }
  }
  return file;
}

}  // namespace assay
