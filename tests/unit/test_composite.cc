// Figures that join several measurements: the error of the sum against the same sum taken item by item, and what verdicts make of it.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "base/stats/paired.h"
#include "eval/verdicts/composite.h"
#include "eval/verdicts/verdict.h"
#include "tests/catch.h"

using namespace assay;

namespace {

Measurement composite_flags(const std::string& suite, const std::vector<int>& values, const std::string& prefix = "i") {
  Measurement m{.model = "M", .suite = suite, .protocol = "p", .metric = "acc", .run_id = 1};
  for (std::size_t i = 0; i < values.size(); ++i) m.items.push_back({.key = fmt::format("{}{}", prefix, i), .value = static_cast<double>(values[i])});
  return m;
}

// `right` of n, spread.
Measurement composite_share(const std::string& suite, int right, int n) {
  std::vector<int> values(static_cast<std::size_t>(n), 0);
  for (int i = 0; i < right; ++i) values[static_cast<std::size_t>(i)] = 1;
  return composite_flags(suite, values);
}

std::vector<int> drawn_zero_one(int n, double share, std::uint64_t seed) {
  Stream stream(seed, 0);
  std::vector<int> out;
  for (int i = 0; i < n; ++i) out.push_back(stream.uniform() < share ? 1 : 0);
  return out;
}

CompositeEstimate joined_estimate(const std::vector<std::pair<const Measurement*, double>>& parts, bool of_all = false) {
  std::vector<WeightedPart> all;
  for (const auto& [m, weight] : parts) all.push_back({m, weight});
  return estimate_composite(all, of_all);
}

Claim joined_claim(const std::string& text) {
  auto claims = parse_claims(*parse_json(text, "c"), "c.json");
  if (!claims.ok()) FAIL(claims.error().text());
  return claims->front();
}

CasePart case_part(const Claim& c, std::size_t group, double weight, std::optional<Measurement> measured) {
  return {.asked = c.parts[group], .protocol = "p", .weight = weight, .group = group, .measured = std::move(measured), .missing = "not here"};
}

Verdict verdict_on(Case one) {
  const std::vector<Case> cases = {std::move(one)};
  return decide(cases).front();
}

const char* kMeanOfTwo = R"({"id": "c", "model": "M", "value": "50.0", "scale": 100, "parts": [{"suite": "a", "metric": "acc"}, {"suite": "b", "metric": "acc"}]})";

Case mean_case(const std::string& value, std::optional<Measurement> a, std::optional<Measurement> b, const std::string& more = "") {
  std::string text = kMeanOfTwo;
  text.replace(text.find("50.0"), 4, value);
  if (!more.empty()) text.insert(text.size() - 1, ", " + more);
  Case one{.claim = joined_claim(text)};
  one.parts = {case_part(one.claim, 0, 0.5, std::move(a)), case_part(one.claim, 1, 0.5, std::move(b))};
  return one;
}

std::string parts_refusal(const std::string& text) {
  const auto claims = parse_claims(*parse_json(text, "c"), "c.json");
  if (claims.ok()) FAIL("not refused: " << text);
  return claims.error().text();
}

}  // namespace

TEST_CASE("composite: parts on disjoint items are independent") {
  const Measurement a = composite_flags("a", drawn_zero_one(400, 0.3, 1)), b = composite_flags("b", drawn_zero_one(900, 0.7, 2));
  const CompositeEstimate both = joined_estimate({{&a, 0.25}, {&b, 0.75}});
  const CompositeEstimate one = joined_estimate({{&a, 1}}), two = joined_estimate({{&b, 1}});
  CHECK(both.n == 1300);
  CHECK(both.value == Approx(0.25 * one.value + 0.75 * two.value));
  CHECK(*both.se == Approx(std::hypot(0.25 * *one.se, 0.75 * *two.se)));
}

