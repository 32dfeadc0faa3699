#include "eval/replay/replay_labels.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "suites/ifeval/ifeval.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kByLabels = "instruction-labels";
constexpr int kFoldersAbove = 3;  // data/ifeval/en/model.jsonl: items are named from data/

void add(LabelCount& count, bool same) {
  ++count.of;
  count.agree += same ? 1 : 0;
}

void count_one(LabelAgreement& agreement, const Item& item, const std::string& id, Followed own, const StoredOutput& output, std::size_t i) {
  auto& [strict, loose] = agreement.by_instruction[id];
  const bool stored = output.strict_labels[i];
  agreement.stored_right += stored ? 1 : 0;
  for (LabelCount* count : {&strict, &agreement.strict}) add(*count, own.strict == stored);
  if (own.strict != stored && agreement.differing.size() < kMaxListedLabels) agreement.differing.push_back(item.id + " " + id);
  if (output.loose_labels.empty()) return;
  for (LabelCount* count : {&loose, &agreement.loose}) add(*count, own.loose == output.loose_labels[i]);
}

Json count_json(const LabelCount& count) { return Json{{"agree", count.agree}, {"of", count.of}}; }

}  // namespace

std::optional<ItemScore> score_labels(const Protocol& protocol, const StoredOutput& output) {
  const std::size_t n = output.strict_labels.size();
  if (protocol.equality != kByLabels || n == 0) return std::nullopt;
  ASSAY_CHECK(n == output.instructions.size());
  std::vector<Followed> followed;
  for (std::size_t i = 0; i < n; ++i) {
    // Without loose labels the strict ones are the lower bound of them.
    followed.push_back({output.strict_labels[i], output.loose_labels.empty() ? output.strict_labels[i] : output.loose_labels[i]});
  }
  ItemScore score = score_followed(followed, output.instructions);
  score.extractor = "stored-labels";
  return score;
}

std::optional<ItemScore> rescore_labels(LabelAgreement& agreement, const Item& item, const StoredOutput& output) {
  if (output.strict_labels.empty() || item.gold.empty() || !output.output) return std::nullopt;
  const auto instructions = parse_instructions(item.gold, item.id);
  if (!instructions.ok() || instructions->size() != output.strict_labels.size()) return std::nullopt;
  const auto own = check_instructions(*instructions, *output.output);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < own.size(); ++i) {
    names.push_back((*instructions)[i].id);
    count_one(agreement, item, names.back(), own[i], output, i);
  }
  return score_followed(own, names);
}

Json labels_json(const LabelAgreement& agreement) {
  Json by = Json::object();
  for (const auto& [id, counts] : agreement.by_instruction) by[id] = {{"strict", count_json(counts.first)}, {"loose", count_json(counts.second)}};
  return Json{{"strict", count_json(agreement.strict)}, {"loose", count_json(agreement.loose)}, {"differing", agreement.differing}, {"by_instruction", by}};
}

std::string suite_of_file(const std::string& format, const std::string& suite, const std::string& path) {
  if (format != "m-ifeval" || suite != "ifeval") return suite;
  const auto importer = find_importer(format);
  ASSAY_CHECK(importer.ok());
  std::string language;
  const StoredSink first = [&](const StoredOutput& output) -> Status {
    if (output.instructions.empty()) return {};
    const std::string& id = output.instructions.front();
    if (id.size() > 3 && id[2] == ':') language = id.substr(0, 2);
    return Error{.code = Code::interrupted, .message = "one record is enough"};
  };
  // A file that cannot be read is refused when it is scored.
  const auto ignored = read_stored(path, **importer, {}, first);
  static_cast<void>(ignored.ok());
  return language == "fr" || language == "es" ? suite + "-" + language : suite;
}

std::string items_beside(const std::string& suite, const std::string& path) {
  std::error_code failed;
  fs::path folder = fs::absolute(path, failed).parent_path();
  for (int up = 0; up <= kFoldersAbove && !folder.empty(); ++up) {
    const auto loaded = load_suite(suite, folder.string());
    if (loaded.ok() && loaded->items_loaded) return folder.string();
    folder = folder.parent_path();
  }
  return {};
}

}  // namespace assay
