#include "kernels/bench/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "base/check.h"

namespace assay {
namespace {

constexpr float kBenchEps = 1e-6f;
constexpr std::int64_t kMaxBenchExtent = 1 << 24;
constexpr std::int64_t kBenchBf16Words = 2;  // numbers of an f32's place

std::int64_t weight_words(WeightFormat format, std::int64_t n_out, std::int64_t n_in) {
  return static_cast<std::int64_t>(packed_bytes(format, n_out, n_in) / sizeof(float));
}

std::int64_t slots_of(const OperationShape& s) {
  return std::accumulate(s.loads.begin(), s.loads.end(), std::int64_t{0});
}

std::int64_t pages_of(const OperationShape& s) { return (s.n_keys + kPageKeys - 1) / kPageKeys; }

// Floats of one call in the memory that inputs come from, and in that of outputs.
struct CallFloats {
  std::int64_t in = 0, out = 0;
};
CallFloats call_floats(const OperationShape& s) {
  switch (s.kind) {
    case BenchOperation::attention:
      return {pages_of(s) * static_cast<std::int64_t>(page_floats(s.attention)), 0};
    case BenchOperation::router:
      return {s.n_tokens * s.router.n_experts, 0};
    case BenchOperation::rms_norm:
      return {s.n_tokens * s.width, s.n_tokens * s.width};
    case BenchOperation::rotary:
      return {0, s.n_tokens * s.n_heads * s.head_stride};
    case BenchOperation::swiglu:
      return {2 * s.n_tokens * s.width, s.n_tokens * s.width};
    case BenchOperation::experts:
      return {static_cast<std::int64_t>(s.loads.size()) * weight_words(s.format, s.n_out, s.width), 0};
    case BenchOperation::head:
      return {weight_words(s.format, s.n_out, s.width), 0};
    case BenchOperation::pack: {
      const std::int64_t numbers = s.n_out * s.width;
      return {s.format == WeightFormat::bf16 ? (numbers + 1) / kBenchBf16Words : numbers,
              weight_words(s.format, s.n_out, s.width)};
    }
  }
  ASSAY_CHECK(false);
}

Status bad_extent(const OperationShape& s, const char* what, std::int64_t got) {
  return Error{.code = Code::bad_shape,
               .message = std::string("an operation to measure has an extent that makes no sense: ") + what,
               .field = s.name,
               .expected = "1 to 2^24, and what belongs together",
               .got = std::to_string(got)};
}

Status check_extents(const OperationShape& s) {
  const auto fits = [](std::int64_t extent) { return extent >= 1 && extent <= kMaxBenchExtent; };
  if (!fits(s.n_tokens)) return bad_extent(s, "tokens", s.n_tokens);
  const bool has_width = s.kind != BenchOperation::attention && s.kind != BenchOperation::router &&
                         s.kind != BenchOperation::rotary;
  if (has_width && !fits(s.width)) return bad_extent(s, "width", s.width);
  const bool has_outputs =
      s.kind == BenchOperation::experts || s.kind == BenchOperation::head || s.kind == BenchOperation::pack;
  if (has_outputs && !fits(s.n_out)) return bad_extent(s, "outputs", s.n_out);
  return {};
}

Status check_attention(const OperationShape& s) {
  const AttentionShape& a = s.attention;
  const bool heads = a.n_heads >= 1 && a.n_kv_heads >= 1 && a.n_heads % a.n_kv_heads == 0;
  if (!heads || a.n_heads > kMaxBenchExtent) return bad_extent(s, "heads", a.n_heads);
  if (a.qk_dim < 1 || a.v_dim < 1) return bad_extent(s, "head width", std::min(a.qk_dim, a.v_dim));
  if (s.n_keys < s.n_tokens || s.n_keys > kMaxBenchExtent) return bad_extent(s, "keys", s.n_keys);
  return s.window >= 0 ? Status() : bad_extent(s, "window", s.window);
}

Status check_kind(const OperationShape& s) {
  switch (s.kind) {
    case BenchOperation::attention:
      return check_attention(s);
    case BenchOperation::router: {
      const RouterSpec& r = s.router;
      const bool ok =
          r.n_experts >= 1 && r.n_experts <= kMaxExperts && r.top_k >= 1 && r.top_k <= r.n_experts;
      return ok ? Status() : bad_extent(s, "experts", r.n_experts);
    }
    case BenchOperation::rotary: {
      const bool ok = s.n_heads >= 1 && s.n_pairs >= 1 && s.head_stride >= 2 * s.n_pairs;
      return ok ? Status() : bad_extent(s, "pairs", s.n_pairs);
    }
    case BenchOperation::experts: {
      const bool ok = !s.loads.empty() && *std::min_element(s.loads.begin(), s.loads.end()) >= 1 &&
                      *std::max_element(s.loads.begin(), s.loads.end()) <= s.n_tokens;
      return ok ? Status() : bad_extent(s, "rows of an expert", slots_of(s));
    }
    case BenchOperation::head:
      return s.rows_at_once >= 1 ? Status() : bad_extent(s, "rows at once", s.rows_at_once);
    default:
      return {};
  }
}

std::vector<float> copied(const BenchNumbers& numbers, std::int64_t n) {
  std::vector<float> out(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = numbers.data()[i % static_cast<std::size_t>(numbers.floats())];
  return out;
}

// What a prepared call keeps beside the memory that it is given.
struct CallState {
  std::vector<float> x, y, weight, cos, sin, bias;
  std::vector<const float*> pages;
  std::vector<AttentionQuery> queries;
  std::vector<std::int32_t> indices;
  std::vector<double> numbers;
  std::vector<MatmulJob> jobs;
  std::int64_t turn = 0;
};

std::function<void()> prepare_attention(const Compute& c, const BenchNumbers& in, const OperationShape& s,
                                        const std::shared_ptr<CallState>& state) {
  const std::int64_t page = static_cast<std::int64_t>(page_floats(s.attention)), n_pages = pages_of(s),
                     q_width = s.attention.n_heads * s.attention.qk_dim,
                     out_width = s.attention.n_heads * s.attention.v_dim;
  state->x = copied(in, s.n_tokens * q_width);
  state->y.resize(static_cast<std::size_t>(s.n_tokens * out_width));
  state->pages.resize(static_cast<std::size_t>(n_pages));
  for (std::int64_t i = 0; i < s.n_tokens; ++i) {
    const std::int64_t end = s.n_keys - s.n_tokens + i + 1;
    state->queries.push_back({.q = state->x.data() + i * q_width,
                              .out = state->y.data() + i * out_width,
                              .pages = state->pages.data(),
                              .first_key = s.window > 0 ? std::max<std::int64_t>(0, end - s.window) : 0,
                              .end_key = end});
  }
  return [c, &in, state, shape = s.attention, page, n_pages] {
    const float* const first = in.piece(page * n_pages, state->turn++);
    for (std::int64_t i = 0; i < n_pages; ++i) state->pages[static_cast<std::size_t>(i)] = first + i * page;
    attention(c, shape, state->queries.data(), static_cast<std::int64_t>(state->queries.size()));
  };
}

std::function<void()> prepare_router(const Compute& c, const BenchNumbers& in, const OperationShape& s,
                                     const std::shared_ptr<CallState>& state) {
  RouterSpec spec = s.router;
  const auto chosen = static_cast<std::size_t>(s.n_tokens * spec.top_k);
  state->indices.resize(chosen);
  state->y.resize(chosen);
  state->numbers.resize(static_cast<std::size_t>(s.n_tokens));
  if (s.router_bias) state->bias = copied(in, spec.n_experts);
  spec.bias = s.router_bias ? state->bias.data() : nullptr;
  const RouterChoice choice{
      .experts = state->indices.data(), .weights = state->y.data(), .margins = state->numbers.data()};
  return [c, &in, state, spec, choice, n = s.n_tokens] {
    route(c, spec, in.piece(n * spec.n_experts, state->turn++), n, choice);
  };
}

std::function<void()> prepare_rotary(const Compute& c, const BenchNumbers& out, const OperationShape& s,
                                     const std::shared_ptr<CallState>& state) {
  const std::vector<double> frequencies = bench_frequencies(s.n_pairs);
  state->cos.resize(static_cast<std::size_t>(s.n_tokens * s.n_pairs));
  state->sin.resize(state->cos.size());
  for (std::int64_t t = 0; t < s.n_tokens; ++t) {
    rotary_row(static_cast<double>(t), frequencies.data(), s.n_pairs, 1, state->cos.data() + t * s.n_pairs,
               state->sin.data() + t * s.n_pairs);
  }
  const std::int64_t stride = s.n_heads * s.head_stride;
  return [c, &out, state, s, stride] {
    rotary(c, out.piece(s.n_tokens * stride, state->turn++), s.n_tokens, stride, s.n_heads, s.head_stride,
           s.n_pairs, s.pairs, state->cos.data(), state->sin.data());
  };
}

std::function<void()> prepare_swiglu(const Compute& c, const BenchNumbers& in, const BenchNumbers& out,
                                     const OperationShape& s, const std::shared_ptr<CallState>& state) {
  return [c, &in, &out, state, n = s.n_tokens, width = s.width, clamp = s.clamp] {
    const float* const gate_up = in.piece(2 * n * width, state->turn);
    float* const y = out.piece(n * width, state->turn++);
    clamp.limit > 0 ? clamped_swiglu_halves(c, clamp, gate_up, n, width, y)
                    : silu_mul_halves(c, gate_up, n, width, y);
  };
}

std::function<void()> prepare_experts(const Compute& c, const BenchNumbers& in, const OperationShape& s,
                                      const std::shared_ptr<CallState>& state) {
  state->x = copied(in, s.n_tokens * s.width);
  state->y.resize(static_cast<std::size_t>(slots_of(s) * s.n_out));
  state->indices = gathered_rows(s);
  std::int64_t first = 0;
  for (const std::int64_t n : s.loads) {
    state->jobs.push_back({.w = {nullptr, s.format, s.n_out, s.width},
                           .x = state->x.data(),
                           .rows = state->indices.data() + first,
                           .n_tokens = n,
                           .x_stride = s.width,
                           .y = state->y.data() + first * s.n_out,
                           .y_stride = s.n_out});
    first += n;
  }
  const std::int64_t words = weight_words(s.format, s.n_out, s.width);
  return [c, &in, state, words] {
    const auto n = static_cast<std::int64_t>(state->jobs.size());
    const float* w = in.piece(n * words, state->turn++);
    for (MatmulJob& job : state->jobs) {
      job.w.panels = w;
      w += words;
    }
    matmul_group(c, state->jobs.data(), n);
  };
}

std::function<void()> prepare_head(const Compute& c, const BenchNumbers& in, const OperationShape& s,
                                   const std::shared_ptr<CallState>& state) {
  const std::int64_t at_once = std::min(s.rows_at_once, s.n_tokens);
  state->x = copied(in, s.n_tokens * s.width);
  state->y.resize(static_cast<std::size_t>(at_once * s.n_out));
  state->numbers.resize(static_cast<std::size_t>(s.n_tokens));
  for (std::int64_t i = 0; i < s.n_tokens; ++i)
    state->indices.push_back(static_cast<std::int32_t>(i * 7919 % s.n_out));  // any token
  return [c, &in, state, at_once, s] {
    const PackedMatrix w{in.piece(weight_words(s.format, s.n_out, s.width), state->turn++), s.format, s.n_out,
                         s.width};
    for (std::int64_t i = 0; i < s.n_tokens; i += at_once) {
      const std::int64_t n = std::min(at_once, s.n_tokens - i);
      matmul(c, w, state->x.data() + i * s.width, n, state->y.data());
      log_softmax_at(c, state->y.data(), s.n_out, n, s.n_out, state->indices.data() + i,
                     state->numbers.data() + i);
    }
  };
}

}  // namespace

std::vector<double> bench_frequencies(std::int64_t n_pairs) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < n_pairs; ++i)
    out.push_back(std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(n_pairs)));
  return out;
}

