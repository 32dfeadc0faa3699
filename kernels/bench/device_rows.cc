#include "kernels/bench/device_rows.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "kernels/bench/operations.h"
#include "kernels/bench/products.h"

namespace assay {
namespace {

constexpr std::size_t kDeviceCopyBytes = std::size_t{256} << 20;
constexpr float kDeviceEps = 1e-6f;

// Memory of the device, full of numbers from the host's. Empty where the device has no more.
class DeviceNumbers {
 public:
  DeviceNumbers(Accelerator& a, std::size_t bytes) : a_(a), bytes_(bytes), data_(a.take(bytes)) {}
  DeviceNumbers(DeviceNumbers&& other) noexcept
      : a_(other.a_), bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  DeviceNumbers& operator=(DeviceNumbers&&) = delete;
  ~DeviceNumbers() { a_.give(data_); }
  bool there() const { return data_ != nullptr; }
  void fill(const BenchNumbers& from) {
    const auto whole = static_cast<std::size_t>(from.floats()) * sizeof(float);
    for (std::size_t at = 0; at < bytes_; at += whole)
      a_.to_device(static_cast<std::byte*>(data_) + at, from.data(), std::min(whole, bytes_ - at));
  }
  template <class T>
  void put(const std::vector<T>& values) {
    ASSAY_CHECK(values.size() * sizeof(T) <= bytes_);
    a_.to_device(data_, values.data(), values.size() * sizeof(T));
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  Accelerator& a_;
  std::size_t bytes_;
  void* data_;
};

class DeviceBench {
 public:
  DeviceBench(Accelerator& a, const DeviceInfo& device, const Meter& meter, double flops,
              BenchNumbers numbers)
      : a_(a), device_(device), meter_(meter), flops_per_s_(flops), numbers_(std::move(numbers)) {}

  BenchRow copy(std::size_t bytes) {
    const DeviceNumbers from = numbers(bytes), to = numbers(bytes);
    BenchRow row = time("copy", "device memory", [&] { a_.copy(to.as<void>(), from.as<void>(), bytes); });
    row.what_for = "machine";
    row.bytes = 2 * static_cast<std::int64_t>(bytes);
    row.fraction_of_limit = best_ / row.seconds_p50;
    row.limit_name = "best repetition";
    bytes_per_s_ = static_cast<double>(row.bytes) / best_;
    return row;
  }

  BenchRow product(const ProductShape& s) {
    OperationShape as_experts;
    as_experts.width = s.n_in;
    as_experts.n_out = s.n_out;
    as_experts.n_tokens = s.n_tokens;
    as_experts.loads.assign(static_cast<std::size_t>(s.groups), s.n_tokens);
    as_experts.format = s.format;
    BenchRow row = experts(product_kernel(s), product_text(s) + " bf16", as_experts, s.groups > 1);
    row.what_for = s.what_for;
    row.flops = 2 * s.groups * s.n_tokens * s.n_out * s.n_in;
    row.bytes = s.groups * (static_cast<std::int64_t>(packed_bytes(s.format, s.n_out, s.n_in)) +
                            4 * s.n_tokens * (s.n_in + s.n_out));
    hold(row, true);
    return row;
  }

  BenchRow operation(const OperationShape& s) {
    BenchRow row = run(s);
    row.what_for = s.what_for;
    const BenchWork work = work_of(s);
    row.flops = work.flops;
    row.bytes = work.bytes;
    hold(row, uses_tensor_cores(s));
    return row;
  }

  static bool uses_tensor_cores(const OperationShape& s) {
    return s.kind == BenchOperation::attention || s.kind == BenchOperation::experts ||
           s.kind == BenchOperation::head;
  }

  // What the device cannot do, or nullptr (kernels/accelerator.h).
  static const char* too_large(const OperationShape& s) {
    if (s.kind == BenchOperation::attention &&
        (s.attention.qk_dim > kGpuMaxKeyDim || s.attention.v_dim > kGpuMaxValueDim))
      return "heads are wider than its kernels take";
    if (s.kind == BenchOperation::router &&
        (s.router.n_groups > kGpuMaxGroups || s.router.top_k > kGpuMaxChosen))
      return "more groups or chosen experts than its kernels take";
    return nullptr;
  }

