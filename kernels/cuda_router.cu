// The router on the GPU: one warp a token, choices by a fixed reduction with ties to the lower index, weights by one lane in ascending order. The
// same experts, weights and margins as kernels/router.cc.
#include <initializer_list>

#include "kernels/cuda_launch.h"
#include "kernels/cuda_memory.h"

namespace assay {
namespace {

constexpr int kWarp = 32;
constexpr unsigned kAll = 0xffffffffu;

struct Candidate {
  float value;
  int index;  // INT_MAX: none
};

__device__ bool wins(Candidate a, Candidate b) {  // a before b
  if (b.index == INT_MAX) return a.index != INT_MAX;
  return a.index != INT_MAX && (a.value > b.value || (a.value == b.value && a.index < b.index));
}

// The largest open value, the same on every lane.
__device__ Candidate largest(const float* value, const bool* open, int n) {
  Candidate best = {0.0f, INT_MAX};
  for (int i = threadIdx.x; i < n; i += kWarp) {
    const Candidate next = {value[i], i};
    if (open[i] && wins(next, best)) best = next;
  }
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const Candidate other = {__shfl_xor_sync(kAll, best.value, step),
                             __shfl_xor_sync(kAll, best.index, step)};
    if (wins(other, best)) best = other;
  }
  return best;
}

// Closes the `count` largest of `open` and marks them; the distance of the last one taken to the best refused, +inf where none was.
__device__ double take(const float* value, bool* open, int n, int count, bool* taken) {
  for (int i = threadIdx.x; i < n; i += kWarp) taken[i] = false;
  __syncwarp();
  double last = 0;
  for (int round = 0; round < count; ++round) {
    const Candidate best = largest(value, open, n);
    if (best.index == INT_MAX) break;
    if (threadIdx.x == 0) {
      taken[best.index] = true;
      open[best.index] = false;
    }
    __syncwarp();
    last = static_cast<double>(best.value);
  }
  const Candidate refused = largest(value, open, n);
  __syncwarp();
  return refused.index == INT_MAX ? __longlong_as_double(0x7ff0000000000000ll)
                                  : last - static_cast<double>(refused.value);
}

__device__ float group_score(const float* choice, int size, bool top2) {
  float best = choice[0], second = __uint_as_float(0xff800000u);
  for (int i = 1; i < size; ++i) {
    const float v = choice[i];
    if (v > best) {
      second = best;
      best = v;
    } else if (v > second) {
      second = v;
    }
  }
  return top2 && size > 1 ? __fadd_rn(best, second) : best;
}

struct Shared {
  float choice[kMaxExperts], groups[kWarp];
  bool open[kMaxExperts], taken[kMaxExperts], open_groups[kWarp], taken_groups[kWarp];
};

// Leaves open only experts of the best groups (or sets the others' choice to 0, as the convention asks); the margin of that decision.
__device__ double limit_groups(const RouterSpec& spec, Shared& s) {
  const int size = spec.n_experts / spec.n_groups;
  if (static_cast<int>(threadIdx.x) < spec.n_groups) {
    s.groups[threadIdx.x] =
        group_score(s.choice + threadIdx.x * size, size, spec.groups == GroupRule::top2_sum);
    s.open_groups[threadIdx.x] = true;
  }
  __syncwarp();
  const double margin = take(s.groups, s.open_groups, spec.n_groups, spec.top_groups, s.taken_groups);
  for (int i = threadIdx.x; i < spec.n_experts; i += kWarp) {
    if (s.taken_groups[i / size]) continue;
    if (spec.masked_groups_are_zero) {
      s.choice[i] = 0.0f;
    } else {
      s.open[i] = false;
    }
  }
  __syncwarp();
  return margin;
}

__device__ void write_token(const RouterSpec& spec, const float* score, const Shared& s,
                            std::int32_t* experts, float* weights) {
  int k = 0;
  float sum = 0.0f;
  for (int i = 0; i < spec.n_experts; ++i) {
    if (!s.taken[i]) continue;
    experts[k] = i;
    weights[k] = spec.weights_are_biased ? s.choice[i] : score[i];
    sum = __fadd_rn(sum, weights[k]);
    ++k;
  }
  for (k = 0; k < spec.top_k; ++k) {
    float weight = weights[k];
    if (spec.normalise) weight = __fdiv_rn(weight, __fadd_rn(sum, spec.epsilon));
    weights[k] = __fmul_rn(weight, spec.scale);
  }
}

__global__ void __launch_bounds__(kWarp)
    route_kernel(RouterSpec spec, const float* scores, std::int32_t* experts, float* weights,
                 double* margins) {
  __shared__ Shared s;
  const std::int64_t t = blockIdx.x;
  const float* const score = scores + t * spec.n_experts;
  for (int i = threadIdx.x; i < spec.n_experts; i += kWarp) {
    s.choice[i] = spec.bias == nullptr ? score[i] : __fadd_rn(score[i], spec.bias[i]);
    s.open[i] = true;
  }
  __syncwarp();
  double margin = __longlong_as_double(0x7ff0000000000000ll);
  if (spec.groups != GroupRule::none && spec.top_groups < spec.n_groups) margin = limit_groups(spec, s);
  const double distance = take(s.choice, s.open, spec.n_experts, spec.top_k, s.taken);
  if (threadIdx.x == 0) {
    write_token(spec, score, s, experts + t * spec.top_k, weights + t * spec.top_k);
    margins[t] = distance < margin ? distance : margin;
  }
}

}  // namespace

const char* cuda_launch_route(const RouterSpec& spec, const float* scores, std::int64_t n_tokens,
                              const RouterChoice& out) {
  if (n_tokens > INT32_MAX) return "too many tokens at once";
  const auto n = static_cast<std::size_t>(n_tokens), k = n * static_cast<std::size_t>(spec.top_k);
  const float none = 0.0f;
  const DeviceArray<float> dscores(scores, n * static_cast<std::size_t>(spec.n_experts));
  const DeviceArray<float> dbias(spec.bias == nullptr ? &none : spec.bias,
                                 spec.bias == nullptr ? 1 : static_cast<std::size_t>(spec.n_experts));
  const DeviceArray<float> dweights(k);
  const DeviceArray<std::int32_t> dexperts(k);
  const DeviceArray<double> dmargins(n);
  if (const char* fault = first_fault(
          {dscores.status(), dbias.status(), dweights.status(), dexperts.status(), dmargins.status()}))
    return fault;
  RouterSpec on_device = spec;
  on_device.bias = spec.bias == nullptr ? nullptr : dbias.get();
  route_kernel<<<static_cast<unsigned>(n_tokens), kWarp>>>(on_device, dscores.get(), dexperts.get(),
                                                           dweights.get(), dmargins.get());
  if (const char* fault =
          first_fault({cudaGetLastError(), dexperts.copy_to(out.experts), dweights.copy_to(out.weights)}))
    return fault;
  return out.margins == nullptr ? nullptr : text_of(dmargins.copy_to(out.margins));
}

}  // namespace assay
