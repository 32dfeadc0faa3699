// The ledger of published figures: its format, who copied whom, and the counts of the shipped one (field/evaluation.md 4.2).
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/claims/claim_conflicts.h"
#include "eval/claims/claim_ledger.h"
#include "tests/catch.h"
#include "tests/command.h"

using namespace assay;

namespace {

// A line of the ledger with 16 fields; those that are not named are plain.
std::string claim_line(const std::string& id, const std::string& source, const std::string& kind, const std::string& model, const std::string& benchmark,
                       const std::string& score, const std::string& samples = "") {
  return "C\t" + id + "\t" + source + "\t" + kind + "\t" + model + "\t\t" + benchmark + "\t\tacc\t5-shot\t" + score + "\t\tpoints\tL7\t\t" + samples + "\n";
}
const std::string kMaker = "S\t1\tMaker\tmaker/m@0123abc:README.md\ttable\tnote\n";
const std::string kPeer = "S\t2\tPeer\tpeer/p@0123abc:p.pdf\t\t\n";

Ledger good(const std::string& text) {
  auto ledger = parse_ledger(text, "ledger.tsv");
  if (!ledger.ok()) FAIL(ledger.error().text());
  return std::move(*ledger);
}

TEST_CASE("ledger: a line says what its source prints") {
  const std::string digest(64, 'a');
  const Ledger ledger = good("# comment\n\n" + kMaker + "D\tmaker/m@0123abc:README.md\tL7\t" + digest + "\n" +
                             "C\tX1\t1\tself\tM-Base\tM base\tGSM8K\tGSM 8K\tEM\t8-shot\t89.30\t1.5\tpoints\tL7\t1319\t4-64\n" +
                             "C\tX2\t1\tpeer\tM\t\tAIME\t\t\t\t2/30\t\tcount\tTable 2\t\t\n");
  REQUIRE(ledger.claims.size() == 2);
  const LedgerClaim& c = *ledger.find("X1");
  CHECK(c.claimant == "Maker");
  CHECK(c.model_printed == "M base");
  CHECK(c.score == "89.30");
  CHECK(c.value == Approx(89.3));
  CHECK(c.sd == 1.5);
  CHECK(c.n == 1319);
  CHECK(c.samples_low == 4);
  CHECK(c.samples_high == 64);
  CHECK(c.source.text() == "maker/m@0123abc:README.md#L7");
  CHECK(c.source.line() == 7);
  CHECK(c.source.digest == digest);
  CHECK(ledger.find("X2")->value == 2);
  CHECK(ledger.find("X2")->n == 30);
  CHECK(ledger.find("X2")->benchmark_printed == "AIME");
  CHECK(ledger.find("X2")->source.line() == 0);
  CHECK(ledger.find("X3") == nullptr);
}

TEST_CASE("ledger: what cannot be read is refused with its place") {
  const std::string fine = claim_line("X1", "1", "self", "M", "B", "1.0");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string line = fine;
    const std::size_t at = line.find(from);
    REQUIRE(at != std::string::npos);
    return kMaker + line.replace(at, from.size(), to);
  };
  struct Bad {
    std::string text, field;
    Code code = Code::bad_value;
  };
  const Bad cases[] = {{"Q\tx\n", ""},
                       {kMaker + "C\tX1\t1\tself\n", ""},
                       {kMaker + fine + fine, "id", Code::duplicate},
                       {kMaker + kMaker, "source"},
                       {fine, "source"},
                       {changed("\t1\tself", "\tone\tself"), "source"},
                       {changed("self", "friend"), "kind"},
                       {changed("points", "stars"), "unit"},
                       {changed("1.0", "-1"), "score"},
                       {changed("1.0", "1.0.0"), "score"},
                       {changed("1.0", "31/30"), "score"},
                       {changed("L7\t\t", "L7\t0\t"), "n"},
                       {kMaker + claim_line("X1", "1", "self", "M", "B", "1.0", "64-4"), "samples"},
                       {kMaker + claim_line("X1", "1", "self", "M", "B", "1.0", "many"), "samples"},
                       {kMaker + claim_line("", "1", "self", "M", "B", "1.0"), ""},
                       {kMaker + claim_line("X1", "1", "self", std::string(3000, 'm'), "B", "1.0"), ""},
                       {"S\t1\tMaker\tmaker/m@xyz:README.md\t\t\n", "source"},
                       {"S\t1\tMaker\tmaker/m@0123abc:../README.md\t\t\n", "source"},
                       {"S\t1\t\tmaker/m@0123abc:README.md\t\t\n", "source"},
                       {"D\tmaker/m@0123abc:README.md\tL7\tabc\n", "digest"}};
  for (const Bad& bad : cases) {
    INFO(bad.text.substr(0, 200));
    const auto ledger = parse_ledger(bad.text, "ledger.tsv");
    REQUIRE_FALSE(ledger.ok());
    CHECK(ledger.error().code == bad.code);
    CHECK(ledger.error().field == bad.field);
    CHECK(ledger.error().file == "ledger.tsv");
    CHECK(ledger.error().offset >= 0);
  }
}

// `equal` of `shared` figures of a peer are the maker's; one more benchmark is the peer's alone.
Ledger copied(int shared, int equal, const std::string& kind = "peer") {
  std::string text = kMaker + kPeer;
  for (int i = 0; i < shared; ++i) text += claim_line("M" + std::to_string(i), "1", "self", "M", "B" + std::to_string(i), "7" + std::to_string(i) + ".5");
  for (int i = 0; i < shared; ++i)
    text += claim_line("P" + std::to_string(i), "2", kind, "M", "B" + std::to_string(i), i < equal ? "7" + std::to_string(i) + ".5" : "7" + std::to_string(i) + ".50");
  return good(text + claim_line("P-alone", "2", kind, "M", "other", "50.0"));
}

