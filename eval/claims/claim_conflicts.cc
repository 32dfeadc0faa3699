#include "eval/claims/claim_conflicts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/check.h"
#include "base/stats/normal.h"

namespace assay {
namespace {

constexpr double kConflictAlpha = 0.05;
constexpr double kMicro = 1e6;  // printed decimals as whole numbers
constexpr std::int64_t kMostListedSamples = 1'000'000;

using Claims = std::vector<const LedgerClaim*>;
using Groups = std::map<std::pair<std::string_view, std::string_view>, Claims>;  // by model and benchmark

Groups groups_of(const Ledger& ledger) {
  Groups out;
  for (const LedgerClaim& claim : ledger.claims) {
    if (comparable(claim)) out[{claim.model, claim.benchmark}].push_back(&claim);
  }
  return out;
}

// Lowest and highest figure; of equal ones a measurement of its own first, then the order of the ledger.
std::pair<const LedgerClaim*, const LedgerClaim*> ends_of(const Claims& claims) {
  ASSAY_CHECK(!claims.empty());
  const auto own = [](const LedgerClaim* c) { return c->dependence == Dependence::independent ? 0 : 1; };
  const LedgerClaim *low = claims.front(), *high = claims.front();
  for (const LedgerClaim* c : claims) {
    if (c->value < low->value || (c->value == low->value && own(c) < own(low))) low = c;
    if (c->value > high->value || (c->value == high->value && own(c) < own(high))) high = c;
  }
  return {low, high};
}

double spread_of(const Claims& claims) {
  const auto [low, high] = ends_of(claims);
  return high->value - low->value;
}

std::size_t count_claimants(const Claims& claims, bool independent) {
  std::set<std::string_view> names;
  for (const LedgerClaim* c : claims) {
    if (!independent || c->dependence == Dependence::independent) names.insert(c->claimant);
  }
  return names.size();
}

std::size_t count_files(const Claims& claims) {
  std::set<std::string> files;
  for (const LedgerClaim* c : claims) files.insert(c->source.repository + "@" + c->source.commit + ":" + c->source.path);
  return files.size();
}

std::map<std::string_view, Claims> by_claimant(const Claims& claims) {
  std::map<std::string_view, Claims> out;
  for (const LedgerClaim* c : claims) out[c->claimant].push_back(c);
  return out;
}

// The widest pair of which no printed field of the protocol differs; who measured is no protocol, and a copy has none of its own.
void find_unexplained(const Claims& all, Conflict& out) {
  Claims claims = all;
  std::erase_if(claims, [](const LedgerClaim* c) { return c->dependence == Dependence::quoted; });
  for (std::size_t i = 0; i < claims.size(); ++i) {
    for (std::size_t j = i + 1; j < claims.size(); ++j) {
      const LedgerClaim *a = claims[i], *b = claims[j];
      if (!(std::fabs(a->value - b->value) > out.unexplained_spread)) continue;
      const std::string by = protocol_difference(*a, *b).explained_by();
      if (!by.empty() && by != "kind") continue;
      out.unexplained_spread = std::fabs(a->value - b->value);
      out.unexplained_low = a->value < b->value ? a : b;
      out.unexplained_high = a->value < b->value ? b : a;
    }
  }
}

Conflict conflict_of(Scope scope, const Claims& claims, std::span<const Benchmark> known) {
  const auto [low, high] = ends_of(claims);
  Conflict out{.scope = scope, .model = low->model, .benchmark = low->benchmark, .spread = high->value - low->value, .low = low, .high = high};
  out.difference = protocol_difference(*low, *high);
  out.figures = claims.size();
  out.claimants = count_claimants(claims, false);
  out.independent = count_claimants(claims, true);
  find_unexplained(claims, out);
  const Benchmark* benchmark = find_benchmark(known, low->benchmark);
  const bool sampled = low->samples_low || high->samples_low;
  if (benchmark != nullptr && benchmark->items && sampled) out.sampling = sampling_test(*low, *high, *benchmark->items);
  return out;
}

std::int64_t micro(const LedgerClaim& claim) { return std::llround(claim.value * kMicro); }

SpreadCount count_spreads(const std::vector<Claims>& groups) {
  SpreadCount out{.pairs = groups.size(), .median = 0, .over = std::vector<std::size_t>(std::size(kSpreads)), .over_exact = std::vector<std::size_t>(std::size(kSpreads))};
  std::vector<double> spreads;
  for (const Claims& claims : groups) {
    const auto [low, high] = ends_of(claims);
    spreads.push_back(high->value - low->value);
    for (std::size_t i = 0; i < std::size(kSpreads); ++i) {
      out.over[i] += spreads.back() > kSpreads[i] ? 1 : 0;
      out.over_exact[i] += micro(*high) - micro(*low) > std::llround(kSpreads[i] * kMicro) ? 1 : 0;
    }
  }
  std::sort(spreads.begin(), spreads.end());
  const std::size_t n = spreads.size();
  if (n > 0) out.median = (spreads[(n - 1) / 2] + spreads[n / 2]) / 2;
  return out;
}

std::vector<Claims> joined(const Groups& groups, bool copies_too) {
  std::vector<Claims> out;
  for (const auto& [key, all] : groups) {
    Claims claims = all;
    if (!copies_too) std::erase_if(claims, [](const LedgerClaim* c) { return c->dependence != Dependence::independent; });
    if (count_claimants(claims, false) >= 2) out.push_back(std::move(claims));
  }
  return out;
}

std::vector<Claims> own_files(const Groups& groups) {
  std::vector<Claims> out;
  for (const auto& [key, claims] : groups) {
    for (auto& [claimant, own] : by_claimant(claims)) {
      if (count_files(own) >= 2) out.push_back(own);
    }
  }
  return out;
}

// Peers' figures beside those of the model's maker.
std::vector<Copying> copying_of(const Ledger& ledger) {
  std::map<std::pair<std::string_view, std::string_view>, Claims> own;
  for (const LedgerClaim& c : ledger.claims) {
    if (c.kind == ClaimKind::own) own[{c.model, c.benchmark}].push_back(&c);
  }
  struct Count {
    std::set<std::string_view> shared, equal;
    bool copied = false;
  };
  std::map<std::tuple<std::string, std::string, std::string>, Count> counts;
  for (const LedgerClaim& c : ledger.claims) {
    const auto found = own.find({c.model, c.benchmark});
    if (c.kind != ClaimKind::peer || found == own.end()) continue;
    for (const LedgerClaim* maker : found->second) {
      if (maker->claimant == c.claimant) continue;
      Count& count = counts[{c.claimant, maker->claimant, c.model}];
      count.shared.insert(c.benchmark);
      if (maker->score == c.score) count.equal.insert(c.benchmark);
      count.copied = count.copied || c.dependence == Dependence::quoted;
    }
  }
  std::vector<Copying> out;
  for (const auto& [key, count] : counts) {
    out.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), count.equal.size(), count.shared.size(), count.copied});
  }
  return out;
}

