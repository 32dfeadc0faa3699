// Likelihoods: options of multiple-choice items and whole texts. Generated answers are in ask_samples.cc.
#include "eval/runs/ask.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/sha256.h"
#include "eval/runs/requests.h"
#include "reference/text/utf8.h"
#include "suites/render.h"

namespace assay {
namespace {

// A token may be a part of a character: its bytes are then shown in hexadecimal, because the database holds UTF-8.
std::string shown_token(const Tokenizer& tokenizer, std::int32_t id) {
  const std::string bytes = tokenizer.token_text(id);
  if (valid_utf8(bytes)) return bytes;
  std::string text;
  for (const char c : bytes) text += fmt::format("<{:02X}>", static_cast<unsigned char>(c));
  return text;
}

ContinuationRecord continuation_record(const EvalModel& model, std::string text, const ScoreAnswer& answer, std::int64_t truncated) {
  ContinuationRecord record{.text = std::move(text), .logprob_nats = answer.logprob, .greedy = answer.greedy};
  record.tokens = static_cast<std::int64_t>(answer.tokens.size());
  record.chars = count_code_points(record.text);
  record.bytes = static_cast<std::int64_t>(record.text.size());
  record.truncated_tokens = truncated;
  for (std::size_t i = 0; i < answer.tokens.size(); ++i) {
    const TokenScore& token = answer.tokens[i];
    record.token_logprobs.push_back(
        {.token_id = token.token, .text = model.asks_texts ? answer.texts[i] : shown_token(model.tokenizer, token.token), .logprob_nats = token.logprob});
  }
  return record;
}

}  // namespace

void ItemRequests::push(ScoreRequest request, std::int64_t truncated) {
  tokens_ += request.ids.size();
  request.unit = std::ssize(items_);
  requests_.push_back(std::move(request));
  answers_.emplace_back();
  truncated_.push_back(truncated);
  item_of_.push_back(items_.size());
}

Status ItemRequests::add(std::size_t index) {
  ASSAY_CHECK(index < suite_.items.size() && protocol_.kind != ProtocolKind::generate);
  Pending p{.first = requests_.size(), .asked = {.index = index}, .rendered = {}};
  ASSAY_TRY(p.rendered, render_item(model_, suite_, protocol_, suite_.items[index]));
  ASSAY_OK(protocol_.kind == ProtocolKind::choice ? add_choices(p) : add_windows(p));
  p.missing = requests_.size() - p.first;
  if (p.missing > 0) {
    items_.push_back(std::move(p));
    return {};
  }
  ASSAY_CHECK(protocol_.kind != ProtocolKind::choice);
  score_text(p);
  empty_.push_back(std::move(p.asked));
  return {};
}

// Rendered prompt and what identifies it: the ids that stand before what is scored.
void ItemRequests::keep_prompt(Pending& p, bool all) const {
  p.asked.record.prompt = p.rendered.prompt;
  p.asked.record.prompt_digest = sha256_hex(p.rendered.prompt);
  keep_shown(p.asked.record, p.rendered.shown, p.rendered.option_order);
  const ScoreRequest none, &first = p.first < requests_.size() ? requests_[p.first] : none;
  const std::span<const std::int32_t> ids(first.ids);
  if (!first.text) p.asked.record.ids_digest = ids_digest(all ? ids : ids.first(static_cast<std::size_t>(first.scored_from)));
}

Status ItemRequests::add_continuation(Pending& p, const std::string& context, const std::string& continuation) {
  if (model_.asks_texts) {
    push(text_request(context, continuation), 0);
    return {};
  }
  ASSAY_TRY(ContinuationRequest one,
            continuation_request(model_.tokenizer, context, continuation, protocol_.bos, {model_.context_tokens(), protocol_.input_cut}));
  p.asked.truncated |= one.truncated_tokens > 0;
  push(std::move(one.score), one.truncated_tokens);
  return {};
}

// All normalisations are of these log-likelihoods, so one pass gives them all; for the unconditional ones every option is asked once more after
// Protocol::unconditional, with the blank before it (as lm_eval 0.4.13 does it: api/task.py, acc_mutual_info).
Status ItemRequests::add_choices(Pending& p) {
  p.count = p.rendered.continuations.size();
  for (std::size_t k = 0; k < p.count; ++k) ASSAY_OK(add_continuation(p, p.rendered.context_of(k), p.rendered.continuations[k]));
  keep_prompt(p, false);
  if (!p.rendered.unconditional) return {};
  for (const std::string& text : p.rendered.continuations) ASSAY_OK(add_continuation(p, *p.rendered.unconditional, text));
  return {};
}

Status ItemRequests::add_windows(Pending& p) {
  std::vector<ScoreRequest> windows;
  if (model_.asks_texts) windows.push_back(text_request("", p.rendered.prompt));
  else {
    ASSAY_TRY(windows, rolling_requests(model_.tokenizer, p.rendered.prompt, protocol_.bos, {model_.context_tokens()}));
  }
  p.count = windows.size();
  for (ScoreRequest& window : windows) push(std::move(window), 0);
  keep_prompt(p, true);
  return {};
}

std::optional<AskedItem> ItemRequests::take(std::size_t request, ScoreAnswer answer) {
  ASSAY_CHECK(request < answers_.size());
  answers_[request] = std::move(answer);
  Pending& p = items_[item_of_[request]];
  ASSAY_CHECK(p.missing > 0);
  if (--p.missing > 0) return std::nullopt;
  protocol_.kind == ProtocolKind::choice ? score_options(p) : score_text(p);
  return std::move(p.asked);
}

void ItemRequests::score_options(Pending& p) {
  const bool twice = p.rendered.unconditional.has_value();
  std::vector<OptionScore> options;
  std::int64_t ties = 0;
  bool counted = true;
  for (std::size_t k = p.first; k < p.first + p.count; ++k) {
    const ScoreAnswer& answer = answers_[k];
    options.push_back({.logprob_nats = answer.logprob, .tokens = static_cast<std::int64_t>(answer.tokens.size())});
    if (twice) options.back().unconditional_nats = answers_[k + p.count].logprob;
    ContinuationRecord record = continuation_record(model_, p.rendered.continuations[k - p.first], answer, truncated_[k]);
    record.unconditional_nats = options.back().unconditional_nats;
    p.asked.record.continuations.push_back(std::move(record));
    ties += answer.near_ties;
    counted = counted && answer.counts_ties;
  }
  p.asked.score = score_choice(protocol_, item(p), options);
  if (counted) p.asked.record.router_ties = ties;
}

void ItemRequests::score_text(Pending& p) {
  ScoreAnswer whole;
  for (std::size_t j = p.first; j < p.first + p.count; ++j) {
    whole.logprob += answers_[j].logprob;
    whole.greedy = whole.greedy && answers_[j].greedy;
    whole.near_ties += answers_[j].near_ties;
    whole.counts_ties = whole.counts_ties && answers_[j].counts_ties;
    std::ranges::move(answers_[j].tokens, std::back_inserter(whole.tokens));
    std::ranges::move(answers_[j].texts, std::back_inserter(whole.texts));
  }
  p.asked.score = score_rolling(protocol_, item(p), whole.logprob, static_cast<std::int64_t>(whole.tokens.size()));
  if (whole.counts_ties) p.asked.record.router_ties = whole.near_ties;
  p.asked.record.continuations.push_back(continuation_record(model_, p.rendered.prompt, whole, 0));
}

namespace {

Result<std::vector<AskedItem>> ask_all_samples(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const std::size_t> items,
                                               std::uint64_t seed, Progress& progress) {
  std::vector<SampleUnit> units;
  for (const std::size_t index : items) {
    for (std::int64_t number = 0; number < protocol.sampling.samples; ++number) units.push_back({index, number});
  }
  ASSAY_TRY(std::vector<MadeSample> made, ask_samples(model, suite, protocol, units, seed, progress));
  std::vector<AskedItem> asked;
  for (auto next = made.begin(); next != made.end();) {
    const auto end = next + protocol.sampling.samples;
    asked.push_back(judge_samples(suite, protocol, {std::make_move_iterator(next), std::make_move_iterator(end)}, model.threads));
    next = end;
  }
  return asked;
}

}  // namespace

std::string ids_digest(std::span<const std::int32_t> ids) { return sha256_hex({reinterpret_cast<const char*>(ids.data()), ids.size_bytes()}); }

Result<RenderedRequest> render_item(EvalModel& model, const Suite& suite, const Protocol& protocol, const Item& item) {
  const ChatRenderer chat = [&model](const std::vector<ChatTurn>& turns, const std::string& options) { return render_chat(model, turns, options); };
  return render_request(suite, protocol, item, chat);
}

Result<std::vector<AskedItem>> ask_items(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const std::size_t> items,
                                         std::uint64_t seed, Progress& progress) {
  for (const std::size_t index : items) ASSAY_CHECK(index < suite.items.size());
  if (protocol.kind == ProtocolKind::generate) return ask_all_samples(model, suite, protocol, items, seed, progress);
  ItemRequests requests(model, suite, protocol);
  for (const std::size_t index : items) ASSAY_OK(requests.add(index));
  ASSAY_TRY(std::vector<ScoreAnswer> answers, model.engine->score(requests.requests()));
  std::vector<AskedItem> asked;
  std::ranges::move(requests.take_empty(), std::back_inserter(asked));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (auto done = requests.take(i, std::move(answers[i]))) asked.push_back(std::move(*done));
  }
  std::map<std::size_t, std::size_t> place;
  for (std::size_t i = 0; i < items.size(); ++i) place[items[i]] = i;
  std::ranges::stable_sort(asked, {}, [&](const AskedItem& one) { return place.at(one.index); });
  progress.add(asked.size());
  return asked;
}

}  // namespace assay
