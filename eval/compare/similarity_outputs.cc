#include "eval/compare/similarity_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "base/stats/multiple.h"

#include "base/view.h"

namespace assay {
namespace {

constexpr std::size_t kMaxWords = 300;  // of an answer; later text is mostly the template again
constexpr std::size_t kMinGram = 3, kMaxGram = 5;
constexpr double kSmallestMad = 1e-6;   // a panel of equal similarities has no spread to measure in

std::vector<std::uint64_t> word_hashes(std::string_view text) {
  std::vector<std::uint64_t> words;
  std::uint64_t hash = 0;
  bool inside = false;
  const auto end_word = [&] {
    if (inside) words.push_back(hash);
    inside = false;
  };
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = std::isalnum(byte) != 0 || byte >= 0x80;
    if (!letter) {
      end_word();
      if (words.size() >= kMaxWords) break;
      continue;
    }
    if (!inside) hash = 0xcbf29ce484222325ULL;  // FNV-1a
    inside = true;
    hash = (hash ^ static_cast<std::uint64_t>(std::tolower(byte))) * 0x100000001b3ULL;
  }
  end_word();
  if (words.size() > kMaxWords) words.resize(kMaxWords);
  return words;
}

std::vector<std::uint64_t> gram_set(std::string_view text) {
  const std::vector<std::uint64_t> words = word_hashes(text);
  std::vector<std::uint64_t> grams;
  for (std::size_t size = kMinGram; size <= kMaxGram; ++size) {
    for (std::size_t i = 0; i + size <= words.size(); ++i) {
      std::uint64_t hash = size;
      for (std::size_t j = i; j < i + size; ++j) hash = (hash ^ words[j]) * 0x9E3779B97F4A7C15ULL + (hash >> 29);
      grams.push_back(hash);
    }
  }
  std::ranges::sort(grams);
  const auto tail = std::ranges::unique(grams);
  grams.erase(tail.begin(), tail.end());
  return grams;
}

// Similarities of all pairs on all common prompts, kept per prompt for the bootstrap: (n_pairs, n_prompts).
struct PerPrompt {
  std::size_t n_sets = 0, n_prompts = 0;
  std::vector<float> rare, equal;

  std::size_t pair(std::size_t a, std::size_t b) const {
    if (a > b) std::swap(a, b);
    ASSAY_CHECK(a < b && b < n_sets);
    return a * n_sets - a * (a + 1) / 2 + (b - a - 1);
  }
  std::size_t n_pairs() const { return n_sets * (n_sets - 1) / 2; }
};

std::vector<std::string> common_prompts(const std::vector<OutputSet>& sets) {
  std::vector<std::string> common;
  for (const auto& [id, answer] : sets.front().answers) {
    const bool everywhere = std::ranges::all_of(sets, [&](const OutputSet& s) { return s.answers.contains(id); });
    if (everywhere) common.push_back(id);
  }
  return common;
}

// Weighted cosine of two ascending gram sets: the weight of a gram enters both vectors, hence its square.
float weighted_cosine(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b, const std::unordered_map<std::uint64_t, double>& weight,
                      double norm_a, double norm_b) {
  if (!(norm_a > 0) || !(norm_b > 0)) return 0;
  double dot = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] < b[j]) {
      ++i;
    } else if (b[j] < a[i]) {
      ++j;
    } else {
      const double w = weight.at(a[i]);
      dot += w * w;
      ++i, ++j;
    }
  }
  return static_cast<float>(dot / (norm_a * norm_b));
}

