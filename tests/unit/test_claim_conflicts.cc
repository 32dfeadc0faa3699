// Contradictions of the published record: the protocol read out of the words, what explains a gap, and what sampling can explain.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/claims/claim_conflicts.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

LedgerClaim figure(const std::string& score, const std::string& claimant, std::optional<std::int64_t> low = {}, std::optional<std::int64_t> high = {}) {
  LedgerClaim c;
  c.id = claimant + score, c.claimant = claimant, c.model = c.model_printed = "M", c.benchmark = c.benchmark_printed = "AIME-2024";
  c.score = score, c.value = std::stod(score), c.unit = "points";
  c.samples_low = low, c.samples_high = high ? high : low;
  c.source = {.repository = claimant, .commit = "0123abc", .path = "README.md", .locator = "L1", .digest = {}};
  return c;
}

TEST_CASE("conflicts: sampling decides 70.0 against 63.0 on AIME only where the number of answers is known") {
  struct Row {
    std::optional<std::int64_t> low, high;
    const char* verdict;
    double z_fewest, z_most;  // by hand: 6.9 / (100 sqrt(1/(120 s) + 1/(120 64)))
  };
  const Row rows[] = {{64, 64, "contradicted", 4.276, 4.276}, {4, 4, "undecided", 1.466, 1.466}, {4, 64, "", 1.466, 4.276}, {{}, {}, "", 0.75, 6.047}};
  for (const Row& row : rows) {
    INFO(row.low.value_or(0) << " to " << row.high.value_or(0));
    const SamplingTest test = sampling_test(figure("70.0", "DeepSeek", row.low, row.high), figure("63.0", "HF open-r1", 64), 30);
    CHECK(test.verdict == row.verdict);
    CHECK(test.z_fewest == Approx(row.z_fewest).epsilon(1e-3));
    CHECK(test.z_most == Approx(row.z_most).epsilon(1e-3));
    CHECK(test.hangs_on.empty() == (test.verdict[0] != '\0'));
    if (!test.verdict.empty()) continue;
    REQUIRE(test.from_samples);
    CHECK(*test.from_samples == 8);  // with 7 answers z = 1.899, with 8 it is 2.016
    CHECK(test.hangs_on.find("DeepSeek") != std::string::npos);
  }
}

TEST_CASE("conflicts: the same figure is none, and rounding is taken off the gap") {
  CHECK(sampling_test(figure("70.0", "A", 64), figure("70.0", "B", 64), 30).verdict == "undecided");
  const SamplingTest coarse = sampling_test(figure("70", "A", 64), figure("63", "B", 64), 30);
  CHECK(coarse.z_fewest == Approx(6.0 / 1.6137).epsilon(1e-3));
  const SamplingTest open = sampling_test(figure("70.0", "A"), figure("63.0", "B"), 30);
  CHECK_FALSE(open.from_samples);
  CHECK(open.hangs_on.find("B drew") != std::string::npos);
}

TEST_CASE("conflicts: the protocol is read out of the words around a figure") {
  struct Row {
    const char *metric, *shots, *benchmark, *table, *note;
    PrintedProtocol wanted;
  };
  const Row rows[] = {
      {"Acc.", "5-shot", "AIME-2024", "", "", {"5", "acc", "", "", "", ""}},
      {"accuracy", "0", "AIME-2024", "", "", {"0", "acc", "", "", "", ""}},
      {"EM", "8-shot, CoT", "AIME-2024", "", "internal HAI-LLM framework", {"8", "em", "", "cot", "", "HAI-LLM"}},
      {"Pass@1-COT", "", "AIME-2024", "", "", {"", "pass@1", "", "cot", "", ""}},
      {"0901-0401", "", "LiveCodeBench", "", "", {"", "", "0901-0401", "", "", ""}},
      {"", "", "LiveCodeBench v5", "", "", {"", "", "v5", "", "", ""}},
      {"7 langs", "", "HumanEval-Mul", "", "", {"", "", "7 langs", "", "", ""}},
      {"maj@8", "8", "AIME-2024", "", "", {"8", "maj@8", "", "vote", "", ""}},
      {"aime2024", "10-shot PPL over letter answers", "AIME-2024", "", "harness-measured by OpenCompass", {"10", "", "", "likelihood of letters", "", "OpenCompass"}},
      {"", "3-5 shot", "AIME-2024", "", "all baselines re-measured by IBM with lm-evaluation-harness, one configuration", {"3-5", "", "", "", "", "lm-evaluation-harness"}}};
  for (const Row& row : rows) {
    LedgerClaim c = figure("1.0", "A");
    c.metric = row.metric, c.shots = row.shots, c.benchmark_printed = row.benchmark, c.table = row.table, c.note = row.note;
    INFO(row.metric << "|" << row.shots << "|" << row.benchmark);
    const PrintedProtocol got = printed_protocol(c);
    CHECK(got.shots == row.wanted.shots);
    CHECK(got.metric == row.wanted.metric);
    CHECK(got.window == row.wanted.window);
    CHECK(got.mode == row.wanted.mode);
    CHECK(got.harness == row.wanted.harness);
  }
}

