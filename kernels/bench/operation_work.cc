// What an operation of the benchmark is called, and what it must compute and read (the counting is defined in bench.h).
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "kernels/bench/bench.h"

namespace assay {
namespace {

constexpr std::int64_t kFloatBytes = 4, kDoubleBytes = 8;

std::int64_t format_bytes(WeightFormat format) {
  ASSAY_CHECK(format == WeightFormat::bf16 || format == WeightFormat::f32);
  return format == WeightFormat::bf16 ? 2 : kFloatBytes;
}

std::string format_suffix(WeightFormat format) { return format == WeightFormat::bf16 ? "-bf16" : "-f32"; }

// (query, key) pairs that are visible, of one head.
std::int64_t visible_pairs(const OperationShape& s) {
  std::int64_t pairs = 0;
  for (std::int64_t i = 0; i < s.n_tokens; ++i) {
    const std::int64_t end = s.n_keys - s.n_tokens + i + 1;
    pairs += s.window > 0 ? std::min(end, s.window) : end;
  }
  return pairs;
}

// Keys that some query sees.
std::int64_t visible_keys(const OperationShape& s) {
  return s.window > 0 ? std::min(s.n_keys, s.n_tokens - 1 + s.window) : s.n_keys;
}

BenchWork attention_work(const OperationShape& s) {
  const AttentionShape& a = s.attention;
  const std::int64_t dims = a.qk_dim + a.v_dim;
  return {2 * a.n_heads * dims * visible_pairs(s),
          kFloatBytes * dims * (a.n_kv_heads * visible_keys(s) + a.n_heads * s.n_tokens)};
}

// Logits in; index and weight of each chosen expert and the margin of the choice out.
BenchWork router_work(const OperationShape& s) {
  return {0, s.n_tokens * (kFloatBytes * s.router.n_experts + (kFloatBytes + kFloatBytes) * s.router.top_k +
                           kDoubleBytes)};
}

BenchWork experts_work(const OperationShape& s) {
  const std::int64_t rows = std::accumulate(s.loads.begin(), s.loads.end(), std::int64_t{0}),
                     n_experts = static_cast<std::int64_t>(s.loads.size());
  return {2 * rows * s.n_out * s.width,
          n_experts * s.n_out * s.width * format_bytes(s.format) + kFloatBytes * rows * (s.width + s.n_out)};
}

// Beside the product: a subtraction, an exp and an addition for each logit. Target in, log-probability out.
BenchWork head_work(const OperationShape& s) {
  return {s.n_tokens * s.n_out * (2 * s.width + 3),
          s.n_out * s.width * format_bytes(s.format) +
              s.n_tokens * (kFloatBytes * s.width + kFloatBytes + kDoubleBytes)};
}

std::string part_text(std::int64_t measured, std::int64_t full) {
  return full > measured ? fmt::format("{}/{}", measured, full) : std::to_string(measured);
}

std::string attention_text(const OperationShape& s) {
  const AttentionShape& a = s.attention;
  return fmt::format("{} {}:{} heads {}+{} keys={}{} t={}", s.name, part_text(a.n_heads, s.full_n_heads),
                     a.n_kv_heads, a.qk_dim, a.v_dim, s.n_keys,
                     s.window > 0 ? fmt::format(" window={}", s.window) : "", s.n_tokens);
}

}  // namespace

BenchWork work_of(const OperationShape& s) {
  switch (s.kind) {
    case BenchOperation::attention:
      return attention_work(s);
    case BenchOperation::router:
      return router_work(s);
    case BenchOperation::rms_norm:  // square and add, times r, times weight
      return {4 * s.n_tokens * s.width, kFloatBytes * s.width * (2 * s.n_tokens + 1)};
    case BenchOperation::
        rotary: {  // two products and two multiply-adds a pair; a row of the tables serves all heads
      const std::int64_t pairs = s.n_tokens * s.n_heads * s.n_pairs;
      return {6 * pairs, kFloatBytes * (4 * pairs + 2 * s.n_tokens * s.n_pairs)};
    }
    case BenchOperation::
        swiglu: {  // clamped: a product before the sigmoid, an addition and three bounds more
      const std::int64_t outputs = s.n_tokens * s.width;
      return {(s.clamp.limit > 0 ? 8 : 3) * outputs, 3 * kFloatBytes * outputs};
    }
    case BenchOperation::experts:
      return experts_work(s);
    case BenchOperation::head:
      return head_work(s);
    case BenchOperation::pack:
      return {0, 2 * format_bytes(s.format) * s.n_out * s.width};
  }
  ASSAY_CHECK(false);
}

std::string kernel_name_of(const OperationShape& s) {
  switch (s.kind) {
    case BenchOperation::attention:
      return "attention";
    case BenchOperation::router:
      return "router";
    case BenchOperation::rms_norm:
      return "rms-norm";
    case BenchOperation::rotary:
      return "rotary";
    case BenchOperation::swiglu:
      return "swiglu";
    case BenchOperation::experts:
      return "experts" + format_suffix(s.format);
    case BenchOperation::head:
      return "head" + format_suffix(s.format);
    case BenchOperation::pack:
      return "pack" + format_suffix(s.format);
  }
  ASSAY_CHECK(false);
}

std::string shape_text_of(const OperationShape& s) {
  switch (s.kind) {
    case BenchOperation::attention:
      return attention_text(s);
    case BenchOperation::router:
      return fmt::format("{} {} of {} t={}", s.name, s.router.top_k, s.router.n_experts, s.n_tokens);
    case BenchOperation::rotary:
      return fmt::format("{} {} heads {}*2 t={}", s.name, s.n_heads, s.n_pairs, s.n_tokens);
    case BenchOperation::experts:
      return fmt::format("{} {}*{}x{} rows={}..{} t={}", s.name, s.loads.size(),
                         part_text(s.n_out, s.full_n_out), s.width,
                         *std::min_element(s.loads.begin(), s.loads.end()),
                         *std::max_element(s.loads.begin(), s.loads.end()), s.n_tokens);
    case BenchOperation::head:
      return fmt::format("{} {}x{} t={}", s.name, part_text(s.n_out, s.full_n_out), s.width, s.n_tokens);
    case BenchOperation::pack:
      return fmt::format("{} {}x{}", s.name, part_text(s.n_out, s.full_n_out), s.width);
    case BenchOperation::rms_norm:
    case BenchOperation::swiglu:
      return fmt::format("{} {} t={}", s.name, s.width, s.n_tokens);
  }
  ASSAY_CHECK(false);
}

}  // namespace assay
