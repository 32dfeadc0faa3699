#include "eval/cli/command.h"

namespace assay::cli {

void add_similarity(Cli& cli) { add_missing(cli, "similarity", "are two models related"); }

}  // namespace assay::cli
