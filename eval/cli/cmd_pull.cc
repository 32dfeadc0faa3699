#include "eval/cli/command.h"

namespace assay::cli {

void add_pull(Cli& cli) { add_missing(cli, "pull", "how to fetch a model"); }

}  // namespace assay::cli
