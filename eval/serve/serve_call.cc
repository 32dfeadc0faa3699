#include "eval/serve/serve_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace assay {
namespace {

constexpr JsonLimits kBodyLimits{.max_bytes = std::size_t{64} << 20, .max_depth = 32, .max_values = std::size_t{4} << 20};
constexpr double kMaxTemperature = 100, kMaxPenalty = 100;  // OpenAI: 2 and 2; above, everything is the same
constexpr std::size_t kMaxNameBytes = 256;

std::string shown_value(const Json& value) { return dump_json(value).substr(0, 80); }

Error bad(std::string_view name, std::string_view expected, const Json& got) {
  return Error{.code = Code::bad_value, .message = fmt::format("'{}' has an unusable value", name.substr(0, kMaxNameBytes)),
               .field = std::string(name.substr(0, kMaxNameBytes)), .expected = std::string(expected), .got = shown_value(got)};
}

Error unsupported(std::string_view name, const Json& got) {
  return Error{.code = Code::unsupported, .message = fmt::format("'{}' is not supported and would change the answer", name), .field = std::string(name),
               .got = shown_value(got)};
}

Result<std::int64_t> integer(const Json& v, std::string_view name, std::int64_t low, std::int64_t high) {
  const bool fits = v.is_number_integer() && !(v.is_number_unsigned() && v.get<std::uint64_t>() > INT64_MAX);
  if (!fits || v.get<std::int64_t>() < low || v.get<std::int64_t>() > high) return bad(name, fmt::format("an integer, {} to {}", low, high), v);
  return v.get<std::int64_t>();
}

Result<double> number(const Json& v, std::string_view name, double low, double high) {
  const double value = v.is_number() ? v.get<double>() : low - 1;
  if (!(value >= low && value <= high)) return bad(name, fmt::format("a number, {} to {}", low, high), v);
  return value;
}

Result<bool> boolean(const Json& v, std::string_view name) {
  if (!v.is_boolean()) return bad(name, "true or false", v);
  return v.get<bool>();
}

Result<std::string> text(const Json& v, std::string_view name) {
  if (!v.is_string()) return bad(name, "a string", v);
  return v.get<std::string>();
}

// --- what both kinds of calls share ---

Status read_model(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.model, text(v, "model"));
  return {};
}
Status read_max_tokens(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.max_tokens, integer(v, "max_tokens", 0, kMaxCallTokens));
  return {};
}
Status read_n(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.n, integer(v, "n", 1, kMaxCallSamples));
  return {};
}
Status read_temperature(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.temperature, number(v, "temperature", 0, kMaxTemperature));
  return {};
}
Status read_top_p(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.top_p, number(v, "top_p", 0, 1));
  if (o.top_p == 0) o.top_p = 1e-9;  // OpenAI takes 0; the smallest set of that share is the likeliest token
  return {};
}
Status read_min_p(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.min_p, number(v, "min_p", 0, 1));
  return {};
}
Status read_top_k(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.top_k, integer(v, "top_k", -1, INT32_MAX));
  o.top_k = std::max<std::int64_t>(o.top_k, 0);  // -1 stands for all elsewhere
  return {};
}
Status read_presence(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.presence_penalty, number(v, "presence_penalty", -kMaxPenalty, kMaxPenalty));
  return {};
}
Status read_frequency(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.frequency_penalty, number(v, "frequency_penalty", -kMaxPenalty, kMaxPenalty));
  return {};
}
Status read_repetition(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.repetition_penalty, number(v, "repetition_penalty", 1e-4, kMaxPenalty));
  return {};
}
Status read_seed(const Json& v, CallOptions& o) {
  ASSAY_TRY(const std::int64_t seed, integer(v, "seed", INT64_MIN, INT64_MAX));
  o.seed = static_cast<std::uint64_t>(seed);
  return {};
}
Status read_stream(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.stream, boolean(v, "stream"));
  return {};
}

Status read_stream_options(const Json& v, CallOptions& o) {
  if (!v.is_object()) return bad("stream_options", "an object", v);
  for (const auto& [name, value] : v.items()) {
    if (name == "include_usage" && value.is_boolean()) o.include_usage = value.get<bool>();
    else if (name != "include_obfuscation" || !value.is_boolean()) return bad("stream_options", "include_usage: true or false", v);
  }
  return {};
}

