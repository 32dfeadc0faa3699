#include "reference/model/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/contract.h"
#include "kernels/math64.h"

namespace assay {
namespace {

Error outside(const char* option, const char* expected, double got) {
  return Error{.code = Code::usage,
               .message = "an option of generation is outside its range",
               .field = option,
               .expected = expected,
               .got = fmt::format("{}", got)};
}

void penalise(std::vector<float>& logits, std::span<const std::int32_t> seen, double penalty) {
  if (penalty == 1) return;
  std::vector<bool> done(logits.size(), false);
  const auto p = static_cast<float>(penalty);
  for (const std::int32_t id : seen) {
    const auto i = static_cast<std::size_t>(id);
    ASSAY_CHECK(i < logits.size());
    if (!done[i]) logits[i] = logits[i] > 0 ? logits[i] / p : logits[i] * p;
    done[i] = true;
  }
}

// Tokens from the likeliest on, ties by id, with their weights relative to the likeliest.
struct Candidates {
  std::vector<std::int32_t> ids;
  std::vector<double> weights;
  double sum() const { return std::accumulate(weights.begin(), weights.end(), 0.0); }
  void keep(std::size_t n) {
    ids.resize(n);
    weights.resize(n);
  }
};

Candidates ranked(const std::vector<float>& logits, double temperature, std::int64_t top_k) {
  Candidates out;
  out.ids.resize(logits.size());
  std::iota(out.ids.begin(), out.ids.end(), 0);
  const auto likelier = [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x > y || (x == y && a < b);
  };
  std::sort(out.ids.begin(), out.ids.end(), likelier);
  if (top_k > 0 && static_cast<std::size_t>(top_k) < out.ids.size())
    out.ids.resize(static_cast<std::size_t>(top_k));
  const double best = double{logits[static_cast<std::size_t>(out.ids[0])]};
  for (const std::int32_t id : out.ids) {
    const double x = (double{logits[static_cast<std::size_t>(id)]} - best) / temperature;
    out.weights.push_back(x > -700 ? exp64(x) : 0.0);  // also for -inf
  }
  return out;
}

void cut_top_p(Candidates& c, double top_p) {
  if (top_p >= 1) return;
  const double enough = top_p * c.sum();
  double reached = 0;
  std::size_t n = 0;
  while (n < c.weights.size() && reached < enough) reached += c.weights[n++];
  c.keep(std::max<std::size_t>(1, n));
}

void cut_min_p(Candidates& c, double min_p) {
  std::size_t n = 1;  // weights are relative to the likeliest, which stays
  while (n < c.weights.size() && c.weights[n] >= min_p) ++n;
  c.keep(n);
}

}  // namespace

Status check_generate_options(const GenerateOptions& o) {
  if (!(o.max_tokens >= 0 && o.max_tokens <= (std::int64_t{1} << 24)))
    return outside("max-tokens", "0 to 16777216", static_cast<double>(o.max_tokens));
  if (!(o.samples >= 1 && o.samples <= 1 << 16))
    return outside("samples", "1 to 65536", static_cast<double>(o.samples));
  if (!(o.temperature >= 0 && o.temperature <= 1e4))
    return outside("temperature", "0 to 10000", o.temperature);
  if (!(o.top_k >= 0)) return outside("top-k", "0 or more", static_cast<double>(o.top_k));
  if (!(o.top_p > 0 && o.top_p <= 1)) return outside("top-p", "above 0, at most 1", o.top_p);
  if (!(o.min_p >= 0 && o.min_p <= 1)) return outside("min-p", "0 to 1", o.min_p);
  if (!(o.repetition_penalty > 0 && o.repetition_penalty <= 1e4))
    return outside("repetition-penalty", "above 0, at most 10000", o.repetition_penalty);
  return {};
}

std::int32_t next_token(std::span<const float> logits, std::span<const std::int32_t> seen,
                        const GenerateOptions& options, Stream& stream) {
  ASSAY_CHECK(!logits.empty());
  const bool greedy = options.temperature == 0;
  if (greedy && options.repetition_penalty == 1) {
    return static_cast<std::int32_t>(
        std::max<std::int64_t>(0, argmax(logits.data(), static_cast<std::int64_t>(logits.size()))));
  }
  std::vector<float> changed(logits.begin(), logits.end());
  penalise(changed, seen, options.repetition_penalty);
  if (greedy)
    return static_cast<std::int32_t>(
        std::max<std::int64_t>(0, argmax(changed.data(), static_cast<std::int64_t>(changed.size()))));
  Candidates c = ranked(changed, options.temperature, options.top_k);
  cut_top_p(c, options.top_p);
  cut_min_p(c, options.min_p);
  double left = stream.uniform() * c.sum();
  for (std::size_t i = 0; i + 1 < c.ids.size(); ++i) {
    left -= c.weights[i];
    if (left < 0) return c.ids[i];
  }
  return c.ids.back();
}

}  // namespace assay
