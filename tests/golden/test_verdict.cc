// The bundled claims decided from the stored item rows of suites/data/demo/claims, which transformers made: no engine of ours takes part.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/verdicts/verdict.h"
#include "tests/catch.h"

namespace {

using namespace assay;

const std::string kDemo = ASSAY_TREE "/suites/data/demo/";

std::vector<Json> lines_of(const std::string& path) {
  std::ifstream in(path);
  REQUIRE(in.good());
  std::vector<Json> out;
  for (std::string line; std::getline(in, line);) out.push_back(*parse_json(line, path));
  return out;
}

const std::map<std::string, std::string>& subsets() {
  static const std::map<std::string, std::string> kAll = [] {
    std::map<std::string, std::string> all;
    for (const char* suite : {"world-mc", "steps-gen", "tales-bpb"}) {
      for (const Json& item : lines_of(kDemo + "suites/" + suite + ".jsonl"))
        all[item["id"]] = item["subset"];
    }
    return all;
  }();
  return kAll;
}

double choice_margin(const Json& row) {
  std::vector<double> scores = row["log_likelihoods"];
  std::sort(scores.rbegin(), scores.rend());
  return scores[0] - scores[1];
}

MeasuredItem item_of(const Json& row, Score score) {
  MeasuredItem item{.key = row["id"], .subset = subsets().at(row["id"])};
  if (score == Score::share) item.value = row["correct"].get<bool>() ? 1 : 0;
  if (score == Score::mean) item.value = row["bpb"];
  if (score == Score::ratio)
    item.value = -row["log_likelihood"].get<double>() / std::log(2.0), item.weight = row["bytes"];
  if (row.contains("log_likelihoods")) item.margin = choice_margin(row);
  return item;
}

const std::vector<Measurement>& measured() {
  static const std::vector<Measurement> kAll = [] {
    const std::map<std::string, std::vector<std::string>> protocols = {
        {"world-mc", {"text-0shot", "textnorm-0shot", "text-3shot", "letter-0shot", "letter-3shot"}},
        {"steps-gen", {"cot-3shot", "cot-0shot", "direct-0shot", "chat-0shot"}},
        {"tales-bpb", {"bos-micro", "bos-macro", "nobos-micro"}}};
    std::vector<Measurement> all;
    for (const auto& [suite, names] : protocols) {
      for (const std::string& name : names) {
        for (const std::string model : {"model", "model-fp8"}) {
          Measurement m{.model = model, .suite = suite, .protocol = name};
          m.score = suite != "tales-bpb"      ? Score::share
                    : name.ends_with("macro") ? Score::mean
                                              : Score::ratio;
          const std::string path =
              kDemo + "claims/items-" + suite + "-" + name + (model == "model" ? "" : "-fp8") + ".jsonl";
          for (const Json& row : lines_of(path)) m.items.push_back(item_of(row, m.score));
          all.push_back(std::move(m));
        }
      }
    }
    return all;
  }();
  return kAll;
}

std::optional<Measurement> find(const std::string& model, const std::string& suite,
                                const std::string& protocol) {
  for (const Measurement& m : measured()) {
    if (m.model == model && m.suite == suite && m.protocol == protocol) return m;
  }
  return std::nullopt;
}

Case case_of(const Claim& claim) {
  Case one{.claim = claim};
  one.main = find(claim.model, claim.suite, claim.protocol);
  one.against = find(claim.model, claim.suite, claim.against);
  if (!one.against) one.against = find(claim.against, claim.suite, claim.protocol);
  for (const Measurement& m : measured()) {
    if (m.model == claim.model && m.suite == claim.suite && m.protocol != claim.protocol)
      one.others.push_back(m);
  }
  one.counts = {.stored = 2888128, .total = 2029188, .active = 1199748};
  return one;
}

std::vector<Verdict> decide_all(const std::vector<Claim>& claims) {
  std::vector<Case> cases;
  for (const Claim& claim : claims) cases.push_back(case_of(claim));
  return decide(cases);
}

// One claim by itself, written as JSON.
Verdict decide_one(const char* text) {
  const auto document = parse_json(text, "claim");
  REQUIRE(document.ok());
  const auto claims = parse_claims(*document, "claim");
  INFO((claims.ok() ? "" : claims.error().text()));
  REQUIRE(claims.ok());
  return decide_all(*claims).front();
}

TEST_CASE("verdict: the eleven bundled claims get the verdict that is due, and the figures of the ledger") {
  const auto claims = read_claims(kDemo + "claims/claims.json");
  const auto ledger = read_json_file(kDemo + "claims/claims.json");
  REQUIRE(claims.ok());
  REQUIRE(claims->size() == 11);
  const std::vector<Verdict> verdicts = decide_all(*claims);
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Claim& claim = (*claims)[i];
    const Verdict& v = verdicts[i];
    const Json& due = (*ledger)[i];
    INFO(claim.id << ": " << v.reason << " | p " << v.p.value_or(-1) << " adjusted "
                  << v.p_adjusted.value_or(-1) << " | " << v.hangs_on << " | " << v.next);
    UNSCOPED_INFO(claim.id << ": " << name_of(v.outcome) << ": " << v.reason);
    CHECK(name_of(v.outcome) == claim.expected_verdict);
    REQUIRE(v.measured.has_value());
    if (due["measured"].is_number()) CHECK(*v.measured == Approx(due["measured"].get<double>()).margin(1e-4));
    if (due.contains("n")) CHECK(v.n == due["n"].get<std::int64_t>());
    if (due.contains("holds_under")) CHECK(v.holds_under == due["holds_under"].get<std::string>());
    if (due.contains("on_fixed_items"))
      CHECK(v.reason.find(due["on_fixed_items"].get<std::string>() + " the margin") != std::string::npos);
    const bool open = v.outcome == Outcome::undecided || v.outcome == Outcome::protocol_mismatch;
    CHECK(open == !v.hangs_on.empty());
    CHECK(open == !v.next.empty());
  }
}

