#include "eval/cli/command.h"

namespace assay::cli {

void add_export(Cli& cli) { add_missing(cli, "export", "rows of a database in a fixed order"); }

}  // namespace assay::cli
