// From a server's answers to a backend's: which of the told tokens are those that were asked for, and what they are worth.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/check.h"
#include "eval/http/http_api.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

constexpr std::size_t kMaxNextTokenBytes = 8;  // a letter, perhaps with a blank or a bracket: what one token can be relied upon to hold

Error not_told(std::string_view url, std::string message, std::string expected = "", std::string got = "") {
  return Error{.code = Code::bad_value, .message = std::move(message), .file = std::string(url), .field = "logprobs", .expected = std::move(expected),
               .got = std::move(got)};
}

void add(ScoreAnswer& out, std::int32_t id, double logprob, std::int32_t top_id, double top_logprob) {
  out.tokens.push_back({.token = id, .top_token = top_id, .logprob = logprob, .top_logprob = top_logprob});
  out.logprob += logprob;
  out.greedy = out.greedy && logprob >= top_logprob && (top_id == id || top_id == kUnknownToken);
}

// Where what is scored begins among tokens that the server split (TextToScore).
std::size_t first_scored(const TextToScore& text, std::span<const ApiToken> tokens) {
  const auto context = static_cast<std::int64_t>(count_characters(text.context));
  std::int64_t counted = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::int64_t begin = tokens[i].offset >= 0 ? tokens[i].offset : counted;
    counted = begin + static_cast<std::int64_t>(count_characters(tokens[i].text));
    if (begin < context) continue;
    const bool across = begin > context && i > 0;
    return std::max<std::size_t>(across ? i - 1 : i, 1);
  }
  return tokens.size();
}

// The tokens of an echoed text without those that were generated after it.
Result<std::span<const ApiToken>> echoed(const ApiTarget& target, const ScoreRequest& request, const ApiChoice& choice, std::string_view url) {
  const auto made = static_cast<std::size_t>(target.abilities.echo_max_tokens);
  std::size_t n = request.ids.size();
  if (request.text && choice.prompt_ids) n = choice.prompt_ids->size();
  else if (request.text) n = choice.tokens.size() - std::min(made, choice.tokens.size());
  const bool fits = choice.tokens.size() >= n && choice.tokens.size() <= n + made;
  if (!fits) return not_told(url, "the server tells another number of tokens than it was given", std::to_string(n), std::to_string(choice.tokens.size()));
  return std::span(choice.tokens).first(n);
}

Result<ScoreAnswer> of_echo(const ApiTarget& target, const ScoreRequest& request, const ApiChoice& choice, std::string_view url) {
  ASSAY_TRY(const auto tokens, echoed(target, request, choice, url));
  const bool exact = choice.likeliest.size() + 1 == tokens.size();  // assay serve
  const std::vector<std::int32_t>* ids = !request.text ? &request.ids : choice.prompt_ids ? &*choice.prompt_ids : nullptr;
  const std::size_t first = request.text ? first_scored(*request.text, tokens) : static_cast<std::size_t>(request.scored_from);
  ScoreAnswer out;
  for (std::size_t i = first; i < tokens.size(); ++i) {
    const ApiToken& token = tokens[i];
    if (!token.logprob) return not_told(url, "a token that is to be scored has no log-probability", "a number", fmt::format("null at token {}", i));
    const double best = token.top.empty() ? *token.logprob : std::max(*token.logprob, token.top.front().second);
    const std::int32_t id = ids != nullptr ? (*ids)[i] : kUnknownToken;
    if (exact) add(out, id, *token.logprob, choice.likeliest[i - 1].token, choice.likeliest[i - 1].logprob);
    else add(out, id, *token.logprob, best > *token.logprob ? kUnknownToken : id, best);
    if (request.text) out.texts.push_back(token.text);
  }
  return out;
}

Result<ScoreAnswer> of_prompt_logprobs(const ScoreRequest& request, const ApiChoice& choice, std::string_view url) {
  if (request.text) return Error{.code = Code::unsupported, .message = "this server tells no texts of a prompt's tokens; name the model's tokenizer with --tokenizer", .file = std::string(url)};
  if (choice.prompt.size() != request.ids.size()) {
    return not_told(url, "the server tells another number of tokens than it was given", std::to_string(request.ids.size()), std::to_string(choice.prompt.size()));
  }
  ScoreAnswer out;
  for (auto i = static_cast<std::size_t>(request.scored_from); i < request.ids.size(); ++i) {
    const TopLogprobs& told = choice.prompt_top[i];
    const auto own = std::ranges::find(told, request.ids[i], &TokenLogprob::token);
    if (own == told.end()) return not_told(url, "a token that is to be scored is not among those told", std::to_string(request.ids[i]));
    add(out, own->token, own->logprob, told.front().token, told.front().logprob);
    if (request.top_logprobs > 0) out.top.push_back(told);
  }
  return out;
}

