#include "kernels/bench/meter.h"

#include <algorithm>

#include "base/check.h"
#include "base/rng.h"
#include "kernels/bench/timing.h"

namespace assay {
namespace {

constexpr std::int64_t kLineFloats = 16;

std::int64_t whole_lines(std::int64_t floats) {
  return (floats + kLineFloats - 1) / kLineFloats * kLineFloats;
}

}  // namespace

BenchNumbers::BenchNumbers(std::uint64_t bytes)
    : memory_(bytes), floats_(static_cast<std::int64_t>(bytes / sizeof(float))) {
  auto* const words = reinterpret_cast<std::uint32_t*>(memory_.data());
  const std::int64_t drawn = std::min<std::int64_t>(floats_, std::int64_t{1} << 20);
  Stream random(1);
  for (std::int64_t i = 0; i < drawn; ++i) {
    const std::uint32_t r = random.u32();
    const std::uint32_t low = 0x3c00u + (r & 0x7fffu) % 0x380u, high = 0x3c00u + (r >> 16 & 0x7fffu) % 0x380u;
    words[i] = (r & 0x80008000u) | high << 16 | low;
  }
  for (std::int64_t i = drawn; i < floats_; i += drawn)
    std::copy_n(words, std::min(drawn, floats_ - i), words + i);
}

std::int64_t BenchNumbers::pieces(std::int64_t size) const {
  ASSAY_CHECK(size >= 1);
  return floats_ / whole_lines(size);
}

float* BenchNumbers::piece(std::int64_t size, std::int64_t turn) const {
  const std::int64_t n = pieces(size);
  ASSAY_CHECK(n >= 1 && turn >= 0);
  return data() + turn % n * whole_lines(size);
}

Meter::Meter(const Kernels& table, const BenchOptions& options, std::optional<std::regex> filter)
    : kernels_(table),
      options_(options),
      filter_(std::move(filter)),
      pool_(options.threads),
      numbers_(options.weight_bytes) {}

bool Meter::wanted(const std::string& kernel, const std::string& shape) const {
  return !filter_ || std::regex_search(kernel + " " + shape, *filter_);
}

BenchNumbers& Meter::outputs() {
  if (!outputs_) outputs_.emplace(options_.weight_bytes / 2);
  return *outputs_;
}

BenchRow Meter::time(const std::string& kernel, const std::string& shape, int threads,
                     const std::function<void()>& body) {
  const ProcessorTicks before = processor_ticks();
  const Timing t = time_body(kernel + " " + shape, options_.seconds_per_row, options_.min_repetitions, body);
  best_ = t.seconds_best;
  BenchRow row;
  row.kernel = kernel;
  row.shape = shape;
  row.isa = kernels_.name;
  row.threads = threads;
  row.seconds_p50 = t.seconds_p50;
  row.spread = t.spread;
  row.repetitions = t.repetitions;
  row.clock_mhz = processor_clock().mhz;
  row.steal_fraction = steal_since(before);
  return row;
}

void Meter::hold(BenchRow& row) const {
  const MachineLimits& limits = row.threads == 1 ? alone : all;
  ASSAY_CHECK(limits.flops_per_s > 0 && limits.bytes_per_s > 0 && row.seconds_p50 > 0);
  const double compute = static_cast<double>(row.flops) / limits.flops_per_s,
               read = static_cast<double>(row.bytes) / limits.bytes_per_s;
  row.fraction_of_limit = std::max(compute, read) / row.seconds_p50;
  row.limit_name = compute >= read ? "fp32 FMA peak" : "read bandwidth";
}

}  // namespace assay
