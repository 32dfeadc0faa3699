#include "eval/compare/trace_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace assay {
namespace {

constexpr double kUnit = 0x1p-24;          // f32, round to nearest
constexpr double kTraceLambda = 4;              // see the header
constexpr double kProducts = 3;            // one after the other in a layer
constexpr double kChain = 512;             // kBlockK of kernels/contract.h
constexpr std::size_t kShownRouters = 20;  // in words; --json has all

struct PointPair {
  const TraceFile& a;
  const TraceFile& b;
  std::optional<double> tolerance;
  std::int64_t n_layers = 0;
  bool same_arithmetic() const { return a.arithmetic() == b.arithmetic(); }
};

struct TracePlace {  // of one point in both files
  std::size_t a = 0, b = 0;
};

Error differ(const std::string& message, const std::string& file, std::string field, std::string expected,
             std::string got) {
  return Error{.code = Code::bad_value,
               .message = message,
               .file = file,
               .field = std::move(field),
               .expected = std::move(expected),
               .got = std::move(got)};
}

Status check_prompts(const PointPair& pair) {
  if (pair.a.n_prompts() != pair.b.n_prompts()) {
    return differ("the traces are of different prompts", pair.b.path(), "ids",
                  fmt::format("{} prompts", pair.a.n_prompts()), std::to_string(pair.b.n_prompts()));
  }
  for (std::size_t i = 0; i < pair.a.n_prompts(); ++i) {
    if (pair.a.ids(i) == pair.b.ids(i)) continue;
    return differ("the traces are of different prompts", pair.b.path(), fmt::format("ids.{}", i),
                  "the same token ids", fmt::format("{} ids that differ", pair.b.ids(i).size()));
  }
  return {};
}

void see_row(PointDifference& d, bool beyond, std::int64_t prompt, std::int64_t token) {
  if (!beyond) return;
  ++d.rows_beyond;
  if (!d.first) d.first = Parting{prompt, token};
}

// Largest |a - b| of a row; a NaN on one side alone is NaN.
double row_difference(const double* a, const double* b, std::int64_t width) {
  double largest = 0;
  for (std::int64_t i = 0; i < width; ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    const double each = a[i] == b[i] ? 0 : std::abs(a[i] - b[i]);
    if (!(each <= largest)) largest = each;
    if (std::isnan(largest)) break;
  }
  return largest;
}

double wider(double x, double y) { return std::isnan(x) || x >= y ? x : y; }

void compare_values(const PointPair& pair, std::size_t prompt, TracePlace at, const std::vector<double>& a,
                    const std::vector<double>& b, PointDifference& d) {
  const std::int64_t width = pair.a.width(at.a), n = static_cast<std::int64_t>(pair.a.ids(prompt).size());
  const auto digests_a = pair.a.digests(prompt, at.a), digests_b = pair.b.digests(prompt, at.b);
  double scale = 0;
  for (const double each : b) {
    if (std::abs(each) > scale) scale = std::abs(each);
  }
  for (std::int64_t t = 0; t < n; ++t) {
    const double difference = row_difference(a.data() + t * width, b.data() + t * width, width);
    const double relative = difference == 0 ? 0 : difference / scale;
    d.max_abs = wider(d.max_abs, difference);
    d.relative = wider(d.relative, relative);
    const bool bits = digests_a[static_cast<std::size_t>(t)] == digests_b[static_cast<std::size_t>(t)];
    see_row(d, d.tolerance == 0 ? !bits : !(relative <= d.tolerance), static_cast<std::int64_t>(prompt), t);
  }
}

void compare_digests(const PointPair& pair, std::size_t prompt, TracePlace at, PointDifference& d) {
  const auto a = pair.a.digests(prompt, at.a), b = pair.b.digests(prompt, at.b);
  for (std::size_t t = 0; t < a.size(); ++t)
    see_row(d, a[t] != b[t], static_cast<std::int64_t>(prompt), static_cast<std::int64_t>(t));
}

Result<PointDifference> compare_point(const PointPair& pair, TracePlace at) {
  PointDifference d{.key = pair.a.points()[at.a]};
  if (pair.a.width(at.a) != pair.b.width(at.b)) {
    return differ("a point has another width: the models have different shapes", pair.b.path(), d.key.text(),
                  std::to_string(pair.a.width(at.a)), std::to_string(pair.b.width(at.b)));
  }
  d.tolerance = pair.tolerance.value_or(pair.same_arithmetic() ? 0 : f32_bound(d.key, pair.n_layers));
  d.compared = d.has_values = true;
  for (std::size_t i = 0; i < pair.a.n_prompts(); ++i) {
    const auto a = pair.a.values(i, at.a), b = pair.b.values(i, at.b);
    if (!a.empty() && !b.empty()) {
      compare_values(pair, i, at, a, b, d);
      continue;
    }
    d.has_values = false;
    d.compared = pair.same_arithmetic() && d.tolerance == 0;
    if (!d.compared) break;
    compare_digests(pair, i, at, d);
  }
  return d;
}

Status compare_routing(const PointPair& pair, std::size_t prompt, TraceDifference& out) {
  const RouterTrace a = pair.a.routing(prompt), b = pair.b.routing(prompt);
  if (a.n_moe_layers != b.n_moe_layers || a.n_chosen != b.n_chosen) {
    return differ("the routers have different shapes", pair.b.path(), fmt::format("experts.{}", prompt),
                  fmt::format("{} layers, {} chosen", a.n_moe_layers, a.n_chosen),
                  fmt::format("{} layers, {} chosen", b.n_moe_layers, b.n_chosen));
  }
  const auto k = static_cast<std::size_t>(a.n_chosen);
  for (std::size_t row = 0; row < a.margins.size(); ++row) {
    ++out.decisions;
    const auto begin_a = a.experts.begin() + static_cast<std::ptrdiff_t>(row * k),
               begin_b = b.experts.begin() + static_cast<std::ptrdiff_t>(row * k);
    const std::vector<std::int32_t> from_a(begin_a, begin_a + static_cast<std::ptrdiff_t>(k)),
        from_b(begin_b, begin_b + static_cast<std::ptrdiff_t>(k));
    if (from_a == from_b) continue;
    out.routers.push_back({.prompt = static_cast<std::int64_t>(prompt),
                           .moe_layer = static_cast<std::int64_t>(row) / a.n_tokens,
                           .token = static_cast<std::int64_t>(row) % a.n_tokens,
                           .a = from_a,
                           .b = from_b,
                           .margin_a = a.margins[row],
                           .margin_b = b.margins[row]});
  }
  return {};
}

std::int64_t layers_of(const TraceFile& trace) {
  std::int64_t n = 0;
  for (const PointKey& key : trace.points()) n = std::max(n, key.layer + 1);
  return n;
}

// Points of both, and the names of those that only one has.
std::vector<TracePlace> match_points(const TraceFile& a, const TraceFile& b, TraceDifference& out) {
  std::vector<TracePlace> both;
  std::size_t i = 0, j = 0;
  while (i < a.points().size() || j < b.points().size()) {
    const bool at_end_a = i == a.points().size(), at_end_b = j == b.points().size();
    if (!at_end_a && (at_end_b || a.points()[i] < b.points()[j])) {
      out.only_a.push_back(a.points()[i++].text());
    } else if (!at_end_b && (at_end_a || b.points()[j] < a.points()[i])) {
      out.only_b.push_back(b.points()[j++].text());
    } else {
      both.push_back({i++, j++});
    }
  }
  return both;
}

Json point_json(const PointDifference& d) {
  Json first = nullptr;
  if (d.first) first = {{"prompt", d.first->prompt}, {"token", d.first->token}};
  return {{"point", name_of(d.key.point)},
          {"layer", d.key.layer == kNoLayer ? Json(nullptr) : Json(d.key.layer)},
          {"compared", d.compared},
          {"max_abs", d.has_values ? finite_or_null(d.max_abs) : Json(nullptr)},
          {"relative", d.has_values ? finite_or_null(d.relative) : Json(nullptr)},
          {"tolerance", d.tolerance},
          {"rows_beyond", d.rows_beyond},
          {"first", first}};
}

std::string point_text(const PointDifference& d) {
  if (!d.compared) return fmt::format("  {:<30} not kept in both", d.key.text());
  const std::string where =
      d.first ? fmt::format("from token {} of prompt {}", d.first->token, d.first->prompt) : "";
  const std::string size =
      d.has_values ? fmt::format("{:<10.3g} {:<10.3g}", d.max_abs, d.relative) : fmt::format("{:<21}", "");
  return fmt::format("  {:<30} {} {:>6} rows {}", d.key.text(), size, d.rows_beyond, where);
}

}  // namespace

