// What the parts of the engine share. Private to reference/model.
#pragma once
#include <chrono>

#include "base/parallel.h"
#include "reference/model/engine.h"
#include "reference/model/memory_plan.h"
#include "reference/model/wave_pass.h"

namespace assay {

struct Engine::State {
  State(ModelFiles model, WeightSource source, const StackBytes& sizes, const Kernels& kernels,
        const EngineOptions& o);

  ModelFiles files;
  WeightSource weights;
  EngineOptions options;
  ThreadPool pool;
  Compute compute;
  Forward forward;
  MemoryFacts facts;
  ModelCounts counts;
  BackendStats stats;

  // What a call may use besides `kept` bytes of its own: refused where the longest sequence does not fit.
  Result<MemoryPlan> plan(std::int64_t longest, std::uint64_t kept = 0) const;
  std::uint64_t free_beside_a_pass() const;  // where memory is bounded: for keys and values of generation
  // Waves of slabs, or of one slab each for those who look at a whole wave.
  WaveLimits limits(const MemoryPlan& plan, bool reuse, bool slabs) const;
  WavePass pass(const MemoryPlan& plan);
  void end_call();  // gives back memory where it is bounded

  // Adds a layer's decisions to the statistics; for each account a row counts `users[account][row]` times. Near ties of each row are
  // added to `ties`.
  using Users = std::vector<std::vector<std::int64_t>>;
  void count_routing(std::int64_t moe_layer, std::int64_t first_row, const BatchRouting& routing,
                     const Users& users, std::span<std::int32_t> ties);
  void count_rows(std::int64_t n_rows, std::int64_t n_keys);
  double flops_of(std::int64_t n_rows, std::int64_t n_keys) const;
};

// Adds the time of a scope to a total.
class Timer {
 public:
  explicit Timer(double& total_s) : total_s_(total_s), start_(std::chrono::steady_clock::now()) {}
  ~Timer() { total_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  double& total_s_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace assay
