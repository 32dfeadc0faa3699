#include <cstdio>
#include <memory>

#include "eval/cli/command.h"
#include "reports/export.h"

namespace assay::cli {
namespace {

Status write_out(std::string_view line) {
  if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size()) return {};
  return Error{.code = Code::io, .message = "standard output cannot be written"};
}

Result<int> export_rows(const Globals& globals, bool canonical) {
  if (!canonical) return Error{.code = Code::usage, .message = "say what to export: --canonical"};
  ASSAY_TRY(const Database database, Database::open_read_only(globals.db));
  ASSAY_OK(export_canonical(database, write_out));
  if (std::fflush(stdout) != 0)
    return Error{.code = Code::io, .message = "standard output cannot be written"};
  return kFine;
}

}  // namespace

void add_export(Cli& cli) {
  CLI::App& app = cli.command(
      "export", "write what must not depend on machine, threads or kernels as JSON lines",
      "  assay export --canonical > a.jsonl        the same bytes after every run of the same work\n"
      "  assay --db b.db export --canonical | cmp - a.jsonl");
  auto canonical = std::make_shared<bool>(false);
  app.add_flag("--canonical", *canonical,
               "evidence rows in a fixed order, without times, paths, machine names or speeds");
  cli.on_run(app, [&cli, canonical] { return export_rows(cli.globals(), *canonical); });
}

}  // namespace assay::cli
