#include "reference/model/memory_plan.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace assay {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::int64_t kSlabRows = 2048;  // enough that every expert of a mixture gets rows to work on
constexpr std::int64_t kLeastSlabRows = 64;
constexpr std::int64_t kResidentSlabRows = 512;  // with fewer it is better to stream than to keep all weights
constexpr std::uint64_t kSlackBytes =
    24 * kMiB;  // plans, answers, scratch of the kernels, what the allocator holds back
constexpr std::uint64_t kProgramBytes = 72 * kMiB;
constexpr std::uint64_t kTokenizerFactor = 14;  // bytes in memory for one of tokenizer.json
constexpr std::uint64_t kStatesBytes = std::uint64_t{1} << 30;
constexpr std::int64_t kWaveRows = 32768;
constexpr std::int64_t kLeastWaveRows = 4096;
constexpr double kWaveFlops =
    2e13;  // minutes of two cores: what an interruption may lose where waves do not cost the reading of weights

// A page more for every so many rows: branches of the prefix tree begin pages of their own.
constexpr std::int64_t kRowsPerPage = 16;

std::int64_t least_pages(std::int64_t longest, std::int64_t slab_rows) {
  return longest / kPageKeys + slab_rows / kPageKeys + 4;
}
std::int64_t good_pages(std::int64_t longest, std::int64_t slab_rows) {
  return least_pages(longest, slab_rows) + slab_rows / kRowsPerPage;
}

// A visit of `rows` rows with the least or a good number of pages. Twice the rows' states: on disk, two stores have a slab in memory.
std::uint64_t visit_bytes(const MemoryFacts& f, std::int64_t rows, std::int64_t pages) {
  return static_cast<std::uint64_t>(rows * (f.row_bytes + 2 * f.state_bytes) + pages * f.page_bytes +
                                    f.head_bytes);
}

std::uint64_t least_unit(const MemoryFacts& f) {
  std::uint64_t least = f.weights.ends;
  for (const LayerBytes& layer : f.weights.layers)
    least = std::max(least, layer.frame + (layer.n_experts > 0 ? layer.expert : 0));
  return least;
}

std::uint64_t largest_unit(const MemoryFacts& f) {
  std::uint64_t most = f.weights.ends;
  for (const LayerBytes& layer : f.weights.layers) most = std::max(most, layer.whole());
  return most;
}

std::int64_t default_wave(const MemoryFacts& f, bool resident, double flops_per_row) {
  const std::int64_t fits = static_cast<std::int64_t>(kStatesBytes) / f.state_bytes;
  const std::int64_t most = resident ? std::clamp(fits, kLeastWaveRows, kWaveRows) : kWaveRows;
  if (!resident || flops_per_row <= 0) return most;
  return std::clamp(static_cast<std::int64_t>(kWaveFlops / flops_per_row), kLeastWaveRows, most);
}

constexpr std::int64_t kQueryFloats =
    static_cast<std::int64_t>(sizeof(AttentionQuery) / sizeof(float));  // heads are queries of their own

// Floats of a row from the normed state to what attention read.
std::int64_t attention_floats(const ModelConfig& c) {
  const std::int64_t heads = c.num_attention_heads, latent = c.kv_lora_rank + c.qk_rope_head_dim;
  if (c.absorbs())  // a query of each head in the latent space, what it read there, that once more in tiles
    return c.q_lora_rank + latent +
           heads * (2 * c.key_dim() + latent + 2 * c.kv_lora_rank + c.value_dim() + kQueryFloats);
  if (c.attention == AttentionKind::latent)
    return c.q_lora_rank + c.kv_lora_rank + heads * (3 * c.key_dim() + 2 * c.value_dim());
  return (heads + 2 * c.num_key_value_heads) * c.head_dim + heads * c.value_dim();
}

}  // namespace

std::int64_t bytes_per_row(const ModelConfig& c) {
  const std::int64_t routed =
      c.n_moe_layers() > 0 ? c.router.n_chosen * (3 * c.moe_intermediate_size + c.hidden_size + 4) : 0;
  const std::int64_t feed_forward =
      std::max({3 * c.intermediate_size, routed, 3 * c.shared_intermediate_size});
  return (3 * c.hidden_size + attention_floats(c) + feed_forward + c.router.n_experts + c.rope_dim()) *
             static_cast<std::int64_t>(sizeof(float)) +
         128;  // ids, positions, the plan
}

