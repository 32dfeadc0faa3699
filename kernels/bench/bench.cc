#include "kernels/bench/bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <regex>

#include "base/parallel.h"
#include "base/progress.h"
#include "base/rng.h"
#include "kernels/bench/timing.h"
#include "kernels/contract.h"
#include "kernels/cuda.h"
#include "kernels/scratch.h"
#include "kernels/select.h"

namespace assay {
namespace {

constexpr std::int64_t kBurnSteps = 1 << 16;

// Memory full of words that are two bf16 numbers of magnitude 2^-7 .. 1 each, and so an f32 number too: any piece of it can serve as weights or inputs.
class Numbers {
 public:
  explicit Numbers(std::uint64_t bytes) : n_(bytes / 4) {
    auto* const words = reinterpret_cast<std::uint32_t*>(memory_.at_least(n_));
    const std::size_t drawn = std::min<std::size_t>(n_, std::size_t{1} << 20);
    Stream random(1);
    for (std::size_t i = 0; i < drawn; ++i) {
      const std::uint32_t r = random.u32();
      const std::uint32_t low = 0x3c00u + (r & 0x7fffu) % 0x380u,
                          high = 0x3c00u + (r >> 16 & 0x7fffu) % 0x380u;
      words[i] = (r & 0x80008000u) | high << 16 | low;
    }
    for (std::size_t i = drawn; i < n_; i += drawn) std::copy_n(words, std::min(drawn, n_ - i), words + i);
  }
  const float* data() { return memory_.at_least(n_); }
  std::int64_t floats() const { return static_cast<std::int64_t>(n_); }

 private:
  ScratchFloats memory_;
  std::size_t n_;
};

struct Limits {
  double flops_per_s = 0, bytes_per_s = 0;
};

std::int64_t weight_floats(const ProductShape& s) {  // of one matrix
  return static_cast<std::int64_t>(
      packed_bytes(s.bf16 ? WeightFormat::bf16 : WeightFormat::f32, s.n_out, s.n_in) / 4);
}

std::string shape_text(const ProductShape& s) {
  const std::string part = s.full_n_out > s.n_out ? fmt::format("/{}", s.full_n_out) : "";
  const std::string groups = s.groups > 1 ? fmt::format("{}*", s.groups) : "";
  return fmt::format("{} {}{}{}x{} t={}", s.name, groups, s.n_out, part, s.n_in, s.n_tokens);
}

const char* kernel_name(const ProductShape& s) { return s.bf16 ? "matmul-bf16" : "matmul-f32"; }

class Bench {
 public:
  Bench(const Kernels& table, const BenchOptions& options, std::optional<std::regex> filter)
      : kernels_(table),
        options_(options),
        filter_(std::move(filter)),
        pool_(options.threads),
        numbers_(options.weight_bytes) {}

  bool wanted(const std::string& kernel, const std::string& shape) const {
    return !filter_ || std::regex_search(kernel + " " + shape, *filter_);
  }

  Limits measure_limits(int threads, std::vector<BenchRow>& rows) {
    ThreadPool alone(1);
    ThreadPool& pool = threads == 1 ? alone : pool_;
    const auto n_tasks = static_cast<std::size_t>(threads);
    const std::int64_t part = numbers_.floats() / threads;
    std::vector<float> sinks(n_tasks * 64);  // a cache line each
    BenchRow read = row("read", fmt::format("{} MiB", numbers_.floats() >> 18), threads, [&] {
      pool.run(n_tasks, [&](std::size_t i, int) {
        sinks[i * 64] = kernels_.read_all(numbers_.data() + static_cast<std::int64_t>(i) * part, part);
      });
    });
    const double read_best = best_;
    read.bytes = part * threads * 4;
    BenchRow fma = row("fma", "registers", threads, [&] {
      pool.run(n_tasks, [&](std::size_t i, int) { kernels_.burn_fma(kBurnSteps, &sinks[i * 64]); });
    });
    const double fma_best = best_;
    fma.flops = kernels_.burn_fma(1, sinks.data()) * kBurnSteps * threads;
    for (BenchRow* r : {&read, &fma}) {
      r->fraction_of_limit = (r == &read ? read_best : fma_best) / r->seconds_p50;
      r->limit_name = "best repetition";
      r->what_for = "machine";
      if (wanted(r->kernel, r->shape)) rows.push_back(*r);
    }
    return {static_cast<double>(fma.flops) / fma_best, static_cast<double>(read.bytes) / read_best};
  }

  BenchRow measure(const ProductShape& s, const Limits& limits) {
    const WeightFormat format = s.bf16 ? WeightFormat::bf16 : WeightFormat::f32;
    const std::int64_t matrix = weight_floats(s), set = matrix * s.groups, sets = numbers_.floats() / set;
    ASSAY_CHECK(sets >= 1);
    std::vector<float> x(static_cast<std::size_t>(s.groups * s.n_tokens * s.n_in)),
        y(static_cast<std::size_t>(s.groups * s.n_tokens * s.n_out));
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = numbers_.data()[i % static_cast<std::size_t>(numbers_.floats())];
    std::vector<MatmulJob> jobs(static_cast<std::size_t>(s.groups));
    std::int64_t turn = 0;
    BenchRow r = row(kernel_name(s), shape_text(s), options_.threads, [&] {
      const float* const weights = numbers_.data() + (turn++ % sets) * set;
      for (std::int64_t g = 0; g < s.groups; ++g) {
        jobs[static_cast<std::size_t>(g)] = {{weights + g * matrix, format, s.n_out, s.n_in},
                                             x.data() + g * s.n_tokens * s.n_in,
                                             nullptr,
                                             s.n_tokens,
                                             s.n_in,
                                             y.data() + g * s.n_tokens * s.n_out,
                                             s.n_out};
      }
      matmul_group({kernels_, pool_}, jobs.data(), s.groups);
    });
    r.what_for = s.what_for;
    r.flops = 2 * s.groups * s.n_tokens * s.n_out * s.n_in;
    r.bytes = set * 4 + 4 * static_cast<std::int64_t>(x.size() + y.size());
    const double compute = static_cast<double>(r.flops) / limits.flops_per_s,
                 read = static_cast<double>(r.bytes) / limits.bytes_per_s;
    r.fraction_of_limit = std::max(compute, read) / r.seconds_p50;
    r.limit_name = compute >= read ? "fp32 FMA peak" : "read bandwidth";
    return r;
  }

