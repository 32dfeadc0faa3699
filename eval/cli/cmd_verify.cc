#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/inspect.h"
#include "eval/measure.h"
#include "eval/verify.h"
#include "suites/locate.h"

namespace assay::cli {
namespace {

struct VerifyArguments {
  std::vector<std::string> claims, models;
  std::string data_dir;
};

Result<std::map<std::string, std::string>> model_map(const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> out;
  for (const std::string& pair : pairs) {
    const std::size_t equal = pair.find('=');
    if (equal == 0 || equal == std::string::npos || equal + 1 == pair.size()) {
      return Error{.code = Code::usage,
                   .message = "--model takes NAME=MODEL: the name in the claim and what to run",
                   .got = pair};
    }
    out[pair.substr(0, equal)] = pair.substr(equal + 1);
  }
  return out;
}

// The bundled ledger calls its models by folder: `model` and `model-fp8` lie beside it unless --model says otherwise.
Status add_bundled_models(const std::vector<Claim>& claims, std::map<std::string, std::string>& models) {
  for (const Claim& claim : claims) {
    for (const std::string& name : {claim.model, claim.against}) {
      if (name.empty() || models.contains(name) || !is_inner_path(name)) continue;
      ASSAY_TRY(const std::string folder, data_path("demo/" + name));
      std::error_code ignored;
      if (std::filesystem::is_directory(folder, ignored)) models[name] = folder;
    }
  }
  return {};
}

Result<ParameterCounts> count_parameters(const std::string& model) {
  ASSAY_TRY(const Json seen, inspect_model(model, {}));
  const auto number = [&](const char* key) {
    return seen.contains(key) && seen.at(key).is_number_integer()
               ? std::optional(seen.at(key).get<std::int64_t>())
               : std::nullopt;
  };
  return ParameterCounts{number("params_stored"), number("params_total"), number("params_active")};
}

Result<int> run_verify(const Globals& globals, const VerifyArguments& arguments) {
  VerifyOptions options{.data_dir = arguments.data_dir, .count = count_parameters};
  ASSAY_TRY(options.models, model_map(arguments.models));
  // Files of claims are refused before a database is made.
  for (const std::string& argument : arguments.claims) {
    if (argument.ends_with(".json")) ASSAY_OK(read_claims(argument));
  }
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(const std::vector<Claim> claims, gather_claims(arguments.claims, &database));
  ASSAY_OK(add_bundled_models(claims, options.models));
  ASSAY_TRY(Recorder recorder, Recorder::open(database));
  ASSAY_TRY(const EngineOptions engine, engine_options(globals));
  RunOptions run_options;
  run_options.seed = globals.seed;
  ASSAY_OK(price_run(database, run_options));
  Measurer measurer(recorder, engine, run_options, arguments.data_dir);
  std::map<std::string, std::string> names;  // MODEL -> what the claims call it
  for (const auto& [name, model] : options.models) names[model] = name;
  options.measure = measurer.as_measure(std::move(names));
  ASSAY_TRY(const std::vector<Verdict> verdicts, verify_claims(recorder, claims, options));
  print_result(globals, verdicts_json(claims, verdicts), verdicts_text(claims, verdicts));
  return exit_code_of(verdicts);
}

}  // namespace

void add_verify(Cli& cli) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App& app = cli.command(
      "verify", "decide claims: reproduced, contradicted, undecided, protocol-mismatch or impossible",
      "assay verify demo                       # the bundled ledger; what is missing is measured\n"
      "assay verify demo-mc demo-steps\n"
      "assay verify my-claims.json --model DeepSeek-V3=/models/v3\n"
      "Exit code 1: one is contradicted or impossible; 4: one is undecided or a protocol-mismatch; 0: all "
      "are reproduced");
  app.add_option("claims", arguments->claims, "ids of claims, files of claims (.json), or demo")->required();
  app.add_option("--model", arguments->models,
                 "NAME=MODEL: what to run where a claim says NAME; may be repeated");
  app.add_option("--data", arguments->data_dir,
                 "folder of the data sets, for suites whose items are others' work");
  cli.on_run(app, [&cli, arguments] { return run_verify(cli.globals(), *arguments); });
}

}  // namespace assay::cli
