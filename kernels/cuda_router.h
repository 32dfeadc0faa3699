// The router: one warp a token, choices by a fixed reduction with ties to the lower index, weights by one thread in ascending order. The
// same experts, weights and margins as kernels/router.cc. Included after cuda_block.h.
#pragma once
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_math.h"

namespace assay {
namespace {

struct RouteKernel {
  static constexpr int kThreads = kGpuWarp;
  static constexpr int kNone = 0x7fffffff;
  struct Candidate {
    float value;
    int index;  // kNone: none
  };
  struct Shared {
    float score[kMaxExperts], choice[kMaxExperts], groups[kGpuMaxGroups], sums[16], top;
    Candidate best[kGpuWarp];
    bool open[kMaxExperts], taken[kMaxExperts], open_groups[kGpuMaxGroups], taken_groups[kGpuMaxGroups];
  };
  static constexpr std::size_t kSharedBytes = sizeof(Shared);
  RouterSpec spec;
  const float* logits;
  std::int64_t n_tokens;
  RouterChoice out;
  bool forced;
  std::int64_t blocks() const { return n_tokens; }

  static ASSAY_GPU bool wins(Candidate a, Candidate b) {  // a before b
    return a.index != kNone &&
           (b.index == kNone || a.value > b.value || (a.value == b.value && a.index < b.index));
  }

  // The largest open value, the lower index on a tie.
  template <class Block>
  static ASSAY_GPU Candidate largest(Block& b, Shared& s, const float* value, const bool* open, int n) {
    b.phase([&](int t) {
      Candidate best{0.0f, kNone};
      for (int i = t; i < n; i += kThreads) {
        const Candidate next{value[i], i};
        if (open[i] && wins(next, best)) best = next;
      }
      s.best[t] = best;
    });
    for (int step = kThreads / 2; step > 0; step /= 2) {
      b.phase([&](int t) {
        if (t < step && wins(s.best[t + step], s.best[t])) s.best[t] = s.best[t + step];
      });
    }
    const Candidate best = s.best[0];
    b.phase([](int) {});  // all have read it before the next search writes
    return best;
  }

  // Closes the `count` largest of `open` and marks them; the distance of the last one taken to the best refused, +inf where none was.
  template <class Block>
  static ASSAY_GPU double take(Block& b, Shared& s, const float* value, bool* open, int n, int count,
                               bool* taken) {
    b.phase([&](int t) {
      for (int i = t; i < n; i += kThreads) taken[i] = false;
    });
    double last = 0;
    for (int round = 0; round < count; ++round) {
      const Candidate best = largest(b, s, value, open, n);
      if (best.index == kNone) break;
      b.phase([&](int t) {
        if (t != 0) return;
        taken[best.index] = true;
        open[best.index] = false;
      });
      last = static_cast<double>(best.value);
    }
    const Candidate refused = largest(b, s, value, open, n);
    return refused.index == kNone ? infinity_f64() : last - static_cast<double>(refused.value);
  }

  static ASSAY_GPU float group_score(const float* choice, int size, bool top2) {
    float best = choice[0], second = -infinity_f32();
    for (int i = 1; i < size; ++i) {
      const float v = choice[i];
      if (v > best) {
        second = best;
        best = v;
      } else if (v > second) {
        second = v;
      }
    }
    return top2 && size > 1 ? best + second : best;
  }

  // Leaves open only experts of the best groups (or sets the others' choice to 0, as the convention asks).
  template <class Block>
  ASSAY_GPU double limit_groups(Block& b, Shared& s) const {
    const int size = spec.n_experts / spec.n_groups;
    b.phase([&](int t) {
      if (t >= spec.n_groups) return;
      s.groups[t] = group_score(s.choice + t * size, size, spec.groups == GroupRule::top2_sum);
      s.open_groups[t] = true;
    });
    const double margin = take(b, s, s.groups, s.open_groups, spec.n_groups, spec.top_groups, s.taken_groups);
    b.phase([&](int t) {
      for (int i = t; i < spec.n_experts; i += kThreads) {
        if (s.taken_groups[i / size]) continue;
        if (spec.masked_groups_are_zero) {
          s.choice[i] = 0.0f;
        } else {
          s.open[i] = false;
        }
      }
    });
    return margin;
  }

