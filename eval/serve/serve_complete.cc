// /v1/completions.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "eval/runs/requests.h"
#include "eval/serve/serve_exchange.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

constexpr std::int64_t kDefaultMaxTokens = 16;  // OpenAI's
constexpr double kLeastTold = -9999;            // in place of minus infinity, as serve_text.cc writes it
constexpr ExchangeNames kCompletionNames = {"cmpl", "text_completion", "text_completion"};

// A prompt as ids and as the text that `echo` gives back.
struct Prompt {
  std::vector<std::int32_t> ids;
  std::string text;
  std::size_t n_added = 0;  // ids before the text's own: BOS
};

Result<Prompt> prompt_of(const Tokenizer& tokenizer, const CallPrompt& call) {
  Prompt out;
  if (call.text) {
    out.text = *call.text;
    ASSAY_TRY(out.ids, text_ids(tokenizer, out.text, BosPolicy::tokenizer));
    ASSAY_TRY(const std::vector<std::int32_t> own, text_ids(tokenizer, out.text, BosPolicy::none));
    const bool adds_before = out.ids.size() > own.size() && std::equal(own.rbegin(), own.rend(), out.ids.rbegin());
    out.n_added = adds_before ? out.ids.size() - own.size() : 0;
  } else {
    out.ids = call.ids;
    out.text = tokenizer.decode(std::vector<int>(out.ids.begin(), out.ids.end()), false);
  }
  if (!out.ids.empty()) return out;
  const auto start = tokenizer.bos_id() ? tokenizer.bos_id() : tokenizer.eos_id();
  if (!start) return Error{.code = Code::bad_value, .message = "an empty prompt needs a model with BOS or EOS", .field = "prompt"};
  out.ids = {*start};
  out.n_added = 1;
  return out;
}

class Completion final : public Exchange {
 public:
  Completion(const Served& served, CompletionCall call)
      : Exchange(served, std::move(call.options), kCompletionNames), echo_(call.echo), calls_(std::move(call.prompts)) {}

  Status prepare() {
    std::vector<std::vector<std::int32_t>> ids;
    for (const CallPrompt& call : calls_) {
      ASSAY_TRY(Prompt prompt, prompt_of(served_.model.tokenizer, call));
      ids.push_back(prompt.ids);
      texts_.push_back(std::move(prompt));
    }
    ASSAY_OK(set_prompts(std::move(ids), kDefaultMaxTokens, "prompt"));
    for (std::size_t i = 0; i < prompts_.size() * static_cast<std::size_t>(options_.n); ++i) {
      offsets_.emplace_back(served_.model.tokenizer, true, static_cast<std::int64_t>(count_characters(texts_[i / static_cast<std::size_t>(options_.n)].text)));
    }
    return {};
  }

 protected:
  // Log-probabilities of an echoed prompt. One greedy token more comes with the same pass: the likeliest after the last position. So is every
  // request of lm-evaluation-harness for a log-likelihood (max_tokens 1, temperature 0) one pass over its tokens.
  std::vector<ScoreRequest> scores() const override {
    std::vector<ScoreRequest> out;
    if (!echo_ || !options_.logprobs) return out;
    for (const auto& ids : prompts_) {
      ScoreRequest request{.ids = ids, .scored_from = 1, .top_logprobs = *options_.logprobs};
      if (next_is_scored()) request.ids.push_back(0);  // any id: what is asked for is the likeliest one in its place
      out.push_back(std::move(request));
    }
    return out;
  }
  bool generates() const override { return max_tokens_ > 0 && !next_is_scored(); }

  void absorb(ServeAnswer& answer) override {
    scores_ = std::move(answer.scores);
    if (generates()) return;
    for (std::size_t p = 0; p < prompts_.size(); ++p) {
      ServeSample sample{.ids = {}, .logprobs = {}, .top = {}, .finish_reason = "length"};
      if (next_is_scored()) sample = next_of(p);
      answer.samples.insert(answer.samples.end(), static_cast<std::size_t>(options_.best_of), sample);
    }
  }

  Json choice(std::size_t prompt, const ServeSample& sample) const override {
    std::string text = echo_ ? texts_[prompt].text : "";
    text += text_of(sample);
    Json logprobs = nullptr;
    if (options_.logprobs) {
      std::vector<ToldToken> tokens;
      std::vector<std::int64_t> offsets;
      if (echo_) add_prompt(prompt, tokens, offsets);
      TextOffsets made(served_.model.tokenizer, true, static_cast<std::int64_t>(count_characters(texts_[prompt].text)));
      for (const std::int32_t id : sample.ids) offsets.push_back(made.next(id));
      for (ToldToken& token : told(sample)) tokens.push_back(std::move(token));
      logprobs = completion_logprobs(served_.model.tokenizer, tokens, offsets);
    }
    Json out = {{"text", std::move(text)}, {"logprobs", std::move(logprobs)}};
    if (options_.return_token_ids) add_ids(prompt, sample, out);
    return out;
  }