std::vector<std::int32_t> gathered_rows(const OperationShape& s) {
  std::vector<std::int32_t> rows;
  for (const std::int64_t n : s.loads) {
    for (std::int64_t i = 0; i < n; ++i) rows.push_back(static_cast<std::int32_t>(i * s.n_tokens / n));
  }
  return rows;
}

Status check_operation(const OperationShape& shape, const BenchOptions& options) {
  ASSAY_OK(check_extents(shape));
  ASSAY_OK(check_kind(shape));
  const CallFloats needs = call_floats(shape);
  const auto given = static_cast<std::int64_t>(options.weight_bytes / sizeof(float));
  if (needs.in <= given && needs.out <= given / 2) return {};
  return Error{
      .code = Code::memory_limit,
      .message = "an operation to measure does not fit the memory given for it",
      .field = shape.name,
      .expected = fmt::format("at most {} bytes read and half as many written", options.weight_bytes),
      .got = fmt::format("{} and {}", 4 * needs.in, 4 * needs.out)};
}

std::function<void()> prepare_operation(const Compute& c, const BenchNumbers& in, const BenchNumbers& out,
                                        const OperationShape& s) {
  const auto state = std::make_shared<CallState>();
  switch (s.kind) {
    case BenchOperation::attention:
      return prepare_attention(c, in, s, state);
    case BenchOperation::router:
      return prepare_router(c, in, s, state);
    case BenchOperation::rms_norm:
      state->weight = copied(in, s.width);
      return [c, &in, &out, state, n = s.n_tokens, width = s.width] {
        const float* const x = in.piece(n * width, state->turn);
        rms_norm(c, x, state->weight.data(), n, width, kBenchEps, out.piece(n * width, state->turn++));
      };
    case BenchOperation::rotary:
      return prepare_rotary(c, out, s, state);
    case BenchOperation::swiglu:
      return prepare_swiglu(c, in, out, s, state);
    case BenchOperation::experts:
      return prepare_experts(c, in, s, state);
    case BenchOperation::head:
      return prepare_head(c, in, s, state);
    case BenchOperation::pack:
      return [&in, &out, state, s, needs = call_floats(s)] {
        const float* const rows = in.piece(needs.in, state->turn);
        pack(rows, s.format, s.n_out, s.width, out.piece(needs.out, state->turn++));
      };
  }
  ASSAY_CHECK(false);
}

}  // namespace assay
