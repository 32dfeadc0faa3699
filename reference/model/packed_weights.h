// The engine's weights: every matrix packed into panels once, as it is read; matrices that take the same input are packed as one.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/contract.h"
#include "kernels/memory.h"
#include "reference/model/model_files.h"
#include "reference/model/tensors.h"

namespace assay {

struct PackedLinear {  // y = W x + b
  PackedMatrix matrix;
  std::vector<float> bias;            // (n_out) or empty
  std::shared_ptr<std::byte> memory;  // of the panels, 64-byte aligned, in huge pages with its neighbours
  bool empty() const { return matrix.n_out == 0; }
};

struct PackedMlp {
  PackedLinear gate_up;  // (2 inner, hidden): gate first
  PackedLinear down;     // (hidden, inner)
};

struct PackedLayer {
  std::vector<float> input_norm, post_norm;
  std::vector<float> q_norm, k_norm;       // grouped, where the family has them
  std::vector<float> q_a_norm, kv_a_norm;  // latent
  std::vector<float> sinks;                // (heads) or empty
  PackedLinear inputs;     // all that reads the normed hidden state: q, k, v; latent: q_a (or q), kv_a
  PackedLinear q_b, kv_b;  // latent; the absorbed form has the next two in place of kv_b
  std::vector<PackedLinear> k_up,
      v_up;  // of each head (kv_lora_rank, nope), transposed, and (v, kv_lora_rank); f32
  PackedLinear o;
  PackedMlp dense, shared;
  PackedLinear router, shared_gate;
  std::vector<float> correction;  // (n_experts) or empty
  std::vector<PackedMlp> experts;
};

struct PackedEnds {  // what follows the layers
  std::vector<float> norm;
  PackedLinear head;
};

struct PackedModel {
  std::vector<PackedLayer> layers;
  PackedEnds ends;
  std::uint64_t bytes = 0;  // of all panels
};

// Bytes of panels, without packing any.
struct LayerBytes {
  std::uint64_t frame = 0;     // all but the experts
  std::uint64_t expert = 0;    // of the largest one
  std::int64_t n_experts = 0;  // 0: none
  std::uint64_t whole() const { return frame + expert * static_cast<std::uint64_t>(n_experts); }
};
struct StackBytes {
  std::vector<LayerBytes> layers;
  std::uint64_t ends = 0;
  std::uint64_t packing = 0;  // what packing the most awkward matrix takes besides its panels
  std::uint64_t whole() const;
};

// Reads and packs everything; pages of the mapping are released as they are packed. BF16, F16, MXFP4, Q8_0 and (under dequant-f32) FP8 matrices
// keep their codes, and FP8 is BF16 under dequant-bf16, so long as those that are packed as one have the same format; all others
// become f32 under the recipe of the files' configuration. common: F16 and Q8_0, which a GPU's kernels do not read, become f32 too.
enum class PanelFormats : std::uint8_t { all, common };
Result<PackedModel> pack_model(const ModelFiles& files, PanelFormats formats = PanelFormats::all);

// Parts of a stack of layers, as the files hold them: all of layer `i` but its experts; its experts [first, end), others are dropped
// from `layer`; what follows the layers.
Result<PackedLayer> pack_frame(const ModelFiles& files, const ModelConfig& config, const StackNames& names,
                               std::int64_t i);
Status pack_experts(const ModelFiles& files, const ModelConfig& config, const StackNames& names,
                    std::int64_t i, std::int64_t first, std::int64_t end, PackedLayer& layer);
Result<PackedEnds> pack_ends(const ModelFiles& files, const ModelConfig& config, const StackNames& names);
// The system may begin to read what pack_frame and pack_experts will.
void prefetch_layer(const ModelFiles& files, const ModelConfig& config, const StackNames& names,
                    std::int64_t i, bool with_experts);
void prefetch_experts(const ModelFiles& files, const ModelConfig& config, const StackNames& names,
                      std::int64_t i, std::int64_t first, std::int64_t end);
Result<StackBytes> measure_stack(const ModelFiles& files, const ModelConfig& config, const StackNames& names);

// The layers of `config` alone, with norm and head, from where `names` say; one matrix and one norm by their names without ".weight".
Result<PackedModel> pack_stack(const ModelFiles& files, const ModelConfig& config, const StackNames& names,
                               PanelFormats formats = PanelFormats::all);
Result<PackedLinear> pack_matrix(const ModelFiles& files, const std::string& name, std::int64_t n_out,
                                 std::int64_t n_in);
Result<std::vector<float>> pack_norm(const ModelFiles& files, const std::string& name, std::int64_t n);

}  // namespace assay
