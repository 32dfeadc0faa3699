// Multi-token prediction modules (DeepSeek-V3, 2412.19437 section 2.2): behind the model's layers N - 1 lies module k = 0, 1, … as layer
// N + k. At position i it takes the state h of the module before it (of the model for k = 0) and the embedding of token i + 1 + k, and its
// logits predict token i + 2 + k:
//
//   x_i = eh_proj [enorm(embedding of token i + 1 + k) ; hnorm(h_i)],   one decoder layer over x_0 … x_(n - 2 - k),   shared_head
//
// `shared_head` is a norm of its own and the model's head. Files repeat embedding and head under the module's name (README_WEIGHTS.md of
// DeepSeek-V3: "shares parameters"); where they do, those copies are read, as vLLM's deepseek_mtp.py does.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/model/config.h"
#include "reference/model/tensors.h"
#include "reference/weights/checkpoint.h"

namespace assay {

// What published codes do differently. The first value of each is the default: what the weights' names say and vLLM, SGLang
// (deepseek_nextn.py) and transformers (MtpLayer) agree on, unless said otherwise.
enum class MtpOrder : std::uint8_t {
  embedding_first,
  hidden_first  // as equation 21 of the report prints it; eh_proj is published for the other order
};
enum class MtpHidden : std::uint8_t {
  normed,  // the model's state after its final norm: what all three hand over
  raw      // before it: the report's h^0, "the representation given by the main model", read literally
};
enum class MtpFirst : std::uint8_t {
  kept,
  masked  // vLLM sets the embedding at position 0 to zero; SGLang, transformers and the report do not
};
enum class MtpChain : std::uint8_t {
  raw,  // the report's h^k and vLLM: the layer's output
  normed  // SGLang and transformers: after shared_head's norm. Published models have one module, which chains nothing
};

struct MtpChoices {
  MtpOrder order = MtpOrder::embedding_first;
  MtpHidden hidden = MtpHidden::normed;
  MtpFirst first = MtpFirst::kept;
  MtpChain chain = MtpChain::raw;
};

// Name and value of each choice that concerns a model with so many modules.
std::vector<std::pair<std::string, std::string>> mtp_conventions_of(const MtpChoices& choices,
                                                                    std::int64_t n_modules);
bool is_mtp_convention(std::string_view assignment);  // "mtp-…"
// Applies "NAME=VALUE"; an unknown name or value is Code::usage with what can be said.
Status set_mtp_convention(MtpChoices& choices, std::int64_t n_modules, std::string_view assignment);
std::string mtp_convention_help();

// The one layer of a module as a model of its own, and where it lies. Embedding and head: the module's copies where the files have them.
ModelConfig mtp_block(const ModelConfig& config, std::int64_t module);
StackNames mtp_names(const ModelConfig& config, const Checkpoint& checkpoint, std::int64_t module);
std::string mtp_prefix(const ModelConfig& config, std::int64_t module);  // "model.layers.61"

// A model without modules is Code::usage, one whose files lack them or hold them in other shapes missing_tensor or bad_shape.
Status check_mtp(const ModelConfig& config, const Checkpoint& checkpoint);

// What the modules add, without the copies of embedding and head.
std::vector<TensorSpec> mtp_tensors_of(const ModelConfig& config);
struct MtpCounts {
  std::int64_t params = 0;
  std::int64_t params_active = 0;  // of one token, all modules; the shared embedding and head are not in it
};
MtpCounts count_mtp(const ModelConfig& config);

}  // namespace assay
