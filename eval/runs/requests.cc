#include "eval/runs/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace assay {
namespace {

using Ids = std::vector<std::int32_t>;

std::optional<std::int32_t> start_id(const Tokenizer& tokenizer) {
  if (const auto bos = tokenizer.bos_id()) return *bos;
  if (const auto eos = tokenizer.eos_id()) return *eos;
  return std::nullopt;
}

Error no_start() {
  return Error{.code = Code::unsupported, .message = "the tokenizer names neither BOS nor EOS, and an empty context needs one of them",
               .field = "bos_token"};
}

Result<Ids> encode(const Tokenizer& tokenizer, std::string_view text, bool add_special) {
  ASSAY_TRY(const std::vector<int> ids, tokenizer.try_encode(text, add_special));
  return Ids(ids.begin(), ids.end());
}

bool begins_with_bos(const Tokenizer& tokenizer, std::string_view text) {
  const std::string bos = tokenizer.bos_token();
  return !bos.empty() && text.starts_with(bos);
}

// Code points of str.isspace in Python, as UTF-8.
constexpr std::array<std::string_view, 29> kSpaces = {
    "\t",     "\n",     "\v",     "\f",     "\r",     "\x1c",   "\x1d",   "\x1e",   "\x1f",   " ",
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

// Bytes at the end of `text` that Python's str.rstrip takes away.
std::size_t trailing_space(std::string_view text) {
  std::string_view rest = text;
  for (;;) {
    const auto space = std::ranges::find_if(kSpaces, [&](std::string_view s) { return rest.ends_with(s); });
    if (space == kSpaces.end()) return text.size() - rest.size();
    rest.remove_suffix(space->size());
  }
}

// Ids, and the first of the continuation.
struct Split {
  Ids ids;
  std::size_t at = 0;
};

Result<Split> after_nothing(const Tokenizer& tokenizer, std::string_view continuation) {
  const auto start = start_id(tokenizer);
  if (!start) return no_start();
  ASSAY_TRY(Ids ids, encode(tokenizer, continuation, false));
  if (ids.empty() || ids.front() != *start) ids.insert(ids.begin(), *start);
  return Split{std::move(ids), 1};
}

Result<Split> split_pair(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation, BosPolicy bos) {
  if (context.empty()) return after_nothing(tokenizer, continuation);
  ASSAY_TRY(Ids ids, text_ids(tokenizer, std::string(context) + std::string(continuation), bos));
  ASSAY_TRY(const Ids before, text_ids(tokenizer, context.substr(0, context.size() - trailing_space(context)), bos));
  const std::size_t at = std::min(before.size(), ids.size());
  if (at > 0) return Split{std::move(ids), at};
  const auto start = start_id(tokenizer);  // a context of white space only, and nothing added before it
  if (!start) return no_start();
  ids.insert(ids.begin(), *start);
  return Split{std::move(ids), 1};
}

Error too_long(const TextLimits& limits, std::int64_t tokens) {
  return Error{.code = Code::too_large, .message = "a prompt does not fit into the model's context, and the protocol cuts none", .field = "input_cut",
               .expected = fmt::format("at most {} tokens", limits.context_tokens), .got = std::to_string(tokens)};
}

}  // namespace

Result<std::int64_t> cut_prompt(std::vector<std::int32_t>& ids, const TextLimits& limits) {
  ASSAY_CHECK(limits.context_tokens > 0);
  const std::int64_t excess = static_cast<std::int64_t>(ids.size()) - limits.context_tokens;
  if (excess <= 0) return std::int64_t{0};
  if (limits.cut == InputCut::refuse) return too_long(limits, static_cast<std::int64_t>(ids.size()));
  if (limits.cut == InputCut::right) ids.resize(static_cast<std::size_t>(limits.context_tokens));
  else ids.erase(ids.begin(), ids.begin() + excess);
  return excess;
}

Result<Ids> text_ids(const Tokenizer& tokenizer, std::string_view text, BosPolicy bos) {
  if (bos == BosPolicy::none) return encode(tokenizer, text, false);
  if (bos == BosPolicy::tokenizer) return encode(tokenizer, text, !begins_with_bos(tokenizer, text));
  if (!tokenizer.bos_id()) {
    return Error{.code = Code::unsupported, .message = "the protocol asks for one BOS and the tokenizer has none", .field = "bos_token"};
  }
  ASSAY_TRY(Ids ids, encode(tokenizer, text, false));
  if (ids.empty() || ids.front() != *tokenizer.bos_id()) ids.insert(ids.begin(), *tokenizer.bos_id());
  return ids;
}

Result<ContinuationRequest> continuation_request(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation,
                                                 BosPolicy bos, const TextLimits& limits) {
  ASSAY_CHECK(limits.context_tokens > 0);
  ASSAY_TRY(Split split, split_pair(tokenizer, context, continuation, bos));
  ASSAY_CHECK(split.at >= 1 && split.at <= split.ids.size());
  const auto scored = static_cast<std::int64_t>(split.ids.size() - split.at);
  if (scored == 0) {
    return Error{.code = Code::bad_value, .message = "a continuation has no tokens of its own", .field = "continuation",
                 .expected = "at least one token", .got = std::string(continuation.substr(0, 80))};
  }
  if (scored > limits.context_tokens) {
    return Error{.code = Code::too_large, .message = "a continuation does not fit into the model's context", .field = "continuation",
                 .expected = fmt::format("at most {} tokens", limits.context_tokens), .got = std::to_string(scored)};
  }
  // The last token is scored and never fed in, so one more than the context fits.
  const auto total = static_cast<std::int64_t>(split.ids.size());
  ContinuationRequest request{.truncated_tokens = std::max<std::int64_t>(0, total - limits.context_tokens - 1)};
  if (request.truncated_tokens > 0 && limits.cut == InputCut::refuse) return too_long(limits, total - 1);
  const auto begin = split.ids.begin() + (limits.cut == InputCut::right ? static_cast<std::ptrdiff_t>(split.at) - request.truncated_tokens : 0);
  split.ids.erase(begin, begin + request.truncated_tokens);
  request.score = {.ids = std::move(split.ids), .scored_from = static_cast<std::int64_t>(split.at) - request.truncated_tokens};
  ASSAY_CHECK(request.score.scored_from >= 1);
  return request;
}

ScoreRequest text_request(std::string context, std::string continuation) {
  const std::size_t kept = context.size() - trailing_space(context);
  continuation.insert(0, context.substr(kept));
  context.resize(kept);
  return {.ids = {}, .text = TextToScore{.context = std::move(context), .scored = std::move(continuation)}};
}

Result<std::vector<ScoreRequest>> rolling_requests(const Tokenizer& tokenizer, std::string_view text, BosPolicy bos, const TextLimits& limits) {
  ASSAY_CHECK(limits.context_tokens > 0);
  ASSAY_TRY(Ids ids, text_ids(tokenizer, text, bos));
  if (bos == BosPolicy::tokenizer) {
    const auto start = start_id(tokenizer);
    if (!start) return no_start();
    ids.insert(ids.begin(), *start);  // the harness puts it before whatever the tokenizer adds
  }
  const auto total = static_cast<std::int64_t>(ids.size());
  std::vector<ScoreRequest> windows;
  for (std::int64_t next = 1; next < total;) {  // first token that is not scored yet
    const std::int64_t end = std::min(total, next + limits.context_tokens);
    const std::int64_t begin = std::max<std::int64_t>(0, end - limits.context_tokens - 1);
    windows.push_back({.ids = Ids(ids.begin() + begin, ids.begin() + end), .scored_from = next - begin});
    next = end;
  }
  return windows;
}

}  // namespace assay
