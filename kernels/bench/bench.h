// Times kernels on this machine, with Google Benchmark underneath: shapes in, rows out. Each rate stands beside the
// limit of the machine that was measured in the same run with the same threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/device.h"

namespace assay {

// Matrix products to time: `groups` weight matrices (n_out, n_in) side by side, each with n_tokens rows of its own.
struct ProductShape {
  std::string what_for;  // the model whose shape it is
  std::string name;      // its place in the model: q_a, experts.gate_up, head ...
  std::int64_t n_out = 0, n_in = 0, n_tokens = 0, groups = 1;
  std::int64_t full_n_out =
      0;             // of the model; larger than n_out where only a part of the outputs is measured
  bool bf16 = true;  // else f32 weights
};

struct BenchOptions {
  int threads = 1;
  double seconds_per_row = 0.4;  // a row runs about this long, and at least `min_repetitions` times
  int min_repetitions = 5;
  std::uint64_t weight_bytes =
      std::uint64_t{512}
      << 20;           // memory that weights are taken from, in turn, so that few-token rows read it cold
  std::string filter;  // regular expression on "kernel shape"; empty: everything
  std::function<void(std::size_t done, std::size_t total)> progress;
};

struct BenchRow {
  std::string kernel;  // read fma matmul-bf16 matmul-f32 cublas-bf16; of whole models: prefill decode other
  std::string shape;   // "q_a 1536x7168 t=128": outputs x inputs, tokens; "8*" before it: that many matrices
  std::string isa;
  std::string what_for;  // "machine" for limits
  int threads = 0;
  double seconds_p50 = 0, spread = 0;  // of one call; spread: (p90 - p10) / p50
  std::int64_t repetitions = 0;
  std::int64_t flops = 0, bytes = 0;  // of one call; bytes: weights, inputs and outputs, each once
  double fraction_of_limit =
      0;  // p50 against the larger of flops / FMA peak and bytes / read bandwidth, where a limit is the best repetition seen
  std::string limit_name;
  bool on_gpu = false;
  double tokens = 0;  // of one call of a whole model, 0: of none
};

struct BenchReport {
  DeviceInfo machine;
  std::optional<DeviceInfo> gpu;  // where rows on_gpu were measured
  std::vector<BenchRow> rows;  // limits first, with one thread and with all, then the shapes in their order
  double steal_fraction = 0;   // of processor time, taken by the hypervisor meanwhile
  std::uint64_t cache_bytes = 0;  // last-level cache as the system reports it, 0: not known
};

// Refused: a filter that is no regular expression (usage), ASSAY_ISA unknown (unsupported), a shape that does not fit
// weight_bytes (memory_limit), a request to stop (interrupted).
Result<BenchReport> run_bench(const std::vector<ProductShape>& shapes, const BenchOptions& options);

// The same limits in bursts of some 100 ms, to be taken right before and right after what is held against them: a machine that is
// shared, or slows down as it warms, changes within seconds.
class LimitProbe {
 public:
  static Result<LimitProbe> make(int threads);  // ASSAY_ISA unknown: unsupported
  LimitProbe(LimitProbe&&) noexcept;
  ~LimitProbe();
  double flops_per_s();  // f32 fused multiply-adds on registers
  double bytes_per_s();  // reading 256 MiB, the faster of two ways
  const char* isa() const;

 private:
  struct State;
  explicit LimitProbe(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Of processor time since `before` (0 for the time since the machine started): the part that the hypervisor gave to others.
struct ProcessorTicks {
  double all = 0, steal = 0;
};
ProcessorTicks processor_ticks();
double steal_since(const ProcessorTicks& before);

}  // namespace assay
