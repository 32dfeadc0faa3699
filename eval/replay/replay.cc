#include "eval/replay/replay.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>

#include "base/parallel.h"
#include "base/progress.h"
#include "eval/replay/replay_file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 100'000;

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

bool is_output_file(const fs::path& path) {
  const std::string file = path.filename().string();
  std::string_view name = file;
  if (name.ends_with(".summary.json") || name.starts_with("published") || name.starts_with("results_"))
    return false;  // what a harness says of its outputs
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

// Files are scored by all threads and taken one after the other in their order: whichever thread has scored the next one takes it, and
// those after it that are ready, while the others go on.
class FilesInOrder {
 public:
  using Score = std::function<Result<ScoredFile>(std::size_t)>;
  using Take = std::function<Status(ScoredFile)>;

  FilesInOrder(std::size_t n, Score score, Take take)
      : ready_(n), score_(std::move(score)), take_(std::move(take)) {}

  Status run(ThreadPool& pool) {
    const auto ahead = static_cast<std::size_t>(pool.n_threads()) * 2;  // scored files that wait in memory
    pool.run(ready_.size(), [&](std::size_t i, int) { one(i, ahead); });
    return failed_ ? Status(*failed_) : Status();
  }

 private:
  void one(std::size_t i, std::size_t ahead) {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [&] { return failed_ || i < next_ + ahead; });
    if (failed_) return;
    lock.unlock();
    auto scored = score_(i);
    lock.lock();
    ready_[i] = std::move(scored);
    if (!taking_) take_ready(lock);
  }

  void take_ready(std::unique_lock<std::mutex>& lock) {
    taking_ = true;
    while (!failed_ && next_ < ready_.size() && ready_[next_]) {
      Result<ScoredFile> file = std::move(*ready_[next_]);
      ready_[next_].reset();
      lock.unlock();
      const Status status = file.ok() ? take_(std::move(file).value()) : Status(file.error());
      lock.lock();
      if (!status.ok()) failed_ = status.error();
      ++next_;
      taken_.notify_all();
    }
    taking_ = false;
  }

  std::mutex mutex_;
  std::condition_variable taken_;
  std::vector<std::optional<Result<ScoredFile>>> ready_;
  std::size_t next_ = 0;
  bool taking_ = false;
  std::optional<Error> failed_;
  Score score_;
  Take take_;
};

// Files of one suite.
Result<std::vector<ReplayResult>> replay_files(const std::vector<std::string>& files,
                                               const ReplayOptions& options, Recorder* recorder) {
  ASSAY_TRY(const Importer* importer, find_importer(options.format));
  const bool beside = options.data_dir.empty() && options.format == "m-ifeval" && !files.empty();
  const std::string data_dir = importer->own_items ? ""
                               : beside            ? items_beside(options.suite, files.front())
                                                   : options.data_dir;
  ASSAY_TRY(const Suite suite, load_suite(options.suite, data_dir));
  ASSAY_TRY(const auto protocols, choose_protocols(suite, options));
  const ItemFinder finder(suite);
  std::vector<ReplayResult> results;
  ThreadPool pool(std::max(1, options.threads));
  Progress progress("replay", files.size(), "files");
  const int threads_a_file =
      std::max(1, pool.n_threads() / static_cast<int>(std::clamp<std::size_t>(files.size(), 1, kMaxFiles)));
  FilesInOrder in_order(
      files.size(),
      [&](std::size_t i) {
        return score_file(files[i], suite, finder, *importer, protocols, options.fields, threads_a_file);
      },
      [&](ScoredFile file) -> Status {
        if (recorder != nullptr) ASSAY_OK(record_file(*recorder, suite, file));
        for (auto& scored : file.scored) results.push_back(std::move(scored.result));
        progress.add();
        if (stop_requested())
          return Error{.code = Code::interrupted, .message = "stopped; files that were done are recorded"};
        return {};
      });
  ASSAY_OK(in_order.run(pool));
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
    while (begin < files.size() && suite_of_file(options.format, options.suite, files[begin]) == own.suite)
      group.push_back(files[begin++]);
    ASSAY_TRY(auto part, replay_files(group, own, recorder));
    std::move(part.begin(), part.end(), std::back_inserter(results));
  }
  ASSAY_OK(add_leaderboard_averages(results, recorder));
  return results;
}

}  // namespace assay
