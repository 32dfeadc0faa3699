#include "eval/compare/model_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "eval/compare/spectrum.h"
#include "eval/compare/text_diff.h"
#include "reference/weights/locate.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// A model, opened, with what the comparisons read from it.
struct ModelSide {
  ModelLocation location;
  Checkpoint checkpoint;
  BlockSize block;
};

Result<ModelSide> open_side(const std::string& model) {
  ASSAY_TRY(ModelLocation location, locate_model(model));
  ASSAY_TRY(Checkpoint checkpoint, Checkpoint::open(location.path));
  ASSAY_TRY(const BlockSize block, block_size_of(location.folder));
  return ModelSide{std::move(location), std::move(checkpoint), block};
}

bool has_rank(const TensorComparison& t, const TensorView* view) {
  if (t.status != TensorStatus::changed || view == nullptr || view->shape.size() != 2) return false;
  return std::min(view->shape[0], view->shape[1]) <= kMaxRankSide && t.elements <= kMaxRankElements &&
         t.rel_error > 0;
}

Result<std::size_t> rank_of_difference(const RowSource& a, const RowSource& b, const std::string& name) {
  const TensorView *x = a.find(name), *y = b.find(name);
  ASSAY_CHECK(x != nullptr && y != nullptr && x->shape == y->shape && x->shape.size() == 2);
  const auto count = static_cast<std::size_t>(x->elements());
  std::vector<float> left(count), right(count), scales(count);
  ASSAY_OK(a.rows(*x, 0, x->shape[0], left, scales));
  ASSAY_OK(b.rows(*y, 0, y->shape[0], right, scales));
  std::vector<double> difference(count);
  for (std::size_t i = 0; i < count; ++i) difference[i] = static_cast<double>(right[i]) - left[i];
  return energy_rank(difference, static_cast<std::size_t>(x->shape[0]), static_cast<std::size_t>(x->shape[1]),
                     kRankEnergy);
}

// rank95 of every changed matrix, in the order of the tensors; -1: none.
Result<std::vector<std::int64_t>> ranks(const WeightSimilarity& s, const RowSource& a, const RowSource& b,
                                        ThreadPool& pool) {
  std::vector<std::int64_t> result(s.tensors.size(), -1);
  std::vector<std::optional<Error>> errors(s.tensors.size());
  pool.run(s.tensors.size(), [&](std::size_t i, int) {
    if (!has_rank(s.tensors[i], a.find(s.tensors[i].name))) return;
    const auto rank = rank_of_difference(a, b, s.tensors[i].name);
    if (rank.ok()) {
      result[i] = static_cast<std::int64_t>(*rank);
    } else {
      errors[i] = rank.error();
    }
  });
  for (const auto& error : errors) {
    if (error) return *error;
  }
  return result;
}

bool is_vocabulary(const std::string& name) {
  return name.find("embed_tokens") != std::string::npos || name.find("lm_head") != std::string::npos ||
         name.find("wte") != std::string::npos;
}

// Every changed matrix differs in few directions only.
bool is_low_rank(const WeightSimilarity& s, const std::vector<std::int64_t>& rank, const RowSource& a) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < s.tensors.size(); ++i) {
    if (rank[i] < 0) continue;
    const TensorView* view = a.find(s.tensors[i].name);
    if (rank[i] * 4 > std::min(view->shape[0], view->shape[1])) return false;
    ++seen;
  }
  return seen > 0;
}

bool only_vocabulary_differs(const WeightSimilarity& s) {
  return std::all_of(s.tensors.begin(), s.tensors.end(), [](const TensorComparison& t) {
    return t.status == TensorStatus::identical ||
           (t.status == TensorStatus::shape_differs && is_vocabulary(t.name));
  });
}

std::string class_of(const WeightSimilarity& s, const std::vector<std::int64_t>& rank, const RowSource& a,
                     bool files_same) {
  const std::size_t all = s.tensors.size(), same = s.count(TensorStatus::identical);
  const std::size_t rounded = s.count(TensorStatus::requantised);
  if (same == all) return files_same ? "identical" : "same-weights";
  if (same + rounded == all) return "requantised";
  if (only_vocabulary_differs(s)) return "vocabulary-changed";
  const std::size_t apart =
      s.count(TensorStatus::only_a) + s.count(TensorStatus::only_b) + s.count(TensorStatus::shape_differs);
  if (2 * apart > all) return "different-architecture";
  if (s.verdict == "WEIGHTS_DESCEND") return is_low_rank(s, rank, a) ? "low-rank-update" : "fine-tuned";
  return s.verdict == "WEIGHTS_INDEPENDENT_NOT_REJECTED" ? "unrelated" : "inconclusive";
}

