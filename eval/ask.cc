#include "eval/ask.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/sha256.h"
#include "eval/generation.h"
#include "eval/judge_programs.h"
#include "eval/requests.h"
#include "reference/text/utf8.h"
#include "suites/render.h"

namespace assay {
namespace {

// The requests of one item lie side by side in the wave's list.
struct Slice {
  std::size_t first = 0, count = 0;
};

std::string ids_digest(std::span<const std::int32_t> ids) { return sha256_hex({reinterpret_cast<const char*>(ids.data()), ids.size_bytes()}); }

// A token may be a part of a character: its bytes are then shown in hexadecimal, because the database holds UTF-8.
std::string shown_token(const Tokenizer& tokenizer, std::int32_t id) {
  const std::string bytes = tokenizer.token_text(id);
  if (valid_utf8(bytes)) return bytes;
  std::string text;
  for (const char c : bytes) text += fmt::format("<{:02X}>", static_cast<unsigned char>(c));
  return text;
}

ContinuationRecord continuation_record(const Tokenizer& tokenizer, std::string text, const ScoreAnswer& answer, std::int64_t truncated) {
  ContinuationRecord record{.text = std::move(text), .logprob_nats = answer.logprob, .greedy = answer.greedy};
  record.tokens = static_cast<std::int64_t>(answer.tokens.size());
  record.chars = count_code_points(record.text);
  record.bytes = static_cast<std::int64_t>(record.text.size());
  record.truncated_tokens = truncated;
  for (const TokenScore& token : answer.tokens) {
    record.token_logprobs.push_back({.token_id = token.token, .text = shown_token(tokenizer, token.token), .logprob_nats = token.logprob});
  }
  return record;
}

// Rendered prompt and what identifies it.
void keep_prompt(AskedItem& asked, const std::string& prompt, std::span<const std::int32_t> ids) {
  asked.record.prompt = prompt;
  asked.record.prompt_digest = sha256_hex(prompt);
  asked.record.ids_digest = ids_digest(ids);
}

class Wave {
 public:
  Wave(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const std::size_t> items, std::uint64_t seed)
      : model_(model), suite_(suite), protocol_(protocol), seed_(seed) {
    for (const std::size_t index : items) asked_.push_back({.index = index});
  }

  Result<std::vector<AskedItem>> ask(Progress& progress) {
    ASSAY_OK(render());
    switch (protocol_.kind) {
      case ProtocolKind::choice: ASSAY_OK(ask_choices()); break;
      case ProtocolKind::rolling: ASSAY_OK(ask_rolling()); break;
      case ProtocolKind::generate: ASSAY_OK(ask_outputs()); break;
    }
    progress.add(asked_.size());
    return std::move(asked_);
  }

 private:
  const Item& item(const AskedItem& asked) const { return suite_.items[asked.index]; }

  Status render() {
    const ChatRenderer chat = [this](const std::vector<ChatTurn>& turns, const std::string& options) { return render_chat(model_, turns, options); };
    for (const AskedItem& asked : asked_) {
      ASSAY_TRY(RenderedRequest request, render_request(suite_, protocol_, item(asked), chat));
      rendered_.push_back(std::move(request));
    }
    for (std::size_t i = 0; i < asked_.size(); ++i) keep_shown(asked_[i].record, rendered_[i].shown, rendered_[i].option_order);
    return {};
  }

  Status ask_choices() {
    std::vector<ScoreRequest> requests;
    std::vector<Slice> slices;
    std::vector<std::int64_t> truncated;
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      slices.push_back({requests.size(), rendered_[i].continuations.size()});
      for (std::size_t k = 0; k < rendered_[i].continuations.size(); ++k) {
        const std::string& text = rendered_[i].continuations[k];
        ASSAY_TRY(ContinuationRequest one, continuation_request(model_.tokenizer, rendered_[i].context_of(k), text, protocol_.bos,
                                                                {model_.context_tokens()}));
        truncated.push_back(one.truncated_tokens);
        asked_[i].truncated |= one.truncated_tokens > 0;
        requests.push_back(std::move(one.score));
      }
      const ScoreRequest& first = requests[slices.back().first];
      keep_prompt(asked_[i], rendered_[i].prompt, std::span(first.ids).first(static_cast<std::size_t>(first.scored_from)));
    }
    ASSAY_TRY(const std::vector<ScoreAnswer> answers, model_.engine->score(requests));
    for (std::size_t i = 0; i < asked_.size(); ++i) score_options(i, slices[i], answers, truncated);
    return {};
  }

  void score_options(std::size_t i, Slice slice, const std::vector<ScoreAnswer>& answers, const std::vector<std::int64_t>& truncated) {
    std::vector<OptionScore> options;
    std::int64_t ties = 0;
    for (std::size_t j = slice.first; j < slice.first + slice.count; ++j) {
      options.push_back({.logprob_nats = answers[j].logprob, .tokens = static_cast<std::int64_t>(answers[j].tokens.size())});
      asked_[i].record.continuations.push_back(
          continuation_record(model_.tokenizer, rendered_[i].continuations[j - slice.first], answers[j], truncated[j]));
      ties += answers[j].near_ties;
    }
    asked_[i].score = score_choice(protocol_, item(asked_[i]), options);
    asked_[i].record.router_ties = ties;
  }

