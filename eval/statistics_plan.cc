// `assay stats`: intervals of differences, variance by source, equivalence, sample sizes, stopping.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/stats/bootstrap.h"
#include "base/stats/equivalence.h"
#include "base/stats/planner.h"
#include "base/stats/possible.h"
#include "base/stats/proportion.h"
#include "base/stats/sampling.h"
#include "base/stats/sequential.h"
#include "eval/statistics_input.h"

namespace assay::statistics {
namespace {

Json number_or_blank(const std::optional<double>& value) { return value ? finite_or_null(*value) : Json(nullptr); }

Result<Json> newcombe(const Input& in) {
  ASSAY_TRY(const std::int64_t n1, whole(in, "n1", 1, stats::kMaxTrials));
  ASSAY_TRY(const std::int64_t k1, whole(in, "k1", 0, n1));
  ASSAY_TRY(const std::int64_t n2, whole(in, "n2", 1, stats::kMaxTrials));
  ASSAY_TRY(const std::int64_t k2, whole(in, "k2", 0, n2));
  ASSAY_TRY(const double level, level_of(in));
  const auto interval = stats::newcombe(k1, n1, k2, n2, level);
  const double delta = static_cast<double>(k1) / static_cast<double>(n1) - static_cast<double>(k2) / static_cast<double>(n2);
  return Json{{"delta", delta}, {"low", interval.low}, {"high", interval.high}};
}

Result<Json> newcombe_paired(const Input& in) {
  stats::PairTable table;
  constexpr std::int64_t kMost = stats::kMaxTrials / 4;
  ASSAY_TRY(table.both, whole(in, "both", 0, kMost));
  ASSAY_TRY(table.first, whole(in, "first", 0, kMost));
  ASSAY_TRY(table.second, whole(in, "second", 0, kMost));
  ASSAY_TRY(table.neither, whole(in, "neither", 0, kMost));
  ASSAY_TRY(const double level, level_of(in));
  if (table.n() == 0) return in.bad("both", "a table of pairs is empty", "at least one pair", "none");
  const auto interval = stats::newcombe_paired(table, level);
  const double delta = static_cast<double>(table.first - table.second) / static_cast<double>(table.n());
  return Json{{"delta", delta}, {"low", interval.low}, {"high", interval.high}};
}

struct Pairs {
  std::vector<double> a, b;
  std::vector<std::int64_t> cluster;
};

Result<Pairs> pairs_of(const Input& in) {
  Pairs out;
  ASSAY_TRY(out.a, numbers(in, "a", -kLargest, kLargest));
  ASSAY_TRY(out.b, numbers(in, "b", -kLargest, kLargest));
  ASSAY_OK(same_length(in, out.a.size(), out.b.size(), "b"));
  ASSAY_TRY(out.cluster, clusters(in, out.a.size(), false));
  return out;
}

Result<Json> bootstrap(const Input& in) {
  ASSAY_TRY(const Pairs pairs, pairs_of(in));
  ASSAY_TRY(const double level, level_of(in));
  std::int64_t draws = 10'000;
  if (in.has("draws")) {
    ASSAY_TRY(draws, whole(in, "draws", 1, stats::kMaxDraws));
  }
  if (static_cast<std::int64_t>(pairs.a.size()) * draws > stats::kMaxBootstrapWork)
    return in.bad("draws", "so many draws of so many items take too long", fmt::format("at most {} in all", stats::kMaxBootstrapWork), fmt::format("{}", draws));
  const auto result = stats::paired_bootstrap(pairs.a, pairs.b, pairs.cluster, level, static_cast<int>(draws), in.seed);
  return Json{{"delta", result.delta}, {"se", result.se}, {"low", result.low}, {"high", result.high}, {"p", result.p}, {"draws", draws}};
}

Result<Json> equivalence(const Input& in) {
  ASSAY_TRY(const Pairs pairs, pairs_of(in));
  ASSAY_TRY(const double margin, real(in, "margin", 1e-300, kLargest));
  ASSAY_TRY(const double alpha, open_share(in, "alpha"));
  const auto result = stats::equivalence(pairs.a, pairs.b, pairs.cluster, margin, alpha);
  Json out = {{"delta", result.delta}, {"se", number_or_blank(result.se)}, {"p_above", result.p_above}, {"p_below", result.p_below}};
  out["p"] = result.p;
  out["equivalent"] = result.equivalent;
  out["test"] = result.exact ? "exact" : "student";
  return out;
}

Result<Json> samples(const Input& in) {
  ASSAY_TRY(const auto n, counts(in, "n", 1));
  ASSAY_TRY(const auto c, counts(in, "c", 0));
  ASSAY_OK(same_length(in, n.size(), c.size(), "c"));
  for (std::size_t i = 0; i < n.size(); ++i) {
    if (c[i] > n[i]) return in.bad(fmt::format("c[{}]", i), "more samples are right than there are", fmt::format("at most {}", n[i]), fmt::format("{}", c[i]));
  }
  const auto result = stats::sampling_variance(n, c);
  Json out = {{"mean", result.mean}, {"se_fixed", number_or_blank(result.se_fixed)}, {"se_population", number_or_blank(result.se_population)}};
  out["sampling_variance"] = number_or_blank(result.sampling_variance);
  out["question_variance"] = number_or_blank(result.question_variance);
  if (!result.se_fixed) out["reason"] = "one sample of a question does not say how far another would lie";
  return out;
}

Result<Json> rounding(const Input& in) {
  ASSAY_TRY(const std::string text, json_string(in.json, "published", in.file));
  const auto published = stats::parse_published(text);
  if (!published.ok()) return in.bad("published", published.error().message, published.error().expected, text.substr(0, 40));
  const auto r = stats::rounding_interval(*published);
  return Json{{"value", published->value()}, {"rounded", {{"low", r.rounded_low}, {"high", r.rounded_high}}}, {"truncated", {{"low", r.cut_low}, {"high", r.cut_high}}}};
}

struct Wanted {
  double alpha = 0, power = 0;
};

Result<Wanted> wanted_of(const Input& in) {
  Wanted out;
  ASSAY_TRY(out.alpha, open_share(in, "alpha"));
  ASSAY_TRY(out.power, open_share(in, "power"));
  return out;
}

Result<Json> power_two(const Input& in) {
  ASSAY_TRY(const double p1, real(in, "p1", 0, 1));
  ASSAY_TRY(const double p2, real(in, "p2", 0, 1));
  ASSAY_TRY(const Wanted wanted, wanted_of(in));
  if (p1 == p2) return in.bad("p2", "the two shares are the same", "another share", fmt::format("{}", p2));
  ASSAY_TRY(const std::int64_t n, stats::items_for_two(p1, p2, wanted.alpha, wanted.power));
  return Json{{"n", n}};
}

Result<Json> power_paired(const Input& in) {
  ASSAY_TRY(const double gain, real(in, "gain", 0, 1));
  ASSAY_TRY(const double loss, real(in, "loss", 0, 1));
  ASSAY_TRY(const Wanted wanted, wanted_of(in));
  if (gain == loss || gain + loss > 1) return in.bad("loss", "the shares that turn are equal or more than all", "another share than gain, 1 together at most", fmt::format("{}", loss));
  ASSAY_TRY(const std::int64_t n, stats::pairs_for_mcnemar(gain, loss, wanted.alpha, wanted.power));
  return Json{{"n", n}, {"power", stats::mcnemar_power(n, gain, loss, wanted.alpha)}};
}

Result<Json> power_equivalence(const Input& in) {
  ASSAY_TRY(const double margin, real(in, "margin", 1e-9, kLargest));
  double delta = 0;
  if (in.has("delta")) {
    ASSAY_TRY(delta, real(in, "delta", -kLargest, kLargest));
  }
  ASSAY_TRY(const double sd, real(in, "sd", 1e-9, kLargest));
  ASSAY_TRY(const Wanted wanted, wanted_of(in));
  if (!(std::fabs(delta) < margin)) return in.bad("delta", "the true difference does not lie inside the margin", fmt::format("less than {}", margin), fmt::format("{}", delta));
  ASSAY_TRY(const std::int64_t n, stats::items_for_equivalence(delta, sd, margin, wanted.alpha, wanted.power));
  return Json{{"n", n}};
}

Result<Json> power_samples(const Input& in) {
  ASSAY_TRY(const std::int64_t items, whole(in, "items", 1, stats::kMaxTrials));
  double variance = 0.25;
  if (in.has("sampling_variance")) {
    ASSAY_TRY(variance, real(in, "sampling_variance", 0, 0.25));
  }
  ASSAY_TRY(const double se, real(in, "se", 1e-9, 1));
  ASSAY_TRY(const std::int64_t n, stats::samples_for_error(items, variance, se));
  return Json{{"samples", n}};
}

Result<Json> sequential(const Input& in) {
  ASSAY_TRY(const auto values, numbers(in, "values", 0, 1));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0 && values[i] != 1) return in.bad(fmt::format("values[{}]", i), "a value is neither right nor wrong", "0 or 1", fmt::format("{}", values[i]));
  }
  ASSAY_TRY(const double p0, open_share(in, "p0"));
  ASSAY_TRY(const double alpha, open_share(in, "alpha"));
  const auto result = stats::sequential_test(values, p0, alpha);
  return Json{{"looked", result.looked}, {"right", result.right}, {"p", result.p}, {"decided", result.decided}, {"low", result.interval.low}, {"high", result.interval.high}};
}

constexpr Entry kPlanTable[] = {{"newcombe", newcombe},
                            {"newcombe-paired", newcombe_paired},
                            {"bootstrap", bootstrap},
                            {"equivalence", equivalence},
                            {"samples", samples},
                            {"rounding", rounding},
                            {"power-two", power_two},
                            {"power-paired", power_paired},
                            {"power-equivalence", power_equivalence},
                            {"power-samples", power_samples},
                            {"sequential", sequential}};

}  // namespace

std::span<const Entry> planning_statistics() { return kPlanTable; }

}  // namespace assay::statistics
