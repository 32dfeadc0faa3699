// What is asked and how it is judged, as plain data. A suite is a definition file suites/data/NAME.suite.json
// (or a user's own) that pins the digest of its items and names one or more protocols; `load_suite` reads and
// checks all of it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace assay {

inline constexpr int kMaxOptions = 26;  // letters A to Z

struct Item {
  std::string id;
  std::string subset;   // sub-task; "" where the suite has none
  std::string cluster;  // items that share a stem; "" where they do not
  std::string question, passage;
  std::vector<std::string> options;
  int gold_index = -1;  // the right option, from 0; -1 where the suite has no options
  std::string gold;     // the expected answer as text; for a choice the index as text; "" for rolling text
  std::vector<std::string> golds;  // further answers that are right too: aliases, other annotators; without `gold`
  std::string text;     // what a rolling suite scores
  std::vector<std::pair<std::string, std::string>> extra;  // other fields that templates name: chain, ...
  std::int64_t ordinal = -1;            // place in Suite::items; -1: not an item of a suite
  std::int64_t ordinal_in_subset = -1;  // place among the items of its subset

  // The value of a template's {name}: question, passage, gold, text, subset or an extra field; no value:
  // unknown name.
  std::optional<std::string_view> field(std::string_view name) const;
  // Digest of what is asked and expected; extra fields are not part of it.
  std::string digest() const;
};

enum class ProtocolKind : std::uint8_t { choice, generate, rolling };
// What a choice divides the summed log-likelihood of an option by; uncond takes off the log-likelihood that
// the option has after Protocol::unconditional (mutual information).
enum class Normalisation : std::uint8_t { none, chars, bytes, tokens, uncond };
// micro: all bits over all bytes (rolling). For the other kinds mean and micro are the mean over items;
// macro: the mean over sub-tasks' means (choice, generate) or over documents (rolling).
enum class Aggregation : std::uint8_t { mean, micro, macro };
// one: exactly one BOS before the first token. none: no BOS, and a rolling text's first token is given, not
// scored. tokenizer: what the tokenizer adds by itself.
enum class BosPolicy : std::uint8_t { one, none, tokenizer };

// Where numbers are drawn from. seeded: Stream(seed, digest of the item's id), so that an item's draw does not
// depend on what is asked beside it. python: random.Random(seed).sample of CPython, one call an item in the
// order of the file, as lm-evaluation-harness (lm_eval/api/samplers.py) and simple-evals (gpqa_eval.py) draw. balanced: the same examples for
// all items of a pool, one of each answer in turn, the commonest answers first (lighteval 0.6.2, FewShotSampler).
enum class DrawRule : std::uint8_t { seeded, python, balanced };

// Which solved examples a prompt shows, in the order shown.
struct ShotChoice {
  std::string split;         // a name of Suite::splits; "": Suite::fewshot; "items": the items, never the asked one
  std::vector<int> indices;  // fixed ones; the first n are 0 … n-1
  int n_drawn = 0;           // else as many are drawn
  DrawRule rule = DrawRule::seeded;
  std::uint64_t seed = 0;
  // As many more are drawn; those that ask what the item asks are dropped, then the last ones: what lm-evaluation-harness 0.4.13 does for
  // tasks that name neither test_split nor fewshot_split (HellaSwag, WinoGrande: None == None in its fewshot_context).
  int n_spare = 0;
  bool of_subset = false;  // indices and draws count among the examples of the item's own subset

  std::size_t size() const { return n_drawn > 0 ? static_cast<std::size_t>(n_drawn) : indices.size(); }
};

// item_sample: stream (seed, item, sample), the engine's rule. sample: sample j of every item has seed + j, as
// a server that takes one seed a request is asked. none: no seed is sent.
enum class SeedRule : std::uint8_t { item_sample, sample, none };

struct Sampling {
  double temperature = 0;  // 0: the likeliest token
  int top_k = 0;           // 0: all
  double top_p = 1, min_p = 0, repetition_penalty = 1, presence_penalty = 0;
  int samples = 1;  // an item
  SeedRule seed_rule = SeedRule::item_sample;
  std::optional<std::uint64_t> seed;  // none: that of the run
};

struct Thinking {
  std::string end;  // "</think>": it and all before its last occurrence are cut before extraction; "": nothing is
  int max_tokens = 0;      // after as many tokens without `end`, `end` is put there; 0: max_tokens alone bounds it
  bool needs_end = false;  // an output without `end` is not read at all (it was still thinking); else read whole
};

// What an output that ended at the token limit, or an empty one, counts as. as_is: what the extractors make of it.
enum class Unusable : std::uint8_t { as_is, wrong, unjudged };
// A prompt that is longer than the context loses its beginning or its end, or the item is refused.
enum class InputCut : std::uint8_t { left, right, refuse };

