#include "eval/compare/compare_sides.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/stats/exact.h"
#include "base/stats/multiple.h"
#include "base/stats/normal.h"

namespace assay {
namespace {

constexpr double kAlpha = 0.05;
constexpr std::size_t kShownFlips = 8;

struct Side {
  std::int64_t run = 0;
  std::string suite, protocol, metric;
};
using Sides = std::map<std::pair<std::string, std::string>, Side>;  // by suite and protocol

std::optional<std::int64_t> as_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Complete runs, oldest first, so that the newest of each suite and protocol stays.
Result<Sides> sides_of(const Database& database, const std::string& name) {
  const std::optional<std::int64_t> number = as_number(name);
  ASSAY_TRY(Statement rows, database.prepare(fmt::format(
                                "SELECT r.id, s.name, p.name, p.main_metric, r.status FROM main.run r JOIN main.suite s ON s.id = r.suite_id "
                                "JOIN main.protocol p ON p.id = r.protocol_id JOIN main.model m ON m.id = r.model_id WHERE {} ORDER BY r.id",
                                number ? "r.id = ?1" : "m.name = ?1 AND r.status = 'complete'")));
  if (number) rows.with(*number);
  else rows.with(name);
  Sides out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) break;
    if (rows.text(4) != "complete") {
      return Error{.code = Code::bad_value, .message = "that run is not complete; finish it with `assay resume`", .file = database.path(), .field = "run",
                   .got = name};
    }
    out[{rows.text(1), rows.text(2)}] = {rows.integer(0), rows.text(1), rows.text(2), rows.text(3)};
  }
  if (!out.empty()) return out;
  return Error{.code = Code::not_found, .message = "there is no run of that number, nor a complete run of a model of that name", .file = database.path(),
               .field = "run", .got = name};
}

Result<std::vector<SidePair>> pair_up(const Database& database, const std::string& a, const std::string& b, std::uint64_t seed) {
  ASSAY_TRY(const Sides left, sides_of(database, a));
  ASSAY_TRY(const Sides right, sides_of(database, b));
  std::vector<SidePair> out;
  const bool two_runs = as_number(a) && as_number(b);  // then the protocols may differ: that can be what is asked
  for (const auto& [key, side] : left) {
    const auto other = two_runs ? right.begin() : right.find(key);
    if (other == right.end()) continue;
    SidePair pair{.suite = side.suite, .protocol = side.protocol, .metric = side.metric, .lower_is_better = side.metric == "bits_per_byte", .runs = {}};
    if (other->second.protocol != side.protocol) pair.protocol += ", " + other->second.protocol;
    ASSAY_TRY(pair.runs, compare_runs(database, side.run, other->second.run, seed));
    out.push_back(std::move(pair));
  }
  if (!out.empty()) return out;
  return Error{.code = Code::bad_value, .message = "the two sides have no suite under one protocol in common", .file = database.path(),
               .expected = fmt::format("{} under {}", left.begin()->second.suite, left.begin()->second.protocol),
               .got = fmt::format("{} under {}", right.begin()->second.suite, right.begin()->second.protocol)};
}

// How much B gained over A, so that more is better.
double gain(const SidePair& pair) { return pair.lower_is_better ? -pair.runs.delta : pair.runs.delta; }

bool same_items(const SidePair& pair) { return pair.runs.n_changed == 0; }

std::vector<double> holm_of(const std::vector<SidePair>& pairs, double (*p_of)(const SidePair&)) {
  std::vector<double> p;
  for (const SidePair& pair : pairs) p.push_back(p_of(pair));
  return stats::holm(p);
}

bool any(const std::vector<SidePair>& pairs, std::string_view verdict) { return std::ranges::count(pairs, verdict, &SidePair::verdict) > 0; }
bool all(const std::vector<SidePair>& pairs, std::string_view verdict) {
  return std::ranges::count(pairs, verdict, &SidePair::verdict) == static_cast<std::ptrdiff_t>(pairs.size());
}

// p of "the gain is at most `threshold`", small: a larger gain is shown.
double exceeds_p(const SidePair& pair, double threshold, bool loss) {
  const RunComparison& r = pair.runs;
  const double sign = loss ? -1 : 1;
  if (r.gained) {
    if (!(threshold < 1)) return 1;  // a share cannot change by more than one
    if (!(threshold > -1)) return 0;
    return loss ? stats::difference_exceeds_p(*r.lost, *r.gained, r.n, threshold) : stats::difference_exceeds_p(*r.gained, *r.lost, r.n, threshold);
  }
  if (!r.se) return 1;
  const double distance = sign * gain(pair) - threshold;
  if (!(*r.se > 0)) return distance > 0 ? 0 : 1;
  return static_cast<double>(stats::normal_cdf(static_cast<long double>(-distance) / *r.se));
}

