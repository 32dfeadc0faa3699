// What a run asks, what identifies it, what its machine costs.
#include <algorithm>
#include <map>
#include <numeric>

#include "base/rng.h"
#include "base/sha256.h"
#include "eval/cost/bench.h"
#include "eval/cost/price.h"
#include "eval/runs/ask.h"
#include "eval/runs/run.h"

namespace assay {
namespace {

// The items asked by sub-task, in the order in which the sub-tasks appear.
std::vector<std::vector<std::size_t>> by_subset(const Suite& suite) {
  std::vector<std::vector<std::size_t>> groups;
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < suite.items.size(); ++i) {
    const auto [it, is_new] = place.try_emplace(suite.items[i].subset, groups.size());
    if (is_new) groups.emplace_back();
    groups[it->second].push_back(i);
  }
  return groups;
}

// How many of each group, by largest remainders; ties go to the earlier group.
std::vector<std::size_t> shares(const std::vector<std::vector<std::size_t>>& groups, std::size_t total, std::size_t wanted) {
  std::vector<std::size_t> share(groups.size()), order(groups.size());
  std::size_t given = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) given += share[g] = groups[g].size() * wanted / total;
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t g) { return groups[g].size() * wanted % total; });
  for (std::size_t i = 0; given < wanted; ++i, ++given) ++share[order[i]];
  return share;
}

}  // namespace

Status price_run(Database& database, RunOptions& options) {
  ASSAY_TRY(const std::vector<Price> book, bundled_prices());
  ASSAY_TRY(const DeviceInfo device, this_device());
  ASSAY_TRY(const Price price, machine_price(book, device.cores));
  ASSAY_TRY(options.price_id, price_row(database, price));
  options.usd_per_hour = price.usd_per_hour;
  return {};
}

std::vector<std::size_t> choose_items(const Suite& suite, const RunOptions& options) {
  std::vector<std::size_t> all(suite.items.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (!options.limit || static_cast<std::size_t>(*options.limit) >= all.size()) return all;
  auto groups = by_subset(suite);
  const auto share = shares(groups, all.size(), static_cast<std::size_t>(*options.limit));
  std::vector<std::size_t> chosen;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    Stream draws(options.seed, g);
    for (std::size_t i = 0; i < share[g]; ++i) {  // a partial Fisher-Yates shuffle
      std::swap(groups[g][i], groups[g][i + draws.below(groups[g].size() - i)]);
      chosen.push_back(groups[g][i]);
    }
  }
  std::ranges::sort(chosen);
  return chosen;
}

std::vector<std::pair<std::string, std::string>> run_parts(const EvalModel& model, const Suite& suite, const Protocol& protocol,
                                                           const std::vector<std::size_t>& items, std::uint64_t seed) {
  Sha256 conventions, asked;
  for (const auto& [name, value] : model.facts.conventions) conventions.add_field(name).add_field(value);
  for (const std::size_t index : items) asked.add_field(suite.items[index].id).add_field(suite.items[index].digest());
  std::vector<std::pair<std::string, std::string>> parts = {{model.weights_digest.empty() ? "server" : "weights", weights_or_server(model)},
                                                            {"config", model.config_digest},
                                                            {"tokenizer", model.tokenizer_digest},
                                                            {"template", model.template_digest},
                                                            {"suite", suite.name},
                                                            {"suite_items", suite.items_digest},
                                                            {"protocol", protocol.name},
                                                            {"protocol_digest", protocol.digest},
                                                            {"recipe", model.recipe},
                                                            {"conventions", conventions.hex()},
                                                            {"items", asked.hex()}};
  if (draws(protocol)) parts.emplace_back("seed", std::to_string(seed_of(protocol, seed)));
  return parts;
}

std::string run_identity(const EvalModel& model, const Suite& suite, const Protocol& protocol, const std::vector<std::size_t>& items,
                         std::uint64_t seed) {
  Sha256 digest;
  for (const auto& [name, value] : run_parts(model, suite, protocol, items, seed)) digest.add_field(name).add_field(value);
  return digest.hex();
}

}  // namespace assay
