#include "eval/replay/replay_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

std::string_view asked_text(const Item& item) { return without_blanks(item.question.empty() ? item.text : item.question); }

// Whether the record can be about that item: what it shows holds the question, or it shows nothing.
bool may_be(const Item& item, const StoredOutput& output) {
  const std::string_view asked = asked_text(item), question = without_blanks(output.question);
  const std::string_view prompt = output.prompt ? std::string_view(*output.prompt) : std::string_view();
  if (asked.empty() || (question.empty() && prompt.empty())) return true;
  if (!question.empty() && (question.find(asked) != std::string_view::npos || asked.find(question) != std::string_view::npos)) return true;
  return prompt.find(asked) != std::string_view::npos;
}

// metric and filter of "exact_match,strict-match".
std::pair<std::string_view, std::string_view> split_label(std::string_view label) {
  const auto comma = label.find(',');
  return {label.substr(0, comma), comma == std::string_view::npos ? std::string_view() : label.substr(comma + 1)};
}

// A right answer has several names, and one value.
std::string_view common_name(std::string_view metric) {
  return metric == "exact_match" || metric == "pass@1" ? std::string_view("accuracy") : metric;
}

std::optional<double> our_value(const ItemScore& score, std::string_view metric) {
  for (const auto& [name, value] : score.values) {
    if (common_name(name) == common_name(metric)) return value;
  }
  return std::nullopt;
}

bool is_printed_share(std::string_view metric) { return metric != "bits_per_byte" && metric != "mean_logprob"; }

// Flags are equal or not; sums of log-likelihoods were added in another order.
bool same_value(double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(1.0, std::abs(b)); }

// How many filters the harness used on that metric.
std::ptrdiff_t count_filters(const StoredOutput& output, std::string_view metric) {
  return std::count_if(output.values.begin(), output.values.end(),
                       [&](const auto& own) { return split_label(own.first).first == metric; });
}

FlagAgreement& entry_of(std::vector<std::pair<std::string, FlagAgreement>>& agreements, const std::string& name) {
  const auto at = std::find_if(agreements.begin(), agreements.end(), [&](const auto& entry) { return entry.first == name; });
  return at != agreements.end() ? at->second : agreements.emplace_back(name, FlagAgreement{}).second;
}

}  // namespace

ItemFinder::ItemFinder(const Suite& suite) : suite_(suite) {
  for (const auto& item : suite.items) {
    by_id_.emplace(item.id, &item);
    const auto [at, fresh] = by_question_.try_emplace(asked_text(item), &item);
    if (!fresh) at->second = nullptr;
  }
}

const Item* ItemFinder::find_id(const std::string& id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : at->second;
}

const Item* ItemFinder::find(const StoredOutput& output) const {
  if (const Item* named = find_id(output.id)) return named;
  if (const auto at = by_question_.find(without_blanks(output.question)); at != by_question_.end() && at->second != nullptr && !at->first.empty())
    return at->second;
  if (!output.ordinal || *output.ordinal < 0 || *output.ordinal >= static_cast<std::int64_t>(suite_.items.size())) return nullptr;
  const Item& placed = suite_.items[static_cast<std::size_t>(*output.ordinal)];
  return may_be(placed, output) ? &placed : nullptr;
}

std::vector<OptionScore> option_scores(const Item& item, const StoredOutput& output) {
  ASSAY_CHECK(item.options.size() == output.log_likelihoods.size());
  std::vector<std::size_t> order;
  for (const auto& option : item.options) {
    const auto at = std::find(output.options.begin(), output.options.end(), option);
    const auto place = static_cast<std::size_t>(at - output.options.begin());
    if (at != output.options.end() && std::find(order.begin(), order.end(), place) == order.end()) order.push_back(place);
  }
  const bool known = order.size() == item.options.size() && output.options.size() == item.options.size();
  std::vector<OptionScore> scores;
  for (std::size_t i = 0; i < item.options.size(); ++i) {
    const std::size_t place = known ? order[i] : i;
    const std::int64_t tokens = place < output.option_tokens.size() ? output.option_tokens[place] : 1;
    scores.push_back({output.log_likelihoods[place], tokens});
    if (place < output.unconditional.size()) scores.back().unconditional_nats = output.unconditional[place];
  }
  return scores;
}

bool filter_fits(std::string_view filter, const Protocol& protocol, bool only_one) {
  if (only_one || filter.empty() || filter == protocol.name) return true;
  const std::string_view word = filter.substr(0, filter.find_first_of("-_ "));
  return protocol.name.find(word) != std::string::npos;
}

std::optional<bool> own_flag(const StoredOutput& output, const Protocol& protocol) {
  if (output.flag || protocol.metrics.empty() || !output.samples.empty()) return output.flag;
  for (const auto& [label, value] : output.values) {
    const auto [metric, filter] = split_label(label);
    const bool fits = common_name(metric) == common_name(protocol.metrics.front()) &&
                      filter_fits(filter, protocol, count_filters(output, metric) == 1);
    if (fits && (value == 0 || value == 1)) return value == 1;
  }
  return std::nullopt;
}

void count_own_values(std::vector<std::pair<std::string, FlagAgreement>>& agreements, const StoredOutput& output,
                      const Protocol& protocol, const ItemScore& score) {
  for (const auto& [label, value] : output.values) {
    const auto [metric, filter] = split_label(label);
    const auto ours = our_value(score, metric);
    if (!ours || !filter_fits(filter, protocol, count_filters(output, metric) == 1)) continue;
    FlagAgreement& agreement = entry_of(agreements, label);
    ++agreement.of;
    agreement.flagged_right += value == 1 ? 1 : 0;
    if (same_value(*ours, value)) {
      ++agreement.agree;
    } else if (agreement.differing.size() < kMaxListed) {
      agreement.differing.push_back(output.id);
    }
  }
}

std::vector<PublishedFigure> reported_figures(const std::vector<StoredFigure>& reported, const Protocol& protocol, const ReplayResult& result) {
  std::vector<PublishedFigure> figures;
  for (const auto& figure : reported) {
    const auto alike = std::count_if(reported.begin(), reported.end(), [&](const StoredFigure& other) { return other.metric == figure.metric; });
    const std::string_view wanted = common_name(figure.metric);
    const auto own = std::find_if(result.metrics.begin(), result.metrics.end(), [&](const Metric& m) { return common_name(m.name) == wanted; });
    const bool speaks = figure.model.empty() || figure.model == result.model;
    if (!speaks || own == result.metrics.end() || !is_printed_share(figure.metric) || !filter_fits(figure.filter, protocol, alike == 1)) continue;
    figures.push_back(hold_against(own->name, own->value, figure.printed, true, figure.scale, figure.source.empty() ? result.file : figure.source));
  }
  return figures;
}

}  // namespace assay
