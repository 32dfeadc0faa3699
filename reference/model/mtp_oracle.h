// The f64 oracle of the multi-token prediction modules (mtp.h): plain loops, one module after the other.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "reference/model/mtp.h"
#include "reference/model/oracle.h"
#include "reference/model/oracle_parts.h"

namespace assay {

class MtpOracle {
 public:
  // As Oracle::load; refuses what check_mtp refuses.
  static Result<MtpOracle> load(const Checkpoint& checkpoint, const ModelConfig& config);

  // Of each module the logits (n_tokens - 1 - module, vocab_size), nothing where the prompt is too short. `model` is the oracle of the
  // same files. May be called from several threads at once.
  std::vector<std::vector<double>> logits(const Oracle& model, std::span<const std::int32_t> ids,
                                          const MtpChoices& choices) const;

 private:
  struct Module {
    std::vector<double> enorm, hnorm;
    oracle::Linear eh_proj;
    Oracle block;
  };
  std::vector<Module> modules_;
};

}  // namespace assay
