// The config.json that the metadata and tensors of GGUF files amount to: the keys of Hugging Face's configuration classes, so
// that one reader (config.h) checks sizes and refuses what it does not know.
//
// Keys below the architecture's own name ("llama.…") are all taken, known to change nothing, or refused. What GGUF leaves out
// and llama.cpp has in its code is filled in as the published models of the architecture have it:
//   llama       `rope_freqs.weight` divides the frequencies (llama3 scaling, worked out); with experts it is Mixtral, whose
//               weights are normalised, with a window Mistral
//   gpt-oss     YaRN's bounds are not rounded; windows in every other layer, from the first; alpha and limit of the gates
//   qwen3moe    expert weights are normalised; qwen2moe, olmoe, deepseek2: not; unless expert_weights_norm says otherwise
//   deepseek2   YaRN: mscale = mscale_all_dim = yarn_log_multiplier / 0.1, as all published ones have it; a router without
//               a gating function is V2's soft-max; without groups it has none, except that the sizes of V2 (160 experts)
//               and V3 (256), which do have groups, are refused
#pragma once
#include "base/json.h"
#include "base/result.h"
#include "reference/model/config.h"
#include "reference/weights/checkpoint.h"

namespace assay {

// `checkpoint` is GGUF.
Result<Json> config_of_gguf(const Checkpoint& checkpoint);

// config.json of a folder as it stands, or what a .gguf file amounts to; of a folder without one Code::not_found.
Result<std::string> config_text(const std::string& folder_or_gguf);
Result<ModelConfig> model_config_at(const std::string& folder_or_gguf);
Result<ModelConfig> model_config_of(const Checkpoint& checkpoint);  // of the same, opened

}  // namespace assay
