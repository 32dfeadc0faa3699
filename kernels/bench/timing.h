// One measurement: a callable, repeated by Google Benchmark. Private to kernels/bench/.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace assay {

struct Timing {
  double seconds_p50 = 0, spread = 0;  // of one call
  double seconds_best = 0;
  std::int64_t repetitions = 0;
};

// Calls `body` about `seconds` long in at least `min_repetitions` repetitions; calls below 1 ms are timed several at a time.
Timing time_body(const std::string& name, double seconds, int min_repetitions,
                 const std::function<void()>& body);

}  // namespace assay
