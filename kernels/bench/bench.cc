#include "kernels/bench/bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <regex>

#include "base/progress.h"
#include "kernels/bench/blas_library.h"
#include "kernels/bench/device_rows.h"
#include "kernels/bench/int8_peak.h"
#include "kernels/bench/meter.h"
#include "kernels/bench/operations.h"
#include "kernels/bench/products.h"
#include "kernels/cuda.h"
#include "kernels/select.h"

namespace assay {
namespace {

constexpr std::int64_t kBurnSteps = 1 << 16;
constexpr std::size_t kSinkStride = 64;  // floats from one thread's sink to the next: a cache line and more

// A limit is the best repetition seen; its row says how far the median is from it.
void finish_limit(BenchRow& row, double best) {
  row.fraction_of_limit = best / row.seconds_p50;
  row.limit_name = "best repetition";
  row.what_for = "machine";
}

MachineLimits measure_limits(Meter& meter, int threads, std::vector<BenchRow>& rows) {
  ThreadPool alone(1);
  ThreadPool& pool = threads == 1 ? alone : meter.pool();
  const auto n_tasks = static_cast<std::size_t>(threads);
  const BenchNumbers& numbers = meter.numbers();
  const Kernels& kernels = meter.kernels();
  const std::int64_t part = numbers.floats() / threads;
  std::vector<float> sinks(n_tasks * kSinkStride);
  BenchRow read = meter.time("read", fmt::format("{} MiB", numbers.floats() >> 18), threads, [&] {
    pool.run(n_tasks, [&](std::size_t i, int) {
      sinks[i * kSinkStride] = kernels.read_all(numbers.data() + static_cast<std::int64_t>(i) * part, part);
    });
  });
  const double read_best = meter.best();
  read.bytes = part * threads * 4;
  finish_limit(read, read_best);
  BenchRow fma = meter.time("fma", "registers", threads, [&] {
    pool.run(n_tasks, [&](std::size_t i, int) { kernels.burn_fma(kBurnSteps, &sinks[i * kSinkStride]); });
  });
  const double fma_best = meter.best();
  fma.flops = kernels.burn_fma(1, sinks.data()) * kBurnSteps * threads;
  finish_limit(fma, fma_best);
  for (const BenchRow& row : {read, fma}) {
    if (meter.wanted(row.kernel, row.shape)) rows.push_back(row);
  }
  return {static_cast<double>(fma.flops) / fma_best, static_cast<double>(read.bytes) / read_best};
}

void measure_integer_peak(Meter& meter, int threads, BenchReport& report) {
  if (!meter.wanted("int8-dot", "registers")) return;
  const IntegerPeak* const peak = integer_peak(meter.kernels().isa);
  if (peak == nullptr) {
    if (threads == 1)
      report.notes.push_back(
          "no integer peak: no dot product of 8-bit integers is written for these kernels");
    return;
  }
  ThreadPool alone(1);
  ThreadPool& pool = threads == 1 ? alone : meter.pool();
  std::vector<std::int32_t> sinks(static_cast<std::size_t>(threads) * kSinkStride);
  BenchRow row = meter.time("int8-dot", "registers", threads, [&] {
    pool.run(static_cast<std::size_t>(threads),
             [&](std::size_t i, int) { peak->burn(kBurnSteps, &sinks[i * kSinkStride]); });
  });
  row.isa = peak->isa;
  row.flops = peak->burn(1, sinks.data()) * kBurnSteps * threads;
  finish_limit(row, meter.best());
  report.rows.push_back(row);
}

BenchRow measure_operation(Meter& meter, const OperationShape& s) {
  const bool packs = s.kind == BenchOperation::pack;  // weights are packed by one thread
  const auto call = prepare_operation(meter.compute(), meter.numbers(), meter.outputs(), s);
  BenchRow row = meter.time(kernel_name_of(s), shape_text_of(s), packs ? 1 : meter.options().threads, call);
  const BenchWork work = work_of(s);
  row.what_for = s.what_for;
  row.flops = work.flops;
  row.bytes = work.bytes;
  meter.hold(row);
  return row;
}

// The same products through cuBLAS on the first GPU, where there is one: single matrices, many tokens. Its limit was not measured here, so
// the fraction is NaN (stored as NULL).
void add_cublas_rows(const std::vector<ProductShape>& shapes, const Meter& meter, int repetitions,
                     BenchReport& report) {
  for (const ProductShape& s : shapes) {
    if (s.groups > 1 || s.format != WeightFormat::bf16 || !meter.wanted("cublas-bf16", product_text(s)))
      continue;
    const auto seconds = cuda_cublas_seconds(s.n_tokens, s.n_out, s.n_in, repetitions);
    if (!seconds.ok()) {
      report.notes.push_back("no cuBLAS: " + seconds.error().message);
      return;
    }
    BenchRow r;
    r.kernel = "cublas-bf16";
    r.shape = product_text(s);
    r.isa = report.gpu->isa;
    r.what_for = s.what_for;
    r.threads = 1;
    r.seconds_p50 = *seconds;
    r.repetitions = repetitions;
    r.limit_name = "not measured";
    r.on_gpu = true;
    r.flops = 2 * s.n_tokens * s.n_out * s.n_in;
    r.bytes = 2 * (s.n_out * s.n_in + s.n_tokens * (s.n_in + s.n_out));
    r.fraction_of_limit = std::numeric_limits<double>::quiet_NaN();
    report.rows.push_back(r);
  }
}

void add_gpu_rows(const std::vector<ProductShape>& shapes, const std::vector<OperationShape>& operations,
                  const Meter& meter, BenchReport& report) {
  const auto gpus = gpu_devices();
  if (gpus.empty()) return;
  report.gpu = gpus.front();
  add_cublas_rows(shapes, meter, std::max(5, meter.options().min_repetitions), report);
  double best = 0;
  for (const BenchRow& row : report.rows) {
    if (row.on_gpu) best = std::max(best, static_cast<double>(row.flops) / row.seconds_p50);
  }
  auto gpu = open_cuda();
  if (!gpu.ok()) {
    report.notes.push_back(gpu.error().message);
    return;
  }
  const auto more = device_rows(**gpu, *report.gpu, meter, shapes, operations, best, report.notes);
  report.rows.insert(report.rows.end(), more.begin(), more.end());
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

void add_library_rows(Meter& meter, const std::vector<ProductShape>& shapes, BenchReport& report) {
  if (meter.options().library_extent == 0) return;
  const BlasLibrary* const library = BlasLibrary::find();
  report.notes.emplace_back(library == nullptr ? BlasLibrary::advice()
                                               : "GEMM library: " + library->description());
  if (library == nullptr) return;
  const auto rows = measure_library(meter, *library, shapes);
  report.rows.insert(report.rows.end(), rows.begin(), rows.end());
}

// Rows of the processor, in their order; a request to stop ends it.
Status measure_shapes(Meter& meter, const std::vector<ProductShape>& shapes,
                      const std::vector<OperationShape>& operations, std::vector<BenchRow>& rows) {
  const BenchOptions& options = meter.options();
  const std::size_t total = shapes.size() + operations.size();
  for (std::size_t i = 0; i < total; ++i) {
    if (stop_requested())
      return Error{.code = Code::interrupted, .message = "stopped while measuring; nothing was stored"};
    if (i < shapes.size()) {
      const ProductShape& s = shapes[i];
      if (meter.wanted(product_kernel(s), product_text(s))) rows.push_back(measure_product(meter, s));
    } else {
      const OperationShape& s = operations[i - shapes.size()];
      if (meter.wanted(kernel_name_of(s), shape_text_of(s))) rows.push_back(measure_operation(meter, s));
    }
    if (options.progress) options.progress(i + 1, total);
  }
  return {};
}

}  // namespace

Result<BenchReport> run_bench(const std::vector<ProductShape>& shapes, const BenchOptions& options,
                              const std::vector<OperationShape>& operations) {
  ASSAY_CHECK(options.threads >= 1 && options.weight_bytes >= (1u << 20) && options.library_extent >= 0);
  ASSAY_TRY(auto filter, parse_filter(options.filter));
  ASSAY_TRY(const Kernels* const table, chosen_kernels());
  BenchReport report;
  ASSAY_TRY(report.machine, this_device());
  report.cache_bytes = cache_bytes();
  report.clock_source = processor_clock().source;
  for (const ProductShape& s : shapes) ASSAY_OK(check_product(s, options));
  for (const OperationShape& s : operations) ASSAY_OK(check_operation(s, options));
  if (report.cache_bytes > options.weight_bytes / 2) {
    report.notes.push_back(fmt::format(
        "the last-level cache ({} MiB) may hold much of the {} MiB that rows read in turn: fractions of the "
        "read bandwidth can exceed 100 %",
        report.cache_bytes >> 20, options.weight_bytes >> 20));
  }
  const ProcessorTicks before = processor_ticks();
  Meter meter(*table, options, std::move(filter));
  meter.alone = meter.all = measure_limits(meter, 1, report.rows);
  measure_integer_peak(meter, 1, report);
  if (options.threads > 1) {
    meter.all = measure_limits(meter, options.threads, report.rows);
    measure_integer_peak(meter, options.threads, report);
  }
  ASSAY_OK(measure_shapes(meter, shapes, operations, report.rows));
  add_library_rows(meter, shapes, report);
  add_gpu_rows(shapes, operations, meter, report);
  report.steal_fraction = steal_since(before);
  return report;
}

}  // namespace assay
