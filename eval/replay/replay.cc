#include "eval/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "base/file.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "eval/replay/replay_items.h"
#include "eval/replay/replay_score.h"
#include "eval/runs/judge_programs.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 100'000;
constexpr std::size_t kVersionDigits = 8;
// A record with the item it speaks of: the suite's own, or one made from it. None: no item of the suite.
struct Stored {
  StoredOutput output;
  std::optional<Item> own;
  const Item* item = nullptr;
};

using Outputs = std::vector<Stored>;

// What one file holds: the outputs of each model, in the order in which the models appear.
struct FileContent {
  std::string path, digest;
  std::int64_t size_bytes = 0;
  StoredCounts counts;
  std::vector<std::pair<std::string, Outputs>> models;

  Outputs& of(const std::string& model) {
    const auto [at, fresh] = places_.try_emplace(model, models.size());
    if (fresh) models.emplace_back(model, Outputs{});
    return models[at->second].second;
  }

 private:
  std::unordered_map<std::string, std::size_t> places_;
};

// One result with what the recorder needs beside it.
struct Scored {
  ReplayResult result;
  const Protocol* protocol = nullptr;
  struct Row {
    const Stored* stored;
    ReplayScore score;
  };
  std::vector<Row> rows;
};

struct FileScores {
  FileContent content;
  std::vector<Scored> scored;
};

