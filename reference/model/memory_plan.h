// How a limit of memory is shared out: weights, rows that visit a layer, keys and values, states between the layers. All sizes in bytes.
#pragma once
#include <cstdint>

#include "base/result.h"
#include "reference/model/config.h"
#include "reference/model/packed_weights.h"

namespace assay {

struct MemoryFacts {
  std::int64_t row_bytes = 0;    // what a visit keeps for each of its rows (bytes_per_row)
  std::int64_t state_bytes = 0;  // a row's state between the layers
  std::int64_t page_bytes = 0;   // of one layer's page
  std::int64_t head_bytes = 0;   // logits and states of one slice of the head
  StackBytes weights;
};

struct MemoryPlan {
  bool resident = true;
  std::uint64_t unit_bytes = 0;  // streamed weights held at a time
  std::int64_t slab_rows = 0, max_pages = 0, wave_rows = 0;
  std::uint64_t states_bytes = 0;  // states kept in memory; more go to disk
  std::uint64_t total_bytes = 0;   // what all this takes beside the process itself, were everything used
};

// Bytes of activations that a row of a visit needs.
std::int64_t bytes_per_row(const ModelConfig& config);
MemoryFacts memory_facts(const ModelConfig& config, const StackBytes& weights, std::int64_t page_bytes);

// What the program itself takes: code, tokenizer, database, suites.
std::uint64_t process_bytes(const ModelFiles& files);
std::uint64_t resident_bytes();  // of this process now
std::uint64_t peak_bytes();      // the most it ever was; 0: not known

// The least that scoring sequences of `longest` tokens takes beside the process.
std::uint64_t least_bytes(const MemoryFacts& facts, std::int64_t longest, bool weights_held = false);

// Shares out `bytes`; `wave_rows` > 0: as asked. `weights_held`: all weights are in memory, and not counted in `bytes`.
// bytes 0: no limit. Below least_bytes everything is as small as it gets.
struct MemoryAsk {
  std::uint64_t bytes = 0;
  bool weights_held = false;
  std::int64_t longest = 0, wave_rows = 0;
  double flops_per_row = 0;
};
MemoryPlan share_memory(const MemoryFacts& facts, const MemoryAsk& ask);

}  // namespace assay
