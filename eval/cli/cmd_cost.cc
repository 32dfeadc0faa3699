#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cost/cost.h"
#include "suites/locate.h"

namespace assay::cli {
namespace {

Result<Json> read_document(std::string& path) {
  if (path.empty()) {
    ASSAY_TRY(path, data_path("cost/deepseek-v3.json"));
  }
  return read_json_file(path);
}

Result<int> show(const Globals& globals, Database& database, const Bill& bill) {
  ASSAY_TRY(const std::int64_t id, record_bill(database, bill));
  Json document = bill_json(bill);
  document["cost_estimate"] = id;
  print_result(globals, document, bill_text(bill));
  return bill.verdict == "contradicted" || bill.verdict == "impossible" ? kContradicted : kFine;
}

Result<int> check(const Globals& globals, std::string path) {
  ASSAY_TRY(const Json document, read_document(path));
  ASSAY_TRY(const std::vector<Price> book, bundled_prices());
  ASSAY_TRY(const Bill bill, check_bill(document, book, path));
  ASSAY_TRY(Database database, Database::create(globals.db));
  return show(globals, database, bill);
}

Result<int> estimate(const Globals& globals, std::string path) {
  ASSAY_TRY(const Json document, read_document(path));
  ASSAY_TRY(const std::vector<Price> book, bundled_prices());
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(const Bill bill, estimate_bill(document, book, &database, path));
  return show(globals, database, bill);
}

}  // namespace

void add_cost(Cli& cli) {
  CLI::App& app = cli.command("cost", "recompute a training bill line by line, or estimate one",
                              "  assay cost check                          DeepSeek-V3's published bill\n"
                              "  assay cost check --in claim.json --json   another one, for scripts\n"
                              "  assay cost estimate --in plan.json        hours and dollars with a range");
  app.require_subcommand(1);
  auto path = std::make_shared<std::string>();
  CLI::App& checking =
      *app.add_subcommand("check", "does a published bill add up, and can the devices do it");
  CLI::App& estimating =
      *app.add_subcommand("estimate", "hours and dollars from a stated, measured or usual rate");
  for (CLI::App* sub : {&checking, &estimating}) sub->fallthrough();
  checking.add_option("--in", *path, "the bill; without it DeepSeek-V3's");
  estimating.add_option("--in", *path, "model, tokens, devices and price")->required();
  cli.on_run(checking, [&cli, path] { return check(cli.globals(), *path); });
  cli.on_run(estimating, [&cli, path] { return estimate(cli.globals(), *path); });
}

}  // namespace assay::cli
