#include "eval/replay/replay_score.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/sha256.h"
#include "base/stats/passk.h"
#include "eval/replay/replay_items.h"
#include "eval/replay/replay_labels.h"

namespace assay {
namespace {

constexpr std::string_view kPassAt = "pass@";
constexpr std::size_t kDigestIdChars = 16;  // of an item that is known by its question alone

double* value_of(ItemScore& score, std::string_view name) {
  for (auto& [own, value] : score.values) {
    if (own == name) return &value;
  }
  return nullptr;
}

void set_value(ItemScore& score, std::string_view name, double value) {
  if (double* own = value_of(score, name))
    *own = value;
  else
    score.values.emplace_back(name, value);
}

// The k of pass@k; 0 for other names.
std::int64_t k_of(std::string_view metric) {
  if (!metric.starts_with(kPassAt)) return 0;
  std::int64_t k = 0;
  const auto [end, failed] = std::from_chars(metric.data() + kPassAt.size(), metric.data() + metric.size(), k);
  return failed == std::errc{} && end == metric.data() + metric.size() && k > 0 ? k : 0;
}

struct SampleCount {
  std::int64_t n = 0, right = 0;
};

SampleCount count_marks(const std::vector<SampleMark>& marks) {
  SampleCount count;
  for (const auto& mark : marks) {
    count.n += mark.correct ? 1 : 0;
    count.right += mark.correct == true ? 1 : 0;
  }
  return count;
}

// What n verdicts say of an item. Figures that the file itself has stay.
void set_from_counts(const Protocol& protocol, const SampleCount& count, ReplayScore& out) {
  if (count.n == 0) return;
  const double share = static_cast<double>(count.right) / static_cast<double>(count.n);
  const auto keep = [&](std::string_view name, double value) {
    if (value_of(out.score, name) == nullptr) set_value(out.score, name, value);
  };
  keep("accuracy", share);
  keep("exact_match", share);
  for (const auto& metric : protocol.metrics) {
    const std::int64_t k = k_of(metric);
    if (k > 0 && k <= count.n) keep(metric, static_cast<double>(stats::pass_at_k(count.n, count.right, k)));
  }
  if (count.n > 1) out.variance = share * (1 - share) / static_cast<double>(count.n - 1);
  if (count.n == 1) out.score.correct = count.right == 1;
}

// The mean of the scores that a judge gave to the samples.
void set_from_scores(const std::vector<StoredSample>& samples, ReplayScore& out) {
  const bool all = !samples.empty() && std::all_of(samples.begin(), samples.end(), [](const auto& s) { return s.score.has_value(); });
  if (!all) return;
  const double n = static_cast<double>(samples.size());
  double sum = 0, squares = 0;
  for (const auto& sample : samples) sum += *sample.score;
  for (const auto& sample : samples) squares += (*sample.score - sum / n) * (*sample.score - sum / n);
  set_value(out.score, "accuracy", sum / n);
  if (n > 1) out.variance = squares / (n - 1) / n;
}

void set_main_score(const Protocol& protocol, ItemScore& score) {
  for (const auto& metric : protocol.metrics) {
    if (const double* value = value_of(score, metric)) {
      score.score = *value;
      return;
    }
  }
}

ReplayScore stored_score(const Protocol& protocol, const StoredOutput& output) {
  ReplayScore out;
  out.score.values = output.values;
  out.score.extractor = "stored";
  for (const auto& sample : output.samples) out.marks.push_back({sample.flag, sample.note});
  std::vector<SampleMark> verdicts = out.marks;
  if (output.flag) verdicts.push_back({output.flag, std::nullopt});
  const SampleCount count = count_marks(verdicts);
  set_from_scores(output.samples, out);
  // Beside a pass@1 the samples are those that were timed, all of them right: they say nothing of how many were.
  if (value_of(out.score, "pass@1") == nullptr) set_from_counts(protocol, count, out);
  set_main_score(protocol, out.score);
  if (!output.values.empty() || (count.n == 0 && !out.score.values.empty()))
    out.score.why = "the figure that lies beside the output";
  else if (count.n > 0)
    out.score.why = fmt::format("{} of {} outputs are right by the verdicts that lie beside them", count.right, count.n);
  else
    out.score.why = "not judged: no verdict lies beside the output";
  return out;
}

ReplayScore sampled_score(const Protocol& protocol, const Item& item, const StoredOutput& output, const std::string& model) {
  ReplayScore out;
  double unanswered = 0;
  for (std::size_t i = 0; i < output.samples.size(); ++i) {
    ItemScore one = score_output(protocol, item, output.samples[i].output, model);
    out.marks.push_back({one.correct, one.extracted});
    unanswered += one.extracted ? 0 : 1;
    if (i == 0) out.score = std::move(one);
  }
  const SampleCount count = count_marks(out.marks);
  if (count.n > 1) out.score.correct.reset();
  out.score.values.clear();
  set_from_counts(protocol, count, out);
  set_value(out.score, "no_answer", unanswered / static_cast<double>(output.samples.size()));
  set_main_score(protocol, out.score);
  if (count.n > 1) out.score.why = fmt::format("{} of {} outputs are right", count.right, count.n);
  return out;
}

std::optional<ReplayScore> generated_score(const Protocol& protocol, const Item& item, const StoredOutput& output, const std::string& model) {
  const bool empty = !output.output && output.samples.empty();
  if (protocol.equality == "stored") return empty && output.values.empty() ? std::nullopt : std::optional(stored_score(protocol, output));
  if (empty) return std::nullopt;
  if (!output.samples.empty()) return sampled_score(protocol, item, output, model);
  return ReplayScore{.score = score_output(protocol, item, *output.output, model)};
}

std::optional<ItemScore> likelihood_score(const Protocol& protocol, const Item& item, const StoredOutput& output) {
  if (protocol.kind == ProtocolKind::rolling) {
    if (output.log_likelihoods.size() != 1 || item.text.empty()) return std::nullopt;
    return score_rolling(protocol, item, output.log_likelihoods[0], output.tokens.value_or(0));
  }
  if (item.options.empty() || output.log_likelihoods.size() != item.options.size()) return std::nullopt;
  // Without the tokens of every option nothing can be said per token.
  if (output.option_tokens.empty() && protocol.normalisation == Normalisation::tokens) return std::nullopt;
  if (output.unconditional.empty() && protocol.normalisation == Normalisation::uncond) return std::nullopt;
  ItemScore score = score_choice(protocol, item, option_scores(item, output));
  if (output.option_tokens.empty()) std::erase_if(score.values, [](const auto& value) { return value.first == "acc_token"; });
  return score;
}

}  // namespace

Item item_of_record(StoredOutput& output) {
  Item item;
  item.id = output.id.empty() ? sha256_hex(output.question).substr(0, kDigestIdChars) : output.id;
  item.subset = output.subset;
  item.question = std::move(output.question);
  item.options = std::move(output.options);
  item.gold = output.gold.value_or("");
  item.gold_index = output.gold_index;
  if (item.options.empty() && output.log_likelihoods.size() == 1) item.text = item.question;
  ASSAY_CHECK(item.gold_index < static_cast<int>(item.options.size()));
  return item;
}

std::optional<ReplayScore> score_record(const Protocol& protocol, const Item& item, const StoredOutput& output, const std::string& model) {
  if (auto labelled = score_labels(protocol, output)) return ReplayScore{.score = std::move(*labelled)};
  if (protocol.kind == ProtocolKind::generate) return generated_score(protocol, item, output, model);
  auto score = likelihood_score(protocol, item, output);
  return score ? std::optional(ReplayScore{.score = std::move(*score)}) : std::nullopt;
}

std::vector<SampleRecord> sample_rows(const StoredOutput& output, const ReplayScore& score) {
  std::vector<SampleRecord> rows;
  if (output.output) rows.push_back({*output.output, output.finish_reason, std::nullopt, score.score.correct, score.score.extracted});
  ASSAY_CHECK(score.marks.size() == output.samples.size());
  for (std::size_t i = 0; i < score.marks.size(); ++i) {
    rows.push_back({output.samples[i].output, std::nullopt, std::nullopt, score.marks[i].correct, score.marks[i].extracted});
  }
  return rows;
}

}  // namespace assay
