#include "eval/serve/serve_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

constexpr double kLeastLogprob = -9999;  // what OpenAI's API says in place of minus infinity, which JSON cannot

// Bytes at the end of `text` that may be the beginning of a stop string.
std::size_t possible_stop(const std::string& text, const std::vector<std::string>& stops) {
  std::size_t longest = 0;
  for (const std::string& stop : stops) {
    for (std::size_t n = std::min(stop.size() - 1, text.size()); n > longest; --n) {
      if (text.compare(text.size() - n, n, stop, 0, n) == 0) longest = n;
    }
  }
  return longest;
}

Json told(double logprob) { return std::max(logprob, kLeastLogprob); }

std::string completion_token(const Tokenizer& tokenizer, std::int32_t id) {
  const std::string bytes = tokenizer.token_text(id);
  if (valid_utf8(bytes)) return bytes;
  std::string text = "bytes:";
  for (const char c : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return text;
}

Json completion_top(const Tokenizer& tokenizer, const ToldToken& token) {
  Json out = Json::object();
  for (const TokenLogprob& one : token.top) {
    const std::string text = completion_token(tokenizer, one.token);
    if (!out.contains(text)) out[text] = told(one.logprob);
  }
  const std::string text = completion_token(tokenizer, token.id);
  if (!out.contains(text)) out[text] = told(*token.logprob);
  return out;
}

Json chat_token(const Tokenizer& tokenizer, std::int32_t id, double logprob) {
  const std::string bytes = tokenizer.token_text(id);
  Json numbers = Json::array();
  for (const char c : bytes) numbers.push_back(static_cast<unsigned char>(c));
  return {{"token", repair_utf8(bytes)}, {"logprob", told(logprob)}, {"bytes", std::move(numbers)}};
}

}  // namespace

StreamText::StreamText(const Tokenizer& tokenizer, std::vector<std::string> stops, bool skip_special) : decoder_(tokenizer, skip_special), stops_(std::move(stops)) {
  for (const std::string& stop : stops_) ASSAY_CHECK(!stop.empty());
}

std::string StreamText::add(std::int32_t id) {
  if (stopped_) return "";
  held_ += decoder_.add(id);
  return give(false);
}

std::string StreamText::finish() {
  if (stopped_) return "";
  held_ += decoder_.finish();
  return give(true);
}

std::string StreamText::give(bool all) {
  std::size_t end = std::string::npos;
  for (const std::string& stop : stops_) end = std::min(end, held_.find(stop));
  stopped_ = end != std::string::npos;
  if (!stopped_) end = held_.size() - (all ? 0 : possible_stop(held_, stops_));
  std::string out = held_.substr(0, end);
  held_.erase(0, end);
  return out;
}

std::int64_t TextOffsets::next(std::int32_t id) {
  const std::int64_t before = at_;
  at_ += static_cast<std::int64_t>(count_characters(decoder_.add(id)));
  return before;
}

Json completion_logprobs(const Tokenizer& tokenizer, const std::vector<ToldToken>& tokens, const std::vector<std::int64_t>& offsets) {
  ASSAY_CHECK(tokens.size() == offsets.size());
  Json texts = Json::array(), logprobs = Json::array(), top = Json::array();
  for (const ToldToken& token : tokens) {
    texts.push_back(completion_token(tokenizer, token.id));
    logprobs.push_back(token.logprob ? told(*token.logprob) : Json(nullptr));
    top.push_back(token.logprob ? completion_top(tokenizer, token) : Json(nullptr));
  }
  return {{"tokens", std::move(texts)}, {"token_logprobs", std::move(logprobs)}, {"top_logprobs", std::move(top)}, {"text_offset", offsets}};
}

Json chat_logprobs(const Tokenizer& tokenizer, const std::vector<ToldToken>& tokens) {
  Json content = Json::array();
  for (const ToldToken& token : tokens) {
    Json one = chat_token(tokenizer, token.id, token.logprob.value_or(0));
    Json top = Json::array();
    for (const TokenLogprob& likely : token.top) top.push_back(chat_token(tokenizer, likely.token, likely.logprob));
    one["top_logprobs"] = std::move(top);
    content.push_back(std::move(one));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

}  // namespace assay
