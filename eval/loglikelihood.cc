#include "eval/loglikelihood.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "eval/generation.h"

namespace assay {
namespace {

using Ids = std::vector<std::int32_t>;

// Code points of str.isspace in Python, as UTF-8.
constexpr std::array<std::string_view, 29> kSpaces = {
    "\t",     "\n",     "\v",     "\f",     "\r",     "\x1c",   "\x1d",   "\x1e",   "\x1f",   " ",
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

Result<std::int32_t> start_id(const Tokenizer& tokenizer) {
  if (const auto bos = tokenizer.bos_id()) return *bos;
  if (const auto eos = tokenizer.eos_id()) return *eos;
  return Error{.code = Code::unsupported,
               .message = "the tokenizer names neither BOS nor EOS, and one of them begins an empty context",
               .field = "bos_token",
               .expected = "a token",
               .got = "nothing"};
}

Result<Ids> encode_plain(const Tokenizer& tokenizer, std::string_view text) {
  ASSAY_TRY(const std::vector<int> ids, tokenizer.try_encode(text, false));
  return Ids(ids.begin(), ids.end());
}

struct Encoded {
  Ids ids;
  std::size_t split = 0;  // first token of the continuation
};

Result<Encoded> encode_after_nothing(const Tokenizer& tokenizer, std::string_view continuation) {
  ASSAY_TRY(const std::int32_t start, start_id(tokenizer));
  ASSAY_TRY(Ids ids, encode_plain(tokenizer, continuation));
  if (ids.empty() || ids.front() != start) ids.insert(ids.begin(), start);
  return Encoded{std::move(ids), 1};
}

Result<Encoded> encode_pair(const Tokenizer& tokenizer, std::string_view context,
                            std::string_view continuation) {
  if (context.empty()) return encode_after_nothing(tokenizer, continuation);
  const std::string_view stem = context.substr(0, context.size() - trailing_space_bytes(context));
  ASSAY_TRY(Ids whole, prompt_ids(tokenizer, std::string(context) + std::string(continuation)));
  ASSAY_TRY(const Ids before, prompt_ids(tokenizer, stem));
  const std::size_t split = std::min(before.size(), whole.size());
  if (split > 0) return Encoded{std::move(whole), split};
  ASSAY_TRY(const std::int32_t start,
            start_id(tokenizer));  // a context of spaces only, and a tokenizer that adds nothing
  whole.insert(whole.begin(), start);
  return Encoded{std::move(whole), 1};
}

std::int64_t ssize_of(const Ids& ids) { return static_cast<std::int64_t>(ids.size()); }

}  // namespace

std::size_t trailing_space_bytes(std::string_view text) {
  std::size_t end = text.size();
  for (bool more = true; more;) {
    const std::string_view rest = text.substr(0, end);
    const auto space =
        std::find_if(kSpaces.begin(), kSpaces.end(), [&](std::string_view s) { return rest.ends_with(s); });
    more = space != kSpaces.end();
    if (more) end -= space->size();
  }
  return text.size() - end;
}

Result<LikelihoodRequest> pair_request(const Tokenizer& tokenizer, std::string_view context,
                                       std::string_view continuation, std::int64_t context_length) {
  ASSAY_CHECK(context_length >= 1);
  ASSAY_TRY(Encoded e, encode_pair(tokenizer, context, continuation));
  const std::int64_t scored = ssize_of(e.ids) - static_cast<std::int64_t>(e.split);
  if (scored == 0) {
    return Error{.code = Code::bad_value,
                 .message = "a continuation has no tokens of its own",
                 .field = "continuation",
                 .expected = "at least one token",
                 .got = std::string(continuation.substr(0, 80))};
  }
  if (scored > context_length) {
    return Error{.code = Code::too_large,
                 .message = "a continuation is longer than the context",
                 .field = "continuation",
                 .expected = std::to_string(context_length) + " tokens",
                 .got = std::to_string(scored)};
  }
  LikelihoodRequest out{.windows = {},
                        .bytes = static_cast<std::int64_t>(continuation.size()),
                        .truncated = std::max<std::int64_t>(0, ssize_of(e.ids) - context_length - 1)};
  e.ids.erase(e.ids.begin(), e.ids.begin() + out.truncated);
  out.windows.push_back(
      {.ids = std::move(e.ids), .scored_from = static_cast<std::int64_t>(e.split) - out.truncated});
  ASSAY_CHECK(out.windows[0].scored_from >= 1);
  return out;
}

Result<LikelihoodRequest> rolling_request(const Tokenizer& tokenizer, std::string_view text,
                                          std::int64_t context_length) {
  ASSAY_CHECK(context_length >= 1);
  ASSAY_TRY(const std::int32_t start, start_id(tokenizer));
  ASSAY_TRY(Ids ids, prompt_ids(tokenizer, text));
  ids.insert(ids.begin(), start);
  LikelihoodRequest out{.windows = {}, .bytes = static_cast<std::int64_t>(text.size())};
  for (std::int64_t next = 1; next < ssize_of(ids);) {
    const std::int64_t end = std::min(ssize_of(ids), next + context_length),
                       begin = std::max<std::int64_t>(0, end - context_length - 1);
    out.windows.push_back({.ids = Ids(ids.begin() + begin, ids.begin() + end), .scored_from = next - begin});
    next = end;
  }
  return out;
}

Result<LikelihoodRequest> likelihood_request(const Tokenizer& tokenizer, const Json& line,
                                             std::int64_t context_length) {
  if (line.is_object() && line.contains("text")) {
    ASSAY_TRY(const std::string text, json_string(line, "text", ""));
    return rolling_request(tokenizer, text, context_length);
  }
  ASSAY_TRY(const std::string context, json_string(line, "context", ""));
  ASSAY_TRY(const std::string continuation, json_string(line, "continuation", ""));
  return pair_request(tokenizer, context, continuation, context_length);
}

Json likelihood_line(const LikelihoodRequest& request, std::span<const ScoreAnswer> answers) {
  ASSAY_CHECK(answers.size() == request.windows.size());
  double logprob = 0;
  bool greedy = true;
  std::size_t tokens = 0;
  for (const ScoreAnswer& answer : answers) {
    logprob += answer.logprob;
    greedy = greedy && answer.greedy;
    tokens += answer.tokens.size();
  }
  return {{"logprob", finite_or_null(logprob)},
          {"greedy", greedy},
          {"tokens", tokens},
          {"bytes", request.bytes},
          {"truncated", request.truncated}};
}

}  // namespace assay
