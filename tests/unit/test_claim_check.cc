// Does the source say it? Own texts with planted faults, a clone, and the real sources where they lie beside the tree.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha256.h"
#include "eval/claims/claim_check.h"
#include "eval/claims/claim_source.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

LedgerClaim claim(const std::string& score, const std::string& locator = "L3", const std::string& path = "README.md") {
  LedgerClaim c;
  c.id = "X", c.claimant = "A", c.model = c.model_printed = "Tiny-7B", c.benchmark = c.benchmark_printed = "GSM8K";
  c.score = score, c.unit = "points";
  c.source = {.repository = "a/b", .commit = "0123abcd", .path = path, .locator = locator, .digest = {}};
  return c;
}

ClaimCheck check(const LedgerClaim& c, const std::string& place, const std::string& path = "") {
  const LedgerClaim* one[] = {&c};
  const auto checks = check_claims(one, {{.repository = "a/b", .path = path, .place = place}});
  if (!checks.ok()) FAIL(checks.error().text());
  return checks->front();
}

const std::string kTable = "# Scores\n| model | GSM8K | MMLU |\n| Tiny-7B | **89.3** | 1,234.5 |\n| Other | 71.25 | 89.30 |\n";

TEST_CASE("claim check: a figure stands on its line as a number of its own") {
  const Scratch scratch;
  scratch.write("README.md", kTable);
  struct Row {
    const char *score, *locator;
    CheckState state;
  };
  const Row rows[] = {{"89.3", "L3", CheckState::found},   {"1234.5", "L3", CheckState::found}, {"89.4", "L3", CheckState::absent}, {"9.3", "L3", CheckState::absent},
                      {"89", "L3", CheckState::absent},    {"89.3", "L2", CheckState::moved},   {"89.3", "L99", CheckState::moved}, {"71.25", "L3", CheckState::absent},
                      {"71.2", "L4", CheckState::absent},  {"89.30", "L4", CheckState::found},  {"234.5", "L3", CheckState::absent}};
  for (const Row& row : rows) {
    INFO(row.score << " at " << row.locator);
    const ClaimCheck got = check(claim(row.score, row.locator), scratch.path());
    CHECK(name_of(got.state) == name_of(row.state));
    CHECK(got.reason.empty() == !failed(got.state));
  }
  const ClaimCheck found = check(claim("89.3"), scratch.path());
  CHECK(found.line == 3);
  CHECK(found.digest == sha256_hex("| Tiny-7B | **89.3** | 1,234.5 |"));
}

TEST_CASE("claim check: the quoted bytes count where they are known") {
  const Scratch scratch;
  scratch.write("README.md", kTable);
  LedgerClaim c = claim("89.3");
  c.source.digest = sha256_hex("| Tiny-7B | **89.3** | 1,234.5 |");
  CHECK(check(c, scratch.path()).state == CheckState::found);
  c.source.digest = sha256_hex("| Tiny-7B | 89.3 | 1,234.5 |");
  CHECK(check(c, scratch.path()).state == CheckState::changed);
}

TEST_CASE("claim check: excerpts and papers have rows, not lines") {
  const Scratch scratch;
  const std::string excerpt = scratch.write("tables.md", "| Tiny-7B | 89.3 |\n| Tiny-7B | 55 |\n");
  CHECK(check(claim("89.3", "L117"), excerpt).state == CheckState::row);
  CHECK(check(claim("88.3", "L117"), excerpt).state == CheckState::absent);
  const std::string paper = scratch.write("paper.txt", "Table 2: results\nTiny-7B   89.3   2/30\nelsewhere 70.1\n");
  CHECK(check(claim("89.3", "Table 2", "paper.pdf"), paper).state == CheckState::unchecked);  // a text is no excerpt of a PDF unless it is said
  CHECK(check(claim("89.3", "Table 2", "paper.pdf"), paper, "paper.pdf").state == CheckState::row);
  CHECK(check(claim("2/30", "Table 2", "paper.pdf"), paper, "paper.pdf").state == CheckState::row);
  CHECK(check(claim("2/3", "Table 2", "paper.pdf"), paper, "paper.pdf").state == CheckState::absent);
  CHECK(check(claim("70.1", "Table 2", "paper.pdf"), paper, "paper.pdf").state == CheckState::absent);  // no name on that row
}

TEST_CASE("claim check: figures in JSON stand at a path or beside their model") {
  const Scratch scratch;
  scratch.write("r.json", R"({"Tiny-7B": {"GSM8K": {"acc": 0.892841}}, "rows": [{"Model": "Tiny-7B", "Acc": "96.66", "n": 1319}, {"Model": "Big", "Acc": "50.0"}]})");
  const auto at = [&](const std::string& score, const std::string& locator) { return check(claim(score, locator, "r.json"), scratch.path()).state; };
  CHECK(at("89.2841", "Tiny-7B.GSM8K.acc") == CheckState::found);
  CHECK(at("0.892841", "Tiny-7B.GSM8K.acc") == CheckState::found);
  CHECK(at("89.2842", "Tiny-7B.GSM8K.acc") == CheckState::absent);
  CHECK(at("96.66", "L9") == CheckState::row);
  CHECK(at("50.0", "L9") == CheckState::absent);  // another model's
  scratch.write("bad.json", "{");
  const LedgerClaim c = claim("1", "x", "bad.json");
  const LedgerClaim* one[] = {&c};
  CHECK(check_claims(one, {{.repository = "a/b", .path = "", .place = scratch.path()}}).error().code == Code::bad_json);
}

