// resume: go on with a run that was interrupted or killed.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/runs/run.h"

namespace assay::cli {
namespace {

// What the run was started with.
struct Started {
  std::string suite, protocol, model_name, model_source, data_source;
  RunOptions options;
};

Result<Started> read_started(const Database& database, std::int64_t run) {
  ASSAY_TRY(Statement find, database.prepare("SELECT s.name, p.name, m.name, r.model_source, r.data_source, r.seed, r.limit_items, r.kind FROM main.run r "
                                             "JOIN main.suite s ON s.id = r.suite_id JOIN main.protocol p ON p.id = r.protocol_id "
                                             "JOIN main.model m ON m.id = r.model_id WHERE r.id = ?1"));
  find.with(run);
  ASSAY_TRY(const bool there, find.next());
  if (!there) {
    return Error{.code = Code::not_found, .message = "there is no run of that number", .file = database.path(), .field = "run", .got = std::to_string(run)};
  }
  if (find.text(7) != "run") {
    return Error{.code = Code::bad_value, .message = "that is a replay of stored outputs; replay the file again", .file = database.path(), .field = "run",
                 .got = std::to_string(run)};
  }
  Started out{.suite = find.text(0), .protocol = find.text(1), .model_name = find.text(2), .model_source = find.text(3), .data_source = find.text(4)};
  out.options.seed = static_cast<std::uint64_t>(find.integer(5));
  out.options.limit = find.maybe_integer(6);
  out.options.data_dir = out.data_source;
  return out;
}

Result<int> run(const Globals& globals, std::int64_t number) {
  ASSAY_TRY(const EngineOptions engine, engine_options(globals));
  Started started;
  {
    ASSAY_TRY(const Database reader, Database::open_read_only(globals.db));  // nothing is made where there is nothing to resume
    ASSAY_TRY(started, read_started(reader, number));
  }
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(const Suite suite, load_suite(started.suite, started.data_source));
  ASSAY_TRY(const Protocol* protocol, choose_protocol(suite, started.protocol));
  ASSAY_TRY(EvalModel model, load_eval_model(started.model_source, engine, started.model_name));
  ASSAY_TRY(Recorder recorder, Recorder::open(database));
  started.options.wave_tokens = globals.wave_tokens;
  started.options.memory_bytes = engine.memory_bytes;
  ASSAY_OK(price_run(database, started.options));
  ASSAY_TRY(const RunReport report, resume_run(recorder, model, suite, *protocol, number, started.options));
  print_result(globals, report_json(report), report_text(report));
  return report.status == "complete" ? kFine : kInterrupted;
}

}  // namespace

void add_resume(Cli& cli) {
  CLI::App& app = cli.command("resume", "go on with a run that was interrupted or killed",
                              "  assay resume 3                the run's number, as `assay run` printed it and the viewer shows it\n"
                              "  assay resume 3 --recipe mla-absorbed     a run that was started so\n"
                              "  assay resume 3 --db other.db");
  auto number = std::make_shared<std::int64_t>(0);
  app.add_option("RUN", *number, "number of the run; what it has is kept, only the rest is asked")->required();
  cli.on_run(app, [&cli, number] { return run(cli.globals(), *number); });
}

}  // namespace assay::cli
