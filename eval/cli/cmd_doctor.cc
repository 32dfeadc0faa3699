#include "eval/cli/command.h"

namespace assay::cli {

void add_doctor(Cli& cli) { add_missing(cli, "doctor", "what this machine can do and what is missing"); }

}  // namespace assay::cli
