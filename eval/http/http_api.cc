#include "eval/http/http_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"
#include "base/rng.h"

namespace assay {
namespace {

constexpr JsonLimits kAnswerLimits{.max_bytes = std::size_t{256} << 20, .max_depth = 32, .max_values = std::size_t{16} << 20};
constexpr std::size_t kMaxModels = 100'000, kMaxShownBytes = 300;
constexpr double kApiRounding = 1e-3;  // a log-probability above 0 by more is none

Error wrong(std::string_view url, std::string_view field, std::string_view expected, const Json& got) {
  return Error{.code = Code::bad_value, .message = "the server's answer has a member that cannot be used", .file = std::string(url),
               .field = std::string(field), .expected = std::string(expected), .got = dump_json(got).substr(0, 80)};
}

Error lacking(std::string_view url, std::string_view field) {
  return Error{.code = Code::missing_field, .message = "the server's answer lacks a member", .file = std::string(url), .field = std::string(field)};
}

const Json& member(const Json& object, const char* name) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string text_or(const Json& value, std::string fallback = "") { return value.is_string() ? value.get<std::string>() : std::move(fallback); }

bool is_count(const Json& value) {
  return value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) && value.get<std::int64_t>() >= 0;
}

Result<Json> read_object(std::string_view body, std::string_view url) {
  ASSAY_TRY(Json json, parse_json(body, url, kAnswerLimits));
  if (!json.is_object()) return wrong(url, "", "an object", json);
  return json;
}

Result<double> logprob_of(const Json& value, std::string_view url) {
  const bool fits = value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() <= kApiRounding;
  if (!fits) return wrong(url, "logprobs", "a number of at most 0", value);
  return value.get<double>();
}

Result<std::vector<std::int32_t>> ids_of(const Json& list, std::string_view url, const char* field) {
  if (!list.is_array()) return wrong(url, field, "a list of ids", list);
  std::vector<std::int32_t> ids;
  for (const Json& id : list) {
    if (!is_count(id) || id.get<std::int64_t>() > INT32_MAX) return wrong(url, field, "ids", id);
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

template <class T>
void likeliest_first(std::vector<T>& top, double (*logprob)(const T&)) {
  std::ranges::stable_sort(top, std::greater{}, logprob);
}

// {"text": logprob, ...}.
Result<std::vector<std::pair<std::string, double>>> top_of(const Json& map, std::string_view url) {
  std::vector<std::pair<std::string, double>> top;
  if (map.is_null()) return top;
  if (!map.is_object()) return wrong(url, "top_logprobs", "an object", map);
  for (const auto& [text, value] : map.items()) {
    ASSAY_TRY(const double logprob, logprob_of(value, url));
    top.emplace_back(text, logprob);
  }
  likeliest_first<std::pair<std::string, double>>(top, [](const auto& one) { return one.second; });
  return top;
}

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}: columns of one length, the last two optional.
Status read_columns(const Json& logprobs, std::string_view url, std::vector<ApiToken>& out) {
  const Json &tokens = member(logprobs, "tokens"), &values = member(logprobs, "token_logprobs"), &tops = member(logprobs, "top_logprobs"),
             &offsets = member(logprobs, "text_offset");
  if (!tokens.is_array()) return lacking(url, "logprobs.tokens");
  const auto fits = [&](const Json& column) { return column.is_array() && column.size() == tokens.size(); };
  if (!fits(values)) return wrong(url, "token_logprobs", fmt::format("a list of {}", tokens.size()), values);
  if (!tops.is_null() && !fits(tops)) return wrong(url, "top_logprobs", fmt::format("a list of {}", tokens.size()), tops);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].is_string()) return wrong(url, "tokens", "texts", tokens[i]);
    ApiToken token{.text = tokens[i].get<std::string>(), .logprob = std::nullopt};
    if (!values[i].is_null()) {
      ASSAY_TRY(token.logprob, logprob_of(values[i], url));
    }
    if (!tops.is_null()) {
      ASSAY_TRY(token.top, top_of(tops[i], url));
    }
    if (fits(offsets) && is_count(offsets[i])) token.offset = offsets[i].get<std::int64_t>();
    out.push_back(std::move(token));
  }
  return {};
}

// The newer form, as chats and llama.cpp have it: {"content": [{"token", "logprob", "top_logprobs": [{"token", "logprob"}]}]}.
Status read_content(const Json& content, std::string_view url, std::vector<ApiToken>& out) {
  for (const Json& one : content) {
    if (!member(one, "token").is_string()) return wrong(url, "logprobs.content", "tokens", one);
    ApiToken token{.text = one["token"].get<std::string>(), .logprob = std::nullopt};
    ASSAY_TRY(token.logprob, logprob_of(member(one, "logprob"), url));
    const Json& tops = member(one, "top_logprobs");
    for (std::size_t i = 0; tops.is_array() && i < tops.size(); ++i) {
      if (!member(tops[i], "token").is_string()) return wrong(url, "top_logprobs", "tokens", tops[i]);
      ASSAY_TRY(const double logprob, logprob_of(member(tops[i], "logprob"), url));
      token.top.emplace_back(tops[i]["token"].get<std::string>(), logprob);
    }
    likeliest_first<std::pair<std::string, double>>(token.top, [](const auto& two) { return two.second; });
    out.push_back(std::move(token));
  }
  return {};
}

