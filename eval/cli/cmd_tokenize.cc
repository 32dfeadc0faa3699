#include "eval/cli/command.h"

namespace assay::cli {

void add_tokenize(Cli& cli) { add_missing(cli, "tokenize", "text to token ids and back"); }

}  // namespace assay::cli
