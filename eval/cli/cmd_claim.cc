#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/verify.h"

namespace assay::cli {
namespace {

struct ClaimArguments {
  std::string action = "list";
  std::vector<std::string> ledgers;
};

// The bundled ledger, the claims of the database where there is one, or the files that are named.
Result<std::vector<Claim>> listed(const Globals& globals, const ClaimArguments& arguments) {
  if (!arguments.ledgers.empty()) return gather_claims(arguments.ledgers, nullptr);
  std::error_code ignored;
  if (!std::filesystem::exists(globals.db, ignored)) return gather_claims({"demo"}, nullptr);
  ASSAY_TRY(const Database database, Database::open_read_only(globals.db));
  ASSAY_TRY(std::vector<Claim> claims, gather_claims({"demo"}, nullptr));
  ASSAY_TRY(const std::vector<Claim> stored, load_claims(database));
  for (const Claim& claim : stored) {
    const bool known =
        std::any_of(claims.begin(), claims.end(), [&](const Claim& c) { return c.id == claim.id; });
    if (!known) claims.push_back(claim);
  }
  return claims;
}

Result<int> run_claim(const Globals& globals, const ClaimArguments& arguments) {
  if (arguments.action != "list") {
    return Error{
        .code = Code::not_implemented,
        .message = fmt::format("'claim {}' is not there yet; `assay claim list` is", arguments.action)};
  }
  ASSAY_TRY(const std::vector<Claim> claims, listed(globals, arguments));
  std::string text;
  for (const Claim& claim : claims)
    text += fmt::format("{}{:<24} {}", text.empty() ? "" : "\n", claim.id, claim.text);
  print_result(globals, claims_json(claims), text);
  return kFine;
}

}  // namespace

void add_claim(Cli& cli) {
  auto arguments = std::make_shared<ClaimArguments>();
  CLI::App& app =
      cli.command("claim", "list published claims (check and conflicts are not there yet)",
                  "assay claim list                 # the bundled ledger and what the database knows\n"
                  "assay claim list my-claims.json");
  app.add_option("action", arguments->action, "list, check or conflicts")
      ->required()
      ->check(CLI::IsMember({"list", "check", "conflicts"}));
  app.add_option("ledgers", arguments->ledgers, "files of claims; none: those that are known");
  cli.on_run(app, [&cli, arguments] { return run_claim(cli.globals(), *arguments); });
}

}  // namespace assay::cli