TEST_CASE("conflicts: a field explains a gap only where both sides print it") {
  LedgerClaim a = figure("70.0", "A", 64), b = figure("60.0", "B", 64);
  CHECK(protocol_difference(a, b).explained_by().empty());
  b.samples_low = 4;
  CHECK(protocol_difference(a, b).unknown == std::vector<std::string>{"samples"});  // 4 to 64 may be 64
  b.samples_high = 16;
  CHECK(protocol_difference(a, b).explained_by() == "samples");
  b.samples_low = b.samples_high = 64;
  b.kind = ClaimKind::third_party;
  CHECK(protocol_difference(a, b).explained_by() == "kind");
  a.shots = "5-shot";
  CHECK(protocol_difference(a, b).unknown == std::vector<std::string>{"shots"});
  CHECK(protocol_difference(a, b).explained_by() == "kind");
  b.shots = "0";
  CHECK(protocol_difference(a, b).explained_by() == "shots");
  b.shots = "5";
  a.metric = "Prompt Strict", b.metric = "prompt loose";
  CHECK(protocol_difference(a, b).explained_by() == "metric");
}

Ledger ledger_of(std::vector<LedgerClaim> claims) {
  Ledger ledger{.claims = std::move(claims), .by_id = {}};
  find_dependence(ledger);
  return ledger;
}

TEST_CASE("conflicts: groups, order and what one protocol leaves unexplained") {
  LedgerClaim shots = figure("50.0", "C");
  shots.shots = "0-shot";
  LedgerClaim own = figure("70.0", "A"), near = figure("66.0", "B");
  own.shots = near.shots = "5-shot";
  LedgerClaim other = figure("80.0", "A");
  other.benchmark = "GSM8K";
  LedgerClaim again = other;
  again.id = "again", again.score = "81.5", again.value = 81.5, again.source.path = "paper.pdf";
  LedgerClaim vote = figure("99.0", "D"), quoted = figure("98.0", "E");
  vote.metric = "cons@64", quoted.kind = ClaimKind::citation;
  const Ledger ledger = ledger_of({shots, own, near, other, again, vote, quoted});
  const auto conflicts = find_conflicts(ledger, {}, 0.3);
  REQUIRE(conflicts.size() == 2);
  CHECK(conflicts[0].spread == Approx(20));
  CHECK(conflicts[0].difference.explained_by() == "shots");
  CHECK(conflicts[0].figures == 3);
  CHECK(conflicts[0].unexplained_spread == Approx(4));
  CHECK(conflicts[0].unexplained_low->score == "66.0");
  CHECK(conflicts[1].scope == Scope::own_files);
  CHECK(conflicts[1].spread == Approx(1.5));
  CHECK(find_conflicts(ledger, {}, 5).size() == 1);
  const Census counts = census(ledger);
  CHECK(counts.claimants.pairs == 1);
  CHECK(counts.own_files.pairs == 1);
  CHECK(counts.own_files.over == std::vector<std::size_t>{1, 1, 0, 0, 0, 0});
  CHECK(conflicts_json(conflicts)[0]["same_protocol"]["spread"] == 4.0);
}

TEST_CASE("conflicts: the published record, from the command line") {
  const Scratch scratch;
  const CommandResult result = run_assay({"claim", "conflicts", "--json"}, scratch.path());
  REQUIRE(result.code == 0);
  const Json conflicts = *parse_json(result.out, "conflicts");
  CHECK(conflicts.size() > 200);
  double last = 1e9;
  bool seen = false;
  for (const Json& c : conflicts) {
    CHECK(c["spread"].get<double>() <= last);
    last = c["spread"];
    if (c["model"] == "DeepSeek-R1-Distill-Llama-70B" && c["suite"] == "AIME-2024" && c["scope"] == "claimants") {
      seen = true;
      CHECK(c["sampling"]["verdict"] == "undecided");
      CHECK(c["sampling"]["contradicted_from_samples"] == 8);
      CHECK(c["printed_on_one_side"].dump().find("samples") != std::string::npos);
    }
    if (c["model"] == "Mistral-7B-v0.1" && c["suite"] == "HellaSwag") CHECK(c["explained_by"] == "harness");
    if (!c["same_protocol"].is_null()) {
      for (const char* side : {"low", "high"}) CHECK(c["same_protocol"][side]["dependence"] != "quoted");
    }
  }
  CHECK(seen);
  const CommandResult counts = run_assay({"claim", "conflicts", "--counts", "--json"}, scratch.path());
  CHECK((*parse_json(counts.out, "counts"))["claimants"]["pairs"] == 236);
}

}  // namespace