TEST_CASE("ledger: figures that are all the maker's are quoted, others are measured") {
  struct Row {
    int shared, equal;
    const char* kind;
    Dependence first, last, alone;
  };
  constexpr Dependence kOwn = Dependence::independent, kQuoted = Dependence::quoted, kOpen = Dependence::unknown;
  const Row rows[] = {{3, 3, "peer", kQuoted, kQuoted, kOpen},          {2, 2, "peer", kOpen, kOpen, kOwn}, {4, 0, "peer", kOwn, kOwn, kOwn}, {4, 3, "peer", kOpen, kOwn, kOwn},
                      {3, 3, "third_party", kQuoted, kQuoted, kOwn}};
  for (const Row& row : rows) {
    INFO(row.equal << " of " << row.shared << " " << row.kind);
    const Ledger ledger = copied(row.shared, row.equal, row.kind);
    CHECK(ledger.find("M0")->dependence == kOwn);
    CHECK(ledger.find("P0")->dependence == row.first);
    CHECK(ledger.find("P" + std::to_string(row.shared - 1))->dependence == row.last);
    CHECK(ledger.find("P-alone")->dependence == row.alone);
    if (row.first == kQuoted) CHECK(ledger.find("P0")->quoted_from == "M0");
  }
  const Ledger cited = good(kMaker + kPeer + claim_line("M0", "1", "self", "M", "B", "50.4") + claim_line("Q0", "2", "citation", "M", "B", "50.4") +
                            claim_line("Q1", "2", "citation", "M", "B", "41.7"));
  CHECK(cited.find("Q0")->dependence == kQuoted);
  CHECK(cited.find("Q0")->quoted_from == "M0");
  CHECK(cited.find("Q1")->quoted_from.empty());  // a citation that nobody printed
}

TEST_CASE("ledger: the shipped record has the counts of evaluation.md 4.2") {
  const auto ledger = published_ledger();
  REQUIRE(ledger.ok());
  CHECK(ledger->claims.size() == 5576);
  std::map<std::string_view, int> kinds;
  int lines = 0, digests = 0;
  for (const LedgerClaim& c : ledger->claims) {
    ++kinds[name_of(c.kind)];
    lines += c.source.line() > 0 ? 1 : 0;
    digests += c.source.digest.empty() ? 0 : 1;
  }
  CHECK(kinds == std::map<std::string_view, int>{{"self", 2233}, {"peer", 1986}, {"third_party", 1277}, {"citation", 80}});
  CHECK(lines == 2443);
  CHECK(digests > 700);
  const Census counts = census(*ledger);
  CHECK(counts.claimants.pairs == 236);
  CHECK(counts.claimants.median == Approx(2.4));
  CHECK(counts.claimants.over == std::vector<std::size_t>{186, 164, 127, 71, 42, 17});
  CHECK(counts.own_files.pairs == 385);
  CHECK(counts.own_files.over[0] == 34);
  CHECK(counts.own_files.over[1] == 24);
  CHECK(counts.own_files.over[3] == 11);
  CHECK(counts.own_files.over_exact[0] == 33);  // one gap is 0.3 exactly: 80.4 and 80.1, which as doubles differ by more
  std::size_t equal = 0, shared = 0;
  for (const Copying& c : counts.copying) {
    if (c.claimant != "Qwen" || c.maker != "DeepSeek") continue;
    if (c.copied) equal += c.equal, shared += c.shared;
    if (c.model == "DeepSeek-V3-Base") CHECK(c.equal == 0);
  }
  CHECK(equal == 29);
  CHECK(shared == 29);
  CHECK(counts.independent.pairs < counts.claimants.pairs);  // a copy is no second measurement
}

TEST_CASE("ledger: figures become claims that verify understands") {
  const auto ledger = published_ledger();
  const auto known = known_benchmarks();
  REQUIRE(ledger.ok());
  REQUIRE(known.ok());
  for (const LedgerClaim& entry : ledger->claims) {
    const auto claim = as_claim(*ledger, entry, *known);
    INFO(entry.id);
    REQUIRE(claim.ok());
    if (entry.unit == "points") REQUIRE(claim->scale == 100.0);
  }
  const auto aime = as_claim(*ledger, *ledger->find("C00462"), *known);
  CHECK(aime->suite == "aime");
  CHECK(aime->samples_low == 4);
  CHECK(aime->samples_high == 64);
  REQUIRE(aime->reported.has_value());
  CHECK(aime->reported->text == "63.0");
  CHECK(find_benchmark(*known, "mt bench")->high == 10.0);
  CHECK(find_benchmark(*known, "nothing") == nullptr);
}

TEST_CASE("ledger: claim list filters the bundled and the published record") {
  const Scratch scratch;
  const auto rows = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"claim", "list", "--json"});
    const CommandResult result = run_assay(more, scratch.path());
    REQUIRE(result.code == 0);
    return *parse_json(result.out, "list");
  };
  CHECK(rows({}).size() == 5576 + 11);
  const Json base = rows({"--model", "deepseek-v3-base", "--suite", "gsm8k"});
  REQUIRE(base.size() == 2);
  CHECK(base[0]["claimant"] == "DeepSeek");
  CHECK(base[0]["value"] == "89.3");
  CHECK(base[0]["source"] == "deepseek-ai/DeepSeek-V3@9b4e9788e4a3:README.md#L138");
  CHECK(base[1]["dependence"] == "independent");
  CHECK(rows({"--claimant", "HF open-r1"}).size() == 56);
  CHECK(rows({"--suite", "world-mc", "--claimant", "nobody"}).empty());
}

}  // namespace
