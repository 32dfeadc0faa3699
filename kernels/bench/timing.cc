#include "kernels/bench/timing.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/check.h"

namespace assay {
namespace {

constexpr double kShortestSample = 1e-3;  // seconds: the clock and a waking thread cost some 10 us
constexpr int kMaxRepetitions = 200;

// Keeps the repetitions; prints nothing.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      seconds_.push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
    }
  }
  std::vector<double>& seconds() { return seconds_; }

 private:
  std::vector<double> seconds_;
};

double once(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
}

}  // namespace

Timing time_body(const std::string& name, double seconds, int min_repetitions,
                 const std::function<void()>& body) {
  ASSAY_CHECK(seconds > 0 && min_repetitions >= 1 && min_repetitions <= kMaxRepetitions);
  once(body);  // first touch of its memory
  const double guess = std::max(once(body), 1e-9);
  const int calls = static_cast<int>(std::clamp(kShortestSample / guess, 1.0, 1e6));
  Collector collector;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  do {  // in rounds: on a busy machine one lucky first call must not promise hundreds of slow ones
    benchmark::ClearRegisteredBenchmarks();
    benchmark::RegisterBenchmark(name.c_str(),
                                 [&body](benchmark::State& state) {
                                   for (auto _ : state) body();
                                 })
        ->Iterations(calls)
        ->Repetitions(min_repetitions)
        ->UseRealTime();
    benchmark::RunSpecifiedBenchmarks(&collector, ".");
  } while (elapsed() < seconds && collector.seconds().size() < kMaxRepetitions);
  benchmark::ClearRegisteredBenchmarks();
  auto& samples = collector.seconds();
  ASSAY_CHECK(!samples.empty());
  std::sort(samples.begin(), samples.end());
  const double p50 = quantile(samples, 0.5);
  ASSAY_CHECK(p50 > 0);
  return {p50, (quantile(samples, 0.9) - quantile(samples, 0.1)) / p50, samples.front(),
          static_cast<std::int64_t>(samples.size())};
}

}  // namespace assay
