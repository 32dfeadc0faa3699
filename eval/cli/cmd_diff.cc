#include "eval/cli/command.h"

namespace assay::cli {

void add_diff(Cli& cli) { add_missing(cli, "diff", "two models: weights, configuration, tokenizer"); }

}  // namespace assay::cli
