// The parts of config.json that reference/model/config.cc puts together; each takes its keys and fills its
// fields.
#pragma once
#include <string_view>

#include "reference/model/config.h"
#include "reference/model/config_keys.h"
#include "reference/model/families.h"

namespace assay {

inline constexpr std::int64_t kMaxConfigExperts =
    1024;  // kernels/contract.h kMaxExperts; the largest published model has 512

Status read_rope(ConfigKeys& keys, const Family& family, std::string_view file, ModelConfig& c);
Status read_experts(ConfigKeys& keys, const Family& family, ModelConfig& c);
Status read_windows(ConfigKeys& keys, const Family& family, ModelConfig& c);
Status read_quantisation(ConfigKeys& keys, std::string_view file, ModelConfig& c);

}  // namespace assay