  // Soft-max of a row as the contract sums it.
  template <class Block>
  ASSAY_GPU void softmax(Block& b, Shared& s, const float* x) const {
    const int n = spec.n_experts;
    b.phase([&](int t) {
      float m = -infinity_f32();
      for (int i = t; i < n; i += kThreads) m = larger(x[i], m);
      s.best[t] = {m, t};
    });
    b.phase([&](int t) {
      if (t != 0) return;
      s.top = s.best[0].value;
      for (int i = 1; i < kThreads; ++i) s.top = larger(s.best[i].value, s.top);
    });
    b.phase([&](int t) {
      if (t >= 16) return;
      float partial = 0.0f;
      for (int i = t; i < n; i += 16) {
        s.score[i] = gpu_exp(x[i] - s.top);
        partial += s.score[i];
      }
      s.sums[t] = partial;
    });
    b.phase([&](int t) {
      if (t == 0) gpu_tree(s.sums);
    });
    b.phase([&](int t) {
      for (int i = t; i < n; i += kThreads) s.score[i] = s.score[i] / s.sums[0];
    });
  }

  // One thread: the same over a few weights.
  static ASSAY_GPU void softmax_of_few(float* w, int n) {
    float top = -infinity_f32(), partial[16];
    for (int i = 0; i < n; ++i) top = larger(w[i], top);
    for (int j = 0; j < 16; ++j) {
      partial[j] = 0.0f;
      for (int i = j; i < n; i += 16) {
        w[i] = gpu_exp(w[i] - top);
        partial[j] += w[i];
      }
    }
    const float sum = gpu_tree(partial);
    for (int i = 0; i < n; ++i) w[i] = w[i] / sum;
  }

  template <class Block>
  ASSAY_GPU void score(Block& b, Shared& s, const float* x) const {
    if (spec.score == RouterScore::softmax) {
      softmax(b, s, x);
    } else {
      b.phase([&](int t) {
        for (int i = t; i < spec.n_experts; i += kThreads)
          s.score[i] = spec.score == RouterScore::sigmoid ? gpu_sigmoid(x[i]) : x[i];
      });
    }
    b.phase([&](int t) {
      for (int i = t; i < spec.n_experts; i += kThreads) {
        s.choice[i] = spec.bias == nullptr ? s.score[i] : s.score[i] + spec.bias[i];
        s.open[i] = true;
      }
    });
  }

  ASSAY_GPU void weigh(const Shared& s, const std::int32_t* experts, float* weights) const {
    for (int k = 0; k < spec.top_k; ++k)
      weights[k] = spec.weights_are_biased ? s.choice[experts[k]] : s.score[experts[k]];
    if (spec.score == RouterScore::softmax_of_chosen) softmax_of_few(weights, spec.top_k);
    if (spec.normalise) {
      float sum = 0.0f;
      for (int k = 0; k < spec.top_k; ++k) sum += weights[k];
      for (int k = 0; k < spec.top_k; ++k) weights[k] = weights[k] / (sum + spec.epsilon);
    }
    for (int k = 0; k < spec.top_k; ++k) weights[k] = weights[k] * spec.scale;
  }

  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    Shared& s = *reinterpret_cast<Shared*>(b.shared);
    const std::int64_t token = b.index;
    score(b, s, logits + token * spec.n_experts);
    std::int32_t* const experts = out.experts + token * spec.top_k;
    double groups = infinity_f64(), distance = infinity_f64();
    if (!forced) {
      if (spec.groups != GroupRule::none && spec.top_groups < spec.n_groups) groups = limit_groups(b, s);
      distance = take(b, s, s.choice, s.open, spec.n_experts, spec.top_k, s.taken);
    }
    b.phase([&](int t) {
      if (out.scores != nullptr) {
        for (int i = t; i < spec.n_experts; i += kThreads)
          out.scores[token * spec.n_experts + i] = s.score[i];
      }
      if (t != 0) return;
      for (int i = 0, k = 0; i < spec.n_experts && !forced; ++i) {
        if (s.taken[i]) experts[k++] = i;
      }
      weigh(s, experts, out.weights + token * spec.top_k);
      if (forced) return;
      if (out.margins != nullptr) out.margins[token] = distance < groups ? distance : groups;
      if (out.group_margins != nullptr) out.group_margins[token] = groups;
      if (out.expert_margins != nullptr) out.expert_margins[token] = distance;
    });
  }
};

}  // namespace
}  // namespace assay
