// Experts that lie in one tensor a layer, as transformers 5 keeps them: `mlp.experts.gate_up_proj` (n_experts, 2 inner, hidden) with
// the rows of the gate first, `mlp.experts.down_proj` (n_experts, hidden, inner), the router in `mlp.gate` for every family. The rows of
// one expert lie together, so that its matrices under their published names are views into the whole, not copies.
#pragma once
#include "base/result.h"
#include "reference/model/config.h"
#include "reference/weights/checkpoint.h"

namespace assay {

// Adds those views to the checkpoint; nothing where the experts are stored one by one. A fused tensor of another shape than the
// configuration asks for is Code::bad_shape, one without its partner Code::missing_tensor.
Status view_fused_experts(const ModelConfig& config, Checkpoint& checkpoint);

}  // namespace assay
