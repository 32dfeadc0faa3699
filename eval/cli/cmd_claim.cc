// claim: the published record. What is claimed, does the source say it, and where does it contradict itself?
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/claims/claim_check.h"
#include "eval/claims/claim_conflicts.h"
#include "eval/cli/command.h"
#include "eval/verdicts/verify.h"

namespace assay::cli {
namespace {

struct ClaimArguments {
  std::string action = "list";
  std::vector<std::string> ledgers, sources;
  std::string model, suite, claimant;
  double above = 0.3;  // what DeepSeek-V3's README calls the same level
  std::size_t top = 20;
  bool counts = false, unexplained = false;
};

bool fits(const std::string& wanted, std::initializer_list<std::string_view> names) {
  if (wanted.empty()) return true;
  const std::string word = squashed(wanted);
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return squashed(name).find(word) != std::string::npos; });
}

// Exact names first: "mmlu" means MMLU, and only where nothing is called so everything that holds the word.
bool is_exactly(const std::string& wanted, const std::string& name) { return squashed(wanted) == squashed(name); }

template <class Claims, class Name>
std::string narrowed(const Claims& claims, const std::string& wanted, const Name& name) {
  for (const auto& c : claims) {
    if (!wanted.empty() && is_exactly(wanted, name(c))) return squashed(wanted);
  }
  return {};
}

std::vector<const LedgerClaim*> chosen(const Ledger& ledger, const ClaimArguments& arguments) {
  const std::string model = narrowed(ledger.claims, arguments.model, [](const LedgerClaim& c) { return c.model; });
  const std::string suite = narrowed(ledger.claims, arguments.suite, [](const LedgerClaim& c) { return c.benchmark; });
  std::vector<const LedgerClaim*> out;
  for (const LedgerClaim& c : ledger.claims) {
    const bool model_fits = model.empty() ? fits(arguments.model, {c.model, c.model_printed}) : squashed(c.model) == model;
    const bool suite_fits = suite.empty() ? fits(arguments.suite, {c.benchmark, c.benchmark_printed}) : squashed(c.benchmark) == suite;
    if (model_fits && suite_fits && fits(arguments.claimant, {c.claimant})) out.push_back(&c);
  }
  return out;
}

Result<Ledger> ledger_of(const ClaimArguments& arguments) {
  if (arguments.ledgers.empty()) return published_ledger();
  if (arguments.ledgers.size() == 1) return read_ledger(arguments.ledgers.front());
  return Error{.code = Code::usage, .message = "one ledger at a time is checked", .got = arguments.ledgers[1]};
}

// The bundled ledger and the claims of the database where there is one, or the files that are named.
Result<std::vector<Claim>> listed(const Globals& globals, const std::vector<std::string>& files) {
  if (!files.empty()) return gather_claims(files, nullptr);
  std::error_code ignored;
  if (!std::filesystem::exists(globals.db, ignored)) return gather_claims({"demo"}, nullptr);
  ASSAY_TRY(const Database database, Database::open_read_only(globals.db));
  ASSAY_TRY(std::vector<Claim> claims, gather_claims({"demo"}, nullptr));
  ASSAY_TRY(const std::vector<Claim> stored, load_claims(database));
  for (const Claim& claim : stored) {
    const bool known = std::any_of(claims.begin(), claims.end(), [&](const Claim& c) { return c.id == claim.id; });
    if (!known) claims.push_back(claim);
  }
  return claims;
}

bool any_table(const std::vector<std::string>& files) {
  return std::any_of(files.begin(), files.end(), [](const std::string& file) { return file.ends_with(".tsv"); });
}

Result<int> run_list(const Globals& globals, const ClaimArguments& arguments) {
  Json out = Json::array();
  std::string text;
  const auto add = [&](Json row, const std::string& id, const std::string& words) {
    out.push_back(std::move(row));
    text += fmt::format("{}{:<24} {}", text.empty() ? "" : "\n", id, words);
  };
  std::set<std::string> shown;
  if (!any_table(arguments.ledgers)) {
    ASSAY_TRY(const std::vector<Claim> claims, listed(globals, arguments.ledgers));
    for (const Claim& c : claims) {
      if (!fits(arguments.model, {c.model}) || !fits(arguments.suite, {c.suite}) || !fits(arguments.claimant, {c.claimant})) continue;
      shown.insert(c.id);
      add(claims_json({c}).at(0), c.id, c.text);
    }
  }
  if (arguments.ledgers.empty() || any_table(arguments.ledgers)) {
    ASSAY_TRY(const Ledger ledger, ledger_of(arguments));
    for (const LedgerClaim* c : chosen(ledger, arguments)) {
      if (shown.contains(c->id)) continue;
      Json row = ledger_claim_json(*c);
      const std::string words = row["text"].get<std::string>() + (c->dependence == Dependence::quoted ? " [quoted]" : "");
      add(std::move(row), c->id, words);
    }
  }
  print_result(globals, out, text.empty() ? "no claim fits" : text);
  return kFine;
}

