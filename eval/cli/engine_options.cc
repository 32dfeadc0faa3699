#include "eval/cli/engine_options.h"

#include <filesystem>

namespace assay::cli {

Result<EngineOptions> engine_options(const Globals& globals) {
  EngineOptions out;
  out.threads = globals.n_threads();
  out.wave_tokens = globals.wave_tokens;
  out.prefill_chunk = globals.prefill_chunk;
  out.prefix_reuse = !globals.no_prefix_reuse;
  out.spill_folder = globals.tmp;
  if (out.spill_folder.empty()) out.spill_folder = std::filesystem::path(globals.db).parent_path().string();
  out.recipe = globals.recipe;
  out.device = globals.device;
  out.gpu_arithmetic = globals.gpu_arithmetic;
  out.remote.parallel = globals.http_parallel;
  out.remote.tokenizer = globals.tokenizer;
  if (!globals.memory.empty()) {
    ASSAY_TRY(out.memory_bytes, parse_size(globals.memory));
  }
  return out;
}

}  // namespace assay::cli
