#include "eval/cli/command.h"

namespace assay::cli {

void add_compare(Cli& cli) { add_missing(cli, "compare", "two runs item by item"); }

}  // namespace assay::cli
