// What a GPU does with the kernels, as rows of Markdown for docs/gpu-report.md: each rate beside the limit of the same machine, measured in
// the same run. Random data (zeros draw less power and flatter a rate). Run by tests/cuda/device_check.sh; needs no files and no network.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/rng.h"
#include "kernels/cuda.h"
#include "reference/model/cuda_forward.h"
#include "reference/weights/writer.h"

namespace {

using namespace assay;

// 16-bit words that are bf16 numbers of magnitude 2^-7 .. 1.
std::vector<std::uint16_t> random_words(std::size_t n) {
  Stream random(1);
  std::vector<std::uint16_t> out(std::min<std::size_t>(n, std::size_t{1} << 22));
  for (auto& word : out) {
    const std::uint32_t r = random.u32();
    word = static_cast<std::uint16_t>((r & 0x8000u) | (0x3c00u + (r & 0x7fffu) % 0x380u));
  }
  out.reserve(n);
  while (out.size() < n)
    out.insert(out.end(), out.begin(),
               out.begin() + static_cast<std::ptrdiff_t>(std::min(out.size(), n - out.size())));
  return out;
}

class Gpu {
 public:
  explicit Gpu(Accelerator& a) : a_(a) {}
  ~Gpu() {
    for (void* memory : taken_) a_.give(memory);
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;
  template <class T>
  T* take(std::size_t n) {
    taken_.push_back(a_.take(n * sizeof(T)));
    return static_cast<T*>(taken_.back());
  }
  std::uint16_t* random(std::size_t n) {
    auto* const to = take<std::uint16_t>(n);
    const auto words = random_words(n);
    a_.to_device(to, words.data(), n * 2);
    return to;
  }
  float* random_floats(std::size_t n) {
    auto* const to = take<float>(n);
    const auto words = random_words(n);
    std::vector<float> numbers(n);
    for (std::size_t i = 0; i < n; ++i) numbers[i] = bf16_to_f32(words[i]);
    a_.to_device(to, numbers.data(), n * sizeof(float));
    return to;
  }
  // Median of seven after two that warm up.
  double seconds(const std::function<void()>& work) {
    std::vector<double> times;
    for (int i = 0; i < 9; ++i) {
      const double s = a_.seconds_of([](void* f) { (*static_cast<const std::function<void()>*>(f))(); },
                                     const_cast<void*>(static_cast<const void*>(&work)));
      if (i >= 2) times.push_back(s);
    }
    std::nth_element(times.begin(), times.begin() + 3, times.end());
    return times[3];
  }
  Accelerator& a() { return a_; }

 private:
  Accelerator& a_;
  std::vector<void*> taken_;
};

void row(const std::string& what, const std::string& shape, double seconds, const std::string& rate,
         const std::string& of) {
  fmt::print("| {} | {} | {:.3f} ms | {} | {} |\n", what, shape, 1e3 * seconds, rate, of);
  std::fflush(stdout);
}

struct Machine {
  double bytes_per_s = 0, flops_per_s = 0;
};

DeviceMatrix matrix_of(Gpu& gpu, WeightFormat format, std::int64_t n_out, std::int64_t n_in) {
  DeviceMatrix m{nullptr, nullptr, format, n_out, n_in, device_stride(format, n_in)};
  m.codes = gpu.random(device_code_bytes(format, n_out, n_in) / 2);
  if (is_scaled(format)) m.scales = gpu.random_floats(device_scale_bytes(format, n_out, n_in) / 4);
  return m;
}

Machine measure_limits(Accelerator& a) {
  Gpu gpu(a);
  Machine m;
  constexpr std::size_t kBytes = std::size_t{2} << 30;
  auto *const from = gpu.random(kBytes / 2), *const to = gpu.take<std::uint16_t>(kBytes / 2);
  const double copy = gpu.seconds([&] { a.copy(to, from, kBytes); });
  m.bytes_per_s = 2.0 * kBytes / copy;
  row("copy, read and written", "2 GiB", copy, fmt::format("{:.2f} TB/s", m.bytes_per_s / 1e12), "");
  const auto blas = cuda_cublas_seconds(8192, 8192, 8192, 9);
  if (blas.ok()) {
    m.flops_per_s = 2.0 * 8192 * 8192 * 8192 / *blas;
    row("cuBLAS bf16", "8192 x 8192 x 8192", *blas, fmt::format("{:.0f} TFLOP/s", m.flops_per_s / 1e12),
        "the limit below");
  } else {
    fmt::print("cuBLAS: {}\n", blas.error().text());
  }
  return m;
}

// Experts with `rows` tokens each, against cuBLAS on the same total and against the copy.
void measure_grouped(Accelerator& a, const Machine& m, std::int64_t experts, std::int64_t n_out,
                     std::int64_t n_in, std::int64_t rows, GpuArithmetic arithmetic) {
  Gpu gpu(a);
  const std::int64_t total = experts * rows;
  float *const x = gpu.random_floats(static_cast<std::size_t>(total * n_in)), *const y = gpu.take<float>(
                                                                                  static_cast<std::size_t>(
                                                                                      total * n_out));
  std::vector<DeviceProduct> jobs;
  for (std::int64_t e = 0; e < experts; ++e)
    jobs.push_back({.w = matrix_of(gpu, WeightFormat::bf16, n_out, n_in),
                    .first_row = e * rows,
                    .n_tokens = rows,
                    .y = y + e * rows * n_out,
                    .y_stride = n_out});
  const double s = gpu.seconds([&] { a.multiply({x, total, n_in, true}, jobs.data(), experts, arithmetic); });
  const double flops = 2.0 * static_cast<double>(total * n_out) * static_cast<double>(n_in);
  const double bytes = 2.0 * static_cast<double>(experts * n_out) * static_cast<double>(n_in);
  const auto blas = cuda_cublas_seconds(total, n_out, n_in, 5);
  const std::string shape = fmt::format("{} x ({} x {}), {} rows each", experts, n_out, n_in, rows);
  if (rows >= 64) {
    row(arithmetic == GpuArithmetic::bf16 ? "grouped bf16" : "grouped canonical", shape, s,
        fmt::format("{:.0f} TFLOP/s", flops / s / 1e12),
        blas.ok() ? fmt::format("{:.0f} % of cuBLAS, same total", 100 * *blas / s) : "");
  } else {
    row("grouped bf16, few rows", shape, s, fmt::format("{:.2f} TB/s of weights", bytes / s / 1e12),
        fmt::format("{:.0f} % of copy", 100 * bytes / s / m.bytes_per_s));
  }
}

void measure_dense(Accelerator& a, const Machine& m, WeightFormat format, std::int64_t tokens,
                   std::int64_t n_out, std::int64_t n_in, GpuArithmetic arithmetic, const char* name) {
  Gpu gpu(a);
  float *const x = gpu.random_floats(static_cast<std::size_t>(tokens * n_in)), *const y = gpu.take<float>(
                                                                                   static_cast<std::size_t>(
                                                                                       tokens * n_out));
  const DeviceProduct job{
      .w = matrix_of(gpu, format, n_out, n_in), .n_tokens = tokens, .y = y, .y_stride = n_out};
  const double s = gpu.seconds([&] { a.multiply({x, tokens, n_in}, &job, 1, arithmetic); });
  const double rate = 2.0 * static_cast<double>(tokens * n_out) * static_cast<double>(n_in) / s;
  row(name, fmt::format("{} tokens, {} x {}", tokens, n_out, n_in), s,
      fmt::format("{:.0f} TFLOP/s", rate / 1e12),
      fmt::format("{:.0f} % of cuBLAS bf16", 100 * rate / m.flops_per_s));
}

// DeepSeek-V2-Lite's shape (2405.04434, appendix B.1) with `n_layers` layers and random weights; only the embedding lies in a file.
constexpr const char* kLiteConfig =
    R"({"model_type":"deepseek_v2","architectures":["DeepseekV2ForCausalLM"],"torch_dtype":"bfloat16",
"vocab_size":102400,"hidden_size":2048,"num_hidden_layers":27,"intermediate_size":10944,"moe_intermediate_size":1408,
"num_attention_heads":16,"num_key_value_heads":16,"q_lora_rank":null,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,
"v_head_dim":128,"n_routed_experts":64,"n_shared_experts":2,"num_experts_per_tok":6,"first_k_dense_replace":1,"moe_layer_freq":1,
"topk_method":"greedy","n_group":1,"topk_group":1,"norm_topk_prob":false,"routed_scaling_factor":1.0,"scoring_func":"softmax",
"rms_norm_eps":1e-6,"rope_theta":10000,"max_position_embeddings":163840,"rope_scaling":{"type":"yarn","factor":40,"beta_fast":32,
"beta_slow":1,"mscale":0.707,"mscale_all_dim":0.707,"original_max_position_embeddings":4096},"attention_bias":false,"hidden_act":"silu",
"tie_word_embeddings":false,"bos_token_id":100000,"eos_token_id":100001})";

