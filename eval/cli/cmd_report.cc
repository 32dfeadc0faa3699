#include "eval/cli/command.h"

namespace assay::cli {

void add_report(Cli& cli) { add_missing(cli, "report", "write the report of a database"); }

}  // namespace assay::cli