TEST_CASE("composite: two figures of the same items have the error of their mean, item by item") {
  const std::vector<int> first = drawn_zero_one(500, 0.4, 3);
  std::vector<int> second = drawn_zero_one(500, 0.6, 4);
  for (std::size_t i = 0; i < 350; ++i) second[i] = first[i];  // they go together
  std::vector<double> means;
  for (std::size_t i = 0; i < first.size(); ++i) means.push_back((first[i] + second[i]) / 2.0);
  const Measurement a = composite_flags("s", first), b = composite_flags("s", second);
  const CompositeEstimate both = joined_estimate({{&a, 0.5}, {&b, 0.5}});
  const stats::MeanError direct = stats::cluster_mean(means);
  CHECK(both.n == 500);
  CHECK(both.value == Approx(direct.mean));
  CHECK(*both.se == Approx(*direct.se).epsilon(0.002));  // a share's own error has a floor
  const Measurement elsewhere = composite_flags("t", second);
  CHECK(*joined_estimate({{&a, 0.5}, {&elsewhere, 0.5}}).se < 0.85 * *both.se);  // taken as independent it would be too small
}

TEST_CASE("composite: hits over parts of items, joined with a share of the same items") {
  Measurement prompts = composite_flags("ifeval", drawn_zero_one(300, 0.3, 5)), instructions = prompts;
  instructions.score = Score::part_share;
  std::vector<double> hits, of;
  Stream stream(6, 0);
  for (std::size_t i = 0; i < prompts.items.size(); ++i) {
    const double n = 1 + std::floor(3 * stream.uniform());
    instructions.items[i].weight = n;
    instructions.items[i].value = prompts.items[i].value == 1 ? n : std::floor(n * stream.uniform());
    hits.push_back(instructions.items[i].value), of.push_back(n);
  }
  const CompositeEstimate alone = joined_estimate({{&instructions, 1}});
  const stats::MeanError ratio = stats::ratio_mean(hits, of);
  CHECK(alone.value == Approx(ratio.mean));
  CHECK(*alone.se >= Approx(*ratio.se));
  std::vector<double> sums;  // linearised by hand
  double parts = 0, mean = 0;
  for (const double n : of) parts += n;
  for (const MeasuredItem& item : prompts.items) mean += item.value / 300;
  for (std::size_t i = 0; i < hits.size(); ++i) sums.push_back(0.5 * (prompts.items[i].value - mean) + 0.5 * (hits[i] - ratio.mean * of[i]) * 300 / parts);
  const CompositeEstimate both = joined_estimate({{&prompts, 0.5}, {&instructions, 0.5}});
  CHECK(*both.se == Approx(*stats::cluster_mean(sums).se).epsilon(0.01));
  CHECK(*both.se > 1.3 * std::hypot(0.5 * *joined_estimate({{&prompts, 1}}).se, 0.5 * *alone.se) / std::sqrt(2.0));
}

TEST_CASE("composite: nothing right is no certainty, and a suite asked whole has nothing left to draw") {
  const Measurement none = composite_share("a", 0, 30);
  CHECK(*joined_estimate({{&none, 1}}).se > 0.03);
  Measurement drawn = composite_share("b", 50, 100);
  drawn.of_items = 400;
  CHECK(*joined_estimate({{&drawn, 1}}, true).se == Approx(*joined_estimate({{&drawn, 1}}).se * std::sqrt(0.75)));
  const Measurement whole = composite_share("c", 50, 100);
  CHECK(*joined_estimate({{&whole, 1}}, true).se == 0);
  CHECK(*joined_estimate({{&whole, 0.5}, {&drawn, 0.5}}, true).se == Approx(0.5 * *joined_estimate({{&drawn, 1}}, true).se));
}

TEST_CASE("composite: a difference on the same items is paired") {
  const std::vector<int> base = drawn_zero_one(400, 0.5, 8);
  std::vector<int> better = base;
  for (std::size_t i = 0; i < 40; ++i) better[i] = 1;
  const Measurement a = composite_flags("s", base), b = composite_flags("s", better);
  const CompositeEstimate d = joined_estimate({{&b, 1}, {&a, -1}});
  std::vector<double> differences;
  for (std::size_t i = 0; i < base.size(); ++i) differences.push_back(better[i] - base[i]);
  CHECK(d.value == Approx(stats::cluster_mean(differences).mean));
  CHECK(*d.se < 0.6 * std::hypot(*joined_estimate({{&a, 1}}).se, *joined_estimate({{&b, 1}}).se));
}

