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
#include "kernels/contract.h"
#include "kernels/device.h"

namespace assay {

// Matrix products to time: `groups` weight matrices (n_out, n_in) side by side, each with n_tokens rows of its own.
struct ProductShape {
  std::string what_for;  // the model whose shape it is
  std::string name;      // its place in the model: q_a, experts.gate_up, head ...
  std::int64_t n_out = 0, n_in = 0, n_tokens = 0, groups = 1;
  std::int64_t full_n_out =
      0;  // of the model; larger than n_out where only a part of the outputs is measured
  WeightFormat format = WeightFormat::bf16;
};

// What a layer does beside plain products, and products as a layer calls them.
enum class BenchOperation : std::uint8_t {
  attention,  // over pages of keys and values
  router,     // scores of given logits, choice, weights
  rms_norm,
  rotary,
  swiglu,
  experts,  // one product of each expert with the tokens that chose it, gathered
  head,     // logits and the log-probability of one token a row
  pack      // of rows into panels, by one thread as weights are loaded
};

// An operation at a model's shape. Of the members after `n_tokens` only those of its kind are read.
struct OperationShape {
  BenchOperation kind = BenchOperation::rms_norm;
  std::string what_for;       // the model whose shape it is
  std::string name;           // its place in the model
  std::int64_t n_tokens = 1;  // rows of one call; queries of one sequence; of experts: rows of the input
  std::int64_t width = 0;     // rms_norm: of a row; swiglu: outputs of a row; experts, head, pack: inputs
  std::int64_t n_out = 0, full_n_out = 0;  // experts (of each), head, pack: outputs measured, and the model's
  AttentionShape attention;                // the heads measured
  std::int64_t n_keys = 0;                 // that the last query sees; each one before it sees one less
  std::int64_t window = 0;                 // most keys that a query sees; 0: all
  std::int64_t full_n_heads = 0;           // the model's
  RouterSpec router;                       // its bias is not read
  bool router_bias = false;                // whether there is one
  std::int64_t n_heads = 0, head_stride = 0, n_pairs = 0;  // rotary
  RotaryPairs pairs = RotaryPairs::half_split;
  std::vector<std::int64_t> loads;           // experts: rows of each expert measured
  SwigluClamp clamp;                         // swiglu: limit 0 for the plain one
  std::int64_t rows_at_once = 1;             // head: rows whose logits are made before they are summed up
  WeightFormat format = WeightFormat::bf16;  // experts, head, pack: bf16 or f32
};

// What one call must do. flops: two for each multiply-add of products, also of attention's, whose soft-max is left out; one for each other
// operation of the formula, exp, sigmoid and division counting one. Of a router nothing is counted: its time goes into comparisons. bytes:
// weights, keys, values, inputs and outputs once each; logits of the head not, for they need not leave the cache.
struct BenchWork {
  std::int64_t flops = 0, bytes = 0;
};
BenchWork work_of(const OperationShape& shape);
std::string kernel_name_of(
    const OperationShape& shape);  // attention router rms-norm rotary swiglu experts-bf16 ...
std::string shape_text_of(const OperationShape& shape);

struct BenchOptions {
  int threads = 1;
  double seconds_per_row = 0.4;  // a row runs about this long, and at least `min_repetitions` times
  int min_repetitions = 5;
  // Memory that weights, keys and inputs are taken from, in turn, so that they are read cold. Outputs of operations on rows go to
  // half as much in turn.
  std::uint64_t weight_bytes = std::uint64_t{512} << 20;
  std::int64_t library_extent =
      2048;                      // of the square f32 product that is the GEMM library's peak; 0: not measured
  bool library_products = true;  // also the products that it can do, beside ours
  std::string filter;            // regular expression on "kernel shape"; empty: everything
  std::function<void(std::size_t done, std::size_t total)> progress;
};

struct BenchRow {
  // Limits: read fma int8-dot gemm-library copy. Products: matmul-bf16, -f32, -e4m3 ..., cublas-bf16. Operations: kernel_name_of. Of
  // whole models: prefill decode other.
  std::string kernel;
  std::string shape;  // "q_a 1536x7168 t=128": outputs x inputs, tokens; "8*" before it: that many matrices
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
  double tokens = 0;          // of one call of a whole model, 0: of none
  double clock_mhz = 0;       // right after it, as the system tells it; 0: not told
  double steal_fraction = 0;  // of processor time meanwhile, given to others by the hypervisor
};

struct BenchReport {
  DeviceInfo machine;
  std::optional<DeviceInfo> gpu;  // where rows on_gpu were measured
  std::vector<BenchRow> rows;  // limits first, with one thread and with all, then the shapes in their order
  double steal_fraction = 0;   // of processor time, taken by the hypervisor meanwhile
  std::uint64_t cache_bytes = 0;   // last-level cache as the system reports it, 0: not known
  std::string clock_source;        // the file that clock_mhz is from; empty: none tells it
  std::vector<std::string> notes;  // what could not be measured here and why; the GEMM library that was found
};

// Refused: a filter that is no regular expression (usage), ASSAY_ISA unknown (unsupported), a shape that does not fit
// weight_bytes (memory_limit), a request to stop (interrupted). On a GPU, where there is one, the operations and single products run too.
Result<BenchReport> run_bench(const std::vector<ProductShape>& shapes, const BenchOptions& options,
                              const std::vector<OperationShape>& operations = {});

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

// The fastest processor's clock now, as the system tells it. A virtual machine often tells a constant.
struct ClockReading {
  double mhz = 0;      // 0: not told
  std::string source;  // the file that tells it
};
ClockReading processor_clock();

}  // namespace assay
