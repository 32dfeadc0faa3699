#include "eval/replay/stored_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "suites/input.h"

namespace assay {
namespace {

constexpr std::size_t kMaxWholeBytes = std::size_t{64} << 20;  // one sample of an agent's log, tool outputs included

// Reads the members of one file, each cut as its format wants it, and counts.
class PartsFile {
 public:
  PartsFile(PartReader& reader, const StoredSink& sink, StoredCounts& counts) : reader_(reader), sink_(sink), counts_(counts) {}

  Status begin(std::string_view member) {
    ASSAY_OK(end());
    member_ = std::string(member);
    cut_ = reader_.cut(member);
    line_ = 0;
    if (cut_ == Cut::records) {
      lines_.emplace([this](std::string_view text) { return give("", fmt::format("{}", line_++), text); });
    } else if (cut_ == Cut::document) {
      document_.emplace([this](const DocumentPart& part) { return give(part.section, part.key, part.text); },
                        [this] { return reader_.end(sink_); });
    }
    return {};
  }

  Status add(std::string_view chunk) {
    if (lines_) return lines_->add(chunk);
    if (document_) return document_->add(chunk);
    if (cut_ != Cut::whole) return {};
    whole_ += chunk;
    if (whole_.size() <= kMaxWholeBytes) return {};
    return Error{.code = Code::too_large, .message = "a member of the archive is larger than 64 MiB"};
  }

  Status end() {
    ASSAY_OK(finish_splitters());
    lines_.reset();
    document_.reset();
    whole_.clear();
    return std::exchange(cut_, Cut::skip) == Cut::skip ? Status{} : reader_.end(sink_);
  }

 private:
  Status finish_splitters() {
    if (cut_ == Cut::whole) return give("", "", without_blanks(whole_));
    if (lines_) ASSAY_OK(lines_->finish());
    if (document_) ASSAY_OK(document_->finish());
    const bool cut_off = (lines_ && lines_->unterminated()) || (document_ && document_->unterminated());
    counts_.unterminated = counts_.unterminated || cut_off;
    return {};
  }

  Status give(std::string_view section, std::string_view key, std::string_view text) {
    ASSAY_TRY(const Used used, reader_.add(PartPlace{member_, section, key}, parse_stored(text), sink_));
    if (used == Used::header) return {};
    ++counts_.records;
    counts_.malformed += used == Used::malformed ? 1 : 0;
    return {};
  }

  PartReader& reader_;
  const StoredSink& sink_;
  StoredCounts& counts_;
  std::string member_, whole_;
  Cut cut_ = Cut::skip;
  std::int64_t line_ = 0;
  std::optional<RecordSplitter> lines_;
  std::optional<DocumentSplitter> document_;
};

// The means of the figures that all of them have.
std::vector<std::pair<std::string, double>> mean_values(const std::vector<StoredOutput>& outputs) {
  std::vector<std::pair<std::string, double>> means;
  for (const auto& [name, first] : outputs.front().values) {
    double sum = 0;
    std::size_t n = 0;
    for (const auto& output : outputs) {
      const auto at = std::find_if(output.values.begin(), output.values.end(), [&](const auto& v) { return v.first == name; });
      if (at == output.values.end()) break;
      sum += at->second;
      ++n;
    }
    if (n == outputs.size()) means.emplace_back(name, sum / static_cast<double>(n));
  }
  return means;
}

StoredOutput folded(std::vector<StoredOutput> outputs) {
  ASSAY_CHECK(!outputs.empty());
  if (outputs.size() == 1) return std::move(outputs.front());
  StoredOutput whole = outputs.front();
  whole.values = mean_values(outputs);
  whole.output.reset();
  whole.flag.reset();
  for (auto& output : outputs) whole.samples.push_back({.output = std::move(*output.output), .flag = output.flag});
  return whole;
}

}  // namespace

Status read_parts(const std::string& path, PartReader& reader, const StoredSink& sink, StoredCounts& counts) {
  PartsFile file(reader, sink, counts);
  ASSAY_OK(read_input(path, [&](std::string_view member, std::string_view chunk, bool first) -> Status {
    if (Status begun = first ? file.begin(member) : Status{}; !begun.ok()) return begun;
    return file.add(chunk);
  }));
  return file.end();
}

Status SampleFolder::add(StoredOutput output) {
  const bool foldable = output.sample && output.output && output.samples.empty() && output.log_likelihoods.empty();
  if (!foldable) return sink_(std::move(output));
  const std::string key = fmt::format("{}\n{}\n{}", output.model, output.id, output.ordinal.value_or(-1));
  const bool known = !places_.try_emplace(fmt::format("{}\n{}", key, *output.sample), items_.size()).second;
  const auto [at, fresh] = places_.try_emplace(key, items_.size());
  if (fresh || known) {
    items_.emplace_back().push_back(std::move(output));
  } else {
    items_[at->second].push_back(std::move(output));
  }
  return {};
}

Status SampleFolder::finish() {
  for (auto& outputs : items_) ASSAY_OK(sink_(folded(std::move(outputs))));
  items_.clear();
  places_.clear();
  return {};
}

std::string folder_of_file(const std::string& path) {
  std::error_code ignored;
  const auto whole = std::filesystem::absolute(path, ignored).lexically_normal();
  return whole.parent_path().filename().string();
}

}  // namespace assay