Status read_logprobs(const Json& logprobs, std::string_view url, ApiChoice& out) {
  if (logprobs.is_null()) return {};
  const Json& content = member(logprobs, "content");
  if (content.is_array()) return read_content(content, url, out.tokens);
  return read_columns(logprobs, url, out.tokens);
}

// vLLM: [null, {"ID": {"logprob", "rank", "decoded_token"}, ...}, ...]. The token of the prompt is the first of its position; of the others the
// likeliest is told.
Status read_prompt_logprobs(const Json& list, std::string_view url, ApiChoice& out) {
  if (list.is_null()) return {};
  if (!list.is_array()) return wrong(url, "prompt_logprobs", "a list", list);
  for (const Json& position : list) {
    out.prompt.emplace_back();
    out.prompt_top.emplace_back();
    if (position.is_null()) continue;
    if (!position.is_object() || position.empty()) return wrong(url, "prompt_logprobs", "objects", position);
    for (const auto& [id, value] : position.items()) {
      const bool number = !id.empty() && id.size() < 10 && std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
      if (!number) return wrong(url, "prompt_logprobs", "ids", id);
      ASSAY_TRY(const double logprob, logprob_of(member(value, "logprob"), url));
      out.prompt_top.back().push_back({.token = static_cast<std::int32_t>(std::stol(id)), .logprob = logprob});
    }
    out.prompt.back() = out.prompt_top.back().front();
    likeliest_first<TokenLogprob>(out.prompt_top.back(), [](const TokenLogprob& one) { return one.logprob; });
  }
  return {};
}

Status read_told(const Json& told, std::string_view url, ApiChoice& out) {
  if (!told.is_object()) return {};
  if (is_count(member(told, "near_ties"))) out.near_ties = told["near_ties"].get<std::int64_t>();
  const Json& list = member(told, "likeliest");
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
    const bool pair = list[i].is_array() && list[i].size() == 2 && is_count(list[i][0]) && list[i][0].get<std::int64_t>() <= INT32_MAX;
    if (!pair) return wrong(url, "assay.likeliest", "[id, log-probability]", list[i]);
    ASSAY_TRY(const double logprob, logprob_of(list[i][1], url));
    out.likeliest.push_back({.token = list[i][0].get<std::int32_t>(), .logprob = logprob});
  }
  return {};
}

Result<ApiChoice> read_choice(const Json& json, std::string_view url) {
  ApiChoice out;
  if (!member(json, "text").is_string()) return lacking(url, "choices.text");
  out.text = json["text"].get<std::string>();
  out.finish_reason = text_or(member(json, "finish_reason"));
  out.ended_by_text = member(json, "stop_reason").is_string();
  ASSAY_OK(read_logprobs(member(json, "logprobs"), url, out));
  ASSAY_OK(read_prompt_logprobs(member(json, "prompt_logprobs"), url, out));
  if (!member(json, "prompt_token_ids").is_null()) {
    ASSAY_TRY(out.prompt_ids, ids_of(json["prompt_token_ids"], url, "prompt_token_ids"));
  }
  if (!member(json, "token_ids").is_null()) {
    ASSAY_TRY(out.ids, ids_of(json["token_ids"], url, "token_ids"));
  }
  ASSAY_OK(read_told(member(json, "assay"), url, out));
  return out;
}

void add_prompt(Json& body, const std::vector<std::int32_t>& ids, const std::optional<std::string>& text) {
  ASSAY_CHECK(ids.empty() == text.has_value());
  if (text) body["prompt"] = *text;
  else body["prompt"] = ids;
}

void add_extras(Json& body, const ApiAbilities& abilities) {
  if (abilities.returns_ids) body["return_token_ids"] = true;
}

std::optional<std::string> text_of(const ScoreRequest& request, ApiLikelihood likelihood) {
  if (!request.text) return std::nullopt;
  return likelihood == ApiLikelihood::next_token ? request.text->context : request.text->context + request.text->scored;
}

}  // namespace

std::string_view name_of(ApiLikelihood likelihood) {
  switch (likelihood) {
    case ApiLikelihood::echo: return "echo";
    case ApiLikelihood::prompt_logprobs: return "prompt_logprobs";
    case ApiLikelihood::next_token: return "next_token";
    case ApiLikelihood::none: return "none";
  }
  return "";
}