 private:
  template <class Body>
  BenchRow row(const std::string& kernel, const std::string& shape, int threads, const Body& body) {
    const Timing t =
        time_body(kernel + " " + shape, options_.seconds_per_row, options_.min_repetitions, body);
    best_ = t.seconds_best;
    return {kernel, shape, kernels_.name, "", threads, t.seconds_p50, t.spread, t.repetitions, 0, 0, 0, ""};
  }

  const Kernels& kernels_;
  const BenchOptions& options_;
  std::optional<std::regex> filter_;
  ThreadPool pool_;
  Numbers numbers_;
  double best_ = 0;  // seconds of the fastest repetition of the last row
};

// The same products through cuBLAS on the first GPU, where there is one: single matrices, many tokens. Its limit was not measured here, so
// the fraction is NaN (stored as NULL).
void add_cublas_rows(const std::vector<ProductShape>& shapes, const Bench& bench, int repetitions,
                     BenchReport& report) {
  const auto gpus = gpu_devices();
  if (gpus.empty()) return;
  report.gpu = gpus.front();
  for (const ProductShape& s : shapes) {
    if (s.groups > 1 || !s.bf16 || !bench.wanted("cublas-bf16", shape_text(s))) continue;
    const auto seconds = cuda_cublas_seconds(s.n_tokens, s.n_out, s.n_in, repetitions);
    if (!seconds.ok()) return;
    BenchRow r{
        "cublas-bf16", shape_text(s), report.gpu->isa, s.what_for, 1, *seconds, 0, repetitions, 0, 0, 0,
        "not measured"};
    r.on_gpu = true;
    r.flops = 2 * s.n_tokens * s.n_out * s.n_in;
    r.bytes = 2 * (s.n_out * s.n_in + s.n_tokens * (s.n_in + s.n_out));
    r.fraction_of_limit = std::numeric_limits<double>::quiet_NaN();
    report.rows.push_back(r);
  }
}

Result<std::optional<std::regex>> parse_filter(const std::string& text) {
  constexpr std::size_t kMaxFilter = 200;
  const Error bad{.code = Code::usage,
                  .message = "--filter is not a regular expression",
                  .got = text.substr(0, kMaxFilter)};
  if (text.empty()) return std::optional<std::regex>();
  if (text.size() > kMaxFilter) return bad;
  try {
    return std::optional<std::regex>(std::regex(text, std::regex::ECMAScript | std::regex::optimize));
  } catch (const std::regex_error&) {
    return bad;
  }
}

std::uint64_t cache_bytes() {
  const long size = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return size > 0 ? static_cast<std::uint64_t>(size) : 0;
}

Status check_shape(const ProductShape& s, const BenchOptions& options) {
  constexpr std::int64_t kMaxExtent = 1 << 24;
  for (const std::int64_t extent : {s.n_out, s.n_in, s.n_tokens, s.groups}) {
    if (extent >= 1 && extent <= kMaxExtent) continue;
    return Error{.code = Code::bad_shape,
                 .message = "a product to measure has an extent that makes no sense",
                 .field = s.name,
                 .expected = "1 to 2^24",
                 .got = std::to_string(extent)};
  }
  const auto bytes = static_cast<std::uint64_t>(weight_floats(s)) * 4 * static_cast<std::uint64_t>(s.groups);
  if (bytes <= options.weight_bytes) return {};
  return Error{.code = Code::memory_limit,
               .message = "a product to measure does not fit the memory given for weights",
               .field = s.name,
               .expected = fmt::format("at most {} bytes", options.weight_bytes),
               .got = std::to_string(bytes)};
}

}  // namespace

Result<BenchReport> run_bench(const std::vector<ProductShape>& shapes, const BenchOptions& options) {
  ASSAY_CHECK(options.threads >= 1 && options.weight_bytes >= (1u << 20));
  ASSAY_TRY(auto filter, parse_filter(options.filter));
  ASSAY_TRY(const Kernels* const table, chosen_kernels());
  BenchReport report;
  ASSAY_TRY(report.machine, this_device());
  report.cache_bytes = cache_bytes();
  for (const ProductShape& s : shapes) ASSAY_OK(check_shape(s, options));
  const ProcessorTicks before = processor_ticks();
  Bench bench(*table, options, std::move(filter));
  Limits limits = bench.measure_limits(1, report.rows);
  if (options.threads > 1) limits = bench.measure_limits(options.threads, report.rows);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (stop_requested())
      return Error{.code = Code::interrupted, .message = "stopped while measuring; nothing was stored"};
    if (bench.wanted(kernel_name(shapes[i]), shape_text(shapes[i])))
      report.rows.push_back(bench.measure(shapes[i], limits));
    if (options.progress) options.progress(i + 1, shapes.size());
  }
  add_cublas_rows(shapes, bench, std::max(5, options.min_repetitions), report);
  report.steal_fraction = steal_since(before);
  return report;
}

}  // namespace assay