Status read_return_token_ids(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.return_token_ids, boolean(v, "return_token_ids"));
  return {};
}
Status read_skip_special(const Json& v, CallOptions& o) {
  ASSAY_TRY(o.skip_special_tokens, boolean(v, "skip_special_tokens"));
  return {};
}
Status read_assay_stream(const Json& v, CallOptions& o) {
  if (!v.is_array() || v.size() != 2) return bad("assay_stream", "[item, sample]", v);
  ASSAY_TRY(const std::int64_t item, integer(v[0], "assay_stream", 0, INT64_MAX));
  o.item = static_cast<std::uint64_t>(item);
  ASSAY_TRY(o.first_sample, integer(v[1], "assay_stream", 0, INT32_MAX));
  return {};
}

Status read_stop(const Json& v, CallOptions& o) {
  const Json list = v.is_array() ? v : Json::array({v});
  if (list.size() > kMaxStops) return bad("stop", fmt::format("at most {} strings", kMaxStops), list.size());
  for (const Json& stop : list) {
    const bool fits = stop.is_string() && !stop.get_ref<const std::string&>().empty() && stop.get_ref<const std::string&>().size() <= kMaxStopBytes;
    if (!fits) return bad("stop", fmt::format("texts of 1 to {} bytes", kMaxStopBytes), stop);
    o.stops.push_back(stop.get<std::string>());
  }
  return {};
}

template <class Call>
struct Field {
  std::string_view name;
  Status (*read)(const Json& value, Call& call);
};

constexpr std::array<Field<CallOptions>, 17> kCommonFields = {{{"model", read_model},
                                                               {"max_tokens", read_max_tokens},
                                                               {"n", read_n},
                                                               {"temperature", read_temperature},
                                                               {"top_p", read_top_p},
                                                               {"min_p", read_min_p},
                                                               {"top_k", read_top_k},
                                                               {"presence_penalty", read_presence},
                                                               {"frequency_penalty", read_frequency},
                                                               {"repetition_penalty", read_repetition},
                                                               {"seed", read_seed},
                                                               {"stream", read_stream},
                                                               {"stream_options", read_stream_options},
                                                               {"stop", read_stop},
                                                               {"return_token_ids", read_return_token_ids},
                                                               {"skip_special_tokens", read_skip_special},
                                                               {"assay_stream", read_assay_stream}}};

constexpr std::array<std::string_view, 8> kWithoutEffect = {"user",          "metadata",         "store",
                                                            "service_tier",  "safety_identifier", "prompt_cache_key",
                                                            "prompt_cache_retention", "parallel_tool_calls"};

// Parameters that are accepted only at a value that changes nothing.
bool is_neutral(std::string_view name, const Json& v) {
  if (name == "suffix") return v == "";
  if (name == "logit_bias") return v.is_object() && v.empty();
  if (name == "response_format") return v == Json{{"type", "text"}};
  if (name == "modalities") return v == Json::array({"text"});
  if (name == "tool_choice" || name == "function_call") return v == "auto" || v == "none";
  if (name == "functions") return v.is_array() && v.empty();
  return false;
}

constexpr std::array<std::string_view, 14> kRefused = {"suffix",    "logit_bias", "response_format",    "modalities", "tool_choice",
                                                       "functions", "function_call", "reasoning_effort", "prediction", "audio",
                                                       "web_search_options", "verbosity", "best_of", "echo"};

Error unknown(std::string_view name) {
  return Error{.code = Code::unsupported,
               .message = fmt::format("there is no parameter '{}' here; whether it changes the answer is not known, so it is refused",
                                      name.substr(0, kMaxNameBytes)),
               .field = std::string(name.substr(0, kMaxNameBytes))};
}

