// How matrix products are cut into tasks. No cut goes through k and every output element is computed by one
// task, so none can show in the bits.
#include <algorithm>
#include <vector>

#include "kernels/contract.h"
#include "kernels/scratch.h"

namespace assay {
namespace {

constexpr std::int64_t kChunkFloats =
    192 << 10;  // inputs of a chunk of tokens: 768 KiB, about a second-level cache
constexpr std::int64_t kLeastChunk = 48, kMostChunk = 240;  // tokens; 12, 6, 2 divide them
constexpr std::int64_t kTaskFlops =
    1 << 22;  // some 30 us: long against handing it out, short against the whole
constexpr std::int64_t kSerialFlops = 1 << 19;   // below, waking another thread costs more than it brings
constexpr std::int64_t kFewTaskBytes = 1 << 17;  // weights of one task where few tokens stream them
constexpr std::int64_t kSlabFloats = 16 << 20;   // packed inputs kept at a time: 64 MiB

struct Chunk {  // tokens [first, first + n) of a job
  const MatmulJob* job;
  std::int64_t first, n;
  std::int64_t tile0, n_tiles;  // its tiles among the slab's
  float* packed;                // blocks of k one after the other, each (n_tiles, n_k, tile_tokens)
};
struct Task {  // panels [first, end) of a chunk
  std::int64_t chunk, first, end;
};

const float* row_of(const MatmulJob& job, std::int64_t token) {
  return job.x + (job.rows == nullptr ? token : std::int64_t{job.rows[token]}) * job.x_stride;
}

std::int64_t panels_of(const PackedMatrix& w) { return (w.n_out + kPanelOutputs - 1) / kPanelOutputs; }

// Tokens of each chunk of a job: even shares, so that none is a small rest. Codes are widened once a chunk, which large chunks share.
std::int64_t chunk_tokens(const MatmulJob& job) {
  constexpr std::int64_t kTiles = 12;
  const std::int64_t fit = is_coded(job.w.format) ? kMostChunk
                                                  : std::clamp(kChunkFloats / job.w.n_in / kTiles * kTiles,
                                                               kLeastChunk, kMostChunk);
  const std::int64_t n_chunks = (job.n_tokens + fit - 1) / fit;
  return n_chunks <= 1 ? fit : ((job.n_tokens + n_chunks - 1) / n_chunks + kTiles - 1) / kTiles * kTiles;
}

bool is_few(const Chunk& chunk) { return chunk.job->n_tokens <= kFewTokens; }

void check_job(const MatmulJob& job) {
  ASSAY_CHECK(job.n_tokens >= 0 && job.w.n_out >= 0 && job.w.n_in >= 1);
  ASSAY_CHECK(job.x_stride >= job.w.n_in && job.y_stride >= job.w.n_out);
  ASSAY_CHECK(job.n_tokens == 0 || (job.w.panels != nullptr && job.x != nullptr && job.y != nullptr));
}

void run_few(const Kernels& kernels, const Chunk& chunk, std::int64_t first, std::int64_t end) {
  const float* rows[kFewTokens] = {};
  for (std::int64_t t = 0; t < chunk.n; ++t) rows[t] = row_of(*chunk.job, chunk.first + t);
  kernels.matmul_few(chunk.job->w, first, end, rows, chunk.n,
                     chunk.job->y + chunk.first * chunk.job->y_stride, chunk.job->y_stride);
}

void pack_tile(const Kernels& kernels, const Chunk& chunk, std::int64_t tile) {
  constexpr std::int64_t kMaxTile = 16;
  ASSAY_CHECK(kernels.tile_tokens <= kMaxTile);
  const float* rows[kMaxTile] = {};
  const std::int64_t first = tile * kernels.tile_tokens, n = std::min(kernels.tile_tokens, chunk.n - first);
  for (std::int64_t t = 0; t < n; ++t) rows[t] = row_of(*chunk.job, chunk.first + first + t);
  const std::int64_t n_in = chunk.job->w.n_in;
  for (std::int64_t k0 = 0; k0 < n_in; k0 += kBlockK) {
    const std::int64_t n_k = std::min(kBlockK, n_in - k0);
    kernels.pack_tokens(rows, n, k0, n_k,
                        chunk.packed + (k0 * chunk.n_tiles + tile * n_k) * kernels.tile_tokens);
  }
}

void run_panels(const Kernels& kernels, const Chunk& chunk, std::int64_t first, std::int64_t end) {
  static thread_local ScratchFloats scratch;
  float* const wide = scratch.at_least(kBlockK * kPanelOutputs);
  const PackedMatrix& w = chunk.job->w;
  const std::int64_t stride = panel_bytes(w.format, w.n_in);
  for (std::int64_t p = first; p < end; ++p) {
    float* const y = chunk.job->y + chunk.first * chunk.job->y_stride + p * kPanelOutputs;
    for (std::int64_t k0 = 0; k0 < w.n_in; k0 += kBlockK) {
      const std::int64_t n_k = std::min(kBlockK, w.n_in - k0);
      const auto* const panel = static_cast<const char*>(w.panels) + p * stride + panel_bytes(w.format, k0);
      kernels.matmul_block(panel, w.format, n_k, chunk.packed + k0 * chunk.n_tiles * kernels.tile_tokens,
                           n_k * kernels.tile_tokens, chunk.n, y, chunk.job->y_stride,
                           std::min(kPanelOutputs, w.n_out - p * kPanelOutputs), k0 == 0, wide);
    }
  }
}

// The chunks of one slab and the work on them.
class Slab {
 public:
  Slab(const Compute& c) : kernels_(c.kernels), pool_(c.pool) {}