struct Samples {
  double low = 1, high = static_cast<double>(kMostListedSamples);
  bool open() const { return low < high; }
};

Samples samples_of(const SampledFigure& claim) {
  if (!claim.samples_low) return {};
  return {static_cast<double>(*claim.samples_low), static_cast<double>(*claim.samples_high)};
}

double half_unit(const LedgerClaim& claim) {
  const auto published = stats::parse_published(claim.score);
  return published.ok() ? published->step() / 2 : 0;
}

// Standard errors between the two, in points, where one side drew s and the other t answers to each question.
double z_of(double gap, std::int64_t items, double s, double t) {
  const double per_answer = 0.25 / static_cast<double>(items);
  return gap / (100 * std::sqrt(per_answer / s + per_answer / t));
}

double p_of(double z) { return static_cast<double>(stats::normal_two_sided_p(z)); }

std::string side_name(const SampledFigure& figure) {
  return fmt::format("{} drew for each question ({})", figure.who, figure.printed.empty() ? "not printed" : "printed: " + figure.printed);
}

SampledFigure sampled_figure(const LedgerClaim& claim) {
  return {.value = claim.value, .half_unit = half_unit(claim), .samples_low = claim.samples_low, .samples_high = claim.samples_high, .who = claim.claimant,
          .printed = printed_protocol(claim).samples};
}

