// The random guess that some harnesses make where no answer is found (MMLU-Pro's evaluate_from_local.py): not one draw but many, so that
// the score says what the guess is worth and how far one draw could have led.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "suites/score.h"

namespace assay {

// Letters for the seeds 0 ... kGuessSeeds - 1: in each, random.Random(seed).choice(letters) of CPython once an item without an answer, in
// the order given (field study, section 5.3).
inline constexpr int kGuessSeeds = 50;

struct GuessRange {
  int seeds = 0;
  double low = 0, high = 0;    // the accuracy under the worst and the best seed
  std::int64_t guessed = 0;    // items without an answer
};

// Does nothing where the protocol's last extractor is no `guess`. An item without an answer gets the share of right guesses as its accuracy,
// score and exact_match; it stays "not right" and without an extracted answer.
std::optional<GuessRange> guess_answers(const Protocol& protocol, std::span<ScoredItem> items);

}  // namespace assay