Json tensor_rows(const WeightSimilarity& s, const std::vector<std::int64_t>& rank) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < s.tensors.size(); ++i) {
    const TensorComparison& t = s.tensors[i];
    rows.push_back({{"name", t.name},
                    {"status", name_of(t.status)},
                    {"rel_error", finite_or_null(t.rel_error)},
                    {"cosine", finite_or_null(t.cosine)},
                    {"max_abs", finite_or_null(t.max_abs)},
                    {"rank95", rank[i] < 0 ? Json(nullptr) : Json(rank[i])}});
  }
  return rows;
}

Json evidence_of(const WeightSimilarity& s, const Json& diff) {
  Json evidence = Json::array();
  for (const TensorStatus status :
       {TensorStatus::identical, TensorStatus::requantised, TensorStatus::changed, TensorStatus::unrelated,
        TensorStatus::only_a, TensorStatus::only_b, TensorStatus::shape_differs}) {
    const std::size_t n = s.count(status);
    if (n > 0)
      evidence.push_back(fmt::format("{} of {} tensors are {}", n, s.tensors.size(), name_of(status)));
  }
  if (s.test.n > 0) {
    evidence.push_back(
        fmt::format("corresponding hidden units have a mean cosine of {:.4f} [{:.4f}, {:.4f}]; independent "
                    "initialisation gives this or more with p = {:.3g} ({}): {}",
                    s.test.effect, s.test.low, s.test.high, s.test.p, s.test.panel, s.verdict));
  }
  for (const char* part : {"config", "tokenizer", "template"}) {
    const std::size_t n = diff.at(part).size();
    evidence.push_back(n == 0 ? fmt::format("{}: no difference", part)
                              : fmt::format("{}: {} differences", part, n));
  }
  return evidence;
}

}  // namespace

Result<Json> diff_models(const std::string& model_a, const std::string& model_b,
                         const SimilarityOptions& options, ThreadPool& pool) {
  ASSAY_TRY(const ModelSide a, open_side(model_a));
  ASSAY_TRY(const ModelSide b, open_side(model_b));
  Json diff = {
      {"a", a.location.name}, {"b", b.location.name}, {"class", nullptr}, {"evidence", Json::array()}};
  ASSAY_TRY(Json config, config_differences(a.location.folder, b.location.folder));
  ASSAY_TRY(Json tokenizer, tokenizer_differences(a.location.folder, b.location.folder));
  ASSAY_TRY(Json chat, template_differences(a.location.folder, b.location.folder));
  const bool files_same = config.empty() && tokenizer.empty() && chat.empty();
  const CheckpointRows rows_a(a.checkpoint, a.block), rows_b(b.checkpoint, b.block);
  ASSAY_TRY(const WeightSimilarity s,
            compare_weights(a.location.name, rows_a, b.location.name, rows_b, options, pool));
  ASSAY_TRY(const std::vector<std::int64_t> rank, ranks(s, rows_a, rows_b, pool));
  diff["class"] = class_of(s, rank, rows_a, files_same);
  diff["tensors"] = tensor_rows(s, rank);
  diff["config"] = std::move(config);
  diff["tokenizer"] = std::move(tokenizer);
  diff["template"] = std::move(chat);
  diff["evidence"] = evidence_of(s, diff);
  diff["does_not_show"] = s.does_not_show;
  return diff;
}

std::string diff_text(const Json& diff) {
  std::string text = fmt::format("{} | {}\n  class: {}\n", diff.at("a").get<std::string>(),
                                 diff.at("b").get<std::string>(), diff.at("class").get<std::string>());
  for (const Json& line : diff.at("evidence")) text += "  " + line.get<std::string>() + "\n";
  for (const char* part : {"config", "tokenizer", "template"}) {
    for (const Json& d : diff.at(part)) {
      text += fmt::format("  {:<10}{}: {} | {}\n", part, d.at("key").get<std::string>(),
                          dump_json(d.at("a")).substr(0, 60), dump_json(d.at("b")).substr(0, 60));
    }
  }
  return text + "  does not show: " + diff.at("does_not_show").get<std::string>();
}

}  // namespace assay
