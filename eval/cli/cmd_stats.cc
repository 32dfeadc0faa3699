#include "eval/cli/command.h"

namespace assay::cli {

void add_stats(Cli& cli) { add_missing(cli, "stats", "the statistics library by itself"); }

}  // namespace assay::cli
