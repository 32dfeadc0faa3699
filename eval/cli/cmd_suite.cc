#include "eval/cli/command.h"

namespace assay::cli {

void add_suite(Cli& cli) { add_missing(cli, "suite", "list, show, add and compare suites"); }

}  // namespace assay::cli
