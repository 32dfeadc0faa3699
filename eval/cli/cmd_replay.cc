#include "eval/cli/command.h"

namespace assay::cli {

void add_replay(Cli& cli) { add_missing(cli, "replay", "re-score stored outputs"); }

}  // namespace assay::cli
