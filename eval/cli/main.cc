// assay: the command line. Each command is in its own file; this one parses, runs and turns errors into one
// sentence.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/progress.h"
#include "eval/cli/command.h"

namespace assay::cli {
namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

int refuse(const Globals& globals, const Error& error) {
  fmt::print(stderr, "assay: {}\n", error.text());
  if (globals.json) {
    const Json document = {{"error",
                            {{"code", name_of(error.code)},
                             {"message", error.message},
                             {"file", text_or_null(error.file)},
                             {"offset", error.offset < 0 ? Json(nullptr) : Json(error.offset)},
                             {"field", text_or_null(error.field)},
                             {"expected", text_or_null(error.expected)},
                             {"got", text_or_null(error.got)}}}};
    fmt::print("{}\n", dump_json(document, 1));
  }
  return exit_code_of(error.code);
}

// CLI11 asks for a command where it was given one that does not exist.
Error usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining();
  const bool no_such_command = app.get_subcommands().empty() && !unknown.empty() && !unknown[0].starts_with('-');
  return Error{.code = Code::usage,
               .message = no_such_command ? fmt::format("there is no command '{}'; `assay --help` lists all", unknown[0].substr(0, 80))
                                          : fmt::format("{}; see `assay --help`", error.what())};
}

void add_commands(Cli& cli) {
  for (const auto add :
       {add_inspect, add_tokenize, add_template,   add_logits, add_generate, add_loglikelihood, add_suite,
        add_run,     add_resume,   add_replay,     add_score,  add_stats,    add_claim,         add_verify,
        add_compare, add_diff,     add_similarity, add_gate,   add_bench,    add_cost,          add_report,
        add_trace,   add_export,   add_bundle,     add_serve,  add_pull,     add_demo,          add_doctor,  add_gpu}) {
    add(cli);
  }
}

int run(int argc, char** argv) {
  CLI::App app("assay tells whether an open-weight language model is what its authors say it is.", "assay");
  app.require_subcommand(1);
  app.set_version_flag("--version", "assay " ASSAY_VERSION);
  app.footer(
      "Start with:  assay demo          everything on the bundled model, under a minute\n"
      "             assay COMMAND --help  options and examples of a command");
  Cli cli(app);
  add_commands(cli);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForAllHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForVersion& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return refuse(cli.globals(), usage_error(app, e));
  }
  try {
    const Result<int> result = cli.chosen()();
    return result.ok() ? *result : refuse(cli.globals(), result.error());
  } catch (const std::system_error&) {  // fmt::print, where nobody reads what is printed
    std::fclose(stdout);
    return refuse(Globals{}, Error{.code = Code::io, .message = "the output cannot be written; its reader has gone"});
  }
}

}  // namespace
}  // namespace assay::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  assay::catch_stop_signals();
  return assay::cli::run(argc, argv);
}