// Panels of random numbers of about 1 / sqrt(n_in) * 1/2, so that activations keep their size.
PackedLinear random_linear(std::int64_t n_out, std::int64_t n_in, Stream& random) {
  PackedLinear out;
  const std::size_t bytes = packed_bytes(WeightFormat::bf16, n_out, n_in);
  out.memory = std::shared_ptr<std::byte>(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), std::free);
  auto* const words = reinterpret_cast<std::uint16_t*>(out.memory.get());
  const int exponent = 126 - static_cast<int>(std::log2(static_cast<double>(n_in)) / 2);
  const std::size_t n = bytes / 2, drawn = std::min<std::size_t>(n, std::size_t{1} << 18);
  for (std::size_t i = 0; i < drawn; ++i) {
    const std::uint32_t r = random.u32();
    words[i] = static_cast<std::uint16_t>(
        (r & 0x8000u) | static_cast<std::uint32_t>(exponent - static_cast<int>(r >> 8 & 1u)) << 7 |
        (r & 0x7fu));
  }
  for (std::size_t i = drawn; i < n; i += drawn) std::copy_n(words, std::min(drawn, n - i), words + i);
  out.matrix = {words, WeightFormat::bf16, n_out, n_in};
  return out;
}

PackedModel random_lite(const ModelConfig& c) {
  Stream random(7);
  PackedModel model;
  const auto ones = [](std::int64_t n) { return std::vector<float>(static_cast<std::size_t>(n), 1.0f); };
  const auto mlp = [&](std::int64_t inner) {
    PackedMlp out;
    out.gate_up = random_linear(2 * inner, c.hidden_size, random);
    out.down = random_linear(c.hidden_size, inner, random);
    return out;
  };
  for (const LayerChoice& choice : c.layers) {
    PackedLayer& l = model.layers.emplace_back();
    l.input_norm = l.post_norm = ones(c.hidden_size);
    l.kv_a_norm = ones(c.kv_lora_rank);
    l.inputs = random_linear(c.num_attention_heads * c.key_dim() + c.kv_lora_rank + c.qk_rope_head_dim,
                             c.hidden_size, random);
    l.kv_b =
        random_linear(c.num_attention_heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank, random);
    l.o = random_linear(c.hidden_size, c.num_attention_heads * c.value_dim(), random);
    if (!choice.is_moe) {
      l.dense = mlp(c.intermediate_size);
      continue;
    }
    l.router = random_linear(c.router.n_experts, c.hidden_size, random);
    l.shared = mlp(c.shared_intermediate_size);
    for (std::int64_t e = 0; e < c.router.n_experts; ++e) l.experts.push_back(mlp(c.moe_intermediate_size));
  }
  model.ends.norm = ones(c.hidden_size);
  model.ends.head = random_linear(c.vocab_size, c.hidden_size, random);
  return model;
}

