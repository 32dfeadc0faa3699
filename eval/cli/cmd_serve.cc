#include "eval/cli/command.h"

namespace assay::cli {

void add_serve(Cli& cli) { add_missing(cli, "serve", "answer OpenAI-compatible requests"); }

}  // namespace assay::cli