TEST_CASE("claim check: what is not given stays unchecked, with the reason") {
  const Scratch scratch;
  const LedgerClaim c = claim("89.3");
  const LedgerClaim* one[] = {&c};
  const auto none = check_claims(one, {});
  REQUIRE(none.ok());
  CHECK(none->front().state == CheckState::unchecked);
  CHECK(none->front().reason == "no source is given");
  CHECK(check(c, scratch.path()).reason.find("has no README.md") != std::string::npos);
  for (const char* bad : {"a/b", "a/b=", "=x", "a/b:=x"}) CHECK(parse_source_given(bad).error().code == Code::usage);
  CHECK(parse_source_given("a/b=/no/such/place").error().code == Code::not_found);
  CHECK(parse_source_given("a/b:p.pdf=" + scratch.path())->path == "p.pdf");
}

TEST_CASE("claim check: a clone is read at the claim's commit") {
  const Scratch scratch;
  scratch.write("README.md", kTable);
  const std::string git = "git -C " + scratch.path() + " -c user.name=a -c user.email=a@b ";
  if (std::system((git + "init -q 2>/dev/null").c_str()) != 0) {
    WARN("skipped: git is not installed");
    return;
  }
  REQUIRE(std::system((git + "add README.md && " + git + "commit -q -m x").c_str()) == 0);
  REQUIRE(std::system((git + "rev-parse HEAD > " + scratch / "commit").c_str()) == 0);
  scratch.write("README.md", "nothing\n");  // the working tree does not matter
  LedgerClaim c = claim("89.3");
  c.source.commit = read_file(scratch / "commit")->substr(0, 12);
  CHECK(check(c, scratch.path()).state == CheckState::found);
  c.score = "88.8";
  CHECK(check(c, scratch.path()).state == CheckState::absent);
  c.source.commit = "0000000";
  CHECK(check(c, scratch.path()).state == CheckState::unchecked);
  CHECK(read_git_object(scratch.path(), "0000000", "README.md", 10).error().code == Code::not_found);
}

TEST_CASE("claim check: the vendors' tables say what the ledger claims") {
  const std::string data = std::string(ASSAY_SHARED) + "/data/";
  if (!std::filesystem::exists(data)) {
    WARN("skipped: " << data << " is not there");
    return;
  }
  struct Row {
    const char *repository, *place;
    std::size_t looked_up;
  };
  const Row rows[] = {{"deepseek-ai/DeepSeek-V3", "published_tables/deepseek-ai__DeepSeek-V3.tables.md", 292},
                      {"deepseek-ai/DeepSeek-R1", "published_tables/deepseek-ai__DeepSeek-R1.tables.md", 175},
                      {"deepseek-ai/DeepSeek-V2", "published_tables/deepseek-ai__DeepSeek-V2.tables.md", 146},
                      {"openai/simple-evals", "published_tables/openai__simple-evals.tables.md", 214},
                      {"deepseek-ai/DeepSeek-Math", "deepseek_math", 36}};
  const auto ledger = published_ledger();
  REQUIRE(ledger.ok());
  std::vector<const LedgerClaim*> all;
  for (const LedgerClaim& c : ledger->claims) all.push_back(&c);
  for (const Row& row : rows) {
    INFO(row.repository);
    const auto checks = check_claims(all, {{.repository = row.repository, .path = "", .place = data + row.place}});
    REQUIRE(checks.ok());
    std::size_t good = 0, bad = 0;
    for (const ClaimCheck& c : *checks) {
      if (failed(c.state)) UNSCOPED_INFO(c.id << " " << c.reason), ++bad;
      else if (c.state != CheckState::unchecked) ++good;
    }
    CHECK(good == row.looked_up);
    CHECK(bad == 0);
  }
}

TEST_CASE("claim check: a planted number is found out, also from the command line") {
  const Scratch scratch;
  const std::string ledger = scratch.write("l.tsv", "S\t1\tA\ta/b@0123abcd:README.md\t\t\nC\tX1\t1\tself\tTiny-7B\t\tGSM8K\t\t\t\t89.3\t\tpoints\tL3\t\t\n"
                                                    "C\tX2\t1\tself\tTiny-7B\t\tMMLU\t\t\t\t61.0\t\tpoints\tL3\t\t\n");
  scratch.write("README.md", kTable);
  const auto run = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"claim", "check", ledger, "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return run_assay(all, scratch.path());
  };
  CHECK(run({}).code == 4);
  CHECK(run({"--source", "a/b=" + scratch.path(), "--suite", "GSM8K"}).code == 0);
  const CommandResult both = run({"--source", "a/b=" + scratch.path()});
  CHECK(both.code == 1);
  const Json checks = *parse_json(both.out, "checks");
  REQUIRE(checks.size() == 2);
  CHECK(checks[0]["ok"] == true);
  CHECK(checks[1]["state"] == "absent");
  CHECK(run({"--source", "a/b=/no/such"}).code == 3);
}

}  // namespace