// One prefill of `tokens` tokens in prompts of `prompt` each.
Result<int> measure_prefill(Accelerator& a, const Machine& m, const ModelFiles& files, DeviceWeights& weights,
                            std::int64_t tokens, std::int64_t prompt, GpuArithmetic arithmetic) {
  const ModelConfig& config = files.config;
  CudaForward forward(files, weights, a, arithmetic);
  DevicePages pages(a, forward.page_floats_per_layer(), 1);
  DeviceBatch batch;
  Stream random(3);
  for (std::int64_t first = 0; first < tokens; first += prompt) {
    DeviceSegment segment{
        .first_row = first, .n_rows = std::min(prompt, tokens - first), .position = 0, .pages = {}};
    for (std::int64_t i = 0; i < segment.n_rows; ++i) {
      batch.ids.push_back(
          static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(config.vocab_size))));
      batch.positions.push_back(i);
      if (i % kPageKeys == 0) segment.pages.push_back(pages.take());
    }
    batch.segments.push_back(std::move(segment));
  }
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    ASSAY_OK(forward.run(batch, pages));
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const ModelCounts counts = count_model(config);
  // Matrix products without the head, which a prefill does not need, and attention over half of each prompt's keys.
  const double head = 2.0 * static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size);
  const double flops =
      static_cast<double>(tokens) *
      (static_cast<double>(counts.forward_flops_per_token) - head +
       static_cast<double>(counts.attention_flops_per_key) * static_cast<double>(prompt) / 2);
  row(arithmetic == GpuArithmetic::bf16 ? "V2-Lite shape, bf16" : "V2-Lite shape, canonical",
      fmt::format("prefill of {} tokens, prompts of {}, weights {}", tokens, prompt,
                  weights.is_resident() ? "resident" : "streamed"),
      best,
      fmt::format("{:.0f} tokens/s, {:.0f} TFLOP/s", static_cast<double>(tokens) / best, flops / best / 1e12),
      fmt::format("{:.0f} % of cuBLAS bf16", 100 * flops / best / m.flops_per_s));
  return 0;
}

