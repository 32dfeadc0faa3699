#include "suites/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/check.h"
#include "base/stats/passk.h"

namespace assay {
namespace {

double chance_of_one(std::int64_t n, std::int64_t c, std::int64_t k) { return static_cast<double>(stats::pass_at_k(n, c, k)); }

// What the samples of an item come to.
struct Tally {
  std::int64_t n = 0, right = 0, unanswered = 0;
};

Tally tally_of(std::span<const ItemScore> samples) {
  Tally tally;
  for (const ItemScore& sample : samples) {
    if (!sample.correct) continue;
    ++tally.n;
    tally.right += *sample.correct ? 1 : 0;
    tally.unanswered += sample.extracted ? 0 : 1;
  }
  return tally;
}

// One answer and those who gave it, the first of them first.
struct Ballot {
  const ItemScore* first;
  std::int64_t votes;
};

std::vector<Ballot> ballots_of(const Protocol& protocol, std::span<const ItemScore> samples) {
  std::vector<Ballot> ballots;
  for (const ItemScore& sample : samples) {
    if (!sample.extracted || !sample.correct) continue;
    const auto same = std::ranges::find_if(ballots, [&](const Ballot& ballot) {
      const std::string& other = *ballot.first->extracted;
      if (*sample.extracted == other) return true;
      // Equalities need not be the same both ways round, and what is right is never one with what is wrong.
      return sample.correct == ballot.first->correct && equal_answers(protocol.equality, *sample.extracted, other).value_or(false);
    });
    if (same == ballots.end()) ballots.push_back({&sample, 1});
    else ++same->votes;
  }
  return ballots;
}

// The answer of most; null where there is none.
const ItemScore* elected(const Protocol& protocol, std::span<const ItemScore> samples) {
  const std::vector<Ballot> ballots = ballots_of(protocol, samples);
  const auto most = std::ranges::max_element(ballots, {}, &Ballot::votes);  // the first of several
  return most == ballots.end() ? nullptr : most->first;
}

double variance_of_share(const Tally& t) {
  const auto n = static_cast<double>(t.n), c = static_cast<double>(t.right);
  return c * (n - c) / (n * n * (n - 1));
}

// Leaving one sample out gives one of two values: those without a right one and those without a wrong one.
double jackknife_of_pass(const Tally& t, std::int64_t k) {
  ASSAY_CHECK(k < t.n);
  const auto n = static_cast<double>(t.n), c = static_cast<double>(t.right);
  const double less = t.right > 0 ? chance_of_one(t.n - 1, t.right - 1, k) : 0;
  const double more = t.right < t.n ? chance_of_one(t.n - 1, t.right, k) : 0;
  const double mean = (c * less + (n - c) * more) / n;
  const double squares = c * (less - mean) * (less - mean) + (n - c) * (more - mean) * (more - mean);
  return (n - 1) / n * squares;
}

class Values {
 public:
  Values(const Protocol& protocol, std::span<const ItemScore> samples, const Tally& tally, ItemScore& out)
      : protocol_(protocol), samples_(samples), tally_(tally), out_(out) {}

  void add(const std::string& name) {
    const auto metric = sample_metric(name);
    if (!metric) return add_plain(name);
    if (metric->kind == "pass") return add_pass(name, metric->k);
    if (metric->kind == "avg") return metric->k == tally_.n ? add_share(name) : void();
    add_vote(name, metric->k);
  }

 private:
  void add_share(const std::string& name) {
    out_.values.emplace_back(name, static_cast<double>(tally_.right) / static_cast<double>(tally_.n));
    if (tally_.n > 1) out_.variances.emplace_back(name, variance_of_share(tally_));
  }

  void add_plain(const std::string& name) {
    if (name == "accuracy" || name == "exact_match") return add_share(name);
    double sum = 0, squares = 0;
    std::int64_t n = 0;
    for (const ItemScore& sample : samples_) {
      const auto value = std::ranges::find(sample.values, name, &std::pair<std::string, double>::first);
      if (!sample.correct || value == sample.values.end()) continue;
      ++n;
      sum += value->second;
      squares += value->second * value->second;
    }
    if (n == 0) return;
    const double count = static_cast<double>(n), mean = sum / count;
    out_.values.emplace_back(name, mean);
    if (n > 1) out_.variances.emplace_back(name, std::max(0.0, squares / count - mean * mean) / (count - 1));
  }

  void add_pass(const std::string& name, std::int64_t k) {
    if (k > tally_.n) return;
    out_.values.emplace_back(name, chance_of_one(tally_.n, tally_.right, k));
    if (k == 1 && tally_.n > 1) out_.variances.emplace_back(name, variance_of_share(tally_));
    else if (k < tally_.n) out_.variances.emplace_back(name, jackknife_of_pass(tally_, k));
  }

  void add_vote(const std::string& name, std::int64_t k) {
    if (k > static_cast<std::int64_t>(samples_.size())) return;
    const ItemScore* const winner = elected(protocol_, samples_.first(static_cast<std::size_t>(k)));
    out_.values.emplace_back(name, winner != nullptr && *winner->correct ? 1 : 0);
  }

  const Protocol& protocol_;
  std::span<const ItemScore> samples_;
  const Tally& tally_;
  ItemScore& out_;
};

bool is_vote(std::string_view name) {
  const auto metric = sample_metric(name);
  return metric && (metric->kind == "maj" || metric->kind == "cons");
}

}  // namespace

std::optional<SampleMetric> sample_metric(std::string_view name) {
  const auto at = name.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  SampleMetric out{.kind = name.substr(0, at)};
  const std::string_view digits = name.substr(at + 1);
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out.k);
  const bool known = out.kind == "pass" || out.kind == "maj" || out.kind == "cons" || out.kind == "avg";
  const bool whole = failed == std::errc{} && end == digits.data() + digits.size() && !digits.starts_with('0');
  if (!known || !whole || out.k < 1 || out.k > kMaxSampleMetric) return std::nullopt;
  return out;
}

bool has_sample_metric(const Protocol& protocol) {
  return std::ranges::any_of(protocol.metrics, [](const std::string& name) { return sample_metric(name).has_value(); });
}

ItemScore score_samples(const Protocol& protocol, std::span<const ItemScore> samples) {
  ASSAY_CHECK(protocol.kind == ProtocolKind::generate && !samples.empty());
  ItemScore out;
  out.sampled = true;
  const Tally tally = tally_of(samples);
  out.fallback = std::ranges::any_of(samples, &ItemScore::fallback);
  if (tally.n == 0) {
    out.why = "not judged: " + samples.front().why;
    return out;
  }
  Values values(protocol, samples, tally, out);
  for (const std::string& name : protocol.metrics) values.add(name);
  if (const ItemScore* winner = elected(protocol, samples)) {
    out.extracted = winner->extracted;
    out.extractor = winner->extractor;
  }
  out.why = fmt::format("{} of {} samples are right", tally.right, tally.n);
  if (tally.unanswered > 0) out.why += fmt::format(", {} without an answer", tally.unanswered);
  if (out.values.empty()) return out;
  const auto& [main, value] = out.values.front();
  if (main == protocol.metrics.front()) out.score = value;
  if (out.score && (is_vote(main) || samples.size() == 1)) out.correct = value == 1;
  return out;
}

}  // namespace assay
