#include "eval/verdicts/measured_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/claims/metric_names.h"
#include "suites/score.h"

namespace assay {
namespace {

// Metrics that are the mean over all answers; pass@k, maj@k and the like are not.
bool averages(const std::string& metric) { return metric.empty() || metric == "accuracy" || metric == "pass@1" || metric.starts_with("avg@"); }

struct RunHead {
  Measurement measurement;
  std::string main_metric;
  Json protocol;
};

Result<RunHead> read_head(const Database& database, std::int64_t run_id) {
  ASSAY_TRY(Statement head, database.prepare(R"sql(
    SELECT m.name, s.name, p.name, p.main_metric, p.definition_json, r.limit_items, s.n_items, r.wall_seconds, r.items_seen, r.cost_usd, m.weights_formats
    FROM main.run r JOIN main.model m ON m.id = r.model_id
    JOIN main.suite s ON s.id = r.suite_id JOIN main.protocol p ON p.id = r.protocol_id WHERE r.id = ?1)sql"));
  head.with(run_id);
  ASSAY_TRY(const bool there, head.next());
  if (!there) return Error{.code = Code::not_found, .message = "no such run", .file = database.path(), .got = std::to_string(run_id)};
  RunHead out{.measurement = {.model = head.text(0), .suite = head.text(1), .protocol = head.text(2), .run_id = run_id}, .main_metric = head.text(3)};
  Measurement& m = out.measurement;
  if (!head.is_null(5) && head.integer(6) > 0) m.of_items = head.integer(6);
  if (!head.is_null(7) && head.real(7) > 0 && head.integer(8) > 0) {
    m.seconds_per_item = head.real(7) / static_cast<double>(head.integer(8));
    if (!head.is_null(9)) m.usd_per_item = head.real(9) / static_cast<double>(head.integer(8));
  }
  m.weights_formats = head.maybe_text(10).value_or("");
  ASSAY_TRY(out.protocol, parse_json(head.text(4), database.path()));
  return out;
}

// An option's own length: what the continuation's template puts around it does not count; a letter counts as one.
class OptionText {
 public:
  explicit OptionText(const std::string& continuation) {
    constexpr std::string_view kOption = "{option}";
    const std::size_t at = continuation.find(kOption);
    whole_ = at != std::string::npos;
    if (!whole_) return;
    before_ = continuation.substr(0, at), after_ = continuation.substr(at + kOption.size());
  }
  std::string_view of(std::string_view text) const {
    if (!whole_) return "A";
    if (text.starts_with(before_)) text.remove_prefix(before_.size());
    if (text.ends_with(after_)) text.remove_suffix(after_.size());
    return text;
  }

 private:
  bool whole_ = false;
  std::string before_, after_;
};

double option_value(const std::string& metric, double logprob, std::int64_t tokens, std::string_view option, const std::optional<double>& unconditional) {
  if (metric == "acc_uncond") return logprob - unconditional.value_or(0);
  if (metric == "acc_char") return logprob / static_cast<double>(std::max<std::int64_t>(count_code_points(option), 1));
  if (metric == "acc_byte") return logprob / static_cast<double>(std::max<std::size_t>(option.size(), 1));
  if (metric == "acc_token") return logprob / static_cast<double>(std::max<std::int64_t>(tokens, 1));
  return logprob;
}

// Chooses among the options again, under another normalisation than the protocol's. The first of equal ones is taken.
class ChoiceAgain {
 public:
  void add(double value) {
    if (value > best_) {
      second_ = best_, best_ = value, taken_ = n_;
    } else if (value > second_) {
      second_ = value;
    }
    ++n_;
  }
  MeasuredItem item(std::string key, std::string subset, const std::string& gold) const {
    MeasuredItem out{.key = std::move(key), .subset = std::move(subset), .value = gold == std::to_string(taken_) ? 1.0 : 0.0};
    if (std::isfinite(best_) && std::isfinite(second_)) out.margin = best_ - second_;
    return out;
  }

 private:
  double best_ = -INFINITY, second_ = -INFINITY;
  int taken_ = 0, n_ = 0;
};

Error no_unconditional(const Database& database, const Measurement& m) {
  return Error{.code = Code::not_found, .message = "the run did not ask for the options' likelihoods without the question; name a protocol that does",
               .file = database.path(), .field = "acc_uncond", .got = m.suite + " under " + m.protocol};
}

Status read_choices(const Database& database, const RunHead& head, const std::string& metric, Measurement& out) {
  ASSAY_TRY(Statement rows, database.prepare(R"sql(
    SELECT x.id, i.key, i.subset, i.gold, c.logprob_nats, c.tokens, c.text, c.unconditional_nats FROM main.item_result x
    JOIN main.item i ON i.id = x.item_id JOIN main.continuation c ON c.item_result_id = x.id
    WHERE x.run_id = ?1 AND x.correct IS NOT NULL ORDER BY i.ordinal, x.id, c.option_index)sql"));
  rows.with(*out.run_id);
  const OptionText options(head.protocol.is_object() ? head.protocol.value("continuation", "") : "");
  std::optional<std::int64_t> result;
  std::string key, subset, gold;
  ChoiceAgain choice;
  for (;;) {
    ASSAY_TRY(const bool more, rows.next());
    if (result && (!more || rows.integer(0) != *result)) {
      out.items.push_back(choice.item(key, subset, gold));
      choice = {};
    }
    if (!more) return {};
    result = rows.integer(0), key = rows.text(1), subset = rows.text(2), gold = rows.text(3);
    const std::string text = rows.text(6);
    if (metric == "acc_uncond" && rows.is_null(7)) return no_unconditional(database, out);
    choice.add(option_value(metric, rows.real(4), rows.integer(5), options.of(text), rows.maybe_real(7)));
  }
}

struct Hits {
  double hits = 0, of = 0;
};

// A blank response follows nothing and leaves nothing to extract: the number of instructions is then the item's.
std::optional<Hits> instruction_hits(const std::string& extracted, const std::string& gold, bool strict) {
  const auto flags = extracted.empty() ? Result<Json>(Json()) : parse_json(extracted, "");
  if (flags.ok() && flags->is_object() && flags->contains(strict ? "strict" : "loose")) {
    Hits out;
    for (const Json& flag : flags->at(strict ? "strict" : "loose")) {
      out.hits += flag.is_boolean() && flag.get<bool>() ? 1 : 0;
      ++out.of;
    }
    if (out.of > 0) return out;
  }
  const auto asked = parse_json(gold, "");
  if (!extracted.empty() || !asked.ok() || !asked->is_object() || !asked->contains("instruction_id_list")) return std::nullopt;
  const auto n = static_cast<double>(asked->at("instruction_id_list").size());
  return n > 0 ? std::optional(Hits{0, n}) : std::nullopt;
}

Status read_instructions(const Database& database, const std::string& metric, Measurement& out) {
  ASSAY_TRY(Statement rows, database.prepare(R"sql(
    SELECT i.key, i.subset, i.gold, x.extracted FROM main.item_result x JOIN main.item i ON i.id = x.item_id
    WHERE x.run_id = ?1 AND x.correct IS NOT NULL ORDER BY i.ordinal)sql"));
  rows.with(*out.run_id);
  const bool parts = is_parts_metric(metric);
  out.score = parts ? Score::part_share : Score::share;
  for (;;) {
    ASSAY_TRY(const bool more, rows.next());
    if (!more) return {};
    const auto hits = instruction_hits(rows.maybe_text(3).value_or(""), rows.text(2), metric.starts_with("strict"));
    if (!hits) continue;
    const double value = parts ? hits->hits : hits->hits == hits->of ? 1 : 0;
    out.items.push_back({.key = rows.text(0), .subset = rows.text(1), .value = value, .weight = parts ? hits->of : 1});
  }
}

// What the run's own scoring wrote: right or wrong, a score, bits, or the share of right ones among several answers.
Status read_results(const Database& database, const RunHead& head, const std::string& metric, Measurement& out) {
  const bool macro = head.protocol.is_object() && head.protocol.value("aggregation", "") == "macro";
  const bool bits = head.main_metric == "bits_per_byte", unanswered = metric == "no_answer";
  ASSAY_TRY(Statement rows, database.prepare(R"sql(
    SELECT i.key, i.subset, x.correct, x.score, x.margin, c.logprob_nats, c.bytes, x.extracted,
      (SELECT count(*) FROM main.sample y WHERE y.item_result_id = x.id AND y.correct IS NOT NULL),
      (SELECT sum(y.correct) FROM main.sample y WHERE y.item_result_id = x.id AND y.correct IS NOT NULL) FROM main.item_result x JOIN main.item i ON i.id = x.item_id
    LEFT JOIN main.continuation c ON c.item_result_id = x.id AND c.option_index = 0 WHERE x.run_id = ?1 ORDER BY i.ordinal)sql"));
  rows.with(*out.run_id);
  out.score = !bits ? Score::share : macro ? Score::mean : Score::ratio;
  for (;;) {
    ASSAY_TRY(const bool more, rows.next());
    if (!more) break;
    MeasuredItem item{.key = rows.text(0), .subset = rows.text(1), .margin = rows.maybe_real(4)};
    if (unanswered) {
      item.value = rows.is_null(7) ? 1 : 0;
    } else if (out.score == Score::ratio) {
      if (rows.is_null(5) || !(rows.real(6) > 0)) continue;
      item.value = -rows.real(5) / std::log(2.0);
      item.weight = rows.real(6);
    } else if (!bits && averages(metric) && rows.integer(8) > 1) {
      item.samples = rows.integer(8);
      item.value = static_cast<double>(rows.integer(9)) / static_cast<double>(item.samples);
      out.score = Score::mean;
    } else if (!bits && !rows.is_null(2)) {
      item.value = static_cast<double>(rows.integer(2));
    } else if (!rows.is_null(3)) {
      item.value = rows.real(3);
      if (item.value != 0 && item.value != 1) out.score = Score::mean;
    } else {
      continue;
    }
    out.items.push_back(std::move(item));
  }
  return {};
}

}  // namespace

Result<Measurement> load_measurement(const Database& database, std::int64_t run_id, const std::string& metric) {
  ASSAY_TRY(RunHead head, read_head(database, run_id));
  Measurement out = head.measurement;
  const std::string wanted = own_metric_name(metric);
  out.metric = wanted.empty() ? head.main_metric : wanted;
  const bool choice = head.protocol.is_object() && head.protocol.value("kind", "") == "choice";
  if (choice && wanted != head.main_metric && is_choice_metric(wanted)) {
    ASSAY_OK(read_choices(database, head, wanted, out));
  } else if (is_instruction_metric(wanted)) {
    ASSAY_OK(read_instructions(database, wanted, out));
  } else {
    ASSAY_OK(read_results(database, head, wanted, out));
  }
  return out;
}

}  // namespace assay
