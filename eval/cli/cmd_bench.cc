#include "eval/cost/bench.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"

namespace assay::cli {

void add_bench(Cli& cli) {
  CLI::App& app = cli.command(
      "bench", "measure kernels and the machine's limits",
      "  assay bench                                 the bundled model's and DeepSeek-V3's matrix products\n"
      "  assay bench --for ~/models/Qwen3-30B-A3B    those of another model (its config.json is enough)\n"
      "  assay bench --filter 'experts.*t=1$'        only rows whose \"kernel shape\" matches\n"
      "Rows are stored in --db; `assay cost` uses them. Rates are compared with the limits measured in the "
      "same run.");
  auto request = std::make_shared<BenchRequest>();
  auto store = std::make_shared<bool>(true);
  app.add_option("--for", request->model, "a model folder or a config.json whose shapes are measured");
  app.add_option("--filter", request->filter, "regular expression on \"kernel shape\"");
  app.add_flag("--quick", request->quick, "fewer shapes and repetitions, a few seconds");
  app.add_flag("!--no-store", *store, "print only, write no database");
  cli.on_run(app, [&cli, request, store]() -> Result<int> {
    const Globals& globals = cli.globals();
    request->threads = globals.n_threads();
    ASSAY_TRY(const BenchReport report, bench(*request));
    if (*store) {
      ASSAY_TRY(Database database, Database::create(globals.db));
      ASSAY_OK(store_bench(database, report));
    }
    print_result(globals, bench_json(report), bench_table(report));
    return kFine;
  });
}

}  // namespace assay::cli