MemoryFacts memory_facts(const ModelConfig& config, const StackBytes& weights, std::int64_t page_bytes) {
  MemoryFacts out;
  out.row_bytes = bytes_per_row(config);
  out.state_bytes = config.hidden_size * static_cast<std::int64_t>(sizeof(float));
  out.page_bytes = page_bytes;
  const std::int64_t head_rows = std::max<std::int64_t>(1, (4 << 20) / config.vocab_size);
  out.head_bytes =
      head_rows * (config.vocab_size + config.hidden_size) * static_cast<std::int64_t>(sizeof(float));
  out.weights = weights;
  return out;
}

std::uint64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  in >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t peak_bytes() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) << 10;  // kB
  }
  return 0;
}

std::uint64_t process_bytes(const ModelFiles& files) {
  std::error_code none;
  std::uint64_t bytes = 0;
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tiktoken.model", "tekken.json"}) {
    const auto size =
        std::filesystem::file_size(std::filesystem::path(files.checkpoint.folder()) / name, none);
    if (!none) bytes = std::max<std::uint64_t>(bytes, size);
  }
  return kProgramBytes + kTokenizerFactor * bytes;
}

std::uint64_t least_bytes(const MemoryFacts& f, std::int64_t longest, bool weights_held) {
  return (weights_held ? 0 : least_unit(f) + f.weights.packing) + kSlackBytes +
         visit_bytes(f, kLeastSlabRows, least_pages(longest, kLeastSlabRows));
}

MemoryPlan share_memory(const MemoryFacts& f, const MemoryAsk& ask) {
  MemoryPlan out;
  const std::uint64_t fixed = kSlackBytes + (ask.weights_held ? 0 : f.weights.packing);
  const std::uint64_t left = ask.bytes - std::min(ask.bytes, fixed);
  const auto good = [&](std::int64_t rows) { return visit_bytes(f, rows, good_pages(ask.longest, rows)); };
  out.resident = ask.bytes == 0 || ask.weights_held || f.weights.whole() + good(kResidentSlabRows) <= left;
  out.slab_rows = kSlabRows;
  out.unit_bytes = out.resident ? (ask.weights_held ? 0 : f.weights.whole()) : largest_unit(f);
  const std::uint64_t unit_needed = out.resident ? out.unit_bytes : least_unit(f);
  std::uint64_t visit = good(out.slab_rows);
  if (ask.bytes > 0) {
    while (out.slab_rows > kLeastSlabRows && unit_needed + visit > left) visit = good(out.slab_rows /= 2);
  }
  out.max_pages = good_pages(ask.longest, out.slab_rows);
  if (ask.bytes > 0 && unit_needed + visit > left) {
    out.max_pages = least_pages(ask.longest, out.slab_rows);
    visit = visit_bytes(f, out.slab_rows, out.max_pages);
  }
  if (!out.resident) out.unit_bytes = std::clamp(left - std::min(left, visit), least_unit(f), out.unit_bytes);
  out.wave_rows = ask.wave_rows > 0 ? ask.wave_rows : default_wave(f, out.resident, ask.flops_per_row);
  const std::uint64_t all_states =
      static_cast<std::uint64_t>(out.wave_rows + ask.longest) * static_cast<std::uint64_t>(f.state_bytes);
  const std::uint64_t room = ask.bytes == 0 ? kStatesBytes : left - std::min(left, out.unit_bytes + visit);
  out.states_bytes = std::min(all_states, room / 2);  // two stores
  const std::uint64_t spare = ask.bytes == 0 ? kStatesBytes : room - 2 * out.states_bytes;
  const std::int64_t branches = std::min(
      out.slab_rows / 2, static_cast<std::int64_t>(spare / 2) / f.page_bytes);  // short ones: two rows each
  const std::int64_t more_pages = std::max<std::int64_t>(0, branches - out.max_pages);
  out.max_pages += more_pages;
  visit += static_cast<std::uint64_t>(more_pages * f.page_bytes);
  out.total_bytes = fixed + out.unit_bytes + visit + 2 * out.states_bytes;
  return out;
}

}  // namespace assay