TEST_CASE("composite claims: a figure that the parts give is reproduced, one far off is contradicted, one near is left open") {
  const Measurement a = composite_share("a", 600, 1000), b = composite_share("b", 400, 1000);  // 50.0
  const Verdict same = verdict_on(mean_case("50.0", a, b));
  CHECK(same.outcome == Outcome::reproduced);
  CHECK(*same.measured == Approx(50));
  CHECK(same.n == 2000);
  CHECK(same.test == "composite-normal");
  REQUIRE(same.parts.size() == 2);
  CHECK(*same.parts[0].measured == Approx(60));
  CHECK(*same.parts[0].se == Approx(100 * std::sqrt(0.24 / 999)).epsilon(0.01));
  CHECK(same.reason.find("a under p 60 %") != std::string::npos);
  CHECK(same.population->low == Approx(50 - 1.96 * 100 * std::sqrt(0.24 / 2000)).epsilon(0.001));
  const Verdict far = verdict_on(mean_case("60.0", a, b));
  CHECK(far.outcome == Outcome::contradicted);
  CHECK(*far.p < 1e-9);
  const Verdict near = verdict_on(mean_case("51.0", a, b));
  CHECK(near.outcome == Outcome::undecided);
  CHECK(near.hangs_on.find("all 2000 items") != std::string::npos);
  CHECK(near.next_items.value() > 2000);
}

TEST_CASE("composite claims: near ties may go either way") {
  Measurement a = composite_share("a", 600, 1000), b = composite_share("b", 400, 1000);
  a.items[700].margin = 1e-6, a.items[701].margin = 1e-6, a.items[702].margin = 1e-6;
  CHECK(verdict_on(mean_case("50.1", a, b)).outcome == Outcome::reproduced);  // one more right answer prints 50.1 when cut off after 50.05
  CHECK(verdict_on(mean_case("51.0", a, b)).outcome == Outcome::undecided);
}

TEST_CASE("composite claims: a part that is missing leaves the figure open, unless nothing could make it true") {
  const Measurement a = composite_share("a", 100, 1000);
  const Verdict open = verdict_on(mean_case("50.0", a, std::nullopt));
  CHECK(open.outcome == Outcome::undecided);
  CHECK_FALSE(open.measured.has_value());
  CHECK(open.reason.find("Not measured: b: not here") != std::string::npos);
  const Verdict refuted = verdict_on(mean_case("80.0", a, std::nullopt));  // (10 + 100) / 2 = 55 at most
  CHECK(refuted.outcome == Outcome::contradicted);
  CHECK(refuted.reason.find("whatever the rest gives") != std::string::npos);
  CHECK(verdict_on(mean_case("2.0", a, std::nullopt)).outcome == Outcome::contradicted);  // (10 + 0) / 2 at least
  const Verdict nothing = verdict_on(mean_case("50.0", std::nullopt, std::nullopt));
  CHECK(nothing.outcome == Outcome::undecided);
  CHECK(nothing.test == "none");
  CHECK_FALSE(nothing.p.has_value());
  Measurement empty = a;
  empty.items.clear();
  Case one = mean_case("50.0", a, empty);
  one.parts[1].missing.clear();
  CHECK(verdict_on(std::move(one)).reason.find("none of its items could be judged") != std::string::npos);
}

TEST_CASE("composite claims: a drawn part can refute, not reproduce") {
  const Measurement a = composite_share("a", 600, 1000);
  Measurement b = composite_share("b", 40, 100);
  b.of_items = 1000;
  const Verdict agrees = verdict_on(mean_case("50.0", a, b));
  CHECK(agrees.outcome == Outcome::undecided);
  CHECK(*agrees.next_items == 900);
  CHECK(agrees.hangs_on == "the 900 items that were not asked");
  CHECK_FALSE(agrees.fixed.has_value());
  CHECK(verdict_on(mean_case("70.0", a, b)).outcome == Outcome::contradicted);
}

