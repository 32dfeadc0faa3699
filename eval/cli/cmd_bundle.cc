#include "eval/cli/command.h"

namespace assay::cli {

void add_bundle(Cli& cli) { add_missing(cli, "bundle", "make and check evidence bundles"); }

}  // namespace assay::cli
