#include "eval/claims/metric_names.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace assay {
namespace {

constexpr std::array<std::string_view, 5> kChoiceMetrics = {"acc", "acc_byte", "acc_char", "acc_token", "acc_uncond"};
constexpr std::array<std::string_view, 4> kInstructionMetrics = {"loose_instruction", "loose_prompt", "strict_instruction", "strict_prompt"};

}  // namespace

std::string own_metric_name(const std::string& metric) {
  return metric == "acc_norm" ? "acc_char" : metric == "acc_bytes" ? "acc_byte" : metric == "acc_mutual_info" ? "acc_uncond" : metric;
}

bool is_share_metric(const std::string& metric) { return metric != "bits_per_byte" && metric != "mean_logprob"; }
bool is_parts_metric(const std::string& metric) { return metric == "strict_instruction" || metric == "loose_instruction"; }
bool is_choice_metric(const std::string& metric) { return std::ranges::find(kChoiceMetrics, metric) != kChoiceMetrics.end(); }
bool is_instruction_metric(const std::string& metric) { return std::ranges::find(kInstructionMetrics, metric) != kInstructionMetrics.end(); }

}  // namespace assay
