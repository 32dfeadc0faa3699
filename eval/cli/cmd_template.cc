#include "eval/cli/command.h"

namespace assay::cli {

void add_template(Cli& cli) { add_missing(cli, "template", "render chat templates"); }

}  // namespace assay::cli
