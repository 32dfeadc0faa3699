// Verdicts on figures that average answers, on parts of suites, on what others print, and on figures that cannot be.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/verdicts/verdict.h"
#include "tests/catch.h"

using namespace assay;

namespace {

Claim parsed(const std::string& text) {
  const auto document = parse_json(text, "claim");
  REQUIRE(document.ok());
  auto claims = parse_claims(*document, "claim");
  if (!claims.ok()) FAIL(claims.error().text());
  return claims->front();
}

std::string aime(const std::string& value, const std::string& more = "") {
  return R"({"id": "a", "model": "M", "suite": "aime", "metric": "pass@1", "n": 30, "value": ")" + value + "\"" + more + "}";
}

// 30 questions of 64 answers, each with the same share of right ones, as nearly as counts allow.
Measurement answers(double share, std::int64_t samples, int questions = 30) {
  Measurement m{.model = "M", .suite = "aime", .protocol = "p", .score = Score::mean};
  const auto right = static_cast<std::int64_t>(std::llround(share * static_cast<double>(samples)));
  for (int i = 0; i < questions; ++i)
    m.items.push_back({.key = std::to_string(i), .value = static_cast<double>(right) / static_cast<double>(samples), .samples = samples});
  return m;
}

Verdict decided(const Case& one) { return decide(std::span(&one, 1)).front(); }

TEST_CASE("verdicts: an average of answers is held against the printed one as the numbers of answers allow") {
  struct Row {
    const char *value, *more;
    Outcome outcome;
    const char* hangs_on;  // "": nothing
  };
  // Measured: 40 of 64 each, 62.5 %. One answer varies by 0.234; with 64 and 64 the error is 1.58 points, with 4 it is 4.55.
  const Row rows[] = {{"70.0", R"(, "samples": 64)", Outcome::contradicted, ""},
                      {"70.0", R"(, "samples": 4)", Outcome::undecided, "printed: 4"},
                      {"70.0", R"(, "samples": "4-64")", Outcome::undecided, "contradicted from"},
                      {"70.0", "", Outcome::undecided, "does not say"},
                      {"62.5", "", Outcome::reproduced, ""},
                      {"63.0", R"(, "samples": 64, "margin": 5)", Outcome::reproduced, ""},
                      {"63.0", R"(, "samples": 64, "margin": 1)", Outcome::undecided, "printed: 64"}};
  for (const Row& row : rows) {
    INFO(row.value << row.more);
    const Case one{.claim = parsed(aime(row.value, row.more)), .main = answers(0.625, 64)};
    const Verdict v = decided(one);
    CHECK(name_of(v.outcome) == name_of(row.outcome));
    CHECK(v.test == "sampling-normal");
    CHECK(v.n == 30);
    CHECK(v.fixed->high - v.fixed->low == Approx(2 * 1.95996 * 100 * std::sqrt(0.625 * 0.375 / 63 / 30)).epsilon(1e-4));
    CHECK(v.hangs_on.find(row.hangs_on) != std::string::npos);
    CHECK(v.next.empty() == (v.outcome != Outcome::undecided));
  }
}

TEST_CASE("verdicts: what an open figure costs to decide") {
  Measurement m = answers(0.625, 64);
  m.seconds_per_item = 128, m.usd_per_item = 0.64;  // two seconds and a cent an answer
  const Verdict v = decided({.claim = parsed(aime("70.0", R"(, "samples": 4)")), .main = m});
  REQUIRE(v.next_samples);
  // Both sides: 2 x 0.2381 / 30 (1.96 + 0.8416)^2 / 0.075^2 = 22.1
  CHECK(*v.next_samples == 23);
  CHECK(*v.next_seconds == Approx(23 * 30 * 2));
  CHECK(*v.next_usd == Approx(23 * 30 * 0.01));
}

TEST_CASE("verdicts: two printed figures, nothing run") {
  const std::string other = R"(, "reported": {"value": "63.0", "samples": 64, "by": "HF open-r1"})";
  const auto verdict = [&](const std::string& more) { return decided({.claim = parsed(aime("70.0", more + other))}); };
  const Verdict known = verdict(R"(, "samples": 64)");
  CHECK(known.outcome == Outcome::contradicted);
  CHECK(known.test == "sampling-bound");
  CHECK(*known.measured == 63.0);
  CHECK(known.p == Approx(1.9e-5).epsilon(0.03));
  CHECK(verdict(R"(, "samples": 4)").outcome == Outcome::undecided);
  const Verdict open = verdict(R"(, "samples": "4-64")");
  CHECK(open.outcome == Outcome::undecided);
  CHECK(open.hangs_on.find("contradicted from 8 on") != std::string::npos);
  CHECK(verdict("").hangs_on.find("not printed") != std::string::npos);
}

Measurement part(int right, int asked, std::int64_t of) {
  Measurement m{.model = "M", .suite = "gsm8k", .protocol = "p", .of_items = of};
  for (int i = 0; i < asked; ++i) m.items.push_back({.key = std::to_string(i), .value = i < right ? 1.0 : 0.0});
  return m;
}

