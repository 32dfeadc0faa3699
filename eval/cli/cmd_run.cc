#include "eval/cli/command.h"

namespace assay::cli {

void add_run(Cli& cli) { add_missing(cli, "run", "ask a model a suite under a protocol"); }

}  // namespace assay::cli