  bool out_of_memory() const { return out_of_memory_; }

 private:
  DeviceNumbers numbers(std::size_t bytes) {
    DeviceNumbers memory(a_, std::max<std::size_t>(bytes, 1));
    memory.there() ? memory.fill(numbers_) : static_cast<void>(out_of_memory_ = true);
    return memory;
  }
  DeviceNumbers floats(std::int64_t n) { return numbers(static_cast<std::size_t>(n) * sizeof(float)); }
  template <class T>
  DeviceNumbers holding(const std::vector<T>& values) {
    DeviceNumbers memory = numbers(values.size() * sizeof(T));
    if (memory.there()) memory.put(values);
    return memory;
  }

  // Median over the repetitions after one that warms up. Where memory was short nothing is run.
  BenchRow time(const std::string& kernel, const std::string& shape, std::function<void()> body) {
    BenchRow row;
    row.kernel = kernel;
    row.shape = shape;
    row.isa = device_.isa;
    row.threads = 1;
    row.on_gpu = true;
    if (out_of_memory_) return row;
    std::vector<double> seconds;
    const auto call = [](void* f) { (*static_cast<std::function<void()>*>(f))(); };
    a_.seconds_of(call, &body);
    const ProcessorTicks before = processor_ticks();
    for (int i = 0; i < std::max(meter_.options().min_repetitions, 3); ++i)
      seconds.push_back(a_.seconds_of(call, &body));
    std::sort(seconds.begin(), seconds.end());
    const std::size_t n = seconds.size();
    best_ = std::max(seconds.front(), std::numeric_limits<double>::min());
    row.seconds_p50 = std::max(seconds[n / 2], best_);
    row.spread = (seconds[(9 * n) / 10] - seconds[n / 10]) / row.seconds_p50;
    row.repetitions = static_cast<std::int64_t>(n);
    row.steal_fraction = steal_since(before);
    return row;
  }

  void hold(BenchRow& row, bool tensor_cores) const {
    if (out_of_memory_) return;
    const double read = static_cast<double>(row.bytes) / bytes_per_s_,
                 compute = flops_per_s_ > 0 ? static_cast<double>(row.flops) / flops_per_s_ : 0;
    const bool known = !tensor_cores || flops_per_s_ > 0;
    row.fraction_of_limit =
        known ? std::max(read, compute) / row.seconds_p50 : std::numeric_limits<double>::quiet_NaN();
    row.limit_name = !known ? "not measured" : compute > read ? "best cuBLAS bf16 here" : "copy bandwidth";
  }

  BenchRow run(const OperationShape& s) {
    const std::string kernel = kernel_name_of(s), shape = shape_text_of(s);
    switch (s.kind) {
      case BenchOperation::attention:
        return attention(kernel, shape + " bf16", s);
      case BenchOperation::router:
        return router(kernel, shape, s);
      case BenchOperation::rms_norm: {
        const DeviceNumbers x = floats(s.n_tokens * s.width), y = floats(s.n_tokens * s.width),
                            weight = floats(s.width);
        return time(kernel, shape, [&] {
          a_.rms_norm_to(x.as<float>(), weight.as<float>(), s.n_tokens, s.width, kDeviceEps, y.as<float>());
        });
      }
      case BenchOperation::rotary:
        return rotary(kernel, shape, s);
      case BenchOperation::swiglu: {
        const DeviceNumbers gate_up = floats(2 * s.n_tokens * s.width), y = floats(s.n_tokens * s.width);
        return time(kernel, shape,
                    [&] { a_.gate(gate_up.as<float>(), s.n_tokens, s.width, s.clamp, y.as<float>()); });
      }
      case BenchOperation::experts:
        return experts(kernel, shape + " bf16", s, true);
      case BenchOperation::head:
        return head(kernel, shape + " bf16", s);
      case BenchOperation::pack: {
        const DeviceNumbers panels = numbers(packed_bytes(s.format, s.n_out, s.width)), codes = matrix(s, 1);
        const DeviceMatrix to = at(s, codes, 0);
        return time(kernel, shape, [&] { a_.unpack({panels.as<void>(), s.format, s.n_out, s.width}, to); });
      }
    }
    ASSAY_CHECK(false);
  }

