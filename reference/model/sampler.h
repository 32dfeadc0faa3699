// From a row of logits to the next token. Draws come from a counter-based stream, so batching cannot change them.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "reference/model/backend.h"
#include "reference/model/config.h"

namespace assay {

// Ranges of the options: temperature >= 0, 0 < top_p <= 1, 0 <= min_p <= 1, repetition_penalty > 0 and so on.
Status check_generate_options(const GenerateOptions& options);
// The options, how many answers they ask for, and every prompt: what each engine refuses alike (generate.cc).
Status check_generate_requests(const ModelConfig& config, std::span<const GenerateRequest> requests,
                               const GenerateOptions& options, std::size_t most_answers);

// The order of the steps is that of transformers' generate() (its logits processors, then its warpers), with OpenAI's penalties where
// vLLM has them:
//   1. repetition_penalty (Keskar et al. 2019, section 4.1) on every id of `seen`, once: a logit above 0 is divided, another multiplied, in f32;
//   2. frequency_penalty x (times an id stands in `sampled`) and presence_penalty x (1 if it does) are subtracted, in f32;
//   3. temperature 0: the arg-max. Otherwise temperature, then
//   4. top_k: the k likeliest; 5. top_p: the smallest set of the likeliest of those whose share of them reaches it (Holtzman et al. 2019);
//   6. min_p: what is at least min_p times as likely as the likeliest. One token always stays.
// Ties go to the lower id everywhere: transformers' top_k keeps all that tie with the k-th, and its top_p leaves the order of ties open.
// Shares are f64; transformers has them in f32, so a token within 1e-6 of a threshold may fall on the other side there.
// One uniform number of `stream` is used per drawn token, none for the arg-max. `sampled`: the part of `seen` that was not the prompt.
std::int32_t next_token(std::span<const float> logits, std::span<const std::int32_t> seen, const GenerateOptions& options, Stream& stream,
                        std::span<const std::int32_t> sampled = {});

// The same up to the draw: the tokens that may be drawn, likeliest first, with their probabilities (one token for temperature 0).
std::vector<std::pair<std::int32_t, double>> draw_probabilities(std::span<const float> logits, std::span<const std::int32_t> seen,
                                                                const GenerateOptions& options, std::span<const std::int32_t> sampled = {});

// The n likeliest tokens (all, where n is more), likeliest first, ties by id, NaN last; logprob = logit - norm (log_sum_exp).
TopLogprobs top_tokens(std::span<const float> logits, std::int64_t n, double norm);

}  // namespace assay