std::string shown_flips(const std::vector<std::string>& flips) {
  std::string out;
  for (std::size_t i = 0; i < std::min(flips.size(), kShownFlips); ++i) out += (i > 0 ? ", " : "") + flips[i];
  return flips.size() > kShownFlips ? fmt::format("{} and {} more", out, flips.size() - kShownFlips) : out;
}

Json maybe(const std::optional<double>& value) { return value ? finite_or_null(*value) : Json(nullptr); }
Json maybe(const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

Result<SideComparison> compare_sides(const Database& database, const std::string& a, const std::string& b, std::uint64_t seed) {
  SideComparison out;
  ASSAY_TRY(out.suites, pair_up(database, a, b, seed));
  const std::vector<double> adjusted = holm_of(out.suites, [](const SidePair& pair) { return pair.runs.p.value_or(1); });
  for (std::size_t i = 0; i < out.suites.size(); ++i) {
    SidePair& pair = out.suites[i];
    pair.p_adjusted = adjusted[i];
    pair.verdict = same_items(pair) ? "same" : !(adjusted[i] < kAlpha) ? "undecided" : gain(pair) > 0 ? "better" : "worse";
  }
  out.verdict = any(out.suites, "worse") ? "worse" : all(out.suites, "same") ? "same" : any(out.suites, "undecided") ? "undecided" : "better";
  return out;
}

Result<SideComparison> gate_sides(const Database& database, const std::string& base, const std::string& tested, double margin, std::uint64_t seed) {
  ASSAY_CHECK(margin >= 0);
  SideComparison out;
  ASSAY_TRY(out.suites, pair_up(database, base, tested, seed));
  for (SidePair& pair : out.suites) {
    pair.margin = margin;
    pair.p_worse = exceeds_p(pair, margin, true);
    pair.p_not_worse = exceeds_p(pair, -margin, false);
  }
  // All suites must pass, so each passes by its own test; one that fails is one of several looked at.
  const std::vector<double> adjusted = holm_of(out.suites, [](const SidePair& pair) { return *pair.p_worse; });
  for (std::size_t i = 0; i < out.suites.size(); ++i) {
    SidePair& pair = out.suites[i];
    pair.p_adjusted = adjusted[i];
    pair.verdict = adjusted[i] < kAlpha ? "fail" : *pair.p_not_worse < kAlpha ? "pass" : "undecided";
  }
  out.verdict = any(out.suites, "fail") ? "fail" : all(out.suites, "pass") ? "pass" : "undecided";
  return out;
}

Json sides_json(const SideComparison& comparison) {
  Json suites = Json::array();
  for (const SidePair& s : comparison.suites) {
    Json one = {{"suite", s.suite},           {"protocol", s.protocol},   {"metric", s.metric},
                {"run_a", s.runs.run_a},      {"run_b", s.runs.run_b},    {"n", s.runs.n},
                {"delta", s.runs.delta},      {"se", maybe(s.runs.se)},   {"low", maybe(s.runs.low)},
                {"high", maybe(s.runs.high)}, {"level", s.runs.level},    {"gained", maybe(s.runs.gained)},
                {"lost", maybe(s.runs.lost)}, {"test", s.runs.test},      {"p", maybe(s.runs.p)},
                {"p_adjusted", maybe(s.p_adjusted)}, {"flips", s.runs.flips}, {"lower_is_better", s.lower_is_better}};
    if (s.margin) one.update({{"margin", *s.margin}, {"p_worse", maybe(s.p_worse)}, {"p_not_worse", maybe(s.p_not_worse)}});
    one["verdict"] = s.verdict;
    suites.push_back(std::move(one));
  }
  return {{"per_suite", std::move(suites)}, {"verdict", comparison.verdict}};
}

std::string sides_text(const SideComparison& comparison) {
  std::string text;
  for (const SidePair& s : comparison.suites) {
    text += fmt::format("{} under {}: {}, run {} against {}, n = {}\n  {} {:+.5f}", s.suite, s.protocol, s.verdict, s.runs.run_b, s.runs.run_a, s.runs.n,
                        s.metric, s.runs.delta);
    if (s.runs.low) text += fmt::format(", 95 % {:+.5f} to {:+.5f} on such items", *s.runs.low, *s.runs.high);
    if (s.runs.p) text += fmt::format(", p = {:.2g} ({})", *s.runs.p, s.runs.test);
    if (s.margin) text += fmt::format("\n  a loss beyond {}: p = {:.2g} for none, p = {:.2g} against", *s.margin, *s.p_worse, *s.p_not_worse);
    if (s.runs.gained) text += fmt::format("\n  {} gained, {} lost", *s.runs.gained, *s.runs.lost);
    if (!s.runs.flips.empty()) text += ": " + shown_flips(s.runs.flips);
    text += "\n";
  }
  return text + comparison.verdict;
}

}  // namespace assay
