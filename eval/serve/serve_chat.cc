// /v1/chat/completions. What a model writes is the content: calls of tools stay in its text, as the model writes them.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/runs/requests.h"
#include "eval/serve/serve_exchange.h"

namespace assay {
namespace {

constexpr ExchangeNames kNames = {"chatcmpl", "chat.completion", "chat.completion.chunk"};

class Chat final : public Exchange {
 public:
  Chat(const Served& served, ChatCall call) : Exchange(served, std::move(call.options), kNames), context_(std::move(call.context)) {}

  Status prepare() {
    const EvalModel& model = served_.model;
    if (!model.chat) {
      return Error{.code = Code::template_error, .message = "this model has no chat template; use /v1/completions", .field = "messages"};
    }
    Json context = {{"bos_token", model.tokenizer.bos_token()}, {"eos_token", model.tokenizer.eos_token()}};
    context.update(*context_);
    auto text = model.chat->render(context);
    if (!text.ok()) {
      return Error{.code = Code::template_error, .message = "the model's chat template refuses this: " + text.error().message, .field = "messages",
                   .got = text.error().got};
    }
    ASSAY_TRY(std::vector<std::int32_t> ids, text_ids(model.tokenizer, *text, BosPolicy::tokenizer));
    if (ids.empty()) return Error{.code = Code::template_error, .message = "the chat template renders no tokens", .field = "messages"};
    return set_prompts({std::move(ids)}, served_.max_tokens, "messages");
  }

 protected:
  Json choice(std::size_t, const ServeSample& sample) const override {
    Json logprobs = nullptr;
    if (options_.logprobs) logprobs = chat_logprobs(served_.model.tokenizer, told(sample));
    return {{"message", {{"role", "assistant"}, {"content", text_of(sample)}, {"refusal", nullptr}}}, {"logprobs", std::move(logprobs)}};
  }
  Json first_part(std::size_t) const override {
    return {{"delta", {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}}}, {"logprobs", nullptr}};
  }
  Json part(std::size_t, const std::string& piece, const ServeToken* token) override {
    Json logprobs = nullptr, delta = Json::object();
    if (token != nullptr) logprobs = chat_logprobs(served_.model.tokenizer, {{.id = token->id, .logprob = token->logprob, .top = token->top}});
    if (token != nullptr || !piece.empty()) delta["content"] = piece;
    return {{"delta", std::move(delta)}, {"logprobs", std::move(logprobs)}};
  }
  void absorb(ServeAnswer& answer) override {
    if (generates()) return;
    answer.samples.resize(static_cast<std::size_t>(options_.n), {.ids = {}, .logprobs = {}, .top = {}, .finish_reason = "length"});
  }

 private:
  std::shared_ptr<const Json> context_;
};

Result<HttpReply> try_chat(const Served& served, const HttpRequest& request) {
  ASSAY_TRY(ChatCall call, read_chat(request.body));
  const auto chat = std::make_shared<Chat>(served, std::move(call));
  ASSAY_OK(chat->prepare());
  return chat->run(request);
}

}  // namespace

HttpReply chat(const Served& served, const HttpRequest& request) {
  Result<HttpReply> reply = try_chat(served, request);
  return reply.ok() ? std::move(*reply) : error_reply(reply.error());
}

}  // namespace assay