  DeviceNumbers matrix(const OperationShape& s, std::int64_t n) {
    return numbers(static_cast<std::size_t>(n) * device_code_bytes(s.format, s.n_out, s.width));
  }
  static DeviceMatrix at(const OperationShape& s, const DeviceNumbers& codes, std::int64_t i) {
    const auto one = device_code_bytes(s.format, s.n_out, s.width);
    return {codes.as<std::byte>() + static_cast<std::size_t>(i) * one,
            nullptr,
            s.format,
            s.n_out,
            s.width,
            device_stride(s.format, s.width)};
  }

  BenchRow attention(const std::string& kernel, const std::string& shape, const OperationShape& s) {
    const AttentionShape& h = s.attention;
    const auto page = static_cast<std::int64_t>(page_floats(h));
    const std::int64_t n_pages = (s.n_keys + kPageKeys - 1) / kPageKeys, q_width = h.n_heads * h.qk_dim;
    const DeviceNumbers q = floats(s.n_tokens * q_width), out = floats(s.n_tokens * h.n_heads * h.v_dim),
                        keys = floats(n_pages * page);
    std::vector<const float*> first;
    for (std::int64_t i = 0; keys.there() && i < n_pages; ++i) first.push_back(keys.as<float>() + i * page);
    const DeviceNumbers pages = holding(first);
    std::vector<DeviceQuery> queries;
    for (std::int64_t i = 0; i < s.n_tokens; ++i) {
      const std::int64_t end = s.n_keys - s.n_tokens + i + 1,
                         begin = s.window > 0 ? std::max<std::int64_t>(0, end - s.window) : 0;
      queries.push_back({.row = static_cast<std::int32_t>(i),
                         .first_page = 0,
                         .first_key = static_cast<std::int32_t>(begin),
                         .end_key = static_cast<std::int32_t>(end)});
    }
    const DeviceAttention job{.shape = h,
                              .q = q.as<float>(),
                              .q_stride = q_width,
                              .out = out.as<float>(),
                              .pages = pages.as<const float*>(),
                              .queries = queries.data(),
                              .n_queries = s.n_tokens};
    return time(kernel, shape, [&] { a_.attend(job, GpuArithmetic::bf16); });
  }

  BenchRow router(const std::string& kernel, const std::string& shape, const OperationShape& s) {
    const std::int64_t chosen = s.n_tokens * s.router.top_k;
    const DeviceNumbers logits = floats(s.n_tokens * s.router.n_experts), bias = floats(s.router.n_experts),
                        experts = floats(chosen), weights = floats(chosen), margins = floats(2 * s.n_tokens);
    RouterSpec spec = s.router;
    spec.bias = s.router_bias ? bias.as<float>() : nullptr;
    const RouterChoice choice{.experts = experts.as<std::int32_t>(),
                              .weights = weights.as<float>(),
                              .margins = margins.as<double>()};
    return time(kernel, shape, [&] { a_.route(spec, logits.as<float>(), s.n_tokens, choice, false); });
  }

  BenchRow rotary(const std::string& kernel, const std::string& shape, const OperationShape& s) {
    std::vector<float> cos(static_cast<std::size_t>(s.n_tokens * s.n_pairs)), sin(cos.size());
    const std::vector<double> frequencies = bench_frequencies(s.n_pairs);
    for (std::int64_t t = 0; t < s.n_tokens; ++t) {
      rotary_row(static_cast<double>(t), frequencies.data(), s.n_pairs, 1, cos.data() + t * s.n_pairs,
                 sin.data() + t * s.n_pairs);
    }
    const std::int64_t stride = s.n_heads * s.head_stride;
    const DeviceNumbers x = floats(s.n_tokens * stride), cos_rows = holding(cos), sin_rows = holding(sin);
    const DeviceHeads heads{.data = x.as<float>(),
                            .n_rows = s.n_tokens,
                            .row_stride = stride,
                            .n_heads = s.n_heads,
                            .head_stride = s.head_stride};
    return time(kernel, shape,
                [&] { a_.rotary(heads, s.n_pairs, s.pairs, cos_rows.as<float>(), sin_rows.as<float>()); });
  }

