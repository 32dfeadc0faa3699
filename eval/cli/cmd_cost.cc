#include "eval/cli/command.h"

namespace assay::cli {

void add_cost(Cli& cli) { add_missing(cli, "cost", "estimate or check a training bill"); }

}  // namespace assay::cli
