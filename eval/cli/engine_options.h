// The engine's options as the command line's global options say them.
#pragma once
#include "base/result.h"
#include "eval/cli/command.h"
#include "reference/model/engine.h"

namespace assay::cli {

Result<EngineOptions> engine_options(const Globals& globals);

}  // namespace assay::cli