Result<int> measure_model(Accelerator& a, const Machine& m, std::int64_t tokens) {
  const std::string folder =
      fmt::format("{}/assay-gpu-measure-{}", std::filesystem::temp_directory_path().string(), ::getpid());
  std::filesystem::create_directories(folder);
  ASSAY_TRY(const ModelConfig config, parse_model_config(Json::parse(kLiteConfig), "config.json"));
  const auto words = random_words(static_cast<std::size_t>(config.vocab_size * config.hidden_size));
  const TensorOut table =
      tensor_out_bf16("model.embed_tokens.weight", {config.vocab_size, config.hidden_size}, words);
  ASSAY_OK(write_safetensors(folder + "/model.safetensors", std::span(&table, 1)));
  ASSAY_TRY(Checkpoint checkpoint, Checkpoint::open(folder + "/model.safetensors"));
  const ModelFiles files{config, std::move(checkpoint)};
  const PackedModel packed = random_lite(config);
  {
    ASSAY_TRY(DeviceWeights weights, DeviceWeights::place(a, packed, a.free_bytes() / 10 * 7));
    ASSAY_OK(measure_prefill(a, m, files, weights, tokens, std::min<std::int64_t>(tokens, 1024),
                             GpuArithmetic::bf16));
    ASSAY_OK(measure_prefill(a, m, files, weights, tokens, tokens, GpuArithmetic::bf16));
    ASSAY_OK(measure_prefill(a, m, files, weights, std::min<std::int64_t>(tokens, 2048), 512,
                             GpuArithmetic::canonical));
  }
  ASSAY_TRY(DeviceWeights streamed, DeviceWeights::place(a, packed, a.free_bytes() / 10 * 7, true));
  ASSAY_OK(measure_prefill(a, m, files, streamed, tokens, std::min<std::int64_t>(tokens, 1024),
                           GpuArithmetic::bf16));
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto opened = open_cuda();
  if (!opened.ok()) {
    fmt::print("skipped: {}\n", opened.error().text());
    return 77;
  }
  Accelerator& a = **opened;
  fmt::print("{}\n\n| what | shape | time (median of 7) | rate | of the limit |\n|---|---|---|---|---|\n",
             a.name());
  const Machine m = measure_limits(a);
  for (const std::int64_t rows : {256, 512, 1024})
    measure_grouped(a, m, 64, 2816, 2048, rows, GpuArithmetic::bf16);
  measure_grouped(a, m, 32, 4096, 7168, 256, GpuArithmetic::bf16);
  for (const std::int64_t rows : {1, 4, 16}) measure_grouped(a, m, 64, 2816, 2048, rows, GpuArithmetic::bf16);
  measure_grouped(a, m, 64, 2816, 2048, 256, GpuArithmetic::canonical);
  measure_dense(a, m, WeightFormat::bf16, 4096, 7168, 4096, GpuArithmetic::bf16, "dense bf16");
  measure_dense(a, m, WeightFormat::bf16, 4096, 7168, 4096, GpuArithmetic::canonical, "dense canonical");
  measure_dense(a, m, WeightFormat::e4m3, 4096, 7168, 4096, GpuArithmetic::bf16,
                "dense FP8 weights, bf16 inputs");
  for (const auto& [n_out, n_in] :
       {std::pair<std::int64_t, std::int64_t>{4096, 7168}, {7168, 2048}, {2112, 7168}})
    measure_dense(a, m, WeightFormat::e4m3, 4096, n_out, n_in, GpuArithmetic::fp8, "dense FP8, 128-blocks");
  const std::int64_t tokens = argc > 1 ? std::atoll(argv[1]) : 16384;
  if (const auto done = measure_model(a, m, tokens); !done.ok()) fmt::print("{}\n", done.error().text());
  if (const char* fault = a.finish()) {
    fmt::print("the GPU stopped: {}\n", fault);
    return 1;
  }
  return 0;
}
