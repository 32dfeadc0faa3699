#include "eval/compare/similarity_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reference/weights/locate.h"

namespace assay {
namespace {

constexpr std::string_view kTestName = "trace of row cosines of hidden units, Stouffer over layers";
constexpr std::uint64_t kControlSeedOffset = 0x5151;  // the control's sibling is none of the panel's

bool same_to_rounding(const WeightSimilarity& s) {
  return std::all_of(s.tensors.begin(), s.tensors.end(), [](const TensorComparison& t) {
    return t.status == TensorStatus::identical || t.status == TensorStatus::requantised;
  });
}

void decide(WeightSimilarity& s) {
  if (!s.tensors.empty() && same_to_rounding(s)) {
    s.verdict = "SAME_WEIGHTS";
    s.does_not_show =
        "who published first, or whether a change smaller than the coarser format's rounding was made";
  } else if (s.test.n == 0) {
    s.verdict = "INCONCLUSIVE";
    s.does_not_show = "anything about origin: no hidden layer of the same name and shape to compare";
  } else if (!(s.test.p_min <= kSimilarityAlpha)) {
    s.verdict = "INCONCLUSIVE";
    s.does_not_show = fmt::format("origin: with this panel no p below {:.3g} can come out", s.test.p_min);
  } else if (s.test.p <= kSimilarityAlpha) {
    s.verdict = "WEIGHTS_DESCEND";
    s.does_not_show = "direction, licence or intent, nor what was trained in between";
  } else {
    s.verdict = "WEIGHTS_INDEPENDENT_NOT_REJECTED";
    s.does_not_show =
        "that they are unrelated: permuted or rotated hidden units, and distillation, leave no trace in this "
        "test";
  }
}

// A model, opened, with the block size of its quantisation.
struct Opened {
  ModelLocation location;
  Checkpoint checkpoint;
  BlockSize block;
};

Result<Opened> open_weights(const std::string& model) {
  ASSAY_TRY(ModelLocation location, locate_model(model));
  ASSAY_TRY(Checkpoint checkpoint, Checkpoint::open(location.path));
  ASSAY_TRY(const BlockSize block, block_size_of(location.folder));
  return Opened{std::move(location), std::move(checkpoint), block};
}

}  // namespace

std::size_t WeightSimilarity::count(TensorStatus status) const {
  return static_cast<std::size_t>(std::count_if(
      tensors.begin(), tensors.end(), [&](const TensorComparison& t) { return t.status == status; }));
}

Result<WeightSimilarity> compare_weights(const std::string& name_a, const RowSource& a,
                                         const std::string& name_b, const RowSource& b,
                                         const SimilarityOptions& options, ThreadPool& pool) {
  ASSAY_CHECK(options.siblings >= 0);
  WeightSimilarity result{.a = name_a, .b = name_b};
  ASSAY_TRY(result.tensors, compare_tensors(a, b, pool));
  if (options.siblings > 0) {
    ASSAY_TRY(result.test, test_independence(a, b, options.seed, options.siblings, pool));
  }
  decide(result);
  return result;
}

Result<std::vector<WeightSimilarity>> similarity_of_weights(const std::string& model_a,
                                                            const std::string& model_b,
                                                            const SimilarityOptions& options,
                                                            ThreadPool& pool) {
  ASSAY_TRY(const Opened a, open_weights(model_a));
  ASSAY_TRY(const Opened b, open_weights(model_b));
  const CheckpointRows rows_a(a.checkpoint, a.block), rows_b(b.checkpoint, b.block);
  const SiblingRows sibling(rows_a, options.seed + kControlSeedOffset);
  std::vector<WeightSimilarity> results;
  ASSAY_TRY(WeightSimilarity pair,
            compare_weights(a.location.name, rows_a, b.location.name, rows_b, options, pool));
  results.push_back(std::move(pair));
  const std::string control_name =
      fmt::format("sibling of {} from seed {}", a.location.name, options.seed + kControlSeedOffset);
  ASSAY_TRY(WeightSimilarity control,
            compare_weights(a.location.name, rows_a, control_name, sibling, options, pool));
  results.push_back(std::move(control));
  return results;
}

Status record_weight_similarity(Database& database, const WeightSimilarity& s) {
  ASSAY_TRY(Transaction transaction, Transaction::begin(database));
  ASSAY_TRY(Statement remove, database.prepare("DELETE FROM similarity WHERE kind = 'weights' AND a = ? AND b = ? AND test = ?"));
  ASSAY_OK(remove.with(s.a, s.b, kTestName).run());
  ASSAY_TRY(
      Statement row,
      database.prepare(
          "INSERT INTO similarity (kind, a, b, test, statistic, effect, low, high, p, p_adjusted, p_min, n,"
          " panel, verdict, does_not_show) VALUES ('weights', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  const auto known = [&](double value) { return s.test.n > 0 ? std::optional<double>(value) : std::nullopt; };
  const auto panel = s.test.panel.empty() ? std::nullopt : std::optional<std::string>(s.test.panel);
  row.with(s.a, s.b, kTestName, known(s.test.statistic), known(s.test.effect), known(s.test.low),
           known(s.test.high), known(s.test.p), known(s.test.p), known(s.test.p_min), s.test.n, panel,
           s.verdict, s.does_not_show);
  ASSAY_OK(row.run());
  const std::int64_t id = database.last_id();
  ASSAY_TRY(Statement tensor,
            database.prepare(
                "INSERT INTO tensor_similarity (similarity_id, name, status, rel_error, cosine, max_abs)"
                " VALUES (?, ?, ?, ?, ?, ?)"));
  for (const TensorComparison& t : s.tensors) {
    ASSAY_OK(tensor.with(id, t.name, name_of(t.status), t.rel_error, t.cosine, t.max_abs).run());
  }
  return transaction.commit();
}

Json weight_similarity_json(const WeightSimilarity& s) {
  const auto known = [&](double value) { return s.test.n > 0 ? finite_or_null(value) : Json(nullptr); };
  Json counts = Json::object(), tensors = Json::array();
  for (const TensorComparison& t : s.tensors) {
    const std::string status(name_of(t.status));
    counts[status] = counts.value(status, 0) + 1;
    tensors.push_back({{"name", t.name},
                       {"status", status},
                       {"rel_error", finite_or_null(t.rel_error)},
                       {"cosine", finite_or_null(t.cosine)},
                       {"max_abs", finite_or_null(t.max_abs)}});
  }
  return {{"a", s.a},
          {"b", s.b},
          {"test", kTestName},
          {"statistic", known(s.test.statistic)},
          {"effect", known(s.test.effect)},
          {"low", known(s.test.low)},
          {"high", known(s.test.high)},
          {"p", known(s.test.p)},
          {"p_adjusted", known(s.test.p)},
          {"p_min", known(s.test.p_min)},
          {"n", s.test.n},
          {"panel", s.test.panel.empty() ? Json(nullptr) : Json(s.test.panel)},
          {"h0", "the two models were initialised independently"},
          {"verdict", s.verdict},
          {"does_not_show", s.does_not_show},
          {"counts", std::move(counts)},
          {"tensors", std::move(tensors)}};
}

std::string weight_similarity_text(const WeightSimilarity& s) {
  std::string text = fmt::format("{} | {}\n  {}\n", s.a, s.b, s.verdict);
  for (const TensorStatus status :
       {TensorStatus::identical, TensorStatus::requantised, TensorStatus::changed, TensorStatus::unrelated,
        TensorStatus::only_a, TensorStatus::only_b, TensorStatus::shape_differs}) {
    if (const std::size_t n = s.count(status); n > 0)
      text += fmt::format("  {:<14}{:>6} tensors\n", name_of(status), n);
  }
  if (s.test.n > 0) {
    text += fmt::format(
        "  same rows' mean cosine {:.4f} [{:.4f}, {:.4f}] over {} hidden layers, z {:.2f}, p {:.3g} "
        "(smallest possible {:.3g})\n",
        s.test.effect, s.test.low, s.test.high, s.test.n, s.test.statistic, s.test.p, s.test.p_min);
    text += fmt::format("  null: {}\n", s.test.panel);
  }
  return text + "  does not show: " + s.does_not_show;
}

}  // namespace assay