double f32_bound(const PointKey& key, std::int64_t n_layers) {
  if (key.point == Point::embedding) return kUnit;
  const std::int64_t depth = belongs_to_layer(key.point) ? key.layer + 1 : n_layers + 1;
  return static_cast<double>(depth) * kProducts * kTraceLambda * std::sqrt(kChain) * kUnit;
}

const PointDifference* TraceDifference::first() const {
  const auto at = std::find_if(points.begin(), points.end(),
                               [](const PointDifference& d) { return d.first.has_value(); });
  return at == points.end() ? nullptr : &*at;
}

Result<TraceDifference> diff_traces(const std::string& path_a, const std::string& path_b,
                                    std::optional<double> tolerance) {
  if (tolerance && !(*tolerance >= 0)) {
    return Error{.code = Code::usage,
                 .message = "a tolerance is not negative",
                 .field = "--tolerance",
                 .got = fmt::format("{}", *tolerance)};
  }
  ASSAY_TRY(const TraceFile a, TraceFile::open(path_a));
  ASSAY_TRY(const TraceFile b, TraceFile::open(path_b));
  const PointPair pair{a, b, tolerance, std::max(layers_of(a), layers_of(b))};
  ASSAY_OK(check_prompts(pair));
  TraceDifference out{.arithmetic_a = a.arithmetic(), .arithmetic_b = b.arithmetic()};
  bool any = false;
  for (const TracePlace& at : match_points(a, b, out)) {
    ASSAY_TRY(PointDifference d, compare_point(pair, at));
    any = any || d.compared;
    out.points.push_back(std::move(d));
  }
  if (!any) {
    return Error{.code = Code::usage,
                 .message =
                     "digests show equal bits alone; for a tolerance, or f32 against f64, write both traces "
                     "with --trace-tensors",
                 .file = path_b,
                 .expected = a.arithmetic(),
                 .got = b.arithmetic()};
  }
  for (std::size_t i = 0; i < a.n_prompts(); ++i) ASSAY_OK(compare_routing(pair, i, out));
  return out;
}

