#include "suites/guess.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "suites/python_random.h"

namespace assay {
namespace {

// How often each of the items is guessed right; and in `right_by_seed` how many are right in each draw.
std::vector<int> count_guesses(std::string_view letters, const std::vector<ScoredItem*>& open, std::vector<int>& right_by_seed) {
  std::vector<int> hits(open.size());
  right_by_seed.assign(kGuessSeeds, 0);
  for (std::size_t seed = 0; seed < right_by_seed.size(); ++seed) {
    PythonRandom random(seed);
    for (std::size_t i = 0; i < open.size(); ++i) {
      const char guess = letters[random.below(static_cast<std::uint32_t>(letters.size()))];
      if (open[i]->item->gold != std::string_view(&guess, 1)) continue;
      ++hits[i];
      ++right_by_seed[seed];
    }
  }
  return hits;
}

void set_share(ItemScore& score, double share, int hits) {
  score.score = share;
  for (auto& [name, value] : score.values) {
    if (name == "accuracy" || name == "exact_match") value = share;
  }
  score.why = fmt::format("no answer was found; {} of {} guesses are right", hits, kGuessSeeds);
}

bool is_right(const ScoredItem& item) { return item.score.correct == true; }

}  // namespace

std::optional<GuessRange> guess_answers(const Protocol& protocol, std::span<ScoredItem> items) {
  if (protocol.extractors.empty() || protocol.extractors.back().function != "guess") return std::nullopt;
  const std::string& letters = protocol.extractors.back().pattern;
  ASSAY_CHECK(!letters.empty());
  std::vector<ScoredItem*> open;
  for (auto& item : items) {
    if (!item.score.extracted && item.score.correct) open.push_back(&item);
  }
  GuessRange range{.seeds = kGuessSeeds, .guessed = static_cast<std::int64_t>(open.size())};
  std::vector<int> right_by_seed;
  const auto hits = count_guesses(letters, open, right_by_seed);
  for (std::size_t i = 0; i < open.size(); ++i) set_share(open[i]->score, hits[i] / static_cast<double>(kGuessSeeds), hits[i]);
  if (items.empty()) return range;
  const auto right = static_cast<double>(std::count_if(items.begin(), items.end(), is_right));
  const auto [least, most] = std::minmax_element(right_by_seed.begin(), right_by_seed.end());
  range.low = (right + *least) / static_cast<double>(items.size());
  range.high = (right + *most) / static_cast<double>(items.size());
  return range;
}

}  // namespace assay
