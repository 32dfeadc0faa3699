// Digests of what every operation of kernels/contract.h gives on fixed inputs that make any change of order or rounding
// show. All instruction sets, thread counts and machines give the same ones (DESIGN, "Canonical arithmetic"), so the
// goldens were written by one and hold the others: tests/unit/test_kernel_signature.cc here, tests/neon/ on AArch64.
// Depends on kernels/ alone, so that a cross compiler needs no library.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/contract.h"

namespace assay::test {

// FNV-1a over the bits of values; all NaNs count as one, since their payload is not defined.
class SignatureHash {
 public:
  void add(std::uint64_t bits) {
    for (int i = 0; i < 8; ++i) hash_ = (hash_ ^ ((bits >> (8 * i)) & 0xff)) * 0x100000001b3;
  }
  void add(float x) { add(std::isnan(x) ? std::uint64_t{0x7fc00000} : std::bit_cast<std::uint32_t>(x)); }
  void add(double x) { add(std::isnan(x) ? ~std::uint64_t{0} : std::bit_cast<std::uint64_t>(x)); }
  void add(std::int32_t x) { add(static_cast<std::uint64_t>(static_cast<std::uint32_t>(x))); }
  template <class T>
  void add_all(const std::vector<T>& values) {
    for (const T& x : values) add(x);
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

// Floats of many magnitudes and both signs, made by integer operations alone (splitmix64): the same on every machine.
inline std::vector<float> signature_floats(std::size_t n, std::uint64_t seed, float scale = 1) {
  std::vector<float> out(n);
  for (float& x : out) {
    std::uint64_t z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    const auto whole = static_cast<std::int32_t>(z >> 40) - (1 << 23);  // 24 bits with a sign
    const int exponent = -23 - static_cast<int>(z & 7);
    x = scale * std::ldexp(static_cast<float>(whole), exponent);
  }
  return out;
}
inline std::vector<std::uint8_t> signature_bytes(std::size_t n, std::uint64_t seed) {
  std::vector<std::uint8_t> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    out[i] = static_cast<std::uint8_t>(seed >> 56);
  }
  return out;
}
// linspace(-100, 100): sums of its products cancel almost completely.
inline std::vector<float> cancelling_floats(std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(-100 + 200 * static_cast<double>(i) / static_cast<double>(n - 1));
  return out;
}

using Signature = std::vector<std::pair<std::string, std::uint64_t>>;

inline PackedMatrix signature_matrix(WeightFormat format, std::int64_t n_out, std::int64_t n_in,
                                     std::vector<std::byte>& memory) {
  memory.resize(packed_bytes(format, n_out, n_in));
  const auto n = static_cast<std::size_t>(n_out * n_in);
  if (format == WeightFormat::mxfp4) {
    std::vector<std::uint8_t> scales = signature_bytes(n / 32, 5);
    for (std::uint8_t& s : scales) s = static_cast<std::uint8_t>(120 + s % 16);
    return pack_mxfp4(signature_bytes(n / 2, 6).data(), scales.data(), n_out, n_in, memory.data());
  }
  if (format == WeightFormat::q8_0) {
    const std::vector<float> scales =
        signature_floats(static_cast<std::size_t>(n_out * ((n_in + 31) / 32)), 8);
    return pack_q8_0(signature_bytes(n, 7).data(), scales.data(), n_out, n_in, memory.data());
  }
  if (format == WeightFormat::f16) {
    std::vector<std::uint16_t> codes(n);
    const std::vector<std::uint8_t> drawn = signature_bytes(2 * n, 7);
    for (std::size_t i = 0; i < n; ++i)  // finite: the exponent is never the largest
      codes[i] = static_cast<std::uint16_t>((drawn[2 * i] | drawn[2 * i + 1] << 8) & 0xbfff);
    return pack(codes.data(), format, n_out, n_in, memory.data());
  }
  if (is_scaled(format)) {
    std::vector<std::uint8_t> codes = signature_bytes(n, 7);
    for (std::uint8_t& c : codes)
      c = static_cast<std::uint8_t>(c & 0xbf);  // finite and of no great magnitude
    const std::vector<float> scales =
        signature_floats(static_cast<std::size_t>(n_out * ((n_in + 127) / 128)), 8);
    return pack_fp8(format, codes.data(), scales.data(), n_out, n_in, memory.data());
  }
  const std::vector<float> rows = signature_floats(n, 9);
  if (format == WeightFormat::f32) return pack(rows.data(), format, n_out, n_in, memory.data());
  std::vector<std::uint16_t> bf16(n);
  for (std::size_t i = 0; i < n; ++i) bf16[i] = f32_to_bf16(rows[i]);
  return pack(bf16.data(), format, n_out, n_in, memory.data());
}

inline void sign_matmul(const Compute& c, Signature& out) {
  constexpr std::pair<WeightFormat, const char*> kFormats[] = {
      {WeightFormat::f32, "f32"},   {WeightFormat::bf16, "bf16"}, {WeightFormat::mxfp4, "mxfp4"},
      {WeightFormat::e4m3, "e4m3"}, {WeightFormat::e5m2, "e5m2"}, {WeightFormat::q8_0, "q8_0"},
      {WeightFormat::f16, "f16"}};
  constexpr std::int64_t kOut = 70, kIn = 1120;  // partial panels and blocks
  for (const auto& [format, name] : kFormats) {
    std::vector<std::byte> memory;
    const PackedMatrix w = signature_matrix(format, kOut, kIn, memory);
    SignatureHash hash;
    for (const std::int64_t n_tokens : {1, 2, 3, 4, 5, 13, 47}) {
      std::vector<float> x = signature_floats(static_cast<std::size_t>(n_tokens * kIn), 10);
      const std::vector<float> hard = cancelling_floats(static_cast<std::size_t>(kIn));
      std::copy(hard.begin(), hard.end(), x.begin());
      std::vector<float> y(static_cast<std::size_t>(n_tokens * kOut));
      matmul(c, w, x.data(), n_tokens, y.data());
      hash.add_all(y);
    }
    out.emplace_back(std::string("matmul ") + name, hash.value());
  }
}

inline void sign_rows(const Compute& c, Signature& out) {
  constexpr std::int64_t kRows = 3, kWidth = 301;
  const std::vector<float> x = signature_floats(kRows * kWidth * 2, 21, 8),
                           weight = signature_floats(kWidth, 22);
  const auto op = [&](const char* name, const auto& call) {
    std::vector<float> y = signature_floats(kRows * kWidth, 23);
    call(y.data());
    SignatureHash hash;
    hash.add_all(y);
    out.emplace_back(name, hash.value());
  };
  op("rms_norm", [&](float* y) { rms_norm(c, x.data(), weight.data(), kRows, kWidth, 1e-6f, y); });
  op("silu_mul", [&](float* y) { silu_mul(c, x.data(), x.data() + kRows * kWidth, kRows, kWidth, y); });
  op("clamped_swiglu", [&](float* y) { clamped_swiglu_halves(c, {1.702f, 7}, x.data(), kRows, kWidth, y); });
  op("add", [&](float* y) { add(c, x.data(), kRows, kWidth, y); });
  op("add_scaled", [&](float* y) { add_scaled(c, 0.22f, x.data(), kRows, kWidth, y); });
  op("softmax", [&](float* y) { softmax_rows(c, x.data(), kRows, kWidth, y); });
  const std::int32_t slots[] = {0, 2, 1, -1, 0, 1};
  const float weights[] = {0.3f, 0.7f, 1.5f, 9.0f, 0.1f, 0.9f};
  op("combine_experts", [&](float* y) { combine_experts(c, x.data(), slots, weights, kRows, 2, kWidth, y); });
}

inline void sign_functions(const Compute& c, Signature& out) {
  constexpr std::pair<Function, const char*> kFunctions[] = {{Function::exp, "exp"},
                                                             {Function::log, "log"},
                                                             {Function::sigmoid, "sigmoid"},
                                                             {Function::silu, "silu"},
                                                             {Function::tanh, "tanh"}};
  std::vector<float> x = signature_floats(40'000, 31, 100);
  for (std::uint32_t i = 0; i < 65'536; ++i)
    x.push_back(std::bit_cast<float>(i * 65'536u + 4'097u));  // every exponent
  for (const float special :
       {0.0f, -0.0f, 1e-45f, 88.7228f, 88.73f, -103.9f, -104.1f, std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    x.push_back(special);
  }
  for (const auto& [function, name] : kFunctions) {
    std::vector<float> y(x.size());
    apply(c, function, x.data(), static_cast<std::int64_t>(x.size()), y.data());
    SignatureHash hash;
    hash.add_all(y);
    out.emplace_back(name, hash.value());
  }
}

inline void sign_rotary(const Compute& c, Signature& out) {
  constexpr std::int64_t kTokens = 2, kHeads = 3, kPairs = 20, kHead = 48;
  const std::vector<float> cos_rows = signature_floats(kTokens * kPairs, 41),
                           sin_rows = signature_floats(kTokens * kPairs, 42);
  for (const RotaryPairs pairs : {RotaryPairs::interleaved, RotaryPairs::half_split}) {
    std::vector<float> x = signature_floats(kTokens * kHeads * kHead, 43);
    rotary(c, x.data(), kTokens, kHeads * kHead, kHeads, kHead, kPairs, pairs, cos_rows.data(),
           sin_rows.data());
    SignatureHash hash;
    hash.add_all(x);
    out.emplace_back(pairs == RotaryPairs::interleaved ? "rotary interleaved" : "rotary halves",
                     hash.value());
  }
}

inline void sign_attention(const Compute& c, Signature& out) {
  const std::vector<float> sinks = signature_floats(6, 51);
  AttentionShape shape{.n_heads = 6, .n_kv_heads = 2, .qk_dim = 40, .v_dim = 24, .scale = 0.158f};
  constexpr std::int64_t kKeys = 150;
  std::vector<std::vector<float>> memory((kKeys + kPageKeys - 1) / kPageKeys,
                                         std::vector<float>(page_floats(shape)));
  std::vector<const float*> pages;
  for (const auto& page : memory) pages.push_back(page.data());
  for (std::int64_t i = 0; i < kKeys; ++i) {
    const std::vector<float> k = signature_floats(80, 100 + static_cast<std::uint64_t>(i), 4),
                             v = signature_floats(48, 900 + static_cast<std::uint64_t>(i));
    store_key_value(shape, k.data(), 40, v.data(), 24, memory[static_cast<std::size_t>(i / kPageKeys)].data(),
                    i % kPageKeys);
  }
  for (const bool with_sinks : {false, true}) {
    shape.sinks = with_sinks ? sinks.data() : nullptr;
    std::vector<std::vector<float>> q, y(7, std::vector<float>(6 * 24));
    std::vector<AttentionQuery> queries;
    for (std::size_t i = 0; i < y.size(); ++i) q.push_back(signature_floats(240, 60 + i, 4));
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::int64_t end = kKeys - 6 + static_cast<std::int64_t>(i);
      queries.push_back({q[i].data(), y[i].data(), pages.data(), i % 2 == 0 ? 0 : end - 70, end});
    }
    attention(c, shape, queries.data(), static_cast<std::int64_t>(queries.size()));
    SignatureHash hash;
    for (const auto& row : y) hash.add_all(row);
    out.emplace_back(with_sinks ? "attention with sinks" : "attention", hash.value());
  }
}

inline void sign_latent_attention(const Compute& c, Signature& out) {
  const LatentShape shape{.qk_dim = 40, .v_dim = 33, .scale = 0.158f};
  constexpr std::int64_t kKeys = 150;
  std::vector<std::vector<float>> memory;
  std::vector<const float*> pages;
  for (std::int64_t i = 0; i * kPageKeys < kKeys; ++i)
    memory.push_back(signature_floats(latent_page_floats(shape), 81 + static_cast<std::uint64_t>(i), 4));
  for (const auto& page : memory) pages.push_back(page.data());
  std::vector<std::vector<float>> q, y(19, std::vector<float>(33));
  std::vector<AttentionQuery> queries;
  for (std::size_t i = 0; i < y.size(); ++i) q.push_back(signature_floats(40, 200 + i, 4));
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::int64_t end = kKeys - 18 + static_cast<std::int64_t>(i);
    queries.push_back({q[i].data(), y[i].data(), pages.data(), i % 2 == 0 ? 0 : end - 70, end});
  }
  latent_attention(c, shape, queries.data(), static_cast<std::int64_t>(queries.size()));
  SignatureHash hash;
  for (const auto& row : y) hash.add_all(row);
  out.emplace_back("attention over latents", hash.value());
}

inline void sign_head(const Compute& c, Signature& out) {
  constexpr std::int64_t kRows = 2, kVocab = 1'300;
  const std::vector<float> logits = signature_floats(kRows * kVocab, 71, 20);
  const std::int32_t targets[] = {0, 1'299};
  std::vector<double> values(kRows);
  log_softmax_at(c, logits.data(), kVocab, kRows, kVocab, targets, values.data());
  values.push_back(log_sum_exp(c, logits.data(), kVocab));
  SignatureHash hash;
  hash.add_all(values);
  hash.add(static_cast<std::uint64_t>(argmax(logits.data(), kVocab)));
  out.emplace_back("head", hash.value());
}

inline void sign_router(const Compute& c, Signature& out) {
  constexpr std::int64_t kTokens = 9;
  const std::vector<float> bias = signature_floats(64, 81, 0.1f);
  const std::pair<RouterSpec, const char*> specs[] = {
      {{.n_experts = 60, .top_k = 4}, "router softmax"},
      {{.n_experts = 32, .top_k = 4, .score = RouterScore::softmax_of_chosen, .epsilon = 0},
       "router softmax of chosen"},
      {{.n_experts = 64,
        .top_k = 6,
        .n_groups = 8,
        .top_groups = 3,
        .groups = GroupRule::maximum,
        .scale = 16},
       "router group maximum"},
      {{.n_experts = 64,
        .top_k = 8,
        .n_groups = 8,
        .top_groups = 4,
        .score = RouterScore::sigmoid,
        .groups = GroupRule::top2_sum,
        .normalise = true,
        .scale = 2.5f,
        .bias = bias.data()},
       "router noaux_tc"}};
  for (const auto& [spec, name] : specs) {
    const std::vector<float> logits =
        signature_floats(static_cast<std::size_t>(kTokens * spec.n_experts), 82, 6);
    const auto chosen = static_cast<std::size_t>(kTokens * spec.top_k);
    std::vector<std::int32_t> experts(chosen);
    std::vector<float> weights(chosen);
    std::vector<double> margins(kTokens);
    route(c, spec, logits.data(), kTokens,
          {.experts = experts.data(), .weights = weights.data(), .margins = margins.data()});
    SignatureHash hash;
    hash.add_all(experts);
    hash.add_all(weights);
    hash.add_all(margins);
    out.emplace_back(name, hash.value());
  }
}

inline Signature kernel_signature(const Compute& c) {
  Signature out;
  sign_matmul(c, out);
  sign_rows(c, out);
  sign_functions(c, out);
  sign_rotary(c, out);
  sign_attention(c, out);
  sign_latent_attention(c, out);
  sign_head(c, out);
  sign_router(c, out);
  return out;
}

// "matmul f32 0123456789abcdef\n" for each operation.
inline std::string signature_text(const Signature& signature) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const auto& [name, hash] : signature) {
    text += name + " ";
    for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(hash >> shift) & 15];
    text += "\n";
  }
  return text;
}

}  // namespace assay::test
