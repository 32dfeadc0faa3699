#include "eval/cli/command.h"

namespace assay::cli {

void add_resume(Cli& cli) { add_missing(cli, "resume", "go on with an interrupted run"); }

}  // namespace assay::cli
