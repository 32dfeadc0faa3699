#include "eval/cli/command.h"

namespace assay::cli {

void add_inspect(Cli& cli) { add_missing(cli, "inspect", "what a model is, from its headers alone"); }

}  // namespace assay::cli