std::string_view without_leading_blanks(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

// The text itself, else one that differs by blanks before it: servers show a token's blank or leave it out.
Result<ScoreAnswer> of_next_token(const ScoreRequest& request, const ApiChoice& choice, std::string_view url) {
  if (!request.text || without_leading_blanks(request.text->scored).size() > kMaxNextTokenBytes) {
    return Error{.code = Code::unsupported, .message = "this server tells no log-probabilities of texts that it is given, only the likeliest next tokens, which can "
                 "score letters and nothing longer", .file = std::string(url), .field = "echo"};
  }
  if (choice.tokens.empty() || choice.tokens.front().top.empty()) return not_told(url, "the server tells no likeliest tokens");
  const auto& top = choice.tokens.front().top;
  const std::string& text = request.text->scored;
  auto found = std::ranges::find(top, text, &std::pair<std::string, double>::first);
  if (found == top.end()) found = std::ranges::find_if(top, [&](const auto& one) { return without_leading_blanks(one.first) == without_leading_blanks(text); });
  ScoreAnswer out;
  const bool listed = found != top.end();
  add(out, kUnknownToken, listed ? found->second : kLeastApiLogprob, kUnknownToken, top.front().second);
  out.texts.push_back(text);
  return out;
}

}  // namespace

Result<ScoreAnswer> score_answer(const ApiTarget& target, const ScoreRequest& request, const ApiAnswer& answer, std::string_view url) {
  ASSAY_CHECK(answer.choices.size() == 1 && request.ids.empty() == request.text.has_value());
  const ApiChoice& choice = answer.choices.front();
  const bool whole = target.abilities.likelihood != ApiLikelihood::next_token;
  if (whole && !request.text && choice.prompt_ids && *choice.prompt_ids != request.ids) {
    return not_told(url, "the server has read other tokens than it was given");
  }
  Result<ScoreAnswer> out = Error{.code = Code::unsupported, .message = "this server tells no log-probabilities", .file = std::string(url), .field = "logprobs"};
  switch (target.abilities.likelihood) {
    case ApiLikelihood::echo: out = of_echo(target, request, choice, url); break;
    case ApiLikelihood::prompt_logprobs: out = of_prompt_logprobs(request, choice, url); break;
    case ApiLikelihood::next_token: out = of_next_token(request, choice, url); break;
    case ApiLikelihood::none: break;
  }
  if (!out.ok()) return out;
  out->counts_ties = choice.near_ties.has_value();
  out->near_ties = choice.near_ties.value_or(0);
  if (!request.text) ASSAY_CHECK(out->tokens.size() == request.ids.size() - static_cast<std::size_t>(request.scored_from));
  return out;
}

Result<GenerateAnswer> generate_answer(const ApiTarget& target, const GenerateOptions& options, const ApiAnswer& answer, bool by_text, std::string_view url) {
  ASSAY_CHECK(answer.choices.size() == 1);
  const ApiChoice& choice = answer.choices.front();
  GenerateAnswer out;
  out.counts_ties = choice.near_ties.has_value();
  out.near_ties = choice.near_ties.value_or(0);
  out.finish_reason = choice.finish_reason == "length" ? "length" : "stop";
  for (const ApiToken& token : choice.tokens) out.logprobs.push_back(token.logprob.value_or(kLeastApiLogprob));
  const bool told = choice.ids && target.abilities.returns_ids;
  if (told && !by_text) {
    if (static_cast<std::int64_t>(choice.ids->size()) > options.max_tokens) {
      return not_told(url, "the server has written more tokens than it was asked for", std::to_string(options.max_tokens), std::to_string(choice.ids->size()));
    }
    out.ids = *choice.ids;
    if (out.logprobs.size() != out.ids.size()) out.logprobs.clear();
    return out;
  }
  out.text = choice.text;
  out.text_tokens = told ? static_cast<std::int64_t>(choice.ids->size()) : answer.completion_tokens;
  out.text_ended = out.finish_reason == "stop" && !choice.ended_by_text;
  return out;
}

}  // namespace assay
