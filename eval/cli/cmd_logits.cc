#include "eval/cli/command.h"

namespace assay::cli {

void add_logits(Cli& cli) { add_missing(cli, "logits", "logits of token ids"); }

}  // namespace assay::cli