TEST_CASE("verdict: both answers of the lossless claims have the ledger's interval") {
  const auto claims = read_claims(kDemo + "claims/claims.json");
  REQUIRE(claims.ok());
  for (const Verdict& v : decide_all(*claims)) {
    if (v.claim_id == "demo-fp8-world-mc") {
      CHECK(v.population->low == Approx(0.14).margin(0.005));
      CHECK(v.population->high == Approx(1.46).margin(0.005));
      CHECK(v.reason.find("(4 gained, 0 lost)") != std::string::npos);
    }
    if (v.claim_id == "demo-fp8-steps-gen") {
      CHECK(v.population->low == Approx(-0.94).margin(0.005));
      CHECK(v.population->high == Approx(0.54).margin(0.005));
    }
  }
}

struct Expected {
  const char* claim;
  Outcome outcome;
};

// Other claims of the same kinds, in both forms, with values in percent, as fractions and as counts.
const Expected kOthers[] = {
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-3shot", "metric": "acc", "value": 0.774})",
     Outcome::reproduced},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-3shot", "metric": "acc", "value": "77.4 %", "n": 500})",
     Outcome::reproduced},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-3shot", "metric": "acc", "value": "387/500"})",
     Outcome::reproduced},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-3shot", "metric": "acc", "value": "429/500"})",
     Outcome::contradicted},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-0shot", "metric": "acc", "value": "85"})",
     Outcome::contradicted},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-0shot", "metric": "acc", "value": 76})",
     Outcome::reproduced},
    {R"({"id": "a", "model": "model-fp8", "suite": "world-mc", "protocol": "text-0shot", "metric": "acc", "value": 77.2})",
     Outcome::reproduced},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-0shot", "metric": "acc", "value": 76.5, "n": 500})",
     Outcome::impossible},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "letter-0shot", "metric": "acc", "value": 77.8})",
     Outcome::protocol_mismatch},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "letter-0shot", "metric": "acc", "value": 37.9})",
     Outcome::contradicted},
    {R"({"id": "a", "model": "model", "suite": "steps-gen", "protocol": "direct-0shot", "metric": "exact_match", "value": 75.4})",
     Outcome::protocol_mismatch},
    {R"({"id": "a", "model": "model", "suite": "steps-gen", "protocol": "chat-0shot", "metric": "exact_match", "value": "82.6"})",
     Outcome::contradicted},
    {R"({"id": "a", "model": "model", "suite": "steps-gen", "subset": "larger", "protocol": "cot-3shot", "metric": "exact_match", "value": "70", "n": 10})",
     Outcome::undecided},
    {R"({"id": "a", "model": "model", "suite": "world-mc/story", "protocol": "text-0shot", "metric": "acc", "value": "86.0"})",
     Outcome::reproduced},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "subset": "story", "protocol": "text-0shot", "metric": "acc", "value": "80.0", "n": 20})",
     Outcome::undecided},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "subset": "person", "protocol": "text-0shot", "metric": "acc", "value": "80.0", "n": 20})",
     Outcome::contradicted},
    {R"({"id": "a", "model": "model", "suite": "tales-bpb", "protocol": "bos-micro", "metric": "bits_per_byte", "value": "0.5177", "n": 320})",
     Outcome::reproduced},
    {R"({"id": "a", "model": "model", "suite": "tales-bpb", "protocol": "bos-micro", "metric": "bits_per_byte", "value": 0.626})",
     Outcome::contradicted},
    {R"({"id": "a", "model": "model", "suite": "tales-bpb", "protocol": "bos-micro", "metric": "bits_per_byte", "value": 0.798})",
     Outcome::protocol_mismatch},
    {R"({"id": "a", "model": "model", "suite": "tales-bpb", "protocol": "bos-micro", "metric": "bits_per_byte", "value": 0.514})",
     Outcome::protocol_mismatch},
    {R"({"id": "a", "model": "model", "suite": "tales-bpb", "protocol": "bos-micro", "metric": "bits_per_byte", "value": 0.53})",
     Outcome::undecided},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-0shot", "metric": "acc", "value": 79.0, "n": 500})",
     Outcome::contradicted},
    {R"({"id": "a", "model": "model", "suite": "world-mc", "protocol": "text-0shot", "metric": "acc", "value": 79.0})",
     Outcome::undecided},
    {R"({"id": "a", "claim": "at least 70 % on world-mc", "suite": "world-mc", "protocol": "text-0shot", "value": 70})",
     Outcome::reproduced},
    {R"({"id": "a", "claim": "at least 90 % on world-mc", "suite": "world-mc", "protocol": "text-0shot", "value": 90})",
     Outcome::contradicted},
    {R"({"id": "a", "claim": "full text beats letters by at least 40 points", "suite": "world-mc", "protocol": "text-0shot", "against": "letter-0shot", "value": 40})",
     Outcome::reproduced},
    {R"({"id": "a", "claim": "examples raise world-mc by at least 10 points", "suite": "world-mc", "protocol": "text-3shot", "against": "text-0shot", "value": 10})",
     Outcome::contradicted},
    {R"({"id": "a", "claim": "examples raise world-mc by at least 0.5 points", "suite": "world-mc", "protocol": "text-3shot", "against": "text-0shot", "value": 0.5})",
     Outcome::undecided},
    {R"({"id": "a", "claim": "lossless within 3 points", "suite": "world-mc", "protocol": "text-0shot", "weights": "model-fp8", "against": "model", "value": 3})",
     Outcome::reproduced},
    {R"({"id": "a", "claim": "within 0.01 bits per byte", "suite": "tales-bpb", "protocol": "bos-micro", "weights": "model-fp8", "against": "model", "value": 0.01})",
     Outcome::reproduced},
    {R"({"id": "a", "claim": "lossless within 0.3 points", "suite": "world-mc", "protocol": "text-0shot", "subset": "person", "weights": "model-fp8", "against": "model", "value": 0.3})",
     Outcome::undecided},
    {R"({"id": "a", "model": "model", "metric": "params_total", "value": "2.03M"})", Outcome::reproduced},
    {R"({"id": "a", "model": "model", "metric": "params_active", "value": "1.2M"})", Outcome::reproduced},
    {R"({"id": "a", "model": "model", "metric": "params_total", "value": 2029189})", Outcome::contradicted},
    {R"({"id": "a", "model": "model", "metric": "params_total", "value": "2.89M"})",
     Outcome::protocol_mismatch},
    {R"({"id": "a", "model": "nobody", "suite": "world-mc", "value": 50})", Outcome::undecided},
};

