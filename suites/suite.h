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
  std::string text;     // what a rolling suite scores
  std::vector<std::pair<std::string, std::string>> extra;  // other fields that templates name: chain, ...

  // The value of a template's {name}: question, passage, gold, text, subset or an extra field; no value:
  // unknown name.
  std::optional<std::string_view> field(std::string_view name) const;
  // Digest of what is asked and expected; extra fields are not part of it.
  std::string digest() const;
};

enum class ProtocolKind : std::uint8_t { choice, generate, rolling };
// What a choice divides the summed log-likelihood of an option by.
enum class Normalisation : std::uint8_t { none, chars, bytes, tokens };
// micro: all bits over all bytes (rolling). For the other kinds mean and micro are the mean over items;
// macro: the mean over sub-tasks' means (choice, generate) or over documents (rolling).
enum class Aggregation : std::uint8_t { mean, micro, macro };
// one: exactly one BOS before the first token. none: no BOS, and a rolling text's first token is given, not
// scored. tokenizer: what the tokenizer adds by itself.
enum class BosPolicy : std::uint8_t { one, none, tokenizer };

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
  std::vector<int> fewshot;        // indices into Suite::fewshot, in the order shown
  bool fewshot_of_subset = false;  // the indices count among the examples of the item's own subset
  bool chat = false;               // the block is one user turn of the model's chat template
  std::string primer;              // the end of the prompt that the extractor reads before the output
  std::vector<std::string> stops;
  int max_tokens = 0;
  BosPolicy bos = BosPolicy::one;
  Normalisation normalisation = Normalisation::none;
  std::vector<ExtractorLink> extractors;
  std::string equality;  // a function of suites/score.h
  Aggregation aggregation = Aggregation::mean;
  std::vector<std::string>
      metrics;  // INTERFACE's names; the first one decides `correct` and `score` of an item

  std::string definition_json;  // as read, without white space
  std::string digest;           // of definition_json and of the few-shot examples that are shown
};

struct Suite {
  std::string name, title, source, licence;
  std::string items_digest;  // pinned in the definition and checked
  std::int64_t n_items = 0;  // what a complete pass has; items may be absent (below)
  bool items_loaded =
      false;  // false: the items are only in stored outputs or in a --data folder that was not given
  std::vector<Item> items;
  std::vector<Item> fewshot;
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

}  // namespace assay