  Json first_part(std::size_t choice) const override {
    if (!echo_) return nullptr;
    const std::size_t prompt = choice / static_cast<std::size_t>(options_.n);
    Json logprobs = nullptr;
    if (options_.logprobs) {
      std::vector<ToldToken> tokens;
      std::vector<std::int64_t> offsets;
      add_prompt(prompt, tokens, offsets);
      logprobs = completion_logprobs(served_.model.tokenizer, tokens, offsets);
    }
    return {{"text", texts_[prompt].text}, {"logprobs", std::move(logprobs)}};
  }

  Json part(std::size_t choice, const std::string& piece, const ServeToken* token) override {
    Json logprobs = nullptr;
    if (token != nullptr) {
      const std::vector<ToldToken> tokens = {{.id = token->id, .logprob = token->logprob, .top = token->top}};
      logprobs = completion_logprobs(served_.model.tokenizer, tokens, {offsets_[choice].next(token->id)});
    }
    return {{"text", piece}, {"logprobs", std::move(logprobs)}};
  }

 private:
  // vLLM's names for the ids; what no other server tells is in a member of its own: the likeliest token of every scored position of an echoed
  // prompt, and how many decisions of the router on the way were near-ties.
  void add_ids(std::size_t prompt, const ServeSample& sample, Json& out) const {
    out["prompt_token_ids"] = prompts_[prompt];
    out["token_ids"] = sample.ids;
    std::int64_t ties = sample.near_ties;
    Json top = Json::array();
    if (!scores_.empty()) {
      ties = scores_[prompt].near_ties;
      for (std::size_t i = 0; i + 1 < prompts_[prompt].size(); ++i) {
        const TokenScore& token = scores_[prompt].tokens[i];
        top.push_back({token.top_token, std::max(token.top_logprob, kLeastTold)});
      }
    }
    out["assay"] = {{"near_ties", ties}, {"likeliest", std::move(top)}};
  }

  bool next_is_scored() const {
    const bool plain = options_.temperature == 0 && options_.repetition_penalty == 1 && options_.presence_penalty == 0 && options_.frequency_penalty == 0;
    return echo_ && options_.logprobs && max_tokens_ == 1 && plain;
  }

  ServeSample next_of(std::size_t prompt) const {
    const ScoreAnswer& answer = scores_[prompt];
    const TokenScore& last = answer.tokens.back();
    ServeSample sample{.ids = {last.top_token}, .logprobs = {last.top_logprob}, .top = {}, .finish_reason = "length"};
    if (!answer.top.empty()) sample.top = {answer.top.back()};
    const bool stop = is_stop_id(last.top_token) || text_of(sample) != served_text(last.top_token);
    if (stop) sample.finish_reason = "stop";
    return sample;
  }
  std::string served_text(std::int32_t id) const { return served_.model.tokenizer.decode({id}, true); }

  void add_prompt(std::size_t prompt, std::vector<ToldToken>& tokens, std::vector<std::int64_t>& offsets) const {
    const std::vector<std::int32_t>& ids = prompts_[prompt];
    const ScoreAnswer& scores = scores_[prompt];
    TextOffsets characters(served_.model.tokenizer, false, 0);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      ToldToken token{.id = ids[i], .logprob = std::nullopt, .top = {}};
      if (i > 0) token.logprob = scores.tokens[i - 1].logprob;
      if (i > 0 && !scores.top.empty()) token.top = scores.top[i - 1];
      tokens.push_back(std::move(token));
      offsets.push_back(i < texts_[prompt].n_added ? 0 : characters.next(ids[i]));
    }
  }

  bool echo_;
  std::vector<CallPrompt> calls_;
  std::vector<Prompt> texts_;
  std::vector<ScoreAnswer> scores_;
  std::vector<TextOffsets> offsets_;  // of the parts of each choice of a stream
};

Result<HttpReply> try_complete(const Served& served, const HttpRequest& request) {
  ASSAY_TRY(CompletionCall call, read_completion(request.body));
  const auto completion = std::make_shared<Completion>(served, std::move(call));
  ASSAY_OK(completion->prepare());
  return completion->run(request);
}

}  // namespace

HttpReply complete(const Served& served, const HttpRequest& request) {
  Result<HttpReply> reply = try_complete(served, request);
  return reply.ok() ? std::move(*reply) : error_reply(reply.error());
}

}  // namespace assay
