#include "eval/cli/command.h"

namespace assay::cli {

void add_demo(Cli& cli) { add_missing(cli, "demo", "everything at once on the bundled model"); }

}  // namespace assay::cli
