// What the parts of the accelerator's engine share. Private to reference/model.
#pragma once
#include <memory>
#include <optional>

#include "base/parallel.h"
#include "reference/model/cuda_engine.h"
#include "reference/model/cuda_forward.h"

namespace assay {

struct CudaEngine::State {
  State(ModelFiles model, PackedModel packed_model, const EngineOptions& engine_options,
        const CudaOptions& cuda_options)
      : files(std::move(model)),
        packed(std::move(packed_model)),
        options(engine_options),
        cuda(cuda_options),
        pool(std::max(1, options.threads)) {}

  ModelFiles files;
  PackedModel packed;  // outlives the copies: streamed weights come from here
  EngineOptions options;
  CudaOptions cuda;
  ThreadPool pool;
  GpuArithmetic arithmetic = GpuArithmetic::canonical;
  std::unique_ptr<Accelerator> accelerator;
  std::optional<DeviceWeights> weights;
  std::unique_ptr<CudaForward> forward;
  std::int64_t pass_rows = 0, page_bytes = 0;  // page_bytes: of keys and values while generating
  BackendStats stats;

  void count_routing(std::span<const std::int64_t> users);
  std::vector<std::int32_t> near_ties_of_rows(std::int64_t n_rows) const;
};

// One pass over several sequences, each continuing where it leaves the one before it at a page's border.
struct CudaPass {
  DeviceBatch batch;
  std::vector<std::size_t> sequences;
  std::vector<std::vector<std::int32_t>> rows;  // of each sequence's tokens
  std::vector<std::int64_t> users;              // (n_rows): sequences that need the row
};

// Sequences in lexicographic order, packed into passes of about `max_rows`.
class CudaPlan {
 public:
  CudaPlan(std::vector<std::span<const std::int32_t>> sequences, std::int64_t max_rows,
           std::int64_t chunk_rows, bool reuse);
  // The next pass, whose pages are taken from `pages` (and given back at the next call); false: there is none.
  bool next(DevicePages& pages, CudaPass& pass);

 private:
  std::size_t shared(std::size_t sequence, const CudaPass& pass) const;
  void add(std::size_t sequence, DevicePages& pages, CudaPass& pass);

  std::vector<std::span<const std::int32_t>> sequences_;
  std::vector<std::size_t> order_;
  std::int64_t max_rows_, chunk_rows_;
  bool reuse_;
  std::size_t next_ = 0;
  std::vector<std::int32_t> path_rows_, path_pages_, taken_;
};

}  // namespace assay