  Status ask_rolling() {
    std::vector<ScoreRequest> requests;
    std::vector<Slice> slices;
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      ASSAY_TRY(std::vector<ScoreRequest> windows, rolling_requests(model_.tokenizer, rendered_[i].prompt, protocol_.bos, {model_.context_tokens()}));
      slices.push_back({requests.size(), windows.size()});
      keep_prompt(asked_[i], rendered_[i].prompt, windows.empty() ? std::span<const std::int32_t>() : std::span<const std::int32_t>(windows[0].ids));
      std::ranges::move(windows, std::back_inserter(requests));
    }
    ASSAY_TRY(std::vector<ScoreAnswer> answers, model_.engine->score(requests));
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      ScoreAnswer whole;
      for (std::size_t j = slices[i].first; j < slices[i].first + slices[i].count; ++j) {
        whole.logprob += answers[j].logprob;
        whole.greedy = whole.greedy && answers[j].greedy;
        whole.near_ties += answers[j].near_ties;
        std::ranges::move(answers[j].tokens, std::back_inserter(whole.tokens));
      }
      asked_[i].score = score_rolling(protocol_, item(asked_[i]), whole.logprob, static_cast<std::int64_t>(whole.tokens.size()));
      asked_[i].record.router_ties = whole.near_ties;
      asked_[i].record.continuations.push_back(continuation_record(model_.tokenizer, rendered_[i].prompt, whole, 0));
    }
    return {};
  }

  Status ask_outputs() {
    std::vector<GenerateRequest> requests;
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      ASSAY_TRY(std::vector<std::int32_t> ids, text_ids(model_.tokenizer, rendered_[i].prompt, protocol_.bos));
      const std::int64_t room = model_.context_tokens() - protocol_.max_tokens;
      if (room < 1) return Error{.code = Code::too_large, .message = "the protocol's max_tokens leaves no room for a prompt", .field = protocol_.name};
      if (static_cast<std::int64_t>(ids.size()) > room) {
        ids.erase(ids.begin(), ids.end() - room);
        asked_[i].truncated = true;
      }
      keep_prompt(asked_[i], rendered_[i].prompt, ids);
      requests.push_back({.ids = std::move(ids), .item = asked_[i].index});
    }
    GenerateOptions options{.max_tokens = protocol_.max_tokens, .seed = seed_};
    for (const std::int64_t id : model_.engine->config().eos_token_ids) options.stop_ids.push_back(static_cast<std::int32_t>(id));
    const StopStrings stops(model_.tokenizer, protocol_.stops, false);  // a protocol's outputs keep special tokens, as a reader of the raw text sees them
    options.stop = [&](std::size_t, std::int64_t, std::span<const std::int32_t> ids) { return stops.ended(ids); };
    ASSAY_TRY(const std::vector<GenerateAnswer> answers, model_.engine->generate(requests, options));
    ASSAY_CHECK(answers.size() == asked_.size());
    for (const GenerateAnswer& answer : answers) score_text(asked_[answer.request], answer, options.stop_ids, stops);
    judge();
    return {};
  }

  void judge() {
    std::vector<ItemScore*> scores;
    for (AskedItem& asked : asked_) scores.push_back(&asked.score);
    judge_programs(scores, model_.threads);
    for (AskedItem& asked : asked_) {
      for (SampleRecord& sample : asked.record.samples) sample.correct = asked.score.correct;
    }
  }

  void score_text(AskedItem& asked, const GenerateAnswer& answer, const std::vector<std::int32_t>& stop_ids, const StopStrings& stops) {
    std::vector<std::int32_t> ids = answer.ids;
    const bool ended = !ids.empty() && std::ranges::find(stop_ids, ids.back()) != stop_ids.end();
    if (ended) ids.pop_back();
    std::string text = stops.text(ids);
    asked.score = score_output(protocol_, item(asked), text, {}, answer.finish_reason == "length");
    asked.truncated |= answer.finish_reason == "length";
    asked.record.router_ties = answer.near_ties;
    SampleRecord sample{.output = std::move(text)};
    sample.finish_reason = ended ? "eos" : answer.finish_reason;
    sample.tokens_generated = static_cast<std::int64_t>(answer.ids.size());
    sample.correct = asked.score.correct;
    sample.extracted = asked.score.extracted;
    asked.record.samples.push_back(std::move(sample));
  }

  EvalModel& model_;
  const Suite& suite_;
  const Protocol& protocol_;
  std::uint64_t seed_;
  std::vector<AskedItem> asked_;
  std::vector<RenderedRequest> rendered_;
};

}  // namespace

Result<std::vector<AskedItem>> ask_items(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const std::size_t> items,
                                         std::uint64_t seed, Progress& progress) {
  for (const std::size_t index : items) ASSAY_CHECK(index < suite.items.size());
  return Wave(model, suite, protocol, items, seed).ask(progress);
}

}  // namespace assay