// One link of an extractor chain: the named function of suites/extract.h with its pattern; the first that
// finds something wins.
struct ExtractorLink {
  std::string function;
  std::string pattern;     // for the functions that take one
  bool fallback = false;   // answers found by it are counted in the audit as `fallback`
  std::string only_model;  // the link is there only for models whose name holds this; "": for all
};

struct Protocol {
  std::string name;
  ProtocolKind kind = ProtocolKind::generate;
  bool main = false;  // one a suite: what is run when no protocol is named
  // Templates, see suites/render.h. `preamble` stands once before all; `block` ends where the answer begins;
  // `answer` completes it in a solved example.
  std::string preamble, block, answer;
  std::string continuation;        // choice: one per option, with {option} and {letter}
  std::string option_line;         // what {options} repeats for every option
  std::string separator;           // between blocks
  std::string example;             // what a solved example shows; "": block and answer
  ShotChoice shots;
  bool partial = false;  // choice: `block` holds {option}, one prompt an option; the continuation is what they share
  std::optional<std::string> unconditional;  // choice: context without the question, for acc_uncond
  std::optional<std::uint64_t> option_seed;  // {options} stand in a permuted order; none: as they are
  DrawRule option_rule = DrawRule::seeded;
  bool chat = false;               // the prompt is given through the model's chat template
  std::string system;              // template of the system turn; needs `chat`
  bool preamble_is_system = false;  // chat: the preamble ends the system turn instead of beginning the user's
  bool shots_as_turns = false;     // chat: solved examples are turns of user and assistant
  std::string chat_options_json;   // an object whose members the chat template sees: {"enable_thinking": false}
  std::string gen_prefix;          // template; begins the answer (after the chat template); no extractor reads it
  std::string primer;              // the very end of the prompt, which the extractor reads before the output
  std::vector<std::string> stops;
  int max_tokens = 0;
  InputCut input_cut = InputCut::left;
  BosPolicy bos = BosPolicy::one;
  Sampling sampling;
  Thinking thinking;
  Unusable truncated = Unusable::as_is, empty = Unusable::wrong;
  Normalisation normalisation = Normalisation::none;
  std::vector<ExtractorLink> extractors;
  std::string equality;  // a function of suites/score.h
  std::string tests;     // python-tests: a template of what is run after the extracted program (suites/program.h)
  std::vector<std::string> ignore;  // patterns: what they match is taken out of answer and gold before they are compared
  Aggregation aggregation = Aggregation::mean;
  std::optional<Aggregation> beside;  // a second aggregation: its figures are named METRIC_macro or METRIC_micro
  std::vector<std::string>
      metrics;  // INTERFACE's names; the first one decides `correct` and `score` of an item
  std::string source;  // where the protocol is written down: repo@commit:path, or a paper's section
  std::string note;    // what differs from there, or what is not known

  std::string definition_json;  // as read, without white space, source and note
  std::string digest;           // of definition_json and of the few-shot examples that are or may be shown
  std::string template_digest;  // of the texts that make the prompt alone
  std::vector<std::vector<int>> drawn_shots;    // not seeded: by Item::ordinal (indices in the pool)
  std::vector<std::vector<int>> drawn_orders;   // likewise, of options
};

struct Suite {
  std::string name, title, source, licence;
  std::string items_digest;  // pinned in the definition and checked
  std::int64_t n_items = 0;  // what a complete pass has; items may be absent (below)
  bool items_loaded =
      false;  // false: the items are only in stored outputs or in a --data folder that was not given
  std::vector<Item> items;
  std::vector<Item> fewshot;
  std::vector<std::pair<std::string, std::vector<Item>>> splits;  // further sets of solved examples, by name
  std::vector<std::pair<std::string, std::string>> missing;  // splits whose file is not there: name, which file and whence
  std::vector<Protocol> protocols;

  const Protocol* find_protocol(std::string_view protocol_name) const;
  const Protocol& main_protocol() const;
  const Item* find_item(std::string_view id) const;  // linear
};

// `name` is a bundled suite (suites/locate.h finds it), or the path of a definition file (it ends in .json);
// a file's own items are looked up beside it. Items that the definition marks as others' data are read from
// `data_dir` (empty: not read, `items_loaded` stays false).
Result<Suite> load_suite(const std::string& name, const std::string& data_dir = "");

// The names of the bundled definitions, sorted.
Result<std::vector<std::string>> bundled_suite_names();

// "" gives the main protocol. A name that is not there is refused with the list of those that are.
Result<const Protocol*> choose_protocol(const Suite& suite, std::string_view protocol_name);

std::string_view name_of(ProtocolKind kind);
std::string_view name_of(Normalisation normalisation);
std::string_view name_of(Aggregation aggregation);
std::string_view name_of(BosPolicy bos);
std::string_view name_of(InputCut cut);
std::string_view name_of(Unusable unusable);

}  // namespace assay