TEST_CASE("verdict: other claims of these kinds are decided by the same rules") {
  for (const Expected& expected : kOthers) {
    const Verdict v = decide_one(expected.claim);
    INFO(expected.claim << "\n"
                        << name_of(v.outcome) << ": " << v.reason << " | p " << v.p.value_or(-1) << " | "
                        << v.hangs_on << " | " << v.next);
    CHECK(name_of(v.outcome) == name_of(expected.outcome));
    CHECK(v.reason.find("nan") == std::string::npos);
  }
}

TEST_CASE("verdict: more claims at once make an accusation need more") {
  const auto claims = read_claims(kDemo + "claims/claims.json");
  REQUIRE(claims.ok());
  for (const Verdict& v : decide_all(*claims)) {
    if (!v.p) continue;
    CHECK(*v.p_adjusted >= *v.p);
    CHECK(*v.p_adjusted <= 1);
  }
}

TEST_CASE("verdict: near ties may go either way, and the fixed interval says so") {
  const char* text = R"({"id": "a", "model": "m", "suite": "s", "protocol": "p", "value": "60", "n": 5})";
  const auto claims = parse_claims(*parse_json(text, "c"), "c");
  REQUIRE(claims.ok());
  Measurement m{.model = "m", .suite = "s", .protocol = "p"};
  for (int i = 0; i < 5; ++i)
    m.items.push_back({.key = std::to_string(i), .value = i < 4 ? 1.0 : 0.0, .margin = 2.0});
  Case one{.claim = claims->front(), .main = m};
  CHECK(decide(std::vector{one}).front().outcome == Outcome::contradicted);
  one.main->items[0].margin = 1e-6;
  const Verdict tied = decide(std::vector{one}).front();
  CHECK(tied.outcome == Outcome::reproduced);
  CHECK(tied.fixed->low == Approx(60));
  one.main->items[0].margin = 0.01;
  CHECK(decide(std::vector{one}).front().outcome == Outcome::undecided);
}

}  // namespace
