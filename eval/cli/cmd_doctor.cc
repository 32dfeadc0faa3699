#include "eval/doctor.h"

#include <nlohmann/json.hpp>

#include "eval/cli/command.h"

namespace assay::cli {

void add_doctor(Cli& cli) {
  CLI::App& app =
      cli.command("doctor", "what this machine can do and what is missing",
                  "  assay doctor\n"
                  "  assay doctor --json --db results/assay.db\n"
                  "Exits 0 also where something is missing: each line says what that costs and what to do.");
  cli.on_run(app, [&cli]() -> Result<int> {
    const auto findings = examine(cli.globals().db);
    print_result(cli.globals(), doctor_json(findings), doctor_text(findings));
    return kFine;
  });
}

}  // namespace assay::cli
