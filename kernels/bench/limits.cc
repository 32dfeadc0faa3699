// The machine's limits in short bursts.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/parallel.h"
#include "kernels/bench/bench.h"
#include "kernels/contract.h"
#include "kernels/memory.h"
#include "kernels/select.h"

namespace assay {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 20;
constexpr std::int64_t kBurstSteps = 1 << 19;  // some 100 ms of one thread
constexpr std::size_t kPieceFloats = 16 << 10;
constexpr std::size_t kSinkFloats = 64;  // a cache line and more each

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

struct LimitProbe::State {
  State(const Kernels& table, int threads)
      : kernels(table),
        pool(threads),
        memory(kReadBytes),
        sinks(static_cast<std::size_t>(threads) * kSinkFloats) {
    std::memset(memory.data(), 1, memory.size());
  }
  const Kernels& kernels;
  ThreadPool pool;
  HugeMemory memory;
  std::vector<float> sinks;
};

LimitProbe::LimitProbe(std::unique_ptr<State> state) : state_(std::move(state)) {}
LimitProbe::LimitProbe(LimitProbe&&) noexcept = default;
LimitProbe::~LimitProbe() = default;

Result<LimitProbe> LimitProbe::make(int threads) {
  ASSAY_CHECK(threads >= 1);
  ASSAY_TRY(const Kernels* const table, chosen_kernels());
  return LimitProbe(std::make_unique<State>(*table, threads));
}

double LimitProbe::flops_per_s() {
  State& s = *state_;
  const auto n = static_cast<std::size_t>(s.pool.n_threads());
  const double seconds = seconds_of([&] {
    s.pool.run(n, [&](std::size_t i, int) { s.kernels.burn_fma(kBurstSteps, &s.sinks[i * kSinkFloats]); });
  });
  const auto one = static_cast<double>(s.kernels.burn_fma(1, s.sinks.data()));
  return one * static_cast<double>(kBurstSteps) * static_cast<double>(n) / seconds;
}

// The faster of two ways: four streams a thread, far apart, or pieces that follow each other.
double LimitProbe::bytes_per_s() {
  State& s = *state_;
  const auto n = static_cast<std::size_t>(s.pool.n_threads());
  const std::size_t part = s.memory.size() / sizeof(float) / n / kPieceFloats * kPieceFloats;
  double best = 0;
  for (const std::size_t piece : {part, kPieceFloats}) {
    const double seconds = seconds_of([&] {
      s.pool.run(n, [&](std::size_t i, int) {
        for (std::size_t at = i * part; at < (i + 1) * part; at += piece)
          s.sinks[i * kSinkFloats] +=
              s.kernels.read_all(s.memory.floats() + at, static_cast<std::int64_t>(piece));
      });
    });
    best = std::max(best, static_cast<double>(part * n * sizeof(float)) / seconds);
  }
  return best;
}

const char* LimitProbe::isa() const { return state_->kernels.name; }

// The cpu line of proc(5): its eighth field is "steal".
ProcessorTicks processor_ticks() {
  std::ifstream in("/proc/stat");
  std::string label;
  in >> label;
  ProcessorTicks ticks;
  for (int field = 1; field <= 8; ++field) {
    double value = 0;
    if (!(in >> value)) return {};
    ticks.all += value;
    if (field == 8) ticks.steal = value;
  }
  return ticks;
}

double steal_since(const ProcessorTicks& before) {
  const ProcessorTicks now = processor_ticks();
  return now.all > before.all ? (now.steal - before.steal) / (now.all - before.all) : 0;
}

ClockReading processor_clock() {
  constexpr int kMaxProcessors = 64;  // read at most: each costs a system call or more
  constexpr double kMhzPerKhz = 1e-3;
  ClockReading clock;
  for (int i = 0; i < std::min(hardware_threads(), kMaxProcessors); ++i) {
    std::ifstream in("/sys/devices/system/cpu/cpu" + std::to_string(i) + "/cpufreq/scaling_cur_freq");
    if (double khz = 0; in >> khz) clock.mhz = std::max(clock.mhz, khz * kMhzPerKhz);
  }
  if (clock.mhz > 0) {
    clock.source = "/sys/devices/system/cpu/*/cpufreq/scaling_cur_freq";
    return clock;
  }
  std::ifstream in("/proc/cpuinfo");
  int seen = 0;
  for (std::string line; seen < kMaxProcessors && std::getline(in, line);) {
    const auto colon = line.find(": ");
    if (!line.starts_with("cpu MHz") || colon == std::string::npos) continue;
    ++seen;
    clock.mhz = std::max(clock.mhz, std::strtod(line.c_str() + colon + 2, nullptr));
  }
  if (clock.mhz > 0) clock.source = "/proc/cpuinfo";
  return clock;
}

}  // namespace assay
