#include "eval/cli/command.h"

namespace assay::cli {

void add_score(Cli& cli) { add_missing(cli, "score", "judge outputs, one a line"); }

}  // namespace assay::cli
