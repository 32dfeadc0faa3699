// Operations of `assay bench`: their work counted by hand, that what is timed is what a forward pass calls, the shapes of models, the
// same rows through an accelerator.
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>

#include "eval/cost/bench.h"
#include "kernels/bench/blas_library.h"
#include "kernels/bench/device_rows.h"
#include "kernels/bench/int8_peak.h"
#include "kernels/bench/meter.h"
#include "kernels/bench/operations.h"
#include "kernels/bench/products.h"
#include "kernels/select.h"
#include "tests/catch.h"

namespace assay {
namespace {

BenchOptions small_bench() {
  BenchOptions options;
  options.seconds_per_row = 1e-4;
  options.min_repetitions = 3;
  options.weight_bytes = std::uint64_t{4} << 20;
  options.library_extent = 0;
  return options;
}

OperationShape of_kind(BenchOperation kind, std::int64_t tokens, std::int64_t width, std::int64_t n_out = 0) {
  OperationShape s;
  s.kind = kind;
  s.what_for = "test";
  s.name = "place";
  s.n_tokens = tokens;
  s.width = width;
  s.n_out = s.full_n_out = n_out;
  return s;
}

OperationShape attention_of(std::int64_t heads, std::int64_t kv_heads, std::int64_t queries,
                            std::int64_t keys) {
  OperationShape s = of_kind(BenchOperation::attention, queries, 0);
  s.attention = {.n_heads = heads, .n_kv_heads = kv_heads, .qk_dim = 3, .v_dim = 5, .scale = 0.5f};
  s.full_n_heads = heads;
  s.n_keys = keys;
  return s;
}

OperationShape router_of(std::int64_t tokens) {
  OperationShape s = of_kind(BenchOperation::router, tokens, 0);
  s.router.n_experts = 16;
  s.router.top_k = 2;
  s.router.score = RouterScore::sigmoid;
  s.router_bias = true;
  return s;
}

OperationShape rotary_of(std::int64_t tokens) {
  OperationShape s = of_kind(BenchOperation::rotary, tokens, 0);
  s.n_heads = 3;
  s.head_stride = 10;
  s.n_pairs = 4;
  return s;
}

OperationShape experts_of(std::vector<std::int64_t> loads) {
  OperationShape s = of_kind(BenchOperation::experts, 20, 16, 32);
  s.loads = std::move(loads);
  return s;
}

std::vector<OperationShape> one_of_each() {
  OperationShape head = of_kind(BenchOperation::head, 3, 8, 40);
  head.rows_at_once = 2;
  return {attention_of(2, 1, 4, 6),
          router_of(7),
          of_kind(BenchOperation::rms_norm, 3, 10),
          rotary_of(5),
          of_kind(BenchOperation::swiglu, 6, 10),
          experts_of({1, 4}),
          head,
          of_kind(BenchOperation::pack, 1, 8, 40)};
}

TEST_CASE("bench: an operation's work is counted as its formula has it") {
  const BenchWork expected[] = {{2 * 2 * (3 + 5) * (3 + 4 + 5 + 6),
                                 4 * (3 + 5) * (6 + 2 * 4)},  // causal; keys of one head, queries of two
                                {0, 7 * (16 * 4 + 2 * (4 + 4) + 8)},
                                {4 * 3 * 10, 4 * (3 * 10 + 10 + 3 * 10)},
                                {6 * 5 * 3 * 4, 4 * (2 * 5 * 3 * 8 + 2 * 5 * 4)},
                                {3 * 6 * 10, 4 * (2 * 60 + 60)},
                                {2 * 5 * 32 * 16, 2 * 2 * 32 * 16 + 4 * 5 * (16 + 32)},
                                {3 * 40 * (2 * 8 + 3), 2 * 40 * 8 + 3 * (4 * 8 + 4 + 8)},
                                {0, 2 * 2 * 40 * 8}};
  const auto shapes = one_of_each();
  REQUIRE(shapes.size() == std::size(expected));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    INFO(kernel_name_of(shapes[i]) << " " << shape_text_of(shapes[i]));
    CHECK(work_of(shapes[i]).flops == expected[i].flops);
    CHECK(work_of(shapes[i]).bytes == expected[i].bytes);
  }
  OperationShape windowed = attention_of(2, 1, 4, 6);
  windowed.window = 2;
  CHECK(work_of(windowed).flops == 2 * 2 * (3 + 5) * (2 + 2 + 2 + 2));
  CHECK(work_of(windowed).bytes == 4 * (3 + 5) * (5 + 2 * 4));  // keys 1 to 5
  OperationShape clamped = of_kind(BenchOperation::swiglu, 6, 10);
  clamped.clamp = {1.702f, 7};
  CHECK(work_of(clamped).flops == 8 * 60);
}

// Calls of the kernels of a table that counts them.
struct KernelCalls {
  std::int64_t attend = 0, rms_norm = 0, silu = 0, clamped = 0, rotate = 0, few = 0, block = 0, apply = 0,
               maximum = 0, sum_exp = 0;
};
KernelCalls seen_calls;
const Kernels& counted_kernels() { return *available_kernels().back(); }

Kernels counting_table() {
  Kernels t = counted_kernels();
  t.attend = [](const AttentionShape& shape, const AttentionQuery* q, std::int64_t n, std::int64_t head,
                float* scratch) {
    ++seen_calls.attend;
    counted_kernels().attend(shape, q, n, head, scratch);
  };
  t.rms_norm = [](const float* x, const float* w, std::int64_t n, float eps, float* y) {
    ++seen_calls.rms_norm;
    counted_kernels().rms_norm(x, w, n, eps, y);
  };
  t.silu_mul = [](const float* gate, const float* up, std::int64_t n, float* y) {
    ++seen_calls.silu;
    counted_kernels().silu_mul(gate, up, n, y);
  };
  t.clamped_swiglu = [](SwigluClamp clamp, const float* gate, const float* up, std::int64_t n, float* y) {
    ++seen_calls.clamped;
    counted_kernels().clamped_swiglu(clamp, gate, up, n, y);
  };
  t.rotate = [](float* head, std::int64_t n, RotaryPairs pairs, const float* cos, const float* sin) {
    ++seen_calls.rotate;
    counted_kernels().rotate(head, n, pairs, cos, sin);
  };
  t.matmul_few = [](const PackedMatrix& w, std::int64_t first, std::int64_t end, const float* const* rows,
                    std::int64_t n, float* y, std::int64_t stride) {
    ++seen_calls.few;
    counted_kernels().matmul_few(w, first, end, rows, n, y, stride);
  };
  t.matmul_block = [](const void* panel, WeightFormat format, std::int64_t n_k, const float* tiles,
                      std::int64_t tile_stride, std::int64_t n, float* y, std::int64_t y_stride,
                      std::int64_t n_out, bool first, float* scratch) {
    ++seen_calls.block;
    counted_kernels().matmul_block(panel, format, n_k, tiles, tile_stride, n, y, y_stride, n_out, first,
                                   scratch);
  };
  t.apply = [](Function f, const float* x, std::int64_t n, float* y) {
    ++seen_calls.apply;
    counted_kernels().apply(f, x, n, y);
  };
  t.maximum = [](const float* x, std::int64_t n) {
    ++seen_calls.maximum;
    return counted_kernels().maximum(x, n);
  };
  t.sum_exp = [](const float* x, std::int64_t n, float m) {
    ++seen_calls.sum_exp;
    return counted_kernels().sum_exp(x, n, m);
  };
  return t;
}

KernelCalls calls_of(const OperationShape& s) {
  static const Kernels table = counting_table();
  REQUIRE(check_operation(s, small_bench()).ok());
  ThreadPool pool(1);
  const BenchNumbers in(std::uint64_t{4} << 20), out(std::uint64_t{2} << 20);
  const auto call = prepare_operation({table, pool}, in, out, s);
  seen_calls = {};
  call();
  return seen_calls;
}

TEST_CASE("bench: what is timed calls the kernels of a forward pass, once for each of its rows") {
  CHECK(calls_of(attention_of(2, 1, 4, 6)).attend == 2);  // a run of queries for each head
  CHECK(calls_of(router_of(7)).apply == 7);               // a token's sigmoids at a time
  CHECK(calls_of(of_kind(BenchOperation::rms_norm, 3, 10)).rms_norm == 3);
  CHECK(calls_of(rotary_of(5)).rotate == 5 * 3);
  CHECK(calls_of(of_kind(BenchOperation::swiglu, 6, 10)).silu == 6);
  OperationShape clamped = of_kind(BenchOperation::swiglu, 6, 10);
  clamped.clamp = {1.702f, 7};
  CHECK(calls_of(clamped).clamped == 6);
  CHECK(calls_of(clamped).silu == 0);
  const KernelCalls experts = calls_of(experts_of({1, 4, 12}));
  CHECK(experts.few >= 2);
  CHECK(experts.block >= 1);
  OperationShape head = of_kind(BenchOperation::head, 3, 8, 600);
  head.rows_at_once = 2;
  const KernelCalls ends = calls_of(head);
  CHECK(ends.few >= 2);  // two rows, then one
  CHECK(ends.maximum == 3);
  CHECK(ends.sum_exp == 3 * 2);  // two blocks of 512
}

TEST_CASE("bench: gathered rows are an expert's own, ascending and spread over the input") {
  const auto rows = gathered_rows(experts_of({1, 4, 20}));
  REQUIRE(rows.size() == 25);
  CHECK(std::vector<std::int32_t>(rows.begin() + 1, rows.begin() + 5) ==
        std::vector<std::int32_t>{0, 5, 10, 15});
  for (int i = 0; i < 20; ++i) CHECK(rows[static_cast<std::size_t>(5 + i)] == i);
}

TEST_CASE("bench: a packed matrix is the one that products read") {
  OperationShape s = of_kind(BenchOperation::pack, 1, 8, 40);
  ThreadPool pool(1);
  const BenchNumbers in(std::uint64_t{1} << 20), out(std::uint64_t{1} << 20);
  prepare_operation({counted_kernels(), pool}, in, out, s)();
  const PackedMatrix packed{out.data(), WeightFormat::bf16, 40, 8};
  std::vector<std::uint16_t> bits(40 * 8);
  std::memcpy(bits.data(), in.data(), bits.size() * 2);
  for (const auto& [o, k] : {std::pair{0, 0}, {17, 3}, {39, 7}}) {
    CHECK(packed_weight(packed, o, k) == bf16_to_f32(bits[static_cast<std::size_t>(o * 8 + k)]));
  }
}

TEST_CASE(
    "bench: rows of operations are held against the limit that binds, and a filter keeps what it matches") {
  const auto shapes = one_of_each();
  const auto report = run_bench({}, small_bench(), shapes);
  REQUIRE(report.ok());
  std::size_t found = 0;
  for (const OperationShape& s : shapes) {
    for (const BenchRow& row : report->rows) {
      if (row.kernel != kernel_name_of(s) || row.shape != shape_text_of(s) || row.on_gpu) continue;
      ++found;
      INFO(row.kernel << " " << row.shape);
      CHECK(row.flops == work_of(s).flops);
      CHECK(row.bytes == work_of(s).bytes);
      CHECK(row.what_for == "test");
      CHECK(row.threads == 1);
      CHECK(row.fraction_of_limit > 0);
      CHECK((row.limit_name == "read bandwidth" || row.limit_name == "fp32 FMA peak"));
    }
  }
  CHECK(found == shapes.size());
  BenchOptions options = small_bench();
  options.filter = "^(router|head-bf16) ";
  const auto kept = run_bench({}, options, shapes);
  REQUIRE(kept.ok());
  REQUIRE(kept->rows.size() == 2);
  CHECK(kept->rows[0].kernel == "router");
  CHECK(kept->rows[1].shape == "place 40x8 t=3");
}

TEST_CASE("bench: a row is held against the limits of its own threads") {
  BenchOptions options = small_bench();
  options.threads = 2;
  Meter meter(counted_kernels(), options, std::nullopt);
  meter.alone = {.flops_per_s = 100, .bytes_per_s = 10};
  meter.all = {.flops_per_s = 200, .bytes_per_s = 20};
  BenchRow row;
  row.flops = 1000;
  row.bytes = 10;
  row.seconds_p50 = 20;
  row.threads = 1;
  meter.hold(row);
  CHECK(row.fraction_of_limit == Approx(0.5));
  CHECK(row.limit_name == "fp32 FMA peak");
  row.threads = 2;
  meter.hold(row);
  CHECK(row.fraction_of_limit == Approx(0.25));
  row.bytes = 400;
  meter.hold(row);
  CHECK(row.fraction_of_limit == Approx(1));
  CHECK(row.limit_name == "read bandwidth");
}

TEST_CASE("bench: operations that make no sense or do not fit are refused before anything runs") {
  const auto code_of = [](const OperationShape& s) {
    const auto report = run_bench({}, small_bench(), {s});
    return report.ok() ? Code::io : report.error().code;
  };
  CHECK(code_of(of_kind(BenchOperation::rms_norm, 0, 8)) == Code::bad_shape);
  CHECK(code_of(attention_of(3, 2, 1, 1)) == Code::bad_shape);
  CHECK(code_of(attention_of(2, 1, 4, 3)) == Code::bad_shape);  // fewer keys than queries
  CHECK(code_of(experts_of({})) == Code::bad_shape);
  CHECK(code_of(experts_of({21})) == Code::bad_shape);  // more rows than tokens
  CHECK(code_of(attention_of(2, 1, 1, 200000)) == Code::memory_limit);
  CHECK(code_of(of_kind(BenchOperation::pack, 1, 2048, 2048)) == Code::memory_limit);
}

TEST_CASE("bench: weights of every format are measured as the kernels widen them") {
  for (const WeightFormat format :
       {WeightFormat::e4m3, WeightFormat::mxfp4, WeightFormat::q8_0, WeightFormat::f16}) {
    ProductShape s;
    s.what_for = "test";
    s.name = "o";
    s.n_out = s.full_n_out = 64;
    s.n_in = 96;
    s.n_tokens = 3;
    s.format = format;
    const auto report = run_bench({s}, small_bench());
    REQUIRE(report.ok());
    const BenchRow& row = report->rows.back();
    CHECK(row.kernel == product_kernel(s));
    CHECK(row.flops == 2 * 64 * 96 * 3);
    CHECK(row.bytes == static_cast<std::int64_t>(packed_bytes(format, 64, 96)) + 4 * 3 * (64 + 96));
  }
}

TEST_CASE("bench: the integer peak computes dot products of 8-bit integers and counts them") {
  const IntegerPeak* const peak = integer_peak(counted_kernels().isa);
  if (peak == nullptr) return;  // the report says so, below
  std::int32_t sum = 0;
  const std::int64_t once = peak->burn(1, &sum);
  CHECK(once % (12 * 2) == 0);
  CHECK(peak->burn(5, &sum) == 5 * once);
  CHECK(sum == 66 - 5 * 12 * 4 * 3);  // twelve chains from 0, 1, ... 11, four products 3 * -1 a step
}

TEST_CASE("bench: what a machine does not have is said") {
  BenchOptions options = small_bench();
  options.library_extent = 64;
  const auto report = run_bench({}, options);
  REQUIRE(report.ok());
  const auto has = [&](const char* kernel) {
    return std::any_of(report->rows.begin(), report->rows.end(),
                       [&](const BenchRow& r) { return r.kernel == kernel; });
  };
  const auto noted = [&](const char* words) {
    return std::any_of(report->notes.begin(), report->notes.end(),
                       [&](const std::string& n) { return n.find(words) != std::string::npos; });
  };
  CHECK(has("int8-dot") != noted("no integer peak"));
  CHECK(has("gemm-library") != noted("no GEMM library"));
  CHECK(has("gemm-library") == noted("GEMM library: "));
}

TEST_CASE("bench: a GEMM library's product is ours") {
  const BlasLibrary* const library = BlasLibrary::find();
  if (library == nullptr) {
    std::puts("skipped: no GEMM library");
    return;
  }
  const std::vector<float> x = {1, 2, 3, 4, 5, 6},
                           w = {1, 0, 2, 0, 1, 0, 3, 1, 1, 2, 2, 2};  // (2, 3), (4, 3)
  std::vector<float> y(8);
  library->use_threads(1);
  library->multiply(x.data(), w.data(), 2, 4, 3, y.data());
  CHECK(y == std::vector<float>{7, 2, 8, 12, 16, 5, 23, 30});
}

TEST_CASE("bench: skewed loads fall as one over the rank and keep the sum") {
  CHECK(skewed_loads(3, 11, 100) == std::vector<std::int64_t>{6, 3, 2});
  CHECK(skewed_loads(1, 5, 5) == std::vector<std::int64_t>{5});
  CHECK(skewed_loads(4, 4, 9) == std::vector<std::int64_t>{1, 1, 1, 1});
  const auto bounded = skewed_loads(4, 30, 10);
  CHECK(std::accumulate(bounded.begin(), bounded.end(), std::int64_t{0}) == 30);
  CHECK(bounded[0] == 10);
  CHECK(std::is_sorted(bounded.rbegin(), bounded.rend()));
}

TEST_CASE("bench: DeepSeek-V3's operations have its published shapes, and parts where they are too large") {
  std::set<std::string> seen;
  for (const auto& s : operation_shapes(deepseek_v3_shapes(), "v3", 16384)) {
    CHECK(s.what_for == "v3");
    CHECK(check_operation(s, BenchOptions{}).ok());
    seen.insert(kernel_name_of(s) + " " + shape_text_of(s));
    if (s.name == "experts.skewed") CHECK(work_of(s).flops == 2 * 13 * 16 * std::int64_t{1024} * 7168);
  }
  for (const char* text :
       {"attention mla 128:128 heads 192+128 keys=512 t=512",
        "attention mla 128:128 heads 192+128 keys=512 t=1",
        "attention mla 16/128:16 heads 192+128 keys=4096 t=1", "router router 8 of 256 t=512",
        "rms-norm norm 7168 t=512", "rotary rotary 128 heads 32*2 t=512", "swiglu mlp.swiglu 18432 t=512",
        "swiglu experts.swiglu 2048 t=4096", "experts-bf16 experts.even 13*1024/4096x7168 rows=16..16 t=512",
        "head-bf16 head 16384/129280x7168 t=1", "head-bf16 head 16384/129280x7168 t=64",
        "pack-bf16 o 2048/7168x16384"}) {
    INFO(text);
    CHECK(seen.contains(text));
  }
  CHECK(seen.size() == 13);  // and the skewed experts
}

TEST_CASE("bench: grouped queries, windows and clamped gates follow the configuration") {
  ModelConfig c = deepseek_v3_shapes();
  c.attention = AttentionKind::grouped;
  c.num_attention_heads = 64;
  c.num_key_value_heads = 8;
  c.head_dim = 64;
  c.rope.layout = RopeLayout::halves;
  c.activation = Activation::clamped_swiglu;
  c.router.scoring = Scoring::softmax_of_chosen;
  c.layers.assign(2, LayerChoice{.is_moe = true, .window = 128});
  c.layers[1].window = 0;
  std::set<std::string> seen;
  for (const auto& s : operation_shapes(c, "m", 16384)) {
    seen.insert(shape_text_of(s));
    if (s.kind == BenchOperation::swiglu) CHECK(s.clamp.limit == 7);
    if (s.kind == BenchOperation::router) CHECK(s.router.score == RouterScore::softmax_of_chosen);
    if (s.kind == BenchOperation::rotary) CHECK(s.pairs == RotaryPairs::half_split);
  }
  CHECK(seen.contains("grouped 64:8 heads 64+64 keys=4096 t=1"));
  CHECK(seen.contains("grouped 64:8 heads 64+64 keys=4096 window=128 t=1"));
  CHECK(seen.contains("rotary 72 heads 32*2 t=512"));
  CHECK_FALSE(seen.contains("mlp.swiglu 18432 t=512"));
}

TEST_CASE("bench: the same operations run through the interface of an accelerator") {
  ThreadPool pool(2);
  const auto accelerator = emulated_accelerator(pool);
  const BenchOptions options = small_bench();
  const Meter meter(counted_kernels(), options, std::nullopt);
  const DeviceInfo device{"emulated", "gpu", 1, 0, "host"};
  ProductShape product;
  product.what_for = "test";
  product.name = "place";
  product.n_out = product.full_n_out = 40;
  product.n_in = 16;
  product.n_tokens = 3;
  product.groups = 2;
  std::vector<OperationShape> shapes = one_of_each();
  shapes.push_back(router_of(1));
  shapes.back().router.n_groups = 64;
  shapes.back().router.n_experts = 64;
  for (const double best : {0.0, 1e9}) {
    std::vector<std::string> notes;
    const auto rows = device_rows(*accelerator, device, meter, {product}, shapes, best, notes);
    REQUIRE(notes.size() == 1);  // of the router with too many groups
    REQUIRE(rows.size() == 2 + shapes.size() - 1);
    CHECK(rows[0].kernel == "copy");
    CHECK(rows[1].flops == 2 * 2 * 3 * 40 * 16);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      INFO(rows[i].kernel << " " << rows[i].shape);
      CHECK(rows[i].on_gpu);
      CHECK(rows[i].isa == "host");
      CHECK(rows[i].seconds_p50 > 0);
      if (i >= 2) {
        CHECK(rows[i].flops == work_of(shapes[i - 2]).flops);
        CHECK(rows[i].bytes == work_of(shapes[i - 2]).bytes);
        CHECK(rows[i].kernel == kernel_name_of(shapes[i - 2]));
      }
      const bool on_tensor_cores = rows[i].shape.ends_with(" bf16");
      CHECK(std::isnan(rows[i].fraction_of_limit) == (on_tensor_cores && best == 0));
    }
  }
  CHECK(accelerator->finish() == nullptr);
}

}  // namespace
}  // namespace assay
