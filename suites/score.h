// From an answer, from log-likelihoods or from a whole text's log-likelihood to an item's score. `correct`
// has three values: right, wrong, and none where nothing can be judged (no gold). An answer that is missing
// never equals anything.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "suites/program.h"
#include "suites/suite.h"

namespace assay {

// The names an `equality` may have, sorted.
//   exact          the same text, blanks too
//   exact-folded   likewise, both in lower case (Python's str.lower)
//   first-number   the first numbers in both are the same double, after $ and , are taken off and a text with / is
//                  evaluated where it is arithmetic (ZeroEval, src/evaluation/gsm_eval.py and math_eval.py)
//   instructions   the output follows the instructions that the gold lists as JSON (suites/ifeval/ifeval.h); metrics strict_prompt, ...
//   instruction-labels  likewise, but verdicts stored beside an output stand in the checkers' place (eval/replay/replay.h)
//   integer        both are integers of the same value, leading zeros and + aside
//   letter         the same letter, case and brackets aside; gold is that of the right option's place
//   literal        the same text, quotes at its ends aside, or the same number (crux); an empty one equals ''
//   math           the same mathematics: values, tuples, intervals, sets, equations (suites/math/math_equal.h)
//   quoted-text    the same text once quotes are taken off both ends and line breaks are written \n (ZeroEval,
//                  src/evaluation/crux_eval.py); two empty ones are equal
//   number         the same number: $ , % and blanks taken off, fractions and decimals compared exactly
//   number-bare    the same text once $ , and a final full stop are taken off
//   number-loose   as `number` where both are numbers; else the same text, or the first numbers in both are equal
//   stored         never compared: the verdict is the one that lies beside the output (a judge's, a sandbox's)
//   drop           DROP's exact match and F1 against the gold and its aliases (suites/spans.h); likewise squad, triviaqa
//   python-tests   a program passes the protocol's tests: nothing is judged here, see ItemScore::program
//   text           equal after trimming blanks
//   text-folded    likewise, ASCII case and runs of blanks aside
const std::vector<std::string_view>& equality_names();
inline constexpr std::string_view kPythonTests = "python-tests";

// No value: the gold is empty or no number where one is needed, so nothing can be judged. An empty `answer`
// is wrong.
std::optional<bool> equal_answers(std::string_view equality, std::string_view answer, std::string_view gold);

// One scored continuation.
struct OptionScore {
  double logprob_nats = 0;  // summed over its tokens
  std::int64_t tokens = 0;
  std::optional<double> unconditional_nats = {};  // after Protocol::unconditional
};

// A metric that counts parts of items (instructions of prompts): its value is all hits over all parts.
struct PartShare {
  std::string metric;
  std::int64_t hits = 0, of = 0;
};

struct ItemScore {
  std::optional<bool> correct;
  std::optional<double> score;  // in the protocol's first metric: 0, 1, bits per byte
  std::optional<std::string> extracted;
  std::string extractor;  // the link that found it
  bool fallback = false;
  std::string why;               // one clause
  int chosen = -1;               // choice: the option taken
  std::optional<double> margin;  // choice: best minus second-best value, in the protocol's normalisation
  std::vector<std::pair<std::string, double>> values;  // this item in every metric that applies
  std::vector<PartShare> shares;                       // this item in metrics over parts of items
  bool sampled = false;  // drawn at a temperature: another run gives another value
  // Of `values`, over such draws of this item's samples; those of which nothing can be said are absent.
  std::vector<std::pair<std::string, double>> variances;
  double bits = 0;                                     // rolling: minus the summed log2 probability
  std::int64_t bytes = 0;                              // rolling: of the whole text
  std::optional<ProgramTest> program;  // what must be run before this is judged; settle_program takes it away
  bool harness_fault = false;          // nothing could be found out: `correct` is none for no fault of the model
};

// `options` has one entry per option of the item. Ties go to the first. Characters are code points of the
// option without blanks before it.
ItemScore score_choice(const Protocol& protocol, const Item& item, std::span<const OptionScore> options);
// `output` is what the model wrote, without the primer, which is put before it here. `truncated`: it ended at
// the token limit.
ItemScore score_output(const Protocol& protocol, const Item& item, std::string_view output,
                       std::string_view model = {}, bool truncated = false);
// Judges an item whose program was run.
void settle_program(ItemScore& score, const ProgramOutcome& outcome);
ItemScore score_rolling(const Protocol& protocol, const Item& item, double logprob_nats, std::int64_t tokens);

struct Metric {
  std::string name;
  double value = 0;
  // Of another draw of the outputs to these very items: 0 where nothing is drawn, none where one draw an item shows nothing of it. se_population
  // is of another draw of items and outputs: the scatter of the items' values holds both.
  std::optional<double> se_fixed;
  std::optional<double> se_population;  // of items like these; none below two items
  std::optional<double> low, high;      // 95 %, population: Wilson for flags, else the value ± 1.96 se
  std::int64_t n = 0;
};

struct ScoredItem {
  const Item* item;
  ItemScore score;
};

// Every metric of the protocol over the items, in the protocol's order. Items that could not be judged are
// left out of a mean of flags and counted nowhere else than in the audit.
std::vector<Metric> aggregate(const Protocol& protocol, std::span<const ScoredItem> items);

std::int64_t count_code_points(std::string_view utf8);

}  // namespace assay