void add_prompt(const std::vector<OutputSet>& sets, const std::string& id, std::size_t column, PerPrompt& out) {
  std::vector<std::vector<std::uint64_t>> grams;
  std::unordered_map<std::uint64_t, double> weight;
  for (const OutputSet& set : sets) {
    grams.push_back(gram_set(set.answers.at(id)));
    for (const std::uint64_t gram : grams.back()) weight[gram] += 1;
  }
  const double m = static_cast<double>(sets.size());
  for (auto& [gram, value] : weight) value = std::log((m + 1) / value);
  std::vector<double> norm;
  for (const auto& set : grams) {
    norm.push_back(std::sqrt(std::accumulate(set.begin(), set.end(), 0.0, [&](double sum, std::uint64_t gram) {
      const double w = weight.at(gram);
      return sum + w * w;
    })));
  }
  for (std::size_t a = 0; a < sets.size(); ++a) {
    for (std::size_t b = a + 1; b < sets.size(); ++b) {
      const std::size_t cell = out.pair(a, b) * out.n_prompts + column;
      out.rare[cell] = weighted_cosine(grams[a], grams[b], weight, norm[a], norm[b]);
      const std::string& answer = sets[a].answers.at(id);
      out.equal[cell] = !answer.empty() && answer == sets[b].answers.at(id) ? 1.0F : 0.0F;
    }
  }
}

PerPrompt per_prompt(const std::vector<OutputSet>& sets, const std::vector<std::string>& prompts) {
  PerPrompt out{.n_sets = sets.size(), .n_prompts = prompts.size(), .rare = {}, .equal = {}};
  out.rare.resize(out.n_pairs() * prompts.size());
  out.equal.resize(out.n_pairs() * prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) add_prompt(sets, prompts[i], i, out);
  return out;
}

// Means over prompts drawn with the given counts (all ones: the plain mean). (n_pairs)
std::vector<double> pair_means(const std::vector<float>& cells, std::size_t n_prompts, const std::vector<int>& counts) {
  std::vector<double> means(cells.size() / n_prompts);
  for (std::size_t p = 0; p < means.size(); ++p) {
    double sum = 0;
    for (std::size_t i = 0; i < n_prompts; ++i) sum += static_cast<double>(counts[i]) * static_cast<double>(cells[p * n_prompts + i]);
    means[p] = sum / static_cast<double>(n_prompts);
  }
  return means;
}

double median(std::vector<double> values) {
  ASSAY_CHECK(!values.empty());
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Who may serve as the null for a pair: panel members other than a and b, of another family than either.
class Null {
 public:
  Null(const std::vector<OutputSet>& sets, const std::optional<Panel>& panel) {
    if (!panel) return;
    const std::set<std::string> members(panel->members.begin(), panel->members.end());
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const auto found = panel->family_of.find(sets[i].model);
      family_.push_back(found == panel->family_of.end() ? sets[i].model : found->second);
      if (members.empty() || members.contains(sets[i].model)) members_.push_back(i);
    }
  }
  std::vector<std::size_t> references(std::size_t a, std::size_t b) const {
    std::vector<std::size_t> out;
    for (const std::size_t r : members_) {
      if (r != a && r != b && family_[r] != family_[a] && family_[r] != family_[b]) out.push_back(r);
    }
    return out;
  }

 private:
  std::vector<std::size_t> members_;
  std::vector<std::string> family_;
};

// How far S_ab lies above what both sides show with the references: in MADs for phrases; verbatim shares are mostly equal among
// references (a MAD of 0), so their effect is the plain excess over the median.
double hub_corrected(const std::vector<double>& s, const PerPrompt& cells, std::size_t a, std::size_t b, const std::vector<std::size_t>& references,
                     bool in_mads) {
  const auto one_side = [&](std::size_t side) {
    std::vector<double> level, distance;
    for (const std::size_t r : references) level.push_back(s[cells.pair(side, r)]);
    const double middle = median(level);
    for (const double value : level) distance.push_back(std::abs(value - middle));
    const double excess = s[cells.pair(a, b)] - middle;
    return in_mads ? excess / std::max(median(distance), kSmallestMad) : excess;
  };
  return (one_side(a) + one_side(b)) / 2;
}

