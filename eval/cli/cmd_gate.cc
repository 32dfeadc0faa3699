#include "eval/cli/command.h"

namespace assay::cli {

void add_gate(Cli& cli) { add_missing(cli, "gate", "fail when a fork is worse by a margin"); }

}  // namespace assay::cli
