// Texts to requests: the split of context and continuation, BOS, cuts and windows.
#include "eval/runs/requests.h"

#include <fmt/format.h>

#include "tests/catch.h"

using namespace assay;

namespace {

Tokenizer bundled_tokenizer() {
  auto tokenizer = Tokenizer::load(ASSAY_TREE "/suites/data/demo/model");
  REQUIRE(tokenizer.ok());
  return *tokenizer;
}

std::string text_of(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids, std::int64_t from, std::int64_t to) {
  return tokenizer.decode(std::vector<int>(ids.begin() + from, ids.begin() + to), false);
}

}  // namespace

TEST_CASE("requests: one BOS, never two, or none") {
  const Tokenizer t = bundled_tokenizer();
  CHECK(text_ids(t, "a tale", BosPolicy::one)->front() == 0);
  CHECK((*text_ids(t, "<|bos|>a tale", BosPolicy::one)) == (*text_ids(t, "a tale", BosPolicy::one)));
  CHECK(text_ids(t, "a tale", BosPolicy::none)->front() != 0);
  CHECK((*text_ids(t, "<|bos|>a tale", BosPolicy::tokenizer)) == (*text_ids(t, "a tale", BosPolicy::one)));
}

TEST_CASE("requests: context and continuation are split at the context's own length") {
  const Tokenizer t = bundled_tokenizer();
  const auto request = continuation_request(t, "Question: who?\nAnswer:", " Max", BosPolicy::one, {1024});
  REQUIRE(request.ok());
  const auto& ids = request->score.ids;
  const std::int64_t from = request->score.scored_from;
  CHECK(text_of(t, ids, from, static_cast<std::int64_t>(ids.size())) == " Max");
  CHECK(text_of(t, ids, 1, from) == "Question: who?\nAnswer:");
  CHECK(request->truncated_tokens == 0);
}

TEST_CASE("requests: trailing white space of the context moves to the continuation") {
  const Tokenizer t = bundled_tokenizer();
  const auto moved = continuation_request(t, "Answer: ", "Max", BosPolicy::one, {1024});
  const auto plain = continuation_request(t, "Answer:", " Max", BosPolicy::one, {1024});
  REQUIRE(moved.ok());
  CHECK(moved->score.ids == plain->score.ids);
  CHECK(moved->score.scored_from == plain->score.scored_from);
}

TEST_CASE("requests: an empty context is BOS; an empty continuation is refused") {
  const Tokenizer t = bundled_tokenizer();
  const auto request = continuation_request(t, "", "Max", BosPolicy::none, {1024});
  REQUIRE(request.ok());
  CHECK(request->score.ids.front() == *t.bos_id());
  CHECK(request->score.scored_from == 1);
  CHECK(continuation_request(t, "Answer:", "", BosPolicy::one, {1024}).error().code == Code::bad_value);
}

TEST_CASE("requests: what does not fit is cut on the left and counted") {
  const Tokenizer t = bundled_tokenizer();
  std::string context;
  for (int i = 0; i < 40; ++i) context += " word";
  const auto whole = continuation_request(t, context, " Max", BosPolicy::one, {1024});
  const auto cut = continuation_request(t, context, " Max", BosPolicy::one, {10});
  REQUIRE(cut.ok());
  CHECK(cut->score.ids.size() == 11);  // ten inputs and the last token, which is only scored
  CHECK(cut->truncated_tokens == static_cast<std::int64_t>(whole->score.ids.size()) - 11);
  CHECK(std::equal(cut->score.ids.rbegin(), cut->score.ids.rend(), whole->score.ids.rbegin()));
  CHECK(whole->score.ids.size() - static_cast<std::size_t>(whole->score.scored_from) ==
        cut->score.ids.size() - static_cast<std::size_t>(cut->score.scored_from));
  CHECK(continuation_request(t, "a", context, BosPolicy::one, {10}).error().code == Code::too_large);
}

TEST_CASE("requests: rolling windows score every token once") {
  const Tokenizer t = bundled_tokenizer();
  std::string text = "Once";
  for (int i = 0; i < 60; ++i) text += fmt::format(" Max went to the {}", i % 2 == 0 ? "barn." : "mill.");
  const auto all = *text_ids(t, text, BosPolicy::one);
  for (const std::int64_t context : {16, 33, 1024}) {
    const auto windows = rolling_requests(t, text, BosPolicy::one, {context});
    REQUIRE(windows.ok());
    std::vector<std::int32_t> scored;
    for (const auto& window : *windows) {
      CHECK(static_cast<std::int64_t>(window.ids.size()) <= context + 1);
      CHECK(window.scored_from >= 1);
      scored.insert(scored.end(), window.ids.begin() + window.scored_from, window.ids.end());
    }
    CHECK(scored == std::vector<std::int32_t>(all.begin() + 1, all.end()));
  }
  const auto without = rolling_requests(t, text, BosPolicy::none, {1024});
  CHECK(without->front().ids.front() == all[1]);  // the first token is given, not scored
  CHECK(rolling_requests(t, "", BosPolicy::one, {1024})->empty());
}