  bool full() const { return floats_ >= kSlabFloats; }

  void add(const MatmulJob& job, std::int64_t first, std::int64_t n) {
    const std::int64_t n_tiles =
        job.n_tokens <= kFewTokens ? 0 : (n + kernels_.tile_tokens - 1) / kernels_.tile_tokens;
    chunks_.push_back({&job, first, n, tiles_, n_tiles, nullptr});
    tiles_ += n_tiles;
    floats_ += n_tiles * kernels_.tile_tokens * job.w.n_in;
    flops_ += 2 * n * job.w.n_in * job.w.n_out;
  }

  void run() {
    if (chunks_.empty()) return;
    place();
    make_tasks();
    const bool alone = flops_ < kSerialFlops || pool_.n_threads() == 1;
    each(alone, pack_order_.size(), [this](std::size_t i) {
      pack_tile(kernels_, chunks_[pack_order_[i].first], pack_order_[i].second);
    });
    each(alone, tasks_.size(), [this](std::size_t i) {
      const Task& task = tasks_[i];
      const Chunk& chunk = chunks_[static_cast<std::size_t>(task.chunk)];
      is_few(chunk) ? run_few(kernels_, chunk, task.first, task.end)
                    : run_panels(kernels_, chunk, task.first, task.end);
    });
    chunks_.clear();
    tiles_ = floats_ = flops_ = 0;
  }

 private:
  template <class Body>
  void each(bool alone, std::size_t n, const Body& body) {
    if (alone) {
      for (std::size_t i = 0; i < n; ++i) body(i);
    } else if (n > 0) {
      pool_.run(n, [&](std::size_t i, int) { body(i); });
    }
  }

  void place() {
    static thread_local ScratchFloats packed;
    float* next = packed.at_least(static_cast<std::size_t>(floats_));
    pack_order_.clear();
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      Chunk& chunk = chunks_[i];
      chunk.packed = next;
      next += chunk.n_tiles * kernels_.tile_tokens * chunk.job->w.n_in;
      for (std::int64_t tile = 0; tile < chunk.n_tiles; ++tile) pack_order_.emplace_back(i, tile);
    }
  }

  void make_tasks() {
    tasks_.clear();
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      const PackedMatrix& w = chunks_[i].job->w;
      const std::int64_t panel = kPanelOutputs * w.n_in;
      const std::int64_t step = std::max<std::int64_t>(
          1, is_few(chunks_[i]) ? kFewTaskBytes / (panel * 2) : kTaskFlops / (2 * panel * chunks_[i].n));
      for (std::int64_t p = 0; p < panels_of(w); p += step) {
        tasks_.push_back({static_cast<std::int64_t>(i), p, std::min(p + step, panels_of(w))});
      }
    }
  }

  const Kernels& kernels_;
  ThreadPool& pool_;
  std::vector<Chunk> chunks_;
  std::vector<std::pair<std::size_t, std::int64_t>> pack_order_;  // (chunk, tile)
  std::vector<Task> tasks_;
  std::int64_t tiles_ = 0, floats_ = 0, flops_ = 0;
};

}  // namespace

void matmul_group(const Compute& c, const MatmulJob* jobs, std::int64_t n_jobs) {
  ASSAY_CHECK(n_jobs >= 0 && (n_jobs == 0 || jobs != nullptr));
  Slab slab(c);
  for (std::int64_t j = 0; j < n_jobs; ++j) {
    check_job(jobs[j]);
    const std::int64_t n = chunk_tokens(jobs[j]);
    for (std::int64_t t = 0; t < jobs[j].n_tokens; t += n) {
      if (slab.full()) slab.run();
      slab.add(jobs[j], t, std::min(n, jobs[j].n_tokens - t));
    }
  }
  slab.run();
}

void matmul(const Compute& c, const PackedMatrix& w, const float* x, std::int64_t n_tokens, float* y) {
  const MatmulJob job{
      .w = w, .x = x, .rows = nullptr, .n_tokens = n_tokens, .x_stride = w.n_in, .y = y, .y_stride = w.n_out};
  matmul_group(c, &job, 1);
}

}  // namespace assay
