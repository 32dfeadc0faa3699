// Logits that somebody else's implementation wrote, in one of three layouts of a safetensors file (F64, F32, F16 or BF16):
//   logits.0, logits.1, ...        (n_tokens, vocab) for each prompt of the ids
//   logits                         (n_tokens, vocab) for one prompt, or (n_prompts, n_tokens, vocab)
//   case0.READING, case1.READING   (n_positions, vocab), with case0.input_ids (n_tokens) and case0.positions (n_positions),
//                                  both I64; where a case lacks the reading, its case0.logits stand for it
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "reference/weights/format.h"

namespace assay {

struct OtherPrompt {
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> positions;  // ascending, which rows are there
  std::vector<double> logits;           // (n_positions, vocab)
};

struct OtherLogits {
  Format format = Format::F64;
  std::vector<OtherPrompt> prompts;
  double max_abs = 0, std = 0;  // of all logits
  std::int64_t n_positions() const;
};

// `prompts` of --ids; empty where the file brings its own. Refuses NaNs and infinities, wrong shapes, other ids.
Result<OtherLogits> read_other_logits(const std::string& path, const std::string& reading,
                                      const std::vector<std::vector<std::int32_t>>& prompts,
                                      std::int64_t vocab);

}  // namespace assay
