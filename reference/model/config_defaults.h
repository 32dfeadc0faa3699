// What a configuration means where it leaves a key out: the defaults of the configuration class that was published with the family
// (configuration_*.py of transformers 5.23).
#pragma once
#include <cstdint>
#include <string_view>

namespace assay {

// max_position_embeddings of the family's class; 0 where none is known.
std::int64_t default_context(std::string_view model_type);

}  // namespace assay
