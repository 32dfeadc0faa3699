#include "eval/statistics.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/stats/binomial.h"
#include "base/stats/equivalence.h"
#include "base/stats/multiple.h"
#include "base/stats/paired.h"
#include "base/stats/passk.h"
#include "base/stats/possible.h"
#include "base/stats/power.h"
#include "base/stats/proportion.h"

namespace assay {
namespace {

// The document with its file name, for typed access with one-sentence errors.
struct Input {
  const Json& json;
  std::string_view file;
  std::uint64_t seed;

  bool has(std::string_view field) const { return json.is_object() && json.contains(std::string(field)); }
  const Json& at(std::string_view field) const { return json.at(std::string(field)); }

  Error bad(std::string_view field, std::string message, std::string expected, std::string got) const {
    return Error{.code = Code::bad_value,
                 .message = std::move(message),
                 .file = std::string(file),
                 .field = std::string(field),
                 .expected = std::move(expected),
                 .got = std::move(got)};
  }
};

Result<std::int64_t> whole(const Input& in, std::string_view field, std::int64_t low, std::int64_t high) {
  ASSAY_TRY(const std::int64_t value, json_int(in.json, field, in.file));
  if (value >= low && value <= high) return value;
  return in.bad(field, "a count is out of range", fmt::format("{} to {}", low, high),
                fmt::format("{}", value));
}

Result<double> real(const Input& in, std::string_view field, double low, double high) {
  ASSAY_TRY(const double value, json_number(in.json, field, in.file));
  if (value >= low && value <= high) return value;
  return in.bad(field, "a number is out of range", fmt::format("{} to {}", low, high),
                fmt::format("{}", value));
}

// A probability strictly between 0 and 1: levels, alpha, power.
Result<double> open_share(const Input& in, std::string_view field) {
  ASSAY_TRY(const double value, json_number(in.json, field, in.file));
  if (value > 0 && value < 1) return value;
  return in.bad(field, "a share is out of range", "more than 0 and less than 1", fmt::format("{}", value));
}

Result<double> level_of(const Input& in) {
  if (!in.has("level")) return 0.95;
  return open_share(in, "level");
}

Result<const Json*> list(const Input& in, std::string_view field) {
  const bool there = in.has(field);
  if (there && in.at(field).is_array() && !in.at(field).empty()) return &in.at(field);
  return Error{.code = there ? Code::bad_value : Code::missing_field,
               .message = there ? "a field is not a list with values" : "a field is missing",
               .file = std::string(in.file),
               .field = std::string(field),
               .expected = "a list that is not empty",
               .got = !there                    ? "nothing"
                      : in.at(field).is_array() ? "an empty list"
                                                : in.at(field).type_name()};
}

Result<std::vector<double>> numbers(const Input& in, std::string_view field, double low, double high) {
  ASSAY_TRY(const Json* values, list(in, field));
  std::vector<double> out;
  out.reserve(values->size());
  for (const Json& v : *values) {
    const double number = v.is_number() ? v.get<double>() : std::nan("");
    if (!(number >= low && number <= high)) {
      return in.bad(fmt::format("{}[{}]", field, out.size()), "a value of a list cannot be used",
                    fmt::format("a number from {} to {}", low, high), dump_json(v).substr(0, 80));
    }
    out.push_back(number);
  }
  return out;
}

Result<std::vector<std::int64_t>> counts(const Input& in, std::string_view field, std::int64_t low) {
  ASSAY_TRY(const Json* values, list(in, field));
  std::vector<std::int64_t> out;
  out.reserve(values->size());
  for (const Json& v : *values) {
    const bool small = v.is_number_integer() && v.get<double>() >= static_cast<double>(low) &&
                       v.get<double>() <= static_cast<double>(stats::kMaxTrials);
    if (!small) {
      return in.bad(fmt::format("{}[{}]", field, out.size()), "a value of a list cannot be used",
                    fmt::format("a whole number from {} to {}", low, stats::kMaxTrials),
                    dump_json(v).substr(0, 80));
    }
    out.push_back(v.get<std::int64_t>());
  }
  return out;
}

// Names of clusters, strings or whole numbers, as numbers in order of first appearance; empty where the key
// is absent.
Result<std::vector<std::int64_t>> clusters(const Input& in, std::size_t length, bool needed) {
  if (!needed && (!in.has("cluster") || in.at("cluster").is_null())) return std::vector<std::int64_t>{};
  ASSAY_TRY(const Json* values, list(in, "cluster"));
  if (values->size() != length) {
    return in.bad("cluster", "two lists differ in length", fmt::format("{} values", length),
                  fmt::format("{}", values->size()));
  }
  std::unordered_map<std::string, std::int64_t> known;
  std::vector<std::int64_t> out;
  for (const Json& v : *values) {
    if (!v.is_string() && !v.is_number_integer()) {
      return in.bad(fmt::format("cluster[{}]", out.size()), "a cluster cannot be used as a name",
                    "a string or a whole number", dump_json(v).substr(0, 80));
    }
    out.push_back(known.try_emplace(dump_json(v), static_cast<std::int64_t>(known.size())).first->second);
  }
  return out;
}

Status same_length(const Input& in, std::size_t first, std::size_t second, std::string_view field) {
  if (first == second) return {};
  return in.bad(field, "two lists differ in length", fmt::format("{} values", first),
                fmt::format("{}", second));
}

Result<Json> proportion(const Input& in) {
  ASSAY_TRY(const std::int64_t n, whole(in, "n", 1, stats::kMaxTrials));
  ASSAY_TRY(const std::int64_t k, whole(in, "k", 0, n));
  ASSAY_TRY(const double level, level_of(in));
  ASSAY_TRY(const std::string method, json_string(in.json, "method", in.file));
  if (method != "clopper-pearson" && method != "wilson") {
    return in.bad("method", "an interval of that name is not known", "clopper-pearson or wilson", method);
  }
  const auto interval = method == "wilson" ? stats::wilson(k, n, level) : stats::clopper_pearson(k, n, level);
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

constexpr double kLargest = 1e150;  // squares and their sums stay finite
constexpr const char* kOneValue = "a single value has no standard error";

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
  return out;
}

struct Entry {
  std::string_view name;
  Result<Json> (*run)(const Input&);
};

constexpr Entry kTable[] = {
    {"proportion", proportion}, {"binomial", binomial}, {"mcnemar", mcnemar},  {"paired", paired},
    {"cluster", cluster},       {"tost", tost},         {"holm", holm},        {"bh", bh},
    {"power", power},           {"passk", passk},       {"possible", possible}};

}  // namespace

std::vector<std::string_view> statistic_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kTable) names.push_back(entry.name);
  return names;
}

Result<Json> run_statistic(std::string_view name, const Json& in, std::string_view file, std::uint64_t seed) {
  for (const Entry& entry : kTable) {
    if (entry.name == name) return entry.run(Input{in, file, seed});
  }
  return Error{.code = Code::usage,
               .message = "a statistic of that name is not known",
               .expected = fmt::format("{}", fmt::join(statistic_names(), " ")),
               .got = std::string(name)};
}

}  // namespace assay
