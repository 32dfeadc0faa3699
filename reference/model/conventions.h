// Where published implementations disagree: every such choice has a name, values, and a source. The authors'
// choice is the default; the others exist so that somebody's number can be reproduced.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reference/model/config.h"

namespace assay {

// The choices that this model's numbers depend on, as name and value, in a fixed order.
std::vector<std::pair<std::string, std::string>> conventions_of(const ModelConfig& config);

// Applies "NAME=VALUE". An unknown name or value, or a name that does not concern this model, is Code::usage
// with the list of what can be said.
Status set_convention(ModelConfig& config, std::string_view assignment);

// The f32 kernels know the published routers; a reading that only the f64 oracle can compute is refused.
Status check_f32_conventions(const ModelConfig& config);

// Every assignment "NAME=VALUE" that set_convention takes for this model and that changes its present value.
std::vector<std::string> other_conventions(const ModelConfig& config);

// Where a convention's name comes from: its source.
std::string_view source_of_convention(std::string_view name);

// Every name with its values (default first) and source, one line each, for --help.
std::string convention_help();

}  // namespace assay