TEST_CASE("composite claims: the figure of another protocol is a mismatch") {
  Case one = mean_case("70.0", composite_share("a", 600, 1000), composite_share("b", 400, 1000));
  one.ways.push_back({.label = "q", .parts = {case_part(one.claim, 0, 0.5, composite_share("a", 800, 1000)), case_part(one.claim, 1, 0.5, composite_share("b", 600, 1000))}});
  const Verdict v = verdict_on(std::move(one));
  CHECK(v.outcome == Outcome::protocol_mismatch);
  CHECK(v.holds_under == "q");
}

TEST_CASE("composite claims: numbers of items that the claim states") {
  const char* n = R"({"id": "c", "model": "M", "value": "VALUE", "scale": 100, "parts": [{"suite": "a", "metric": "acc", "n": 1000}, {"suite": "b", "metric": "acc", "n": N}]})";
  const auto with = [&](const std::string& value, const std::string& items) {
    std::string text = n;
    text.replace(text.find("VALUE"), 5, value);
    text.replace(text.find('N', text.find("\"n\": N")), 1, items);
    Case one{.claim = joined_claim(text)};
    Measurement a = composite_share("a", 600, 1000), b = composite_share("b", 400, 1000);
    for (MeasuredItem& item : a.items) item.margin = 1;
    for (MeasuredItem& item : b.items) item.margin = 1;
    one.parts = {case_part(one.claim, 0, 0.5, a), case_part(one.claim, 1, 0.5, b)};
    return verdict_on(std::move(one));
  };
  const Verdict ours = with("51.0", "1000");
  CHECK(ours.outcome == Outcome::contradicted);  // on these very items it is 50.0 and no near tie explains the rest
  CHECK(ours.speaks_of == "items");
  const Verdict theirs = with("51.0", "500");
  CHECK(theirs.outcome == Outcome::undecided);
  CHECK(theirs.hangs_on.find("which items were asked") == 0);
  CHECK(*with("55.0", "500").p > *with("55.0", "1000").p);  // their own items scatter too
}

TEST_CASE("composite claims: at least") {
  const Measurement a = composite_share("a", 600, 1000), b = composite_share("b", 400, 1000);
  const std::string at_least = R"("relation": "at-least")";
  CHECK(verdict_on(mean_case("45.0", a, b, at_least)).outcome == Outcome::reproduced);
  CHECK(verdict_on(mean_case("55.0", a, b, at_least)).outcome == Outcome::contradicted);
  CHECK(verdict_on(mean_case("50.0", a, b, at_least)).outcome == Outcome::undecided);
}

TEST_CASE("composite claims: lossless within a margin, against another model") {
  Measurement a = composite_share("a", 600, 1000), b = composite_share("b", 400, 1000);
  const auto with = [&](int flips) {
    Case one = mean_case("2", a, b, R"("relation": "within", "against": "base")");
    one.parts[0].against = a, one.parts[1].against = b;
    for (int i = 0; i < flips; ++i) one.parts[0].measured->items[static_cast<std::size_t>(i)].value = 0;
    return verdict_on(std::move(one));
  };
  CHECK(with(4).outcome == Outcome::reproduced);
  CHECK(*with(4).measured == Approx(-0.2));
  CHECK(with(200).outcome == Outcome::contradicted);
  CHECK(with(40).outcome == Outcome::undecided);
}

