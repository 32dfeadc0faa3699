#include "eval/verdicts/composite.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "base/check.h"

namespace assay {
namespace {

bool is_ratio_score(Score score) { return score == Score::ratio || score == Score::part_share; }

struct Influence {
  std::size_t part;
  double u;  // what the item moves its part's value by
};

// What is known of one pair of parts: the sum of products over common items, and how many there are.
struct PartPair {
  double products = 0;
  std::int64_t n = 0;
};

double corrected(const PartPair& pair) {
  return pair.n < 2 ? 0 : pair.products * static_cast<double>(pair.n) / static_cast<double>(pair.n - 1);
}

// A share of 0 or 1 has an error too: that of as many independent answers with two right and two wrong ones added.
double least_variance(const Measurement& measured, double value, std::int64_t n) {
  if (measured.score != Score::share && measured.score != Score::part_share) return 0;
  auto asked = static_cast<double>(n);
  if (measured.score == Score::part_share) {  // parts of one item may hang together, which the items' own variance tells
    asked = 0;
    for (const MeasuredItem& item : measured.items) asked += item.weight;
  }
  const double share = (value * asked + 2) / (asked + 4);
  return share * (1 - share) / (asked + 4);
}

// The share of the part's suite that was not asked; 1 where the question is about items like these.
double left_of(const Measurement& measured, bool of_all) {
  if (!of_all) return 1;
  if (!measured.of_items) return 0;
  const double share = static_cast<double>(measured.items.size()) / static_cast<double>(*measured.of_items);
  return std::clamp(1 - share, 0.0, 1.0);
}

class Estimator {
 public:
  Estimator(std::span<const WeightedPart> parts, bool of_all) : parts_(parts), of_all_(of_all), pairs_(parts.size() * parts.size()) {}

  CompositeEstimate run() {
    for (std::size_t i = 0; i < parts_.size(); ++i) add(i);
    for (const auto& [key, moved] : by_item_) {
      for (const Influence& a : moved) {
        for (const Influence& b : moved) {
          PartPair& pair = pairs_[a.part * parts_.size() + b.part];
          pair.products += a.u * b.u;
          ++pair.n;
        }
      }
    }
    out_.n = static_cast<std::int64_t>(by_item_.size());
    set_errors();
    return std::move(out_);
  }

 private:
  void add(std::size_t place) {
    const Measurement& m = *parts_[place].measured;
    ASSAY_CHECK(!m.items.empty());
    const double weight = std::fabs(parts_[place].weight);
    double top = 0, bottom = 0;
    std::int64_t ties = 0, coarse = 0;
    for (const MeasuredItem& item : m.items) {
      top += item.value;
      bottom += is_ratio_score(m.score) ? item.weight : 1;
      out_.margins_known |= item.margin.has_value();
      ties += item.margin && *item.margin < kNearTie ? 1 : 0;
      coarse += item.margin && *item.margin < kCoarseTie ? 1 : 0;
    }
    ASSAY_CHECK(bottom > 0);
    const double value = top / bottom;
    const auto n = static_cast<double>(m.items.size());
    for (const MeasuredItem& item : m.items) {
      by_item_[m.suite + '\n' + item.key].push_back({place, (item.value - value * (is_ratio_score(m.score) ? item.weight : 1)) / bottom});
    }
    out_.value += parts_[place].weight * value;
    out_.ties += weight * static_cast<double>(ties) / n;
    out_.coarse_ties += weight * static_cast<double>(coarse) / n;
    out_.parts.push_back({.value = value, .se = std::nullopt, .n = static_cast<std::int64_t>(m.items.size())});
  }

  void set_errors() {
    double variance = 0;
    bool known = true;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const double left = left_of(*parts_[i].measured, of_all_);
      PartEstimate& part = out_.parts[i];
      if (part.n < 2) {
        known = known && left == 0;
        continue;
      }
      const double own = std::max(corrected(pairs_[i * parts_.size() + i]), least_variance(*parts_[i].measured, part.value, part.n)) * left;
      part.se = std::sqrt(own);
      variance += parts_[i].weight * parts_[i].weight * own;
      for (std::size_t j = 0; j < i; ++j) {
        const double both = corrected(pairs_[i * parts_.size() + j]) * std::min(left, left_of(*parts_[j].measured, of_all_));
        variance += 2 * parts_[i].weight * parts_[j].weight * both;
      }
    }
    if (known) out_.se = std::sqrt(std::max(0.0, variance));
  }

  std::span<const WeightedPart> parts_;
  bool of_all_;
  std::vector<PartPair> pairs_;  // (parts, parts)
  std::map<std::string, std::vector<Influence>> by_item_;  // ordered: sums come out the same
  CompositeEstimate out_;
};

}  // namespace

CompositeEstimate estimate_composite(std::span<const WeightedPart> parts, bool of_all) {
  ASSAY_CHECK(!parts.empty());
  return Estimator(parts, of_all).run();
}

}  // namespace assay
