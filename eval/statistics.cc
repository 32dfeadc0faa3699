#include "eval/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/stats/binomial.h"
#include "base/stats/equivalence.h"
#include "base/stats/multiple.h"
#include "base/stats/paired.h"
#include "base/stats/passk.h"
#include "base/stats/possible.h"
#include "base/stats/power.h"
#include "base/stats/proportion.h"
#include "eval/statistics_input.h"

namespace assay {
namespace {

using namespace statistics;

Result<Json> proportion(const Input& in) {
  ASSAY_TRY(const std::int64_t n, whole(in, "n", 1, stats::kMaxTrials));
  ASSAY_TRY(const std::int64_t k, whole(in, "k", 0, n));
  ASSAY_TRY(const double level, level_of(in));
  ASSAY_TRY(const std::string method, json_string(in.json, "method", in.file));
  if (method != "clopper-pearson" && method != "wilson" && method != "agresti-coull") {
    return in.bad("method", "an interval of that name is not known", "clopper-pearson, wilson or agresti-coull", method);
  }
  const auto interval = method == "wilson"          ? stats::wilson(k, n, level)
                        : method == "agresti-coull" ? stats::agresti_coull(k, n, level)
                                                    : stats::clopper_pearson(k, n, level);
  return Json{{"value", static_cast<double>(k) / static_cast<double>(n)},
              {"low", interval.low},
              {"high", interval.high}};
}

Result<stats::Alternative> alternative_of(const Input& in, bool two_sided_too) {
  ASSAY_TRY(const std::string name, json_string(in.json, "alternative", in.file));
  if (name == "less") return stats::Alternative::less;
  if (name == "greater") return stats::Alternative::greater;
  if (name == "two-sided" && two_sided_too) return stats::Alternative::two_sided;
  return in.bad("alternative", "an alternative of that name is not known",
                two_sided_too ? "two-sided, less or greater" : "less or greater", name);
}

Result<Json> binomial(const Input& in) {
  ASSAY_TRY(const std::int64_t n, whole(in, "n", 1, stats::kMaxTrials));
  ASSAY_TRY(const std::int64_t k, whole(in, "k", 0, n));
  ASSAY_TRY(const double p0, real(in, "p0", 0, 1));
  ASSAY_TRY(const stats::Alternative alternative, alternative_of(in, true));
  return Json{{"p", stats::binomial_test(k, n, p0, alternative)}};
}

Result<Json> mcnemar(const Input& in) {
  ASSAY_TRY(const std::int64_t b, whole(in, "b", 0, stats::kMaxTrials / 2));
  ASSAY_TRY(const std::int64_t c, whole(in, "c", 0, stats::kMaxTrials / 2));
  return Json{{"p", stats::mcnemar_exact(b, c)}};
}

void put_error(Json& out, const std::optional<double>& se) {
  out["se"] = se ? finite_or_null(*se) : Json(nullptr);
}

Result<Json> paired(const Input& in) {
  ASSAY_TRY(const auto a, numbers(in, "a", -kLargest, kLargest));
  ASSAY_TRY(const auto b, numbers(in, "b", -kLargest, kLargest));
  ASSAY_OK(same_length(in, a.size(), b.size(), "b"));
  ASSAY_TRY(const auto cluster, clusters(in, a.size(), false));
  ASSAY_TRY(const double level, level_of(in));
  const auto result = stats::paired_difference(a, b, cluster, level, in.seed);
  Json out = {{"delta", result.delta}};
  put_error(out, result.se);
  const auto known = [&](double value) { return result.se ? Json(value) : Json(nullptr); };
  out["low"] = known(result.low);
  out["high"] = known(result.high);
  out["p_sign_flip"] = result.p_sign_flip;
  out["p_normal"] = known(result.p_normal);
  out["sign_flip_exact"] = result.sign_flip_exact;
  if (!result.se) out["reason"] = kOneValue;
  return out;
}

Result<Json> cluster(const Input& in) {
  ASSAY_TRY(const auto value, numbers(in, "value", -kLargest, kLargest));
  ASSAY_TRY(const auto names, clusters(in, value.size(), true));
  const auto result = stats::cluster_mean(value, names);
  Json out = {{"mean", result.mean}};
  put_error(out, result.se);
  if (!result.se) out["reason"] = kOneValue;
  return out;
}

Result<Json> tost(const Input& in) {
  ASSAY_TRY(const double delta, real(in, "delta", -kLargest, kLargest));
  ASSAY_TRY(const double se, real(in, "se", 0, kLargest));
  ASSAY_TRY(const double margin, real(in, "margin", 0, kLargest));
  ASSAY_TRY(const double alpha, open_share(in, "alpha"));
  const auto result = stats::tost(delta, se, margin, alpha);
  return Json{{"p", result.p}, {"equivalent", result.equivalent}};
}

Result<Json> holm(const Input& in) {
  ASSAY_TRY(const auto p, numbers(in, "p", 0, 1));
  return Json{{"adjusted", stats::holm(p)}};
}

Result<Json> bh(const Input& in) {
  ASSAY_TRY(const auto p, numbers(in, "p", 0, 1));
  return Json{{"adjusted", stats::benjamini_hochberg(p)}};
}

Result<Json> power(const Input& in) {
  ASSAY_TRY(const double p0, real(in, "p0", 0, 1));
  ASSAY_TRY(const double p1, real(in, "p1", 0, 1));
  ASSAY_TRY(const double alpha, open_share(in, "alpha"));
  ASSAY_TRY(const double wanted, open_share(in, "power"));
  ASSAY_TRY(const stats::Alternative alternative, alternative_of(in, false));
  const bool less = alternative == stats::Alternative::less;
  if (less ? !(p1 < p0) : !(p1 > p0)) {
    return in.bad("p1", "the alternative lies on the other side of p0",
                  fmt::format("{} than p0 = {}", less ? "less" : "more", p0), fmt::format("{}", p1));
  }
  ASSAY_TRY(const std::int64_t n, stats::sample_size(p0, p1, alpha, wanted, alternative));
  return Json{{"n", n}};
}

Result<Json> passk(const Input& in) {
  ASSAY_TRY(const auto n, counts(in, "n", 1));
  ASSAY_TRY(const auto c, counts(in, "c", 0));
  ASSAY_OK(same_length(in, n.size(), c.size(), "c"));
  ASSAY_TRY(const std::int64_t k, whole(in, "k", 1, stats::kMaxTrials));
  for (std::size_t i = 0; i < n.size(); ++i) {
    if (c[i] > n[i]) {
      return in.bad(fmt::format("c[{}]", i), "more samples are right than there are",
                    fmt::format("at most {}", n[i]), fmt::format("{}", c[i]));
    }
    if (k > n[i]) {
      return in.bad("k", "pass@k needs at least k samples of every item",
                    fmt::format("at most {}, as n[{}]", n[i], i), fmt::format("{}", k));
    }
  }
  return Json{{"value", stats::mean_pass_at_k(n, c, k)}};
}

Result<Json> possible(const Input& in) {
  ASSAY_TRY(const std::string text, json_string(in.json, "published", in.file));
  auto published = stats::parse_published(text);
  if (!published.ok()) {
    Error error = std::move(published).error();
    error.file = std::string(in.file);
    return error;
  }
  ASSAY_TRY(const std::int64_t n, whole(in, "n", 1, stats::kMaxTrials));
  std::int64_t samples = 1, scale = 100;
  if (in.has("samples")) {
    ASSAY_TRY(samples, whole(in, "samples", 1, 1000));
  }
  if (in.has("scale")) {
    ASSAY_TRY(const double number, real(in, "scale", 1, static_cast<double>(stats::kMaxScale)));
    if (number != std::floor(number))
      return in.bad("scale", "a scale is not whole", "such as 1 or 100", fmt::format("{}", number));
    scale = static_cast<std::int64_t>(number);
  }
  const auto result = stats::possible_counts(*published, n * samples, scale);
  Json out = {{"possible", result.possible}, {"nearest", result.nearest}};
  if (result.possible) out["counts"] = {{"first", result.first}, {"last", result.last}};
  out["by"] = Json::array();
  const std::pair<const char*, stats::Rounding> rules[] = {
      {"half-up", stats::Rounding::half_up}, {"half-even", stats::Rounding::half_even}, {"truncation", stats::Rounding::cut_off}};
  for (const auto& [name, rule] : rules) {
    if (!stats::counts_under(*published, n * samples, scale, rule).empty()) out["by"].push_back(name);
  }
  return out;
}

constexpr Entry kTable[] = {
    {"proportion", proportion}, {"binomial", binomial}, {"mcnemar", mcnemar},  {"paired", paired},
    {"cluster", cluster},       {"tost", tost},         {"holm", holm},        {"bh", bh},
    {"power", power},           {"passk", passk},       {"possible", possible}};

}  // namespace

std::vector<std::string_view> statistic_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kTable) names.push_back(entry.name);
  for (const Entry& entry : planning_statistics()) names.push_back(entry.name);
  return names;
}

Result<Json> run_statistic(std::string_view name, const Json& in, std::string_view file, std::uint64_t seed) {
  for (const Entry& entry : kTable) {
    if (entry.name == name) return entry.run(Input{in, file, seed});
  }
  for (const Entry& entry : planning_statistics()) {
    if (entry.name == name) return entry.run(Input{in, file, seed});
  }
  return Error{.code = Code::usage,
               .message = "a statistic of that name is not known",
               .expected = fmt::format("{}", fmt::join(statistic_names(), " ")),
               .got = std::string(name)};
}

}  // namespace assay