// The larger of both directions' conformal p.
double panel_p(const std::vector<double>& s, const PerPrompt& cells, std::size_t a, std::size_t b, const std::vector<std::size_t>& references) {
  const double observed = s[cells.pair(a, b)];
  const auto one_side = [&](std::size_t side) {
    const auto as_high = std::ranges::count_if(references, [&](std::size_t r) { return s[cells.pair(side, r)] >= observed; });
    return static_cast<double>(1 + as_high) / static_cast<double>(1 + references.size());
  };
  return std::max(one_side(a), one_side(b));
}

std::vector<std::vector<int>> bootstrap_counts(std::size_t n_prompts, const OutputSimilarityOptions& options) {
  std::vector<std::vector<int>> all;
  for (int replicate = 0; replicate < options.replicates; ++replicate) {
    Stream draws(options.seed, static_cast<std::uint64_t>(replicate));
    std::vector<int> counts(n_prompts, 0);
    for (std::size_t i = 0; i < n_prompts; ++i) ++counts[draws.below(n_prompts)];
    all.push_back(std::move(counts));
  }
  return all;
}

constexpr std::string_view kDoesNotShow =
    "does not show direction, intent, copied weights, or direct against indirect teaching; a shared base, teacher or template looks the same";

void judge(OutputSimilarity& row, const OutputSimilarityOptions& options) {
  row.does_not_show = kDoesNotShow;
  if (!row.p) {
    row.verdict = "INCONCLUSIVE(no panel: what unrelated models show is not known)";
  } else if (*row.p_min > options.alpha) {
    row.verdict = fmt::format("INCONCLUSIVE(the panel's smallest p is {:.3f}, above {:.3f})", *row.p_min, options.alpha);
  } else if (*row.p_adjusted <= options.alpha) {
    row.verdict = row.test == "verbatim" ? fmt::format("VERBATIM_OVERLAP({:.0f}/{})", *row.statistic * static_cast<double>(row.n), row.n)
                                         : "OUTPUTS_SAME_SOURCE";
  } else if (*row.p <= options.alpha) {
    row.verdict = "INCONCLUSIVE(beyond the panel alone, not after Holm's correction for all pairs)";
  } else {
    row.verdict = "OUTPUTS_NOT_DISTINGUISHED_FROM_PANEL";
  }
}

void adjust_and_judge(std::vector<OutputSimilarity>& rows, const OutputSimilarityOptions& options) {
  for (const std::string_view test : {"rare-phrase", "verbatim"}) {
    std::vector<double> p;
    for (const auto& row : rows) {
      if (row.test == test && row.p) p.push_back(*row.p);
    }
    const std::vector<double> adjusted = p.empty() ? p : stats::holm(p);
    std::size_t next = 0;
    for (auto& row : rows) {
      if (row.test != test) continue;
      if (row.p) row.p_adjusted = adjusted[next++];
      judge(row, options);
    }
  }
}

Status check_sets(const std::vector<OutputSet>& sets, const std::optional<Panel>& panel) {
  if (sets.size() < 2) return Error{.code = Code::bad_value, .message = "similarity needs the outputs of at least two models", .got = std::to_string(sets.size())};
  std::set<std::string> names;
  for (const OutputSet& set : sets) {
    if (!names.insert(set.model).second) return Error{.code = Code::duplicate, .message = "two files hold outputs of a model of the same name", .field = set.model};
  }
  if (!panel) return {};
  for (const std::string& member : panel->members) {
    if (!names.contains(member)) {
      return Error{.code = Code::not_found, .message = "the panel names a model whose outputs were not given", .field = member};
    }
  }
  return {};
}

struct Replicates {
  std::vector<std::vector<double>> means;  // (replicates, n_pairs)
};