Result<FileContent> read_content(const std::string& path, const Suite& suite, const ItemFinder& finder, const Importer& importer,
                                 const FieldMap& fields) {
  FileContent content;
  content.path = path;
  ASSAY_TRY(const MappedFile file, MappedFile::open(path));
  content.digest = sha256_hex(file.text());
  content.size_bytes = static_cast<std::int64_t>(file.bytes().size());
  const std::string fallback_name = model_of_file(path);
  ASSAY_TRY(content.counts, read_stored(path, importer, fields, [&](StoredOutput output) -> Status {
              Stored stored;
              if (!suite.items_loaded) stored.own = item_of_record(output);
              const bool by_name = importer.parts == nullptr && !output.id.empty();
              stored.item = by_name ? finder.find_id(output.id) : finder.find(output);
              Outputs& outputs = content.of(output.model.empty() ? fallback_name : output.model);
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
void set_sampling_error(std::vector<Metric>& metrics, const std::vector<Scored::Row>& rows) {
  double variance = 0;
  for (const auto& row : rows) variance += row.score.variance;
  for (auto& metric : metrics) {
    const bool is_share = metric.name == "accuracy" || metric.name == "exact_match" || metric.name == "pass@1";
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

void set_metrics(Scored& scored) {
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
void warn_of_impossible(Scored& scored) {
  for (const auto& row : scored.rows) {
    for (const auto& [name, value] : row.score.score.values) {
      if (name != "accuracy" || value <= 1 || scored.result.warnings.size() >= kMaxListed) continue;
      scored.result.warnings.push_back(fmt::format("{}: the file's accuracy of {} is above 1", row.stored->output.id, value));
    }
  }
}

// Where the file's own labels were taken: what our checkers say of the same outputs.
void rescore(Scored& scored) {
  LabelAgreement labels;
  std::vector<std::pair<const Item*, ItemScore>> own;
  for (const auto& row : scored.rows) {
    if (auto score = rescore_labels(labels, *row.stored->item, row.stored->output)) own.emplace_back(row.stored->item, std::move(*score));
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

ReplayResult empty_result(const Suite& suite, const Protocol& protocol, const FileContent& content, const std::string& model) {
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
void score_rows(Scored& scored, const Protocol& protocol, const Outputs& outputs, int threads) {
  std::unordered_set<std::string_view> seen;
  scored.rows.reserve(outputs.size());
  for (const auto& stored : outputs) {
    auto score = stored.item != nullptr ? score_record(protocol, *stored.item, stored.output, scored.result.model) : std::nullopt;
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

Scored score_model(const Suite& suite, const Protocol& protocol, const FileContent& content,
                   const std::string& model, const Outputs& outputs, const Importer& importer, int threads) {
  Scored scored;
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
    if (importer.parts != nullptr && protocol.equality != "stored") count_own_values(result.own_values, output, protocol, row.score.score);
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

Result<std::vector<const Protocol*>> choose_protocols(const Suite& suite, const ReplayOptions& options) {
  std::vector<const Protocol*> chosen;
  const Protocol* const own = suite.find_protocol(options.format);
  if (options.protocol == "all") {  // of the kind that the outputs have, where that is known
    for (const auto& protocol : suite.protocols) {
      if (own == nullptr || own->kind == protocol.kind) chosen.push_back(&protocol);
    }
  } else if (options.protocol.empty() && own != nullptr) {
    chosen.push_back(own);
  } else {
    ASSAY_TRY(const Protocol* named, choose_protocol(suite, options.protocol));
    chosen.push_back(named);
  }
  return chosen;
}

Result<FileScores> score_file(const std::string& path, const Suite& suite, const ItemFinder& finder,
                              const Importer& importer, const std::vector<const Protocol*>& protocols,
                              const FieldMap& fields, int threads) {
  FileScores file;
  ASSAY_TRY(file.content, read_content(path, suite, finder, importer, fields));
  for (const auto& [model, outputs] : file.content.models) {
    for (const Protocol* protocol : protocols) {
      file.scored.push_back(score_model(suite, *protocol, file.content, model, outputs, importer, threads));
    }
  }
  return file;
}

std::string run_identity(const FileContent& content, const Scored& scored, const Suite& suite) {
  Sha256 sha;
  sha.add_field("replay").add_field(content.digest).add_field(scored.result.model);
  sha.add_field(suite.items_digest).add_field(scored.protocol->digest);
  return sha.hex();
}

void add_continuations(const Stored& stored, ResultRecord& out) {
  const StoredOutput& output = stored.output;
  for (std::size_t i = 0; i < output.log_likelihoods.size(); ++i) {
    ContinuationRecord continuation;
    continuation.text = i < stored.item->options.size() ? stored.item->options[i] : stored.item->text;
    continuation.logprob_nats = output.log_likelihoods[i];
    continuation.tokens = output.tokens.value_or(0);
    continuation.chars = count_code_points(continuation.text);
    continuation.bytes = static_cast<std::int64_t>(continuation.text.size());
    out.continuations.push_back(std::move(continuation));
  }
}

// The row of an item. Data sets are mended between the dates of two files: an item that the database has with another question or answer
// gets a row of its own, under its id and the beginning of its digest, and a warning.
Result<std::int64_t> item_row(Recorder& recorder, std::int64_t suite_id, const Item& item, std::int64_t ordinal, std::vector<std::string>& warnings) {
  auto id = recorder.item(suite_id, item, ordinal);
  if (id.ok() || id.error().code != Code::digest_changed) return id;
  if (warnings.size() < kMaxListed) warnings.push_back(id.error().text());
  Item version = item;
  version.id = fmt::format("{}~{}", item.id, item.digest().substr(0, kVersionDigits));
  return recorder.item(suite_id, version, ordinal);
}

Status record_rows(Recorder& recorder, std::int64_t suite_id, std::int64_t run_id, Scored& scored) {
  std::int64_t ordinal = 0;
  for (const auto& row : scored.rows) {
    ASSAY_TRY(const std::int64_t item_id, item_row(recorder, suite_id, *row.stored->item, ordinal++, scored.result.warnings));
    ResultRecord out;
    out.score = &row.score.score;
    out.prompt = row.stored->output.prompt;
    out.samples = sample_rows(row.stored->output, row.score);
    add_continuations(*row.stored, out);
    ASSAY_OK(recorder.result(run_id, item_id, out));
  }
  return {};
}

Status record_scored(Recorder& recorder, const Suite& suite, const FileContent& content, Scored& scored) {
  const std::string identity = run_identity(content, scored, suite);
  ASSAY_TRY(scored.result.run_id, recorder.complete_run(identity));
  if (scored.result.run_id) return {};  // the same file under the same protocol was recorded before
  RunRecord row;
  row.kind = "replay";
  row.identity = identity;
  row.items_expected = suite.n_items;
  ModelRecord model;
  model.name = scored.result.model;
  ASSAY_TRY(row.model_id, recorder.model(model));
  ASSAY_TRY(row.suite_id, recorder.suite(suite));
  ASSAY_TRY(row.protocol_id, recorder.protocol(row.suite_id, *scored.protocol));
  ASSAY_TRY(row.outputs_artifact_id, recorder.artifact("outputs", fs::path(content.path).filename().string(),
                                                       content.digest, content.size_bytes));
  ASSAY_TRY(const std::int64_t run_id, recorder.begin_run(row));
  ASSAY_OK(record_rows(recorder, row.suite_id, run_id, scored));
  RunEnd end;
  end.audit = scored.result.audit;
  ASSAY_OK(recorder.end_run(run_id, end));
  for (const auto& warning : scored.result.warnings) ASSAY_OK(recorder.event(run_id, "warning", warning));
  scored.result.run_id = run_id;
  return record_published(recorder, scored.result);
}

// One transaction a file: all of it or nothing.
Status record_file(Recorder& recorder, const Suite& suite, FileScores& file) {
  ASSAY_TRY(Transaction transaction, Transaction::begin(recorder.database()));
  for (auto& scored : file.scored) ASSAY_OK(record_scored(recorder, suite, file.content, scored));
  return transaction.commit();
}

bool is_output_file(const fs::path& path) {
  const std::string file = path.filename().string();
  std::string_view name = file;
  if (name.ends_with(".summary.json") || name.starts_with("published") || name.starts_with("results_")) return false;  // what a harness says of its outputs
  for (const char* packed : {".gz", ".zst"}) {
    if (name.ends_with(packed)) name.remove_suffix(std::string_view(packed).size());
  }
  if (name.ends_with("_eval_metrics.jsonl")) return false;  // figures of BIG-Bench-Hard
  return name.ends_with(".jsonl") || name.ends_with(".json") || name.ends_with(".csv") ||
         name.ends_with(".zip") || name.ends_with(".eval");
}

Result<std::vector<std::string>> list_folder(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failed;
  for (auto at = fs::recursive_directory_iterator(folder, failed);
       !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    if (at->is_directory() && at->path().filename() == "published") at.disable_recursion_pending();
    if (at->is_regular_file() && is_output_file(at->path())) files.push_back(at->path().string());
    if (files.size() > kMaxFiles)
      return Error{.code = Code::too_large, .message = "too many files in a folder", .file = folder};
  }
  if (failed) return Error{.code = Code::io, .message = "cannot list the folder", .file = folder};
  if (files.empty())
    return Error{.code = Code::not_found, .message = "no stored outputs in the folder", .file = folder};
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string model_of_file(const std::string& path) { return stem_of(path); }

Result<std::vector<std::string>> list_outputs(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const auto& path : paths) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) {
      files.push_back(path);
      continue;
    }
    ASSAY_TRY(const auto inside, list_folder(path));
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

namespace {

// Files of one suite.
Result<std::vector<ReplayResult>> replay_files(const std::vector<std::string>& files, const ReplayOptions& options,
                                               Recorder* recorder) {
  ASSAY_TRY(const Importer* importer, find_importer(options.format));
  const bool beside = options.data_dir.empty() && options.format == "m-ifeval" && !files.empty();
  const std::string data_dir = importer->own_items ? "" : beside ? items_beside(options.suite, files.front()) : options.data_dir;
  ASSAY_TRY(const Suite suite, load_suite(options.suite, data_dir));
  ASSAY_TRY(const auto protocols, choose_protocols(suite, options));
  const ItemFinder finder(suite);
  std::vector<ReplayResult> results;
  ThreadPool pool(std::max(1, options.threads));
  Progress progress("replay", files.size(), "files");
  const auto wave = static_cast<std::size_t>(pool.n_threads()) * 2;
  for (std::size_t begin = 0; begin < files.size(); begin += wave) {
    const std::size_t n = std::min(wave, files.size() - begin);
    std::vector<std::optional<Result<FileScores>>> scores(n);
    pool.run(n, [&](std::size_t i, int) {
      scores[i] = score_file(files[begin + i], suite, finder, *importer, protocols, options.fields,
                             std::max(1, options.threads / static_cast<int>(n)));
    });
    for (auto& score : scores) {
      if (!score->ok()) return std::move(*score).error();
      if (recorder != nullptr) ASSAY_OK(record_file(*recorder, suite, score->value()));
      for (auto& scored : score->value().scored) results.push_back(std::move(scored.result));
      progress.add();
    }
    if (stop_requested())
      return Error{.code = Code::interrupted, .message = "stopped; files that were done are recorded"};
  }
  return results;
}

}  // namespace

Result<std::vector<ReplayResult>> replay(const std::vector<std::string>& paths, const ReplayOptions& options,
                                         Recorder* recorder) {
  ASSAY_OK(find_importer(options.format));
  ASSAY_TRY(const auto files, list_outputs(paths));
  std::vector<ReplayResult> results;
  for (std::size_t begin = 0; begin < files.size();) {
    ReplayOptions own = options;
    own.suite = suite_of_file(options.format, options.suite, files[begin]);
    std::vector<std::string> group = {files[begin++]};
    while (begin < files.size() && suite_of_file(options.format, options.suite, files[begin]) == own.suite) group.push_back(files[begin++]);
    ASSAY_TRY(auto part, replay_files(group, own, recorder));
    std::move(part.begin(), part.end(), std::back_inserter(results));
  }
  ASSAY_OK(add_leaderboard_averages(results, recorder));
  return results;
}

}  // namespace assay
