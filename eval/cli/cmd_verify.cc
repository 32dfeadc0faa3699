#include "eval/cli/command.h"

namespace assay::cli {

void add_verify(Cli& cli) { add_missing(cli, "verify", "decide claims"); }

}  // namespace assay::cli
