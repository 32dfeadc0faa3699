#include "eval/requests.h"

#include <algorithm>
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

std::size_t trailing_space(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && std::isspace(static_cast<unsigned char>(text[text.size() - 1 - n])) != 0) ++n;
  return n;
}

}  // namespace

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
  const std::size_t moved = trailing_space(context);
  const std::string whole = std::string(context) + std::string(continuation);
  ASSAY_TRY(Ids ids, text_ids(tokenizer, whole, bos));
  ASSAY_TRY(const Ids before, text_ids(tokenizer, context.substr(0, context.size() - moved), bos));
  std::size_t split = std::min(before.size(), ids.size());
  if (split == 0) {
    const auto start = start_id(tokenizer);
    if (!start) return no_start();
    ids.insert(ids.begin(), *start);
    split = 1;
  }
  if (split == ids.size()) {
    return Error{.code = Code::bad_value, .message = "a continuation has no tokens", .field = "continuation", .got = std::string(continuation.substr(0, 80))};
  }
  ContinuationRequest request;
  const std::size_t most = static_cast<std::size_t>(limits.context_tokens) + 1;  // the last token is scored, never fed in
  if (ids.size() - split >= most) {
    return Error{.code = Code::too_large, .message = "a continuation does not fit into the model's context", .field = "continuation",
                 .expected = std::to_string(limits.context_tokens), .got = std::to_string(ids.size() - split)};
  }
  if (ids.size() > most) {
    const std::size_t cut = ids.size() - most;
    request.truncated_tokens = static_cast<std::int64_t>(cut);
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(cut));
    split -= cut;
  }
  request.score = {.ids = std::move(ids), .scored_from = static_cast<std::int64_t>(split)};
  return request;
}

Result<std::vector<ScoreRequest>> rolling_requests(const Tokenizer& tokenizer, std::string_view text, BosPolicy bos, const TextLimits& limits) {
  ASSAY_CHECK(limits.context_tokens > 0);
  ASSAY_TRY(Ids ids, encode(tokenizer, text, false));
  if (bos != BosPolicy::none && (ids.empty() || ids.front() != tokenizer.bos_id().value_or(-1))) {
    const auto start = start_id(tokenizer);
    if (!start) return no_start();
    ids.insert(ids.begin(), *start);
  }
  const std::size_t most = static_cast<std::size_t>(limits.context_tokens);
  std::vector<ScoreRequest> windows;
  for (std::size_t next = 1; next < ids.size();) {  // `next`: first token not scored yet
    const std::size_t end = std::min(ids.size(), next + (windows.empty() ? most : std::min(most, ids.size() - next)));
    const std::size_t begin = end > most + 1 ? end - most - 1 : 0;
    windows.push_back({.ids = Ids(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.begin() + static_cast<std::ptrdiff_t>(end)),
                       .scored_from = static_cast<std::int64_t>(next - begin)});
    next = end;
  }
  return windows;
}

}  // namespace assay