template <class Call, std::size_t N>
Status read_member(std::string_view name, const Json& value, const std::array<Field<Call>, N>& own, Call& call) {
  if (value.is_null() || std::ranges::find(kWithoutEffect, name) != kWithoutEffect.end()) return {};
  if (const auto it = std::ranges::find(own, name, &Field<Call>::name); it != own.end()) return it->read(value, call);
  if (const auto it = std::ranges::find(kCommonFields, name, &Field<CallOptions>::name); it != kCommonFields.end()) return it->read(value, call.options);
  if (std::ranges::find(kRefused, name) == kRefused.end()) return unknown(name);
  if (is_neutral(name, value)) return {};
  return unsupported(name, value);
}

template <class Call, std::size_t N>
Result<Call> read_call(std::string_view body, const std::array<Field<Call>, N>& own) {
  auto json = parse_json(body, "", kBodyLimits);
  if (!json.ok()) {
    Error error = std::move(json).error();
    error.code = Code::bad_json;
    if (error.offset >= 0) error.message += fmt::format(" (at byte {})", error.offset);
    return error;
  }
  if (!json->is_object()) return Error{.code = Code::bad_json, .message = "the body is no JSON object", .got = shown_value(*json)};
  Call call;
  for (const auto& [name, value] : json->items()) ASSAY_OK(read_member(name, value, own, call));
  return call;
}

Status check_options(const CallOptions& o) {
  if (o.include_usage && !o.stream) {
    return Error{.code = Code::bad_value, .message = "stream_options are for streams only", .field = "stream_options"};
  }
  return {};
}

// --- completions ---

Status read_ids(const Json& list, CallPrompt& prompt) {
  prompt.ids.reserve(list.size());
  for (const Json& id : list) {
    ASSAY_TRY(const std::int64_t value, integer(id, "prompt", 0, INT32_MAX));
    prompt.ids.push_back(static_cast<std::int32_t>(value));
  }
  return {};
}

Status add_prompt(const Json& v, CompletionCall& call) {
  CallPrompt prompt;
  if (v.is_string()) prompt.text = v.get<std::string>();
  else if (v.is_array()) ASSAY_OK(read_ids(v, prompt));
  else return bad("prompt", "a text, a list of texts, a list of ids, or a list of such lists", v);
  call.prompts.push_back(std::move(prompt));
  return {};
}

Status read_prompt(const Json& v, CompletionCall& call) {
  const bool one = !v.is_array() || (!v.empty() && v[0].is_number());
  if (one) return add_prompt(v, call);
  if (v.empty() || v.size() > kMaxPrompts) return bad("prompt", fmt::format("1 to {} prompts", kMaxPrompts), v.size());
  for (const Json& prompt : v) ASSAY_OK(add_prompt(prompt, call));
  return {};
}
Status read_echo(const Json& v, CompletionCall& call) {
  ASSAY_TRY(call.echo, boolean(v, "echo"));
  return {};
}
Status read_best_of(const Json& v, CompletionCall& call) {
  ASSAY_TRY(call.options.best_of, integer(v, "best_of", 1, kMaxCallSamples));
  return {};
}
Status read_logprobs(const Json& v, CompletionCall& call) {
  ASSAY_TRY(call.options.logprobs, integer(v, "logprobs", 0, kMaxCallLogprobs));
  return {};
}

constexpr std::array<Field<CompletionCall>, 4> kCompletionFields = {
    {{"prompt", read_prompt}, {"echo", read_echo}, {"best_of", read_best_of}, {"logprobs", read_logprobs}}};

// --- chats ---

Error bad_message(std::size_t i, std::string_view what, const Json& got) { return bad(fmt::format("messages[{}]", i), what, got); }

Status flatten_content(std::size_t i, Json& message) {
  Json& content = message["content"];  // absent becomes null: an assistant that only calls tools
  if (content.is_string() || content.is_null()) return {};
  if (!content.is_array()) return bad_message(i, "content that is a text or a list of text parts", content);
  std::string whole;
  for (const Json& part : content) {
    const bool fits = part.is_object() && part.value("type", Json()) == "text" && part.contains("text") && part["text"].is_string();
    if (!fits) return bad_message(i, "parts of type text only", part);
    if (!whole.empty()) whole += '\n';
    whole += part["text"].get_ref<const std::string&>();
  }
  content = whole;
  return {};
}

