#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/inspect.h"
#include "eval/runs/measure.h"
#include "eval/verdicts/verify.h"
#include "eval/verdicts/verify_plan.h"
#include "suites/locate.h"

namespace assay::cli {
namespace {

struct VerifyArguments {
  std::vector<std::string> claims, models, about;
  std::string data_dir, budget;
  bool plan = false, probe = false;
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

Result<std::vector<Claim>> claims_of(const VerifyArguments& arguments, const Database* database) {
  ASSAY_TRY(std::vector<Claim> claims, gather_claims(arguments.claims, database));
  for (const std::string& name : arguments.about) {
    ASSAY_TRY(const std::vector<Claim> more, claims_about(name, database));
    for (const Claim& claim : more) {
      const bool known = std::any_of(claims.begin(), claims.end(), [&](const Claim& c) { return c.id == claim.id; });
      if (!known) claims.push_back(claim);
    }
  }
  return claims;
}

// Nothing is measured and nothing is written: a database that is not there stays away.
Result<int> show_plan(const Globals& globals, const VerifyArguments& arguments, VerifyOptions& options, std::optional<double> budget) {
  std::error_code ignored;
  const bool there = std::filesystem::exists(globals.db, ignored);
  ASSAY_TRY(const Database database, there ? Database::open_read_only(globals.db) : Database::create(":memory:"));
  ASSAY_TRY(const std::vector<Claim> claims, claims_of(arguments, &database));
  ASSAY_OK(add_bundled_models(claims, options.models));
  ASSAY_TRY(const VerifyPlan plan, plan_verification(database, claims, options, budget));
  print_result(globals, plan_json(plan), plan_text(plan));
  return kFine;
}

// What measures: models stay loaded, runs that are there are not made again.
class Measuring {
 public:
  static Result<std::unique_ptr<Measuring>> open(const Globals& globals, const VerifyArguments& arguments, Database& database, const VerifyOptions& options) {
    ASSAY_TRY(Recorder recorder, Recorder::open(database));
    ASSAY_TRY(EngineOptions engine, engine_options(globals));
    RunOptions run_options;
    run_options.seed = globals.seed;
    ASSAY_OK(price_run(database, run_options));
    return std::unique_ptr<Measuring>(new Measuring(std::move(recorder), std::move(engine), run_options, arguments.data_dir, options));
  }

  Recorder& recorder() { return recorder_; }
  Measure whole() { return measurer_.as_measure(names_); }
  MeasurePart part() {
    return [this](const std::string& model, const std::string& suite, const std::string& protocol, std::int64_t limit) {
      return measurer_.run_part(model, suite, protocol, names_.contains(model) ? names_.at(model) : std::string(), limit);
    };
  }

 private:
  Measuring(Recorder recorder, EngineOptions engine, const RunOptions& run_options, const std::string& data_dir, const VerifyOptions& options)
      : recorder_(std::move(recorder)), measurer_(recorder_, std::move(engine), run_options, data_dir) {
    for (const auto& [name, model] : options.models) names_[model] = name;
  }

  Recorder recorder_;
  Measurer measurer_;
  std::map<std::string, std::string> names_;  // MODEL -> what the claims call it
};

// Asks a few items where nothing is known of a model's speed.
Status probe_speed(const Globals& globals, const VerifyArguments& arguments, const VerifyOptions& options) {
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(const std::vector<Claim> claims, claims_of(arguments, &database));
  ASSAY_TRY(const auto measuring, Measuring::open(globals, arguments, database, options));
  return measure_speeds(database, claims, options, measuring->part());
}

Result<int> run_verify(const Globals& globals, const VerifyArguments& arguments) {
  VerifyOptions options{.data_dir = arguments.data_dir, .count = count_parameters};
  ASSAY_TRY(options.models, model_map(arguments.models));
  if (arguments.claims.empty() && arguments.about.empty())
    return Error{.code = Code::usage, .message = "verify needs claims: ids, files, demo, smollm2, or --about MODEL"};
  std::optional<double> budget;
  if (!arguments.budget.empty()) {
    ASSAY_TRY(budget, parse_duration(arguments.budget));
  }
  // Files of claims are refused before a database is made.
  for (const std::string& argument : arguments.claims) {
    if (argument.ends_with(".json")) ASSAY_OK(read_claims(argument));
  }
  if (arguments.probe) ASSAY_OK(probe_speed(globals, arguments, options));
  if (arguments.plan) return show_plan(globals, arguments, options, budget);
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(const std::vector<Claim> claims, claims_of(arguments, &database));
  ASSAY_OK(add_bundled_models(claims, options.models));
  ASSAY_TRY(const auto measuring, Measuring::open(globals, arguments, database, options));
  std::optional<VerifyPlan> plan;
  if (budget) {
    options.parts_too = true;
    ASSAY_TRY(plan, run_within_budget(database, claims, options, *budget, measuring->part()));
  } else {
    options.measure = measuring->whole();
  }
  ASSAY_TRY(const std::vector<Verdict> verdicts, verify_claims(measuring->recorder(), claims, options));
  if (plan) fmt::print(stderr, "{}\n", plan_text(*plan));
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
      "assay verify C00462                      # a figure of the published record, see `assay claim list`\n"
      "assay verify --about DeepSeek-R1 --model DeepSeek-R1=/models/r1 --budget 20min\n"
      "assay verify demo --budget 20min --plan  # only says what would be run and what would stay open\n"
      "assay verify smollm2 --model SmolLM2-135M-Instruct=FILE.gguf --data DIR --plan --probe   # ./quickstart.sh --real fetches both\n"
      "Exit code 1: one is contradicted or impossible; 4: one is undecided or a protocol-mismatch; 0: all "
      "are reproduced");
  app.add_option("claims", arguments->claims, "ids of claims, files of claims (.json), demo, or smollm2");
  app.add_option("--about", arguments->about, "everything that is claimed about this model; may be repeated");
  app.add_option("--budget", arguments->budget, "a time such as 20min: what decides most is run first, parts of suites where all of one does not fit");
  app.add_flag("--probe", arguments->probe, "ask 16 items first where a model's speed is not known, so that the plan has times");
  app.add_flag("--plan", arguments->plan, "print the plan of runs and run nothing");
  app.add_option("--model", arguments->models,
                 "NAME=MODEL: what to run where a claim says NAME; may be repeated");
  app.add_option("--data", arguments->data_dir,
                 "folder of the data sets, for suites whose items are others' work");
  cli.on_run(app, [&cli, arguments] { return run_verify(cli.globals(), *arguments); });
}

}  // namespace assay::cli