void add_null(OutputSimilarity& row, const std::vector<double>& s, const PerPrompt& cells, std::size_t a, std::size_t b,
              const std::vector<std::size_t>& references, const Replicates& replicates, const OutputSimilarityOptions& options) {
  if (references.empty()) return;
  const bool in_mads = row.test == "rare-phrase";
  row.effect = hub_corrected(s, cells, a, b, references, in_mads);
  row.p = panel_p(s, cells, a, b, references);
  row.p_min = 1.0 / static_cast<double>(1 + references.size());
  std::vector<double> effects;
  for (const auto& means : replicates.means) effects.push_back(hub_corrected(means, cells, a, b, references, in_mads));
  if (effects.empty()) return;
  std::ranges::sort(effects);
  const double tail = (1 - options.level) / 2 * static_cast<double>(effects.size() - 1);
  row.low = effects[static_cast<std::size_t>(std::floor(tail))];
  row.high = effects[effects.size() - 1 - static_cast<std::size_t>(std::floor(tail))];
}

}  // namespace

Result<Panel> read_panel(const std::string& path) {
  ASSAY_TRY(const std::string text, read_file(path, std::size_t{1} << 20));
  ASSAY_TRY(const Json json, parse_json(text, path));
  Panel panel;
  ASSAY_TRY(panel.name, json_string(json, "name", path));
  panel.digest = sha256_hex(text);
  if (json.contains("members")) {
    if (!json["members"].is_array()) return Error{.code = Code::bad_value, .message = "a panel's members are an array of names", .file = path, .field = "members"};
    for (const Json& member : json["members"]) {
      if (!member.is_string()) return Error{.code = Code::bad_value, .message = "a panel member is a model's name", .file = path, .field = "members", .got = dump_json(member)};
      panel.members.push_back(member.get<std::string>());
    }
  }
  if (json.contains("family")) {
    if (!json["family"].is_object()) return Error{.code = Code::bad_value, .message = "a panel's family is an object of model: family", .file = path, .field = "family"};
    for (const auto& [model, family] : json["family"].items()) {
      if (!family.is_string()) return Error{.code = Code::bad_value, .message = "a family is a string", .file = path, .field = model, .got = dump_json(family)};
      panel.family_of[model] = family.get<std::string>();
    }
  }
  return panel;
}

Result<std::vector<OutputSimilarity>> compare_outputs(const std::vector<OutputSet>& sets, const std::optional<Panel>& panel,
                                                      const OutputSimilarityOptions& options) {
  ASSAY_OK(check_sets(sets, panel));
  const std::vector<std::string> prompts = common_prompts(sets);
  if (prompts.empty()) return Error{.code = Code::bad_value, .message = "there is no prompt that all of these models answered"};
  const PerPrompt cells = per_prompt(sets, prompts);
  const Null null(sets, panel);
  const std::vector<int> once(prompts.size(), 1);
  const auto resamples = panel ? bootstrap_counts(prompts.size(), options) : std::vector<std::vector<int>>();
  std::vector<OutputSimilarity> rows;
  for (const bool verbatim : {false, true}) {
    const std::vector<float>& values = verbatim ? cells.equal : cells.rare;
    const std::vector<double> s = pair_means(values, prompts.size(), once);
    Replicates replicates;
    for (const auto& counts : resamples) replicates.means.push_back(pair_means(values, prompts.size(), counts));
    for (std::size_t a = 0; a < sets.size(); ++a) {
      for (std::size_t b = a + 1; b < sets.size(); ++b) {
        OutputSimilarity row{.a = sets[a].model, .b = sets[b].model, .test = verbatim ? "verbatim" : "rare-phrase"};
        row.statistic = s[cells.pair(a, b)];
        row.n = static_cast<std::int64_t>(prompts.size());
        if (panel) row.panel = fmt::format("{} {}", panel->name, panel->digest.substr(0, 16));
        add_null(row, s, cells, a, b, null.references(a, b), replicates, options);
        rows.push_back(std::move(row));
      }
    }
  }
  adjust_and_judge(rows, options);
  return rows;
}

}  // namespace assay
