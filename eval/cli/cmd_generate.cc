#include "eval/cli/command.h"

namespace assay::cli {

void add_generate(Cli& cli) { add_missing(cli, "generate", "continue prompts"); }

}  // namespace assay::cli
