// The fields of a protocol that say how it is asked: examples, order of options, chat template, sampling, thinking, truncation. The
// templates, extractors and metrics are read in definition.cc.
#pragma once
#include <string_view>

#include "base/json.h"
#include "suites/fields.h"
#include "suites/suite.h"

namespace assay {

// Reads these fields of `entry` through `fields`:
//   fewshot            n (the first n), [indices], or {n, draw: "seeded"|"python"|"balanced", seed, spare, split, of_subset} or {indices, split, of_subset}
//   fewshot_of_subset  the same as of_subset
//   example            template of a solved example, where it is not block and answer
//   fewshot_as         "text", "turns"
//   option_order       "given", or {seed, rule: "seeded"|"python"}
//   partial            true: `block` holds {option}, and the continuation is scored after each
//   unconditional      context of acc_uncond: "" or "Answer:"
//   chat, system, preamble_as ("text", "system"), chat_options {…}, gen_prefix
//   thinking           {end, max_tokens, without_end: "whole"|"no-answer"}
//   sampling           {temperature, top_k, top_p, min_p, repetition_penalty, presence_penalty, samples, seed, seed_rule: "item-sample"|"sample"|"none"}
//   input_cut          "left", "right", "refuse"
//   truncated, empty   "as-is", "wrong", "unjudged"
//   beside             "macro" or "micro": a second aggregation
//   source, note
Status parse_conduct(const Json& entry, Fields& fields, Protocol& protocol, std::string_view file);

// What these fields may not say together.
Status check_conduct(const Protocol& protocol, std::string_view file);

}  // namespace assay