Json to_json(const TraceDifference& d) {
  Json points = Json::array(), routers = Json::array();
  for (const PointDifference& each : d.points) points.push_back(point_json(each));
  for (const RouterDifference& each : d.routers) {
    routers.push_back({{"prompt", each.prompt},
                       {"moe_layer", each.moe_layer},
                       {"token", each.token},
                       {"a", each.a},
                       {"b", each.b},
                       {"margin_a", finite_or_null(each.margin_a)},
                       {"margin_b", finite_or_null(each.margin_b)}});
  }
  return {{"arithmetic", {{"a", d.arithmetic_a}, {"b", d.arithmetic_b}}},
          {"same", d.same()},
          {"first", d.first() ? point_json(*d.first()) : Json(nullptr)},
          {"points", points},
          {"only_in_a", d.only_a},
          {"only_in_b", d.only_b},
          {"decisions", d.decisions},
          {"router_differences", routers}};
}

std::string to_text(const TraceDifference& d) {
  std::string out = fmt::format("{} against {}: ", d.arithmetic_a, d.arithmetic_b);
  if (const PointDifference* first = d.first()) {
    out += fmt::format("they part at {}, token {} of prompt {}\n", first->key.text(), first->first->token,
                       first->first->prompt);
  } else {
    out += d.same() ? "no point parts\n" : "no point parts, but the traces are not the same\n";
  }
  out += fmt::format("  {:<30} {:<10} {:<10} {:>6}\n", "point", "max abs", "relative", "beyond");
  for (const PointDifference& each : d.points) out += point_text(each) + "\n";
  for (const std::string& name : d.only_a) out += fmt::format("  {} is in the first alone\n", name);
  for (const std::string& name : d.only_b) out += fmt::format("  {} is in the second alone\n", name);
  out += fmt::format("{} of {} router decisions differ", d.routers.size(), d.decisions);
  for (std::size_t i = 0; i < std::min(d.routers.size(), kShownRouters); ++i) {
    const RouterDifference& r = d.routers[i];
    out += fmt::format(
        "\n  mixture layer {}, token {} of prompt {}: {} (margin {:.3g}) against {} (margin {:.3g})",
        r.moe_layer, r.token, r.prompt, fmt::join(r.a, " "), r.margin_a, fmt::join(r.b, " "), r.margin_b);
  }
  if (d.routers.size() > kShownRouters)
    out += fmt::format("\n  and {} more; --json lists all", d.routers.size() - kShownRouters);
  return out;
}

}  // namespace assay
