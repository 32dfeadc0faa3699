// Are two models' stored outputs on the same prompts alike beyond what unrelated models show? Two tests a pair:
//
// - rare-phrase: per prompt the word 3- to 5-grams of the first 300 words of each answer, weighted by
//   log((M+1)/df) with df counted over all M answers to that same prompt; weighted cosine; mean over prompts: S_ab.
//   A task's own wording is shared by all and weighs nothing; what two models alone say weighs much.
//   The effect is S_ab against each model's usual level in the panel ("hub correction"): the mean of
//   (S_ab - median_c S_ac) / MAD_a and the same for b, with the c of the panel.
//   p = (1 + #{r : S_rb >= S_ab}) / (1 + |R|), R the panel without relatives of either, the larger of both directions.
// - verbatim: share of prompts whose answers are equal byte for byte, p likewise; the effect is the excess over the panel's median.
//
// Without a panel there is no null, and the verdict is INCONCLUSIVE; likewise where the panel is so small that its smallest p is
// above alpha. A symmetric test never tells who taught whom, and never why.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reports/database.h"

namespace assay {

struct OutputSet {
  std::string model;
  std::map<std::string, std::string> answers;  // prompt id -> answer
};

struct Panel {
  std::string name;
  std::string digest;                           // of the panel file
  std::vector<std::string> members;             // models whose outputs serve as the null; empty: all that were given
  std::map<std::string, std::string> family_of;  // models of one family are relatives and no null for each other
};

struct OutputSimilarityOptions {
  double alpha = 0.05;
  int replicates = 200;   // bootstrap over prompts
  double level = 0.95;    // of the interval of the effect
  std::uint64_t seed = 1;
};

struct OutputSimilarity {
  std::string a, b, test;            // rare-phrase, verbatim
  std::optional<double> statistic;   // S_ab, or the share of equal answers
  std::optional<double> effect;      // above the panel: in its MADs (rare-phrase) or as a share (verbatim); none without a panel
  std::optional<double> low, high;   // interval of the effect over prompts
  std::optional<double> p, p_adjusted, p_min;
  std::int64_t n = 0;                // prompts that both answered
  std::string panel;                 // name and digest; "" without
  std::string verdict;               // OUTPUTS_SAME_SOURCE, OUTPUTS_NOT_DISTINGUISHED_FROM_PANEL, VERBATIM_OVERLAP(k/n), INCONCLUSIVE(...)
  std::string does_not_show;
};

// Reads {"name", "members": [...], "family": {model: family}}.
Result<Panel> read_panel(const std::string& path);

// Every pair of `sets`, ascending by position, rare-phrase before verbatim. `panel` absent: no null. Refuses fewer than two sets, two
// sets of one name, a panel member that is not among the sets, and sets without a common prompt.
Result<std::vector<OutputSimilarity>> compare_outputs(const std::vector<OutputSet>& sets, const std::optional<Panel>& panel,
                                                      const OutputSimilarityOptions& options = {});

// Rows of table `similarity`; rows of the same pair and test are replaced.
Status record_output_similarity(Database& database, const std::vector<OutputSimilarity>& rows);
Json output_similarity_json(const std::vector<OutputSimilarity>& rows);  // {"pairs": [...]} as INTERFACE prints it
std::string output_similarity_text(const std::vector<OutputSimilarity>& rows);

}  // namespace assay
