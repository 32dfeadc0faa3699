#include "eval/serve/serve_exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/check.h"
#include "eval/runs/generation.h"
#include "eval/serve/serve_error.h"

namespace assay {
namespace {

using OnToken = std::function<bool(const ServeToken&)>;

std::string next_id(const char* prefix, std::int64_t created_s) {
  static std::atomic<std::uint64_t> count{0};
  return fmt::format("{}-{:x}-{:x}", prefix, created_s, ++count);
}

std::string event(const Json& json) { return fmt::format("data: {}\n\n", dump_json(json)); }

std::vector<std::int32_t> with_special_stops(std::vector<std::int32_t> ids, const Tokenizer& tokenizer, const std::vector<std::string>& stops) {
  for (const std::string& stop : stops) {
    const int id = tokenizer.token_id(stop);
    if (id >= 0 && tokenizer.is_special(id)) ids.push_back(id);  // its text is no part of the output, so the id must end it
  }
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  return ids;
}

Error too_long(const char* param, std::int64_t context, std::size_t prompt, std::int64_t wanted) {
  return Error{.code = Code::too_large, .message = "the prompt and what may be generated do not fit into the model's context", .field = param,
               .expected = fmt::format("at most {} tokens", context), .got = fmt::format("{} in the prompt and {} to generate", prompt, wanted)};
}

double mean_logprob(const ServeSample& sample) {
  if (sample.logprobs.empty()) return 0;
  return std::accumulate(sample.logprobs.begin(), sample.logprobs.end(), 0.0) / static_cast<double>(sample.logprobs.size());
}

}  // namespace

HttpReply error_reply(const Error& error) {
  const ApiError api = api_error(error);
  HttpReply reply{.status = api.status, .body = dump_json(error_json(api))};
  if (api.status == 429 || api.status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

Status check_model(const Served& served, const std::string& name) {
  if (name == served.id || std::ranges::find(served.other_names, name) != served.other_names.end()) return {};
  return Error{.code = Code::not_found, .message = "there is no such model here", .field = "model", .expected = served.id, .got = name.substr(0, 80)};
}

// The choices of a stream.
struct Exchange::Streamed {
  struct Choice {
    StreamText text;
    bool begun = false;
  };
  std::vector<Choice> choices;
};

Exchange::Exchange(const Served& served, CallOptions options, ExchangeNames names)
    : served_(served),
      options_(std::move(options)),
      stop_ids_(with_special_stops(served.stop_ids, served.model.tokenizer, options_.skip_special_tokens ? options_.stops : std::vector<std::string>())),
      names_(names),
      id_(next_id(names.id_prefix, served.created_s)) {}

bool Exchange::is_stop_id(std::int32_t id) const { return std::ranges::binary_search(stop_ids_, id); }

std::string Exchange::text_of(const ServeSample& sample) const {
  std::span<const std::int32_t> ids = sample.ids;
  if (!ids.empty() && is_stop_id(ids.back())) ids = ids.first(ids.size() - 1);
  return StopStrings(served_.model.tokenizer, options_.stops, options_.skip_special_tokens).text(ids);
}

ToldToken Exchange::told(const ServeSample& sample, std::size_t i) const {
  return {.id = sample.ids[i], .logprob = sample.logprobs[i], .top = sample.top.empty() ? TopLogprobs() : sample.top[i]};
}

std::vector<ToldToken> Exchange::told(const ServeSample& sample) const {
  std::vector<ToldToken> out;
  for (std::size_t i = 0; i < sample.ids.size(); ++i) out.push_back(told(sample, i));
  return out;
}

Status Exchange::set_prompts(std::vector<std::vector<std::int32_t>> prompts, std::int64_t default_max_tokens, const char* param) {
  const std::int64_t context = served_.model.context_tokens();
  const auto vocab = static_cast<std::int64_t>(served_.model.facts.vocab_size);
  std::int64_t total = 0, longest = 0;
  for (const auto& ids : prompts) {
    ASSAY_CHECK(!ids.empty());
    for (const std::int32_t id : ids) {
      if (id >= 0 && id < vocab) continue;
      return Error{.code = Code::out_of_range, .message = "a token id is outside the vocabulary", .field = param,
                   .expected = fmt::format("0 to {}", vocab - 1), .got = std::to_string(id)};
    }
    longest = std::max(longest, static_cast<std::int64_t>(ids.size()));
    total += static_cast<std::int64_t>(ids.size());
  }
  const std::int64_t room = std::min(served_.max_tokens, context - longest);
  max_tokens_ = options_.max_tokens.value_or(std::max<std::int64_t>(1, std::min(default_max_tokens, room)));
  // The last token of a text that is only scored is never read.
  if (longest + max_tokens_ > context + (max_tokens_ == 0 ? 1 : 0)) return too_long(param, context, static_cast<std::size_t>(longest), max_tokens_);
  const auto choices = static_cast<std::int64_t>(prompts.size()) * options_.best_of;
  if (choices > kMaxChoices) {
    return Error{.code = Code::out_of_range, .message = "too many choices in one request", .field = "n", .expected = fmt::format("at most {}", kMaxChoices),
                 .got = std::to_string(choices)};
  }
  if (max_tokens_ > served_.max_tokens) {
    return Error{.code = Code::out_of_range, .message = "more tokens than this server generates for one choice", .field = "max_tokens",
                 .expected = fmt::format("at most {}", served_.max_tokens), .got = std::to_string(max_tokens_)};
  }
  const std::int64_t tokens = total + choices * max_tokens_;
  if (tokens > kMaxCallTokens || (options_.logprobs && (tokens + total * options_.n) * (*options_.logprobs + 1) > kMaxToldLogprobs)) {
    return Error{.code = Code::out_of_range, .message = "too many tokens or log-probabilities in one request", .field = param,
                 .expected = fmt::format("at most {} tokens and {} log-probabilities", kMaxCallTokens, kMaxToldLogprobs), .got = std::to_string(tokens)};
  }
  prompts_ = std::move(prompts);
  return {};
}

ServeWork Exchange::work() const {
  ServeWork work{.scores = scores(), .prompts = {}, .options = {}, .item = {}, .ended = {}};
  GenerateOptions& o = work.options;
  o.max_tokens = max_tokens_;
  o.samples = options_.best_of;
  o.temperature = options_.temperature;
  o.top_k = options_.top_k;
  o.top_p = options_.top_p;
  o.min_p = options_.min_p;
  o.repetition_penalty = options_.repetition_penalty;
  o.presence_penalty = options_.presence_penalty;
  o.frequency_penalty = options_.frequency_penalty;
  o.seed = options_.seed.value_or(served_.seed);
  o.top_logprobs = options_.logprobs.value_or(0);
  o.stop_ids = stop_ids_;
  work.item = options_.item;
  work.first_sample = options_.first_sample;
  if (generates()) work.prompts = prompts_;
  if (!options_.stops.empty()) {
    work.ended = [stops = StopStrings(served_.model.tokenizer, options_.stops, options_.skip_special_tokens)](std::span<const std::int32_t> ids) { return stops.ended(ids); };
  }
  return work;
}

Json Exchange::frame(const char* object) const {
  return {{"id", id_},
          {"object", object},
          {"created", served_.created_s},
          {"model", served_.id},
          {"system_fingerprint", "assay-" + served_.model.weights_digest.substr(0, 16)},
          {"choices", Json::array()}};
}

Json Exchange::usage(const std::vector<ServeSample>& samples) const {
  std::size_t prompt = 0, made = 0;
  for (const auto& ids : prompts_) prompt += ids.size();
  for (const ServeSample& sample : samples) made += sample.ids.size();
  return {{"prompt_tokens", prompt}, {"completion_tokens", made}, {"total_tokens", prompt + made}};
}

// n of best_of samples: the likeliest per token, earlier ones first on a tie.
std::vector<const ServeSample*> Exchange::chosen(const std::vector<ServeSample>& samples, std::size_t prompt) const {
  std::vector<const ServeSample*> out;
  const auto of_prompt = static_cast<std::size_t>(options_.best_of);
  for (std::size_t i = 0; i < of_prompt; ++i) out.push_back(&samples[prompt * of_prompt + i]);
  if (options_.best_of > options_.n) {
    std::ranges::stable_sort(out, std::greater{}, [](const ServeSample* sample) { return mean_logprob(*sample); });
    out.resize(static_cast<std::size_t>(options_.n));
  }
  return out;
}

Result<HttpReply> Exchange::whole(ServeQueue::Ticket& ticket, const HttpRequest& request) {
  ASSAY_TRY(ServeAnswer answer, served_.queue.wait(ticket, {}, request.connected));
  absorb(answer);
  ASSAY_CHECK(answer.samples.size() == prompts_.size() * static_cast<std::size_t>(options_.best_of));
  Json json = frame(names_.object);
  for (std::size_t p = 0; p < prompts_.size(); ++p) {
    for (const ServeSample* sample : chosen(answer.samples, p)) {
      Json one = {{"index", json["choices"].size()}};
      one.update(choice(p, *sample));
      one["finish_reason"] = sample->finish_reason;
      json["choices"].push_back(std::move(one));
    }
  }
  json["usage"] = usage(answer.samples);
  return HttpReply{.status = 200, .body = dump_json(json)};
}

void Exchange::stream(ServeQueue::Ticket& ticket, const std::function<bool()>& connected, const HttpWrite& write) {
  const auto n = static_cast<std::size_t>(options_.n);
  Streamed state;
  for (std::size_t i = 0; i < prompts_.size() * n; ++i) state.choices.push_back({StreamText(served_.model.tokenizer, options_.stops, options_.skip_special_tokens)});
  const auto send = [&](std::size_t index, const Json& members, const Json& reason) {
    Json json = frame(names_.chunk_object);
    Json one = {{"index", index}};
    one.update(members);
    one["finish_reason"] = reason;
    json["choices"].push_back(std::move(one));
    if (options_.include_usage) json["usage"] = nullptr;
    return write(event(json));
  };
  const auto begin = [&](std::size_t index) {
    if (std::exchange(state.choices[index].begun, true)) return true;
    const Json first = first_part(index);
    return first.is_null() || send(index, first, nullptr);
  };
  const OnToken on_token = [&](const ServeToken& token) {
    const std::size_t index = token.prompt * n + static_cast<std::size_t>(token.sample);
    if (!begin(index)) return false;
    const std::string piece = is_stop_id(token.id) ? "" : state.choices[index].text.add(token.id);
    if (piece.empty() && !options_.logprobs) return true;
    return send(index, part(index, piece, options_.logprobs ? &token : nullptr), nullptr);
  };
  Result<ServeAnswer> answer = served_.queue.wait(ticket, live() ? on_token : OnToken(), connected);
  if (!answer.ok()) {
    write(event(error_json(api_error(answer.error()))));  // an answer that ends like this was not finished: no [DONE]
    return;
  }
  absorb(*answer);
  for (std::size_t i = 0; !live() && i < answer->samples.size(); ++i) {
    for (std::size_t t = 0; t < answer->samples[i].ids.size(); ++t) {
      const ToldToken token = told(answer->samples[i], t);
      if (!on_token({i / n, static_cast<std::int64_t>(i % n), token.id, *token.logprob, token.top})) return;
    }
  }
  for (std::size_t i = 0; i < state.choices.size(); ++i) {
    const bool there = begin(i) && send(i, part(i, state.choices[i].text.finish(), nullptr), answer->samples[i].finish_reason);
    if (!there) return;
  }
  if (options_.include_usage) {
    Json json = frame(names_.chunk_object);
    json["usage"] = usage(answer->samples);
    if (!write(event(json))) return;
  }
  write("data: [DONE]\n\n");
}

Result<HttpReply> Exchange::run(const HttpRequest& request) {
  if (!options_.model.empty()) ASSAY_OK(check_model(served_, options_.model));
  ASSAY_TRY(const std::shared_ptr<ServeQueue::Ticket> ticket, served_.queue.submit(work(), options_.stream && live()));
  if (!options_.stream) return whole(*ticket, request);
  HttpReply reply{.status = 200, .content_type = "text/event-stream; charset=utf-8", .headers = {{"Cache-Control", "no-cache"}}};
  reply.stream = [self = shared_from_this(), ticket, connected = request.connected](const HttpWrite& write) { self->stream(*ticket, connected, write); };
  return reply;
}

}  // namespace assay