Status read_messages(const Json& v, Json& context) {
  if (!v.is_array() || v.empty() || v.size() > kMaxMessages) return bad("messages", fmt::format("a list of 1 to {} messages", kMaxMessages), v);
  Json messages = v;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Json& message = messages[i];
    const bool fits = message.is_object() && message.contains("role") && message["role"].is_string();
    if (!fits) return bad_message(i, "an object with a role", message);
    ASSAY_OK(flatten_content(i, message));
  }
  context["messages"] = std::move(messages);
  return {};
}

// The members of a chat that need more than one look at the body.
struct RawChat {
  CallOptions options;
  Json context = {{"add_generation_prompt", true}}, kwargs = Json::object();
  bool logprobs = false;
  std::int64_t top_logprobs = 0;
};

Status read_chat_messages(const Json& v, RawChat& call) { return read_messages(v, call.context); }
Status read_chat_logprobs(const Json& v, RawChat& call) {
  ASSAY_TRY(call.logprobs, boolean(v, "logprobs"));
  return {};
}
Status read_top_logprobs(const Json& v, RawChat& call) {
  ASSAY_TRY(call.top_logprobs, integer(v, "top_logprobs", 0, kMaxCallLogprobs));
  return {};
}
Status read_max_completion_tokens(const Json& v, RawChat& call) {
  ASSAY_TRY(call.options.max_tokens, integer(v, "max_completion_tokens", 0, kMaxCallTokens));
  return {};
}
Status read_tools(const Json& v, RawChat& call) {
  const bool fits = v.is_array() && std::ranges::all_of(v, [](const Json& tool) { return tool.is_object(); });
  if (!fits) return bad("tools", "a list of objects", v);
  if (!v.empty()) call.context["tools"] = v;
  return {};
}
Status read_template_kwargs(const Json& v, RawChat& call) {
  if (!v.is_object()) return bad("chat_template_kwargs", "an object", v);
  call.kwargs = v;
  return {};
}

constexpr std::array<Field<RawChat>, 6> kChatFields = {{{"messages", read_chat_messages},
                                                        {"logprobs", read_chat_logprobs},
                                                        {"top_logprobs", read_top_logprobs},
                                                        {"max_completion_tokens", read_max_completion_tokens},
                                                        {"tools", read_tools},
                                                        {"chat_template_kwargs", read_template_kwargs}}};

Error missing(std::string_view name) {
  return Error{.code = Code::missing_field, .message = fmt::format("'{}' is missing", name), .field = std::string(name)};
}

}  // namespace

Result<CompletionCall> read_completion(std::string_view body) {
  ASSAY_TRY(CompletionCall call, read_call(body, kCompletionFields));
  if (call.prompts.empty()) return missing("prompt");
  CallOptions& o = call.options;
  ASSAY_OK(check_options(o));
  const bool chosen = o.best_of > 1;  // absent: as many as are told
  if (chosen && o.best_of < o.n) return Error{.code = Code::bad_value, .message = "best_of is smaller than n", .field = "best_of"};
  if (chosen && o.best_of > o.n && o.stream) return Error{.code = Code::bad_value, .message = "a stream cannot choose the best of several", .field = "best_of"};
  o.best_of = std::max(o.best_of, o.n);
  return call;
}

Result<ChatCall> read_chat(std::string_view body) {
  ASSAY_TRY(RawChat raw, read_call(body, kChatFields));
  if (!raw.context.contains("messages")) return missing("messages");
  ASSAY_OK(check_options(raw.options));
  if (raw.top_logprobs > 0 && !raw.logprobs) {
    return Error{.code = Code::bad_value, .message = "top_logprobs needs logprobs: true", .field = "top_logprobs"};
  }
  ChatCall call{.options = std::move(raw.options), .context = nullptr};
  if (raw.logprobs) call.options.logprobs = raw.top_logprobs;
  call.options.best_of = call.options.n;
  for (const auto& [name, value] : raw.kwargs.items()) {
    if (name != "messages" && name != "tools") raw.context[name] = value;
  }
  call.context = std::make_shared<const Json>(std::move(raw.context));
  return call;
}

}  // namespace assay