Result<int> run_check(const Globals& globals, const ClaimArguments& arguments) {
  std::vector<SourceGiven> sources;
  for (const std::string& source : arguments.sources) {
    ASSAY_TRY(sources.emplace_back(), parse_source_given(source));
  }
  ASSAY_TRY(const Ledger ledger, ledger_of(arguments));
  ASSAY_TRY(const std::vector<ClaimCheck> checks, check_claims(chosen(ledger, arguments), sources));
  print_result(globals, checks_json(checks), checks_text(checks));
  const bool bad = std::any_of(checks.begin(), checks.end(), [](const ClaimCheck& c) { return failed(c.state); });
  const bool done = std::any_of(checks.begin(), checks.end(), [](const ClaimCheck& c) { return c.state != CheckState::unchecked; });
  return bad ? kContradicted : done ? kFine : kUndecided;
}

Result<int> run_conflicts(const Globals& globals, const ClaimArguments& arguments) {
  ASSAY_TRY(const Ledger whole, ledger_of(arguments));
  ASSAY_TRY(const std::vector<Benchmark> known, known_benchmarks());
  Ledger part;
  for (const LedgerClaim* c : chosen(whole, arguments)) part.claims.push_back(*c);
  if (arguments.counts) {
    const Json counts = census_json(census(part));
    print_result(globals, counts, dump_json(counts, 2));
    return kFine;
  }
  std::vector<Conflict> conflicts = find_conflicts(part, known, arguments.above);
  if (arguments.unexplained) {
    std::erase_if(conflicts, [](const Conflict& c) { return !c.difference.explained_by().empty() && c.difference.explained_by() != "kind"; });
  }
  print_result(globals, conflicts_json(conflicts), conflicts_text(conflicts, arguments.top));
  return kFine;
}

Result<int> run_claim(const Globals& globals, const ClaimArguments& arguments) {
  if (arguments.action == "check") return run_check(globals, arguments);
  if (arguments.action == "conflicts") return run_conflicts(globals, arguments);
  return run_list(globals, arguments);
}

constexpr const char* kClaimExamples =
    "assay claim list --model DeepSeek-V3-Base --suite MMLU\n"
    "assay claim list my-claims.json\n"
    "assay claim check --source deepseek-ai/DeepSeek-V3=~/src/DeepSeek-V3      # a clone: the object at the claim's commit\n"
    "assay claim check --source deepseek-ai/DeepSeek-R1:DeepSeek_R1.pdf=r1.txt # what pdftotext made of a paper\n"
    "assay claim conflicts --model Mistral-7B\n"
    "assay claim conflicts --unexplained --top 50   # those that no printed field of the protocol explains\n"
    "assay claim conflicts --counts                 # how far the record is from agreeing with itself\n"
    "check: exit code 0 every figure that could be looked up stands where the ledger says, 1 one does not, 4 nothing could be looked up\n"
    "conflicts: figures of one model and benchmark by several claimants, or in several files of one; a copy counts as no confirmation";

}  // namespace

void add_claim(Cli& cli) {
  auto arguments = std::make_shared<ClaimArguments>();
  CLI::App& app = cli.command("claim", "list published claims, check them against their sources, find their contradictions", kClaimExamples);
  app.add_option("action", arguments->action, "list, check or conflicts")->required()->check(CLI::IsMember({"list", "check", "conflicts"}));
  app.add_option("ledgers", arguments->ledgers, "a ledger (.tsv) or, for list, files of claims; none: those that are known");
  app.add_option("--model", arguments->model, "only claims about this model");
  app.add_option("--suite", arguments->suite, "only claims on this suite");
  app.add_option("--claimant", arguments->claimant, "only claims of this claimant");
  app.add_option("--source", arguments->sources, "check: REPO=PLACE or REPO:PATH=PLACE, PLACE a clone, a folder or a file; may be repeated");
  app.add_option("--above", arguments->above, "conflicts: spreads of more than this many points")->capture_default_str()->check(CLI::Range(0.0, 1e6));
  app.add_option("--top", arguments->top, "conflicts: as many are shown as text")->capture_default_str();
  app.add_flag("--counts", arguments->counts, "conflicts: counts of spreads, copies and dependence instead of the list");
  app.add_flag("--unexplained", arguments->unexplained, "conflicts: only those that no printed field explains");
  cli.on_run(app, [&cli, arguments] { return run_claim(cli.globals(), *arguments); });
}

}  // namespace assay::cli