TEST_CASE("claims about published weights: a quantised fork may reproduce, and contradicts nothing") {
  Measurement a = composite_share("a", 600, 1000), b = composite_share("b", 400, 1000);
  a.weights_formats = b.weights_formats = "Q4_1 210, F32 61, Q8_0 1";
  const std::string format = R"("weights_format": "BF16", "unknown": ["the template"], "protocol_printed": "zero-shot")";
  const Verdict far = verdict_on(mean_case("60.0", a, b, format));
  CHECK(far.outcome == Outcome::undecided);
  CHECK(*far.p < 1e-9);
  CHECK(far.fork == "210 of 272 tensors as Q4_1, 1 of 272 tensors as Q8_0");
  CHECK(far.reason.find("quantised fork (210 of 272 tensors as Q4_1") != std::string::npos);
  CHECK(far.reason.find("the source names: zero-shot") != std::string::npos);
  CHECK(far.hangs_on.find("whether the published weights answer as their quantised fork does") != std::string::npos);
  CHECK(far.hangs_on.find("the template") != std::string::npos);
  const Verdict near = verdict_on(mean_case("50.5", a, b, format));
  CHECK(near.outcome == Outcome::undecided);
  CHECK(near.next.starts_with("run the published weights on the same items; of further such items "));
  const Verdict same = verdict_on(mean_case("50.0", a, b, format));
  CHECK(same.outcome == Outcome::reproduced);
  CHECK(same.reason.find("quantised fork") != std::string::npos);
  a.weights_formats = b.weights_formats = "BF16 272";
  CHECK(verdict_on(mean_case("60.0", a, b, format)).outcome == Outcome::contradicted);
  a.weights_formats = b.weights_formats = "Q4_1 272";
  CHECK(verdict_on(mean_case("60.0", a, b, R"("weights_format": "Q4_1")")).outcome == Outcome::contradicted);  // that file is what the claim is about
  CHECK(verdict_on(mean_case("60.0", a, b)).outcome == Outcome::contradicted);
}

TEST_CASE("composite claims: how they are read") {
  const Claim mean = joined_claim(kMeanOfTwo);
  REQUIRE(mean.parts.size() == 2);
  CHECK(mean.suite == "a + b");
  CHECK(mean.parts[0].weight == 1);
  CHECK(joined_claim(R"({"id": "c", "model": "M", "value": "1", "suite": "bbh", "metric": "accuracy_macro"})").parts.at(0).macro);
  CHECK(joined_claim(R"({"id": "c", "model": "M", "value": "1", "suite": "ifeval", "metric": "strict_instruction"})").parts.at(0).metric == "strict_instruction");
  CHECK(joined_claim(R"({"id": "c", "model": "M", "value": "1", "suite": "arc-easy", "metric": "acc_norm"})").parts.empty());
  const Claim items = joined_claim(R"({"id": "c", "model": "M", "value": "1", "metric": "acc_norm", "protocol": "p", "parts": [{"suite": "a", "weight": "items"}, {"suite": "b", "weight": "items"}]})");
  CHECK((items.parts[0].by_items && items.parts[1].metric == "acc_char" && items.parts[1].protocol == "p"));
  const auto parts = [](const std::string& list) { return R"({"id": "c", "model": "M", "value": "1", "parts": )" + list + "}"; };
  for (const char* bad : {"[]", "{}", "3", "[1]", R"([{"metric": "acc"}])", R"([{"suite": "a", "weight": 0}])", R"([{"suite": "a", "weight": -1}])",
                          R"([{"suite": "a", "weight": "many"}])", R"([{"suite": "a"}, {"suite": "a"}])", R"([{"suite": "a", "weight": 1e300}])",
                          R"([{"suite": "a", "weight": "items"}, {"suite": "b"}])", R"([{"suite": "a", "metric": "acc_macro", "subset": "x"}])", R"([{"suite": "a", "n": 0}])"}) {
    CHECK(parts_refusal(parts(bad)).find("c.json") != std::string::npos);
  }
  CHECK(parts_refusal(R"({"id": "c", "model": "M", "value": "1", "suite": "a", "unknown": "x"})").find("unknown") != std::string::npos);
  CHECK(parts_refusal(R"({"id": "c", "model": "M", "value": "1", "suite": "a", "others": [1]})").find("others") != std::string::npos);
}