std::string score_body(const ApiTarget& target, const ScoreRequest& request) {
  const ApiAbilities& can = target.abilities;
  ASSAY_CHECK(can.likelihood != ApiLikelihood::none);
  Json body = {{"model", target.model}, {"temperature", 0}};
  const std::int64_t top = std::max<std::int64_t>(1, request.top_logprobs);
  if (can.likelihood == ApiLikelihood::next_token) {
    std::vector<std::int32_t> ids = request.ids;
    if (!request.text) ids.resize(static_cast<std::size_t>(request.scored_from));
    add_prompt(body, ids, text_of(request, can.likelihood));
    body["max_tokens"] = 1;
    body["logprobs"] = can.top_logprobs;
  } else {
    add_prompt(body, request.ids, text_of(request, can.likelihood));
    const bool echo = can.likelihood == ApiLikelihood::echo;
    body["max_tokens"] = can.echo_max_tokens;
    if (echo) body["echo"] = true;
    body[echo ? "logprobs" : "prompt_logprobs"] = top;
  }
  add_extras(body, can);
  return dump_json(body);
}

std::string generate_body(const ApiTarget& target, const GenerateRequest& request, std::int64_t sample, const GenerateOptions& options, std::uint64_t seed) {
  Json body = {{"model", target.model}, {"max_tokens", options.max_tokens}, {"temperature", options.temperature}};
  add_prompt(body, request.ids, request.text);
  const auto add = [&body](const char* name, auto value, auto neutral) {
    if (value != neutral) body[name] = value;
  };
  add("top_p", options.top_p, 1.0);
  add("top_k", options.top_k, std::int64_t{0});
  add("min_p", options.min_p, 0.0);
  add("repetition_penalty", options.repetition_penalty, 1.0);
  add("presence_penalty", options.presence_penalty, 0.0);
  add("frequency_penalty", options.frequency_penalty, 0.0);
  body["seed"] = request.seed ? *request.seed : target.abilities.takes_stream ? options.seed : seed;
  if (!options.stop_strings.empty()) body["stop"] = options.stop_strings;
  if (options.top_logprobs > 0 || target.abilities.returns_ids) body["logprobs"] = options.top_logprobs;
  if (target.abilities.keeps_special && options.stops_see_special) body["skip_special_tokens"] = false;
  if (target.abilities.takes_stream) body["assay_stream"] = {request.item, sample};
  add_extras(body, target.abilities);
  return dump_json(body);
}

std::uint64_t sample_seed(std::uint64_t seed, std::uint64_t item, std::int64_t sample) {
  return Stream(seed, item, static_cast<std::uint32_t>(sample)).u64() >> 11;
}

Result<std::vector<ApiModel>> read_models(std::string_view body, std::string_view url) {
  ASSAY_TRY(const Json json, read_object(body, url));
  const Json& data = member(json, "data");
  if (!data.is_array() || data.size() > kMaxModels) return wrong(url, "data", "a list of models", data);
  std::vector<ApiModel> out;
  for (const Json& one : data) {
    if (!member(one, "id").is_string()) return wrong(url, "id", "a text", one);
    ApiModel model{.id = one["id"].get<std::string>(), .owned_by = text_or(member(one, "owned_by")), .context_tokens = std::nullopt, .told = ""};
    if (!member(one, "assay").is_null()) model.told = dump_json(one["assay"]);
    for (const Json* length : {&member(one, "max_model_len"), &member(member(one, "meta"), "n_ctx_train")}) {
      if (is_count(*length) && *length > 0 && !model.context_tokens) model.context_tokens = length->get<std::int64_t>();
    }
    out.push_back(std::move(model));
  }
  return out;
}

Result<ApiAnswer> read_answer(std::string_view body, std::string_view url, std::size_t n_choices) {
  ASSAY_TRY(const Json json, read_object(body, url));
  const Json& choices = member(json, "choices");
  if (!choices.is_array() || choices.size() != n_choices) return wrong(url, "choices", fmt::format("a list of {}", n_choices), choices);
  ApiAnswer out;
  out.choices.resize(n_choices);
  std::vector<bool> seen(n_choices);
  for (std::size_t i = 0; i < n_choices; ++i) {
    const Json& index = member(choices[i], "index");
    const bool there = is_count(index) && index.get<std::size_t>() < n_choices && !seen[index.get<std::size_t>()];
    if (!index.is_null() && !there) return wrong(url, "choices.index", "each index once", index);
    const std::size_t at = index.is_null() ? i : index.get<std::size_t>();
    seen[at] = true;
    ASSAY_TRY(out.choices[at], read_choice(choices[i], url));
  }
  const Json& usage = member(json, "usage");
  if (is_count(member(usage, "prompt_tokens"))) out.prompt_tokens = usage["prompt_tokens"].get<std::int64_t>();
  if (is_count(member(usage, "completion_tokens"))) out.completion_tokens = usage["completion_tokens"].get<std::int64_t>();
  return out;
}

std::string refusal_text(std::string_view body) {
  const auto json = parse_json(body.substr(0, std::size_t{1} << 20), "");
  if (!json.ok()) return "";
  const Json& error = member(*json, "error");
  for (const Json* text : {&member(error, "message"), &error, &member(*json, "message"), &member(*json, "detail")}) {
    if (text->is_string()) return text->get<std::string>().substr(0, kMaxShownBytes);
  }
  return "";
}

}  // namespace assay
