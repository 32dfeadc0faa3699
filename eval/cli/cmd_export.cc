#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/runs/export_lm_eval.h"
#include "reports/export.h"

namespace assay::cli {
namespace {

Status write_out(std::string_view line) {
  if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size()) return {};
  return Error{.code = Code::io, .message = "standard output cannot be written"};
}

struct ExportArguments {
  bool canonical = false;
  std::string format;
  LmEvalOptions lm_eval;
};

Result<int> export_run(const Globals& globals, const ExportArguments& arguments) {
  if (arguments.lm_eval.run <= 0 || arguments.lm_eval.out.empty())
    return Error{.code = Code::usage, .message = "say which run goes where: --run N --out DIR", .field = "--format"};
  ASSAY_TRY(const Database database, Database::open_read_only(globals.db));
  ASSAY_TRY(const LmEvalExport done, export_lm_eval(database, arguments.lm_eval));
  print_result(globals, Json{{"run", arguments.lm_eval.run}, {"task", done.task}, {"n", done.n}, {"results", done.results}, {"samples", done.samples}},
               fmt::format("{} items of run {} as task {}\n  {}\n  {}\n", done.n, arguments.lm_eval.run, done.task, done.results, done.samples));
  return kFine;
}

Result<int> export_rows(const Globals& globals, const ExportArguments& arguments) {
  if (arguments.canonical == !arguments.format.empty())
    return Error{.code = Code::usage, .message = "say what to export: --canonical, or --format lm-eval"};
  if (!arguments.canonical) return export_run(globals, arguments);
  ASSAY_TRY(const Database database, Database::open_read_only(globals.db));
  ASSAY_OK(export_canonical(database, write_out));
  if (std::fflush(stdout) != 0)
    return Error{.code = Code::io, .message = "standard output cannot be written"};
  return kFine;
}

}  // namespace

void add_export(Cli& cli) {
  CLI::App& app = cli.command(
      "export", "write evidence rows as JSON lines, or a run as another harness's files",
      "  assay export --canonical > a.jsonl        the same bytes after every run of the same work\n"
      "  assay --db b.db export --canonical | cmp - a.jsonl\n"
      "  assay export --format lm-eval --run 3 --out out    results_*.json and samples_*.jsonl, as lm_eval --log_samples writes them");
  auto arguments = std::make_shared<ExportArguments>();
  app.add_option("--format", arguments->format, "the harness whose files are written")->check(CLI::IsMember({"lm-eval"}));
  app.add_option("--run", arguments->lm_eval.run, "number of a complete run (assay report lists them)");
  app.add_option("--out", arguments->lm_eval.out, "folder of the files, made where it is not there");
  app.add_option("--suite", arguments->lm_eval.suite, "definition file of the run's suite, where it is no bundled one");
  app.add_option("--data", arguments->lm_eval.data_dir, "folder of the data sets, for suites whose items are others' work");
  app.add_flag("--canonical", arguments->canonical,
               "evidence rows in a fixed order, without times, paths, machine names or speeds");
  cli.on_run(app, [&cli, arguments] { return export_rows(cli.globals(), *arguments); });
}

}  // namespace assay::cli