  // Gathered rows where the shape says that they are experts of a layer.
  BenchRow experts(const std::string& kernel, const std::string& shape, const OperationShape& s,
                   bool of_experts) {
    const std::int64_t slots = std::accumulate(s.loads.begin(), s.loads.end(), std::int64_t{0});
    const DeviceNumbers x = floats(s.n_tokens * s.width), y = floats(slots * s.n_out),
                        codes = matrix(s, static_cast<std::int64_t>(s.loads.size())),
                        rows = holding(gathered_rows(s));
    const DeviceInput input{x.as<float>(), s.n_tokens, s.width, of_experts};
    std::vector<DeviceProduct> products;
    std::int64_t first = 0;
    for (const std::int64_t n : s.loads) {
      products.push_back({.w = at(s, codes, static_cast<std::int64_t>(products.size())),
                          .rows = of_experts ? rows.as<std::int32_t>() + first : nullptr,
                          .n_tokens = n,
                          .y = y.as<float>() + first * s.n_out,
                          .y_stride = s.n_out});
      first += n;
    }
    return time(kernel, shape, [&] {
      a_.multiply(input, products.data(), static_cast<std::int64_t>(products.size()), GpuArithmetic::bf16);
    });
  }

  BenchRow head(const std::string& kernel, const std::string& shape, const OperationShape& s) {
    const std::int64_t at_once = std::min(s.rows_at_once, s.n_tokens);
    const DeviceNumbers x = floats(s.n_tokens * s.width), logits = floats(at_once * s.n_out),
                        codes = matrix(s, 1),
                        answers = numbers(static_cast<std::size_t>(s.n_tokens) * sizeof(HeadSummary));
    const DeviceInput input{x.as<float>(), s.n_tokens, s.width, false};
    return time(kernel, shape, [&] {
      for (std::int64_t i = 0; i < s.n_tokens; i += at_once) {
        const std::int64_t n = std::min(at_once, s.n_tokens - i);
        const DeviceProduct product{.w = at(s, codes, 0),
                                    .first_row = i,
                                    .n_tokens = n,
                                    .y = logits.as<float>(),
                                    .y_stride = s.n_out};
        a_.multiply(input, &product, 1, GpuArithmetic::bf16);
        a_.summarise(logits.as<float>(), n, s.n_out, answers.as<HeadSummary>() + i);
      }
    });
  }

  Accelerator& a_;
  const DeviceInfo& device_;
  const Meter& meter_;
  double flops_per_s_, bytes_per_s_ = 0;
  const BenchNumbers numbers_;
  double best_ = 0;
  bool out_of_memory_ = false;
};

}  // namespace

std::vector<BenchRow> device_rows(Accelerator& accelerator, const DeviceInfo& device, const Meter& meter,
                                  const std::vector<ProductShape>& products,
                                  const std::vector<OperationShape>& operations, double best_flops_per_s,
                                  std::vector<std::string>& notes) {
  DeviceBench bench(accelerator, device, meter, best_flops_per_s, BenchNumbers(std::uint64_t{4} << 20));
  std::vector<BenchRow> rows;
  // The device is asked after each row: what failed is no measurement, and nothing after it would be.
  const auto keep = [&](BenchRow row) {
    const char* const fault = accelerator.finish();
    if (fault == nullptr && !bench.out_of_memory()) {
      rows.push_back(std::move(row));
      return true;
    }
    notes.push_back(
        device.name + ": " + row.kernel + " " + row.shape +
        " and what follows were not measured: " + (fault != nullptr ? fault : "its memory is full"));
    return false;
  };
  if (!keep(bench.copy(std::min<std::size_t>(kDeviceCopyBytes, meter.options().weight_bytes)))) return rows;
  if (!meter.wanted(rows[0].kernel, rows[0].shape)) rows.clear();
  for (const ProductShape& s : products) {
    if (is_coded(s.format) || !meter.wanted(product_kernel(s), product_text(s))) continue;
    if (!keep(bench.product(s))) return rows;
  }
  for (const OperationShape& s : operations) {
    if (!meter.wanted(kernel_name_of(s), shape_text_of(s))) continue;
    if (const char* const why = DeviceBench::too_large(s)) {
      notes.push_back(device.name + ": " + kernel_name_of(s) + " " + shape_text_of(s) + ": " + why);
    } else if (!keep(bench.operation(s))) {
      return rows;
    }
  }
  return rows;
}

}  // namespace assay
