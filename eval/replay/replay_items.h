// Which item of a suite a stored record speaks of, and what the harness that stored it said about it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "eval/replay/replay.h"
#include "eval/replay/stored.h"
#include "suites/score.h"
#include "suites/suite.h"

namespace assay {

// Harnesses name items by an id of the data set, by the question, or by nothing but a place in their own copy of the data set.
class ItemFinder {
 public:
  explicit ItemFinder(const Suite& suite);  // must outlive the finder

  // By id; else by the text of the question where only one item has it; else by the place, if the record does not show another question.
  // nullptr: no such item.
  const Item* find(const StoredOutput& output) const;
  const Item* find_id(const std::string& id) const;  // by id alone

 private:
  const Suite& suite_;
  std::unordered_map<std::string_view, const Item*> by_id_;
  std::unordered_map<std::string_view, const Item*> by_question_;  // nullptr: several have it
};

// The log-likelihoods of the record in the order of the item's options, which the harness may have asked in another one.
std::vector<OptionScore> option_scores(const Item& item, const StoredOutput& output);

// A filter or scorer of the harness speaks of this protocol: it has its name, begins with a word of it, or is the only one.
bool filter_fits(std::string_view filter, const Protocol& protocol, bool only_one);

// The harness's verdict in the protocol's main metric; none of an item that was asked several times.
std::optional<bool> own_flag(const StoredOutput& output, const Protocol& protocol);

// Holds every value that the harness stored against ours of the same name; `agreements` has one entry a name.
void count_own_values(std::vector<std::pair<std::string, FlagAgreement>>& agreements, const StoredOutput& output,
                      const Protocol& protocol, const ItemScore& score);

// What the harness printed about the whole file, as far as it speaks of this protocol.
std::vector<PublishedFigure> reported_figures(const std::vector<StoredFigure>& reported, const Protocol& protocol, const ReplayResult& result);

}  // namespace assay
