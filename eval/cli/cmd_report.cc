#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "eval/cli/command.h"
#include "reports/export.h"

namespace assay::cli {
namespace {

struct ReportOptions {
  std::string out;
  std::string format = "html";
};

Status make_folder(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (std::filesystem::is_directory(path)) return {};
  return Error{.code = Code::io,
               .message = "the folder for the report cannot be made",
               .file = path,
               .got = code.message()};
}

Result<int> write_report(const Globals& globals, const ReportOptions& options) {
  ASSAY_TRY(const Database database, Database::open_read_only(globals.db));
  ASSAY_TRY(const std::vector<ReportFile> files, render_report(database, options.format));
  ASSAY_OK(make_folder(options.out));
  Json document = {{"format", options.format}, {"files", Json::array()}};
  std::string text;
  for (const ReportFile& file : files) {
    const std::string path = (std::filesystem::path(options.out) / file.name).string();
    ASSAY_OK(write_file_atomic(path, file.bytes));
    document["files"].push_back(path);
    text += (text.empty() ? "" : "\n") + path;
  }
  print_result(globals, document, text);
  return kFine;
}

}  // namespace

void add_report(Cli& cli) {
  CLI::App& app =
      cli.command("report", "write the report of a database: verdicts, runs, similarity, cost, kernels",
                  "  assay report --out report                 report/report.html, one page without scripts\n"
                  "  assay --db ci.db report --out . --format junit   a test case a claim, for CI\n"
                  "  assay report --out tables --format csv    one file a table");
  auto options = std::make_shared<ReportOptions>();
  app.add_option("--out", options->out, "folder for the files, made where it is missing")->required();
  app.add_option("--format", options->format, "html, md, csv, json or junit")
      ->check(CLI::IsMember({"html", "md", "csv", "json", "junit"}))
      ->capture_default_str();
  cli.on_run(app, [&cli, options] { return write_report(cli.globals(), *options); });
}

}  // namespace assay::cli
