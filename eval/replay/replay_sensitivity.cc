#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/replay/replay.h"

namespace assay {
namespace {

using RankKey = std::pair<std::string, std::string>;  // file, model

struct Group {
  std::vector<const ReplayResult*> results;
};

double main_value(const ReplayResult& result) {
  return result.metrics.empty() ? 0 : result.metrics.front().value;
}

// Items that are right under one protocol and wrong under another, in the order of the file.
std::vector<std::string> flips_of(const Group& group) {
  std::map<std::string, std::set<bool>> seen;
  std::vector<std::string> order;
  for (const ReplayResult* result : group.results) {
    for (const auto& [id, correct] : result->verdicts) {
      if (!correct) continue;
      if (!seen.contains(id)) order.push_back(id);
      seen[id].insert(*correct);
    }
  }
  std::erase_if(order, [&](const std::string& id) { return seen[id].size() < 2; });
  return order;
}

// Whether a is above b under one of the protocols that both have and below under another.
std::optional<std::string> inversion_of(const Group& a, const Group& b) {
  const ReplayResult *above = nullptr, *below = nullptr;
  for (const ReplayResult* x : a.results) {
    for (const ReplayResult* y : b.results) {
      if (x->protocol != y->protocol) continue;
      if (main_value(*x) > main_value(*y) && above == nullptr) above = x;
      if (main_value(*x) < main_value(*y) && below == nullptr) below = x;
    }
  }
  if (above == nullptr || below == nullptr) return std::nullopt;
  return fmt::format("{} is above {} under {}, below under {}", a.results.front()->model,
                     b.results.front()->model, above->protocol, below->protocol);
}

}  // namespace

std::vector<Sensitivity> sensitivity_of(const std::vector<ReplayResult>& results) {
  std::map<RankKey, Group> groups;
  for (const auto& result : results) groups[{result.file, result.model}].results.push_back(&result);
  std::map<RankKey, Sensitivity> found;
  for (const auto& [key, group] : groups) {
    Sensitivity& own = found[key];
    for (const ReplayResult* result : group.results)
      own.values.emplace_back(result->protocol, main_value(*result));
    own.flips = flips_of(group);
    own.n_flips = static_cast<std::int64_t>(own.flips.size());
    if (own.flips.size() > kMaxListed) own.flips.resize(kMaxListed);
    for (const auto& [other_key, other] : groups) {
      if (other_key == key || own.inversions.size() >= kMaxListed) continue;
      if (auto inversion = inversion_of(group, other)) own.inversions.push_back(std::move(*inversion));
    }
  }
  std::vector<Sensitivity> out;
  for (const auto& result : results) out.push_back(found.at({result.file, result.model}));
  return out;
}

}  // namespace assay