TEST_CASE("verdicts: a drawn part refutes or leaves open, it never reproduces") {
  const Claim claim = parsed(R"({"id": "a", "model": "M", "suite": "gsm8k", "value": "89.3"})");
  const Verdict low = decided({.claim = claim, .main = part(60, 100, 1319)});
  CHECK(low.outcome == Outcome::contradicted);
  CHECK(low.test == "hypergeometric-part");
  const Verdict like = decided({.claim = claim, .main = part(89, 100, 1319)});
  CHECK(like.outcome == Outcome::undecided);
  CHECK(like.next_items == 1219);
  CHECK(like.hangs_on.find("1219") != std::string::npos);
  const Verdict all = decided({.claim = claim, .main = part(1178, 1319, 1319)});
  CHECK(all.outcome == Outcome::reproduced);
  Measurement real = part(0, 40, 400);
  real.score = Score::mean;
  for (std::size_t i = 0; i < real.items.size(); ++i) real.items[i].value = i % 2 == 0 ? 0.25 : 0.5;
  CHECK(decided({.claim = claim, .main = real}).test == "normal-part");
  CHECK(decided({.claim = claim, .main = real}).outcome == Outcome::contradicted);
}

TEST_CASE("verdicts: a figure beyond its scale is impossible, measured or not") {
  struct Row {
    const char* text;
    std::optional<double> low, high;
    bool impossible;
  };
  const Row rows[] = {{R"({"id": "a", "model": "M", "suite": "mt-bench", "value": "19.8"})", 1, 10, true},
                      {R"({"id": "a", "model": "M", "suite": "mt-bench", "value": "10.0"})", 1, 10, false},
                      {R"({"id": "a", "model": "M", "suite": "mt-bench", "value": "9.35"})", 1, 10, false},
                      {R"({"id": "a", "model": "M", "suite": "mt-bench", "value": "0.4"})", 1, 10, true},
                      {R"({"id": "a", "model": "M", "suite": "x", "value": "19.8", "scale_min": 1, "scale_max": 10})", {}, {}, true},
                      {R"({"id": "a", "model": "M", "suite": "mmlu", "value": "104.0"})", 0, 100, true},
                      {R"({"id": "a", "model": "M", "suite": "mmlu", "value": "100"})", 0, 100, false},
                      {R"({"id": "a", "model": "M", "suite": "mmlu", "value": "0.764"})", 0, 100, false},
                      {R"({"id": "a", "model": "M", "suite": "gsm8k", "metric": "accuracy", "n": 7, "value": "89.3"})", 0, 100, true},
                      {R"({"id": "a", "model": "M", "suite": "gsm8k", "metric": "accuracy", "n": 1319, "value": "89.3"})", 0, 100, false},
                      {R"({"id": "a", "model": "M", "suite": "aime", "metric": "pass@1", "n": 30, "value": "79.8"})", 0, 100, false},
                      {R"({"id": "a", "model": "M", "suite": "aime", "metric": "pass@1", "n": 30, "samples": 1, "value": "79.8"})", 0, 100, true},
                      {R"({"id": "a", "model": "M", "suite": "aime", "metric": "pass@1", "n": 30, "samples": 64, "value": "79.8"})", 0, 100, false}};
  for (const Row& row : rows) {
    INFO(row.text);
    const Verdict v = decided({.claim = parsed(row.text), .scale_low = row.low, .scale_high = row.high});
    CHECK((v.outcome == Outcome::impossible) == row.impossible);
    CHECK(v.test == (row.impossible ? (v.reason.find("no count") != std::string::npos ? "count" : "scale") : "none"));
  }
}

TEST_CASE("verdicts: a claimant's own margin is kept on the same items") {
  const Claim near = parsed(R"({"id": "a", "model": "M", "suite": "s", "value": "76.6", "n": 500, "margin": 0.3, "margin_origin": "own"})");
  Measurement m{.model = "M", .suite = "s", .protocol = "p"};
  for (int i = 0; i < 500; ++i) m.items.push_back({.key = std::to_string(i), .value = i < 382 ? 1.0 : 0.0});
  const Verdict v = decided({.claim = near, .main = m});
  CHECK(v.outcome == Outcome::reproduced);
  CHECK(v.margin == 0.3);
  CHECK(v.margin_origin == "own");
}

TEST_CASE("claims: samples, margins and reports that cannot be read are refused") {
  for (const char* bad : {R"("samples": "64-4")", R"("samples": "x")", R"("samples": 0)", R"("margin": -1)", R"("reported": {"by": "x"})", R"("reported": {"value": "x"})", R"("scale_max": "ten")"}) {
    const auto document = parse_json(std::string(R"({"id": "a", "model": "M", "suite": "s", "value": "1.0", )") + bad + "}", "claim");
    REQUIRE(document.ok());
    INFO(bad);
    CHECK_FALSE(parse_claims(*document, "claim").ok());
  }
}

}  // namespace
