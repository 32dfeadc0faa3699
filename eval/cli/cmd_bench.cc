#include "eval/cli/command.h"

namespace assay::cli {

void add_bench(Cli& cli) { add_missing(cli, "bench", "measure kernels and the machine's limits"); }

}  // namespace assay::cli
