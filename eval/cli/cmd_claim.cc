#include "eval/cli/command.h"

namespace assay::cli {

void add_claim(Cli& cli) { add_missing(cli, "claim", "list and check published claims"); }

}  // namespace assay::cli
