// Likelihoods: options of multiple-choice items and whole texts. Generated answers are in ask_samples.cc.
#include "eval/runs/ask.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/sha256.h"
#include "eval/runs/requests.h"
#include "reference/text/utf8.h"
#include "suites/render.h"

namespace assay {
namespace {

// The requests of one item lie side by side in the wave's list.
struct Slice {
  std::size_t first = 0, count = 0;
};

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

class Wave {
 public:
  Wave(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const std::size_t> items)
      : model_(model), suite_(suite), protocol_(protocol) {
    for (const std::size_t index : items) asked_.push_back({.index = index});
  }

  Result<std::vector<AskedItem>> ask(Progress& progress) {
    for (const AskedItem& asked : asked_) {
      ASSAY_TRY(RenderedRequest request, render_item(model_, suite_, protocol_, item(asked)));
      rendered_.push_back(std::move(request));
    }
    ASSAY_OK(protocol_.kind == ProtocolKind::choice ? ask_choices() : ask_rolling());
    progress.add(asked_.size());
    return std::move(asked_);
  }

 private:
  const Item& item(const AskedItem& asked) const { return suite_.items[asked.index]; }

  // Rendered prompt and what identifies it: the ids that stand before what is scored.
  void keep_prompt(std::size_t i, const ScoreRequest& first, bool all) {
    AskedItem& asked = asked_[i];
    asked.record.prompt = rendered_[i].prompt;
    asked.record.prompt_digest = sha256_hex(rendered_[i].prompt);
    keep_shown(asked.record, rendered_[i].shown, rendered_[i].option_order);
    const std::span<const std::int32_t> ids(first.ids);
    if (!first.text) asked.record.ids_digest = ids_digest(all ? ids : ids.first(static_cast<std::size_t>(first.scored_from)));
  }

  Status add_request(std::size_t i, const std::string& context, const std::string& continuation) {
    if (model_.asks_texts) {
      requests_.push_back(text_request(context, continuation));
      truncated_.push_back(0);
      return {};
    }
    ASSAY_TRY(ContinuationRequest one,
              continuation_request(model_.tokenizer, context, continuation, protocol_.bos, {model_.context_tokens(), protocol_.input_cut}));
    truncated_.push_back(one.truncated_tokens);
    asked_[i].truncated |= one.truncated_tokens > 0;
    requests_.push_back(std::move(one.score));
    return {};
  }

  // All normalisations are of these log-likelihoods, so one pass gives them all; for the unconditional ones every option is asked once more after
  // Protocol::unconditional, with the blank before it (as lm_eval 0.4.13 does it: api/task.py, acc_mutual_info).
  Status add_item(std::size_t i) {
    const RenderedRequest& rendered = rendered_[i];
    slices_.push_back({requests_.size(), rendered.continuations.size()});
    for (std::size_t k = 0; k < rendered.continuations.size(); ++k) ASSAY_OK(add_request(i, rendered.context_of(k), rendered.continuations[k]));
    if (!rendered.unconditional) return {};
    for (const std::string& text : rendered.continuations) ASSAY_OK(add_request(i, *rendered.unconditional, text));
    return {};
  }

  Status ask_choices() {
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      ASSAY_OK(add_item(i));
      keep_prompt(i, requests_[slices_.back().first], false);
    }
    ASSAY_TRY(const std::vector<ScoreAnswer> answers, model_.engine->score(requests_));
    for (std::size_t i = 0; i < asked_.size(); ++i) score_options(i, answers);
    return {};
  }

  void score_options(std::size_t i, const std::vector<ScoreAnswer>& answers) {
    const auto [first, count] = slices_[i];
    const bool twice = rendered_[i].unconditional.has_value();
    std::vector<OptionScore> options;
    std::int64_t ties = 0;
    bool counted = true;
    for (std::size_t k = 0; k < count; ++k) {
      const ScoreAnswer& answer = answers[first + k];
      options.push_back({.logprob_nats = answer.logprob, .tokens = static_cast<std::int64_t>(answer.tokens.size())});
      if (twice) options.back().unconditional_nats = answers[first + count + k].logprob;
      ContinuationRecord record = continuation_record(model_, rendered_[i].continuations[k], answer, truncated_[first + k]);
      record.unconditional_nats = options.back().unconditional_nats;
      asked_[i].record.continuations.push_back(std::move(record));
      ties += answer.near_ties;
      counted = counted && answer.counts_ties;
    }
    asked_[i].score = score_choice(protocol_, item(asked_[i]), options);
    if (counted) asked_[i].record.router_ties = ties;
  }

  Result<std::vector<ScoreRequest>> windows_of(const std::string& text) const {
    if (model_.asks_texts) return std::vector<ScoreRequest>{text_request("", text)};
    return rolling_requests(model_.tokenizer, text, protocol_.bos, {model_.context_tokens()});
  }

  Status ask_rolling() {
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      ASSAY_TRY(std::vector<ScoreRequest> windows, windows_of(rendered_[i].prompt));
      slices_.push_back({requests_.size(), windows.size()});
      keep_prompt(i, windows.empty() ? ScoreRequest() : windows[0], true);
      std::ranges::move(windows, std::back_inserter(requests_));
    }
    ASSAY_TRY(std::vector<ScoreAnswer> answers, model_.engine->score(requests_));
    for (std::size_t i = 0; i < asked_.size(); ++i) score_text(i, answers);
    return {};
  }

  void score_text(std::size_t i, std::vector<ScoreAnswer>& answers) {
    ScoreAnswer whole;
    for (std::size_t j = slices_[i].first; j < slices_[i].first + slices_[i].count; ++j) {
      whole.logprob += answers[j].logprob;
      whole.greedy = whole.greedy && answers[j].greedy;
      whole.near_ties += answers[j].near_ties;
      whole.counts_ties = whole.counts_ties && answers[j].counts_ties;
      std::ranges::move(answers[j].tokens, std::back_inserter(whole.tokens));
      std::ranges::move(answers[j].texts, std::back_inserter(whole.texts));
    }
    asked_[i].score = score_rolling(protocol_, item(asked_[i]), whole.logprob, static_cast<std::int64_t>(whole.tokens.size()));
    if (whole.counts_ties) asked_[i].record.router_ties = whole.near_ties;
    asked_[i].record.continuations.push_back(continuation_record(model_, rendered_[i].prompt, whole, 0));
  }

  EvalModel& model_;
  const Suite& suite_;
  const Protocol& protocol_;
  std::vector<AskedItem> asked_;
  std::vector<RenderedRequest> rendered_;
  std::vector<ScoreRequest> requests_;
  std::vector<std::int64_t> truncated_;  // tokens cut from each request
  std::vector<Slice> slices_;            // of `requests_`, one an item; the unconditional requests of an item stand behind its slice
};

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
  return Wave(model, suite, protocol, items).ask(progress);
}

}  // namespace assay
