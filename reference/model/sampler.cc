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

void repetition(std::vector<float>& logits, std::span<const std::int32_t> seen, double penalty) {
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

void presence_and_frequency(std::vector<float>& logits, std::span<const std::int32_t> sampled, const GenerateOptions& o) {
  if (o.presence_penalty == 0 && o.frequency_penalty == 0) return;
  std::vector<std::int32_t> ids(sampled.begin(), sampled.end());
  std::sort(ids.begin(), ids.end());
  for (std::size_t begin = 0, end = 0; begin < ids.size(); begin = end) {
    while (end < ids.size() && ids[end] == ids[begin]) ++end;
    const auto i = static_cast<std::size_t>(ids[begin]);
    ASSAY_CHECK(i < logits.size());
    const auto times = static_cast<float>(end - begin);
    logits[i] -= static_cast<float>(o.frequency_penalty) * times;
    logits[i] -= static_cast<float>(o.presence_penalty);
  }
}

bool penalised(const GenerateOptions& o) { return o.repetition_penalty != 1 || o.presence_penalty != 0 || o.frequency_penalty != 0; }

std::int32_t likeliest(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max<std::int64_t>(0, argmax(logits.data(), static_cast<std::int64_t>(logits.size()))));
}

// The first n ids of the order: larger logit, then lower id; NaN behind everything.
std::vector<std::int32_t> first_ids(std::span<const float> logits, std::size_t n) {
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto value = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
  const auto before = [&](std::int32_t a, std::int32_t b) {
    const float x = value(a), y = value(b);
    if (x > y) return true;
    if (x < y) return false;
    const bool nan_x = std::isnan(x), nan_y = std::isnan(y);
    return nan_x == nan_y ? a < b : nan_y;
  };
  n = std::min(n, ids.size());
  const auto middle = ids.begin() + static_cast<std::ptrdiff_t>(n);
  if (n < ids.size()) std::nth_element(ids.begin(), middle, ids.end(), before);
  ids.resize(n);
  std::sort(ids.begin(), ids.end(), before);
  return ids;
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

Candidates ranked(std::span<const float> logits, double temperature, std::int64_t top_k) {
  Candidates out;
  out.ids = first_ids(logits, top_k > 0 ? static_cast<std::size_t>(top_k) : logits.size());
  const double best = double{logits[static_cast<std::size_t>(out.ids[0])]};
  for (const std::int32_t id : out.ids) {
    const double logit = double{logits[static_cast<std::size_t>(id)]}, x = (logit - best) / temperature;
    out.weights.push_back(logit == best ? 1 : x > -700 ? exp64(x) : 0.0);  // 0 also for -inf and NaN
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

Candidates candidates(std::span<const float> logits, std::span<const std::int32_t> seen, std::span<const std::int32_t> sampled,
                      const GenerateOptions& options) {
  ASSAY_CHECK(!logits.empty());
  std::vector<float> changed;
  if (penalised(options)) {
    changed.assign(logits.begin(), logits.end());
    repetition(changed, seen, options.repetition_penalty);
    presence_and_frequency(changed, sampled, options);
    logits = changed;
  }
  if (options.temperature == 0) return {.ids = {likeliest(logits)}, .weights = {1}};
  Candidates c = ranked(logits, options.temperature, options.top_k);
  cut_top_p(c, options.top_p);
  cut_min_p(c, options.min_p);
  return c;
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
  if (!(std::fabs(o.presence_penalty) <= 1e4)) return outside("presence-penalty", "-10000 to 10000", o.presence_penalty);
  if (!(std::fabs(o.frequency_penalty) <= 1e4)) return outside("frequency-penalty", "-10000 to 10000", o.frequency_penalty);
  if (!(o.top_logprobs >= 0 && o.top_logprobs <= kMaxTopLogprobs))
    return outside("top-logprobs", "0 to 128", static_cast<double>(o.top_logprobs));
  return {};
}

std::int32_t next_token(std::span<const float> logits, std::span<const std::int32_t> seen, const GenerateOptions& options, Stream& stream,
                        std::span<const std::int32_t> sampled) {
  const Candidates c = candidates(logits, seen, sampled, options);
  if (options.temperature == 0) return c.ids[0];
  double left = stream.uniform() * c.sum();
  for (std::size_t i = 0; i + 1 < c.ids.size(); ++i) {
    left -= c.weights[i];
    if (left < 0) return c.ids[i];
  }
  return c.ids.back();
}

std::vector<std::pair<std::int32_t, double>> draw_probabilities(std::span<const float> logits, std::span<const std::int32_t> seen,
                                                                const GenerateOptions& options, std::span<const std::int32_t> sampled) {
  const Candidates c = candidates(logits, seen, sampled, options);
  const double sum = c.sum();
  std::vector<std::pair<std::int32_t, double>> out;
  for (std::size_t i = 0; i < c.ids.size(); ++i) out.emplace_back(c.ids[i], c.weights[i] / sum);
  return out;
}

TopLogprobs top_tokens(std::span<const float> logits, std::int64_t n, double norm) {
  ASSAY_CHECK(n >= 0);
  TopLogprobs out;
  for (const std::int32_t id : first_ids(logits, static_cast<std::size_t>(n))) out.push_back({id, double{logits[static_cast<std::size_t>(id)]} - norm});
  return out;
}

}  // namespace assay
