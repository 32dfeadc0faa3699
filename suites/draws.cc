#include "suites/draws.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "base/rng.h"
#include "base/sha256.h"
#include "suites/python_random.h"

namespace assay {
namespace {

using Pool = std::vector<const Item*>;

// A number that names the item in a stream: the first 64 bits of its id's digest.
std::uint64_t stream_of(const Item& item) {
  return std::stoull(sha256_hex(item.id).substr(0, 16), nullptr, 16);
}

constexpr std::uint32_t kShotStream = 1, kOrderStream = 2;

// k of n by a partial Fisher-Yates shuffle.
std::vector<int> draw(Stream& stream, std::size_t n, std::size_t k) {
  ASSAY_CHECK(k <= n);
  std::vector<int> places(n);
  std::iota(places.begin(), places.end(), 0);
  for (std::size_t i = 0; i < k; ++i) std::swap(places[i], places[i + stream.below(n - i)]);
  places.resize(k);
  return places;
}

const std::vector<Item>* examples_of(const Suite& suite, const ShotChoice& shots) {
  if (shots.split.empty()) return &suite.fewshot;
  if (shots.split == "items") return &suite.items;
  for (const auto& [name, items] : suite.splits) {
    if (name == shots.split) return &items;
  }
  return nullptr;
}

// What may be shown under `shots` to items of `subset`.
Pool pool_of(const Suite& suite, const ShotChoice& shots, std::string_view subset) {
  Pool pool;
  const auto* examples = examples_of(suite, shots);
  if (examples == nullptr) return pool;
  for (const Item& shown : *examples) {
    if (!shots.of_subset || shown.subset == subset) pool.push_back(&shown);
  }
  return pool;
}

Error too_few(const Protocol& protocol, const Item& item, std::size_t there, std::size_t wanted) {
  return Error{.code = Code::out_of_range,
               .message = "a protocol shows more solved examples than there are",
               .field = item.subset.empty() ? protocol.name : item.subset,
               .expected = fmt::format("at most {}", there),
               .got = fmt::format("{}", wanted)};
}

// One more is drawn where the asked item itself may come up, as lm-evaluation-harness and lighteval do.
std::size_t drawn_size(const ShotChoice& shots) {
  return static_cast<std::size_t>(shots.n_drawn) +
         static_cast<std::size_t>(shots.split == "items" ? std::max(1, shots.n_spare) : shots.n_spare);
}

// lighteval 0.6.2, _init_fewshot_sampling_balanced: k places of a pool.
std::vector<int> balanced_places(const Pool& pool, std::uint64_t seed, std::size_t k) {
  std::map<std::string_view, std::vector<int>> places_of_answer;
  for (std::size_t i = 0; i < pool.size(); ++i)
    places_of_answer[pool[i]->gold].push_back(static_cast<int>(i));
  std::map<std::size_t, std::vector<std::string_view>, std::greater<>> answers_by_count;
  for (const auto& [answer, places] : places_of_answer) answers_by_count[places.size()].push_back(answer);
  PythonRandom generator(seed);
  std::vector<std::string_view> turns;
  for (auto& [count, answers] : answers_by_count) {
    generator.shuffle(answers);
    turns.insert(turns.end(), answers.begin(), answers.end());
  }
  std::vector<int> chosen;
  for (std::size_t turn = 0; chosen.size() < k; ++turn) {
    auto& places = places_of_answer[turns[turn % turns.size()]];
    if (places.empty()) continue;
    const auto at = places.begin() + generator.below(static_cast<std::uint32_t>(places.size()));
    chosen.push_back(*at);
    places.erase(at);
  }
  return chosen;
}

void draw_balanced(const Suite& suite, Protocol& protocol) {
  const ShotChoice& shots = protocol.shots;
  std::map<std::string_view, std::vector<int>> drawn;
  for (const Item& item : suite.items) {
    const std::string_view key = shots.of_subset ? std::string_view(item.subset) : std::string_view();
    auto at = drawn.find(key);
    if (at == drawn.end()) {
      const Pool pool = pool_of(suite, shots, item.subset);
      at = drawn.emplace(key, balanced_places(pool, shots.seed, std::min(pool.size(), drawn_size(shots))))
               .first;
    }
    protocol.drawn_shots.push_back(at->second);
  }
}

// One generator a sub-task where the examples are of the sub-task, else one for all.
Status draw_shots(const Suite& suite, Protocol& protocol) {
  const ShotChoice& shots = protocol.shots;
  std::map<std::string_view, std::pair<PythonRandom, std::size_t>> generators;  // with the size of the pool
  for (const Item& item : suite.items) {
    const std::string_view key = shots.of_subset ? std::string_view(item.subset) : std::string_view();
    auto at = generators.find(key);
    if (at == generators.end()) {
      at = generators
               .emplace(key, std::pair(PythonRandom(shots.seed), pool_of(suite, shots, item.subset).size()))
               .first;
    }
    auto& [generator, size] = at->second;
    if (size < drawn_size(shots)) return too_few(protocol, item, size, drawn_size(shots));
    protocol.drawn_shots.push_back(generator.sample(size, drawn_size(shots)));
  }
  return {};
}

void draw_orders(const Suite& suite, Protocol& protocol) {
  PythonRandom generator(*protocol.option_seed);
  for (const Item& item : suite.items) {
    protocol.drawn_orders.push_back(generator.sample(item.options.size(), item.options.size()));
  }
}

Result<std::vector<int>> places_of(const Protocol& protocol, const Item& item, std::size_t n) {
  const ShotChoice& shots = protocol.shots;
  if (shots.n_drawn == 0) return shots.indices;
  if (n < drawn_size(shots)) return too_few(protocol, item, n, drawn_size(shots));
  if (shots.rule != DrawRule::seeded) {
    if (item.ordinal >= 0 && item.ordinal < static_cast<std::int64_t>(protocol.drawn_shots.size())) {
      return protocol.drawn_shots[static_cast<std::size_t>(item.ordinal)];
    }
    return Error{.code = Code::missing_field,
                 .message = "this protocol draws examples in the order of all items, and they are not loaded",
                 .field = protocol.name,
                 .got = item.id};
  }
  Stream stream(shots.seed, stream_of(item), kShotStream);
  return draw(stream, n, drawn_size(shots));
}

}  // namespace

Status draw_in_sequence(Suite& suite) {
  for (Protocol& protocol : suite.protocols) {
    const bool there = examples_of(suite, protocol.shots) != nullptr;
    if (there && protocol.shots.n_drawn > 0 && protocol.shots.rule == DrawRule::python)
      ASSAY_OK(draw_shots(suite, protocol));
    if (there && protocol.shots.n_drawn > 0 && protocol.shots.rule == DrawRule::balanced)
      draw_balanced(suite, protocol);
    if (protocol.option_seed && protocol.option_rule == DrawRule::python) draw_orders(suite, protocol);
  }
  return {};
}

Result<std::vector<const Item*>> shown_examples(const Suite& suite, const Protocol& protocol,
                                                const Item& item) {
  const ShotChoice& shots = protocol.shots;
  if (shots.size() == 0) return Pool{};
  for (const auto& [split, whence] : suite.missing) {
    if (split != shots.split) continue;
    return Error{.code = Code::not_found,
                 .message = "the solved examples that this protocol shows are not in the data folder",
                 .field = protocol.name,
                 .expected = whence};
  }
  const Pool pool = pool_of(suite, shots, item.subset);
  ASSAY_TRY(const std::vector<int> places, places_of(protocol, item, pool.size()));
  Pool shown;
  for (const int place : places) {
    if (place >= static_cast<int>(pool.size()))
      return too_few(protocol, item, pool.size(), static_cast<std::size_t>(place) + 1);
    const Item* one = pool[static_cast<std::size_t>(place)];
    const bool by_what_it_asks =
        shots.rule == DrawRule::balanced || (shots.split != "items" && shots.n_spare > 0);
    const bool itself =
        by_what_it_asks ? one->digest() == item.digest() : shots.split == "items" && one->id == item.id;
    if (!itself && shown.size() < shots.size()) shown.push_back(one);
  }
  ASSAY_CHECK(shown.size() <= shots.size());
  if (shown.size() < shots.size() && shots.n_drawn > 0)
    return too_few(protocol, item, shown.size(), shots.size());
  return shown;
}

std::vector<int> option_order(const Protocol& protocol, const Item& item) {
  std::vector<int> order(item.options.size());
  std::iota(order.begin(), order.end(), 0);
  if (!protocol.option_seed) return order;
  if (protocol.option_rule == DrawRule::python) {
    const bool drawn =
        item.ordinal >= 0 && item.ordinal < static_cast<std::int64_t>(protocol.drawn_orders.size());
    return drawn ? protocol.drawn_orders[static_cast<std::size_t>(item.ordinal)] : order;
  }
  Stream stream(*protocol.option_seed, stream_of(item), kOrderStream);
  return draw(stream, order.size(), order.size());
}

std::string expected_answer(const Protocol& protocol, const Item& item) {
  if (protocol.equality != "letter" || item.gold_index < 0) return item.gold;
  const std::vector<int> order = option_order(protocol, item);
  const auto at = std::find(order.begin(), order.end(), item.gold_index);
  ASSAY_CHECK(at != order.end());
  return std::string(1, static_cast<char>('A' + (at - order.begin())));
}

}  // namespace assay
