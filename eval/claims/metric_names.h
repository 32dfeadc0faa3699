// Names of metrics as claims print them, and what kind of figure each is.
#pragma once
#include <string>

namespace assay {

// lm-evaluation-harness's acc_norm is acc_char, acc_bytes acc_byte, acc_mutual_info acc_uncond; other names as they are.
std::string own_metric_name(const std::string& metric);
// Counts right answers or parts of them: a figure in it is a percentage or a fraction. Not so: bits_per_byte, mean_logprob.
bool is_share_metric(const std::string& metric);
// Hits over parts of items (instructions of prompts).
bool is_parts_metric(const std::string& metric);
// Follows from the log-likelihoods of an item's options.
bool is_choice_metric(const std::string& metric);
// Follows from the verdicts on an item's instructions.
bool is_instruction_metric(const std::string& metric);

}  // namespace assay