// Fewest answers on the open side that contradict while the other side's number stands.
std::optional<std::int64_t> deciding_samples(double gap, std::int64_t items, const Samples& open, double other) {
  double low = open.low, high = open.high;
  if (!(p_of(z_of(gap, items, high, other)) < kConflictAlpha)) return std::nullopt;
  while (high - low > 0.5) {
    const double middle = std::floor((low + high) / 2);
    if (middle == low) break;
    (p_of(z_of(gap, items, middle, other)) < kConflictAlpha ? high : low) = middle;
  }
  return static_cast<std::int64_t>(std::ceil(high));
}

}  // namespace

bool comparable(const LedgerClaim& claim) {
  const std::string words = squashed(claim.metric + " " + claim.benchmark + " " + claim.benchmark_printed);
  const bool vote = claim.metric.find("cons@") != std::string::npos;
  return claim.kind != ClaimKind::citation && claim.unit == "points" && !vote && words.find("percentile") == std::string::npos;
}

SamplingTest sampling_test(const LedgerClaim& a, const LedgerClaim& b, std::int64_t items) {
  return sampling_test(sampled_figure(a), sampled_figure(b), items);
}

SamplingTest sampling_test(const SampledFigure& a, const SampledFigure& b, std::int64_t items) {
  ASSAY_CHECK(items >= 1);
  const double gap = std::max(0.0, std::fabs(a.value - b.value) - a.half_unit - b.half_unit);
  const Samples s = samples_of(a), t = samples_of(b);
  SamplingTest out;
  out.z_fewest = z_of(gap, items, s.low, t.low), out.z_most = z_of(gap, items, s.high, t.high);
  out.p_fewest = p_of(out.z_fewest), out.p_most = p_of(out.z_most);
  ASSAY_CHECK(out.p_most <= out.p_fewest);
  if (out.p_fewest < kConflictAlpha) out.verdict = "contradicted";
  else if (!(out.p_most < kConflictAlpha)) out.verdict = "undecided";
  if (!out.verdict.empty()) return out;
  out.hangs_on = "how many answers " + side_name(s.open() ? a : b);
  if (s.open() && t.open()) out.hangs_on += ", and " + side_name(b);
  else out.from_samples = deciding_samples(gap, items, s.open() ? s : t, s.open() ? t.low : s.low);
  return out;
}

std::vector<Conflict> find_conflicts(const Ledger& ledger, std::span<const Benchmark> known, double above) {
  const Groups groups = groups_of(ledger);
  std::vector<Conflict> out;
  const auto add = [&](Scope scope, const std::vector<Claims>& all) {
    for (const Claims& claims : all) {
      if (spread_of(claims) > above) out.push_back(conflict_of(scope, claims, known));
    }
  };
  add(Scope::claimants, joined(groups, true));
  add(Scope::own_files, own_files(groups));
  std::stable_sort(out.begin(), out.end(), [](const Conflict& a, const Conflict& b) { return a.spread > b.spread; });
  return out;
}

Census census(const Ledger& ledger) {
  const Groups groups = groups_of(ledger);
  Census out{.claims = ledger.claims.size()};
  for (const auto& [key, claims] : groups) out.compared += claims.size();
  out.claimants = count_spreads(joined(groups, true));
  out.independent = count_spreads(joined(groups, false));
  out.own_files = count_spreads(own_files(groups));
  for (const LedgerClaim& c : ledger.claims) ++out.dependence[std::string(name_of(c.dependence))];
  out.copying = copying_of(ledger);
  return out;
}

}  // namespace assay
