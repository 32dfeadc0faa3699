#include "eval/cli/command.h"

namespace assay::cli {

void add_loglikelihood(Cli& cli) { add_missing(cli, "loglikelihood", "log-likelihood of continuations"); }

}  // namespace assay::cli
