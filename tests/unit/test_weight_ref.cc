// Matrices that lie in parts of tensors: experts together, gate and up in turn or one after the other, transposed, MXFP4;
// FP8 with one scale a tensor and other names of scales; what is stored otherwise is refused.
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "reference/model/config.h"
#include "reference/model/tensors.h"
#include "reference/model/weight_ref.h"
#include "reference/weights/mxfp4.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

// A tensor with memory of its own.
struct Stored {
  std::string name;
  Format format;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;
};

Stored floats(const std::string& name, std::vector<std::int64_t> shape, const std::vector<float>& values) {
  Stored s{name, Format::F32, std::move(shape), std::vector<std::uint8_t>(values.size() * 4)};
  std::memcpy(s.bytes.data(), values.data(), s.bytes.size());
  return s;
}

class Files {
 public:
  explicit Files(const std::vector<Stored>& tensors) {
    std::vector<TensorOut> out;
    for (const Stored& s : tensors)
      out.push_back({s.name, s.format, s.shape, std::as_bytes(std::span(s.bytes))});
    std::sort(out.begin(), out.end(), [](const TensorOut& a, const TensorOut& b) { return a.name < b.name; });
    REQUIRE(write_safetensors(scratch_ / "m.safetensors", out).ok());
    auto opened = Checkpoint::open(scratch_ / "m.safetensors");
    REQUIRE(opened.ok());
    checkpoint_ = std::make_unique<Checkpoint>(std::move(*opened));
  }
  const Checkpoint& operator*() const { return *checkpoint_; }

 private:
  Scratch scratch_;
  std::unique_ptr<Checkpoint> checkpoint_;
};

ModelConfig config_of(const std::string& type, bool mxfp4) {
  Json c = {{"model_type", type},
            {"vocab_size", 9},
            {"hidden_size", 32},
            {"intermediate_size", mxfp4 ? 32 : 3},
            {"num_hidden_layers", 1},
            {"num_attention_heads", 2},
            {"num_key_value_heads", 1},
            {"head_dim", 4},
            {"max_position_embeddings", 64},
            {"rms_norm_eps", 1e-5},
            {"num_local_experts", 2},
            {"num_experts_per_tok", 1},
            {"sliding_window", 8}};
  if (type != "gpt_oss") c.erase("sliding_window");
  if (type == "granitemoeshared") c["shared_intermediate_size"] = 5;
  if (mxfp4) c["quantization_config"] = {{"quant_method", "mxfp4"}};
  auto config = parse_model_config(c, "config.json");
  if (!config.ok()) FAIL(config.error().text());
  return *config;
}

std::vector<float> counted(std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(i);
  return out;
}

// Element (o, k) of a matrix is `where(o, k)` in a tensor that counts its elements.
void check_matrix(const Checkpoint& c, const WeightRef& ref,
                  const std::function<std::int64_t(std::int64_t, std::int64_t)>& where) {
  const auto narrow = load_weight_f32(c, ref, Recipe::dequant_f32, {});
  if (!narrow.ok()) FAIL(narrow.error().text());
  const auto wide = load_weight_f64(c, ref, Recipe::dequant_f32, {});
  REQUIRE(wide.ok());
  const std::int64_t width = std::max<std::int64_t>(ref.n_in, 1);
  REQUIRE(static_cast<std::int64_t>(narrow->size()) == ref.n_out * width);
  int wrong = 0;
  for (std::int64_t o = 0; o < ref.n_out; ++o) {
    for (std::int64_t k = 0; k < width; ++k) {
      const auto at = static_cast<std::size_t>(o * width + k);
      wrong +=
          (*narrow)[at] != static_cast<float>(where(o, k)) || (*wide)[at] != static_cast<double>(where(o, k));
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("weight ref: Granite's experts lie together, gate rows before up rows") {
  const ModelConfig c = config_of("granitemoeshared", false);
  const std::string block = "model.layers.0.block_sparse_moe.", shared = "model.layers.0.shared_mlp.";
  const Files files({floats(block + "input_linear.weight", {2, 6, 32}, counted(2 * 6 * 32)),
                     floats(block + "output_linear.weight", {2, 32, 3}, counted(2 * 32 * 3)),
                     floats(shared + "input_linear.weight", {10, 32}, counted(10 * 32)),
                     floats(shared + "output_linear.weight", {32, 5}, counted(32 * 5))});
  for (std::int64_t e = 0; e < 2; ++e) {
    const MlpRef ref = expert_ref(c, 0, e);
    check_matrix(*files, ref.gate.weight, [&](auto o, auto k) { return (e * 6 + o) * 32 + k; });
    check_matrix(*files, ref.up.weight, [&](auto o, auto k) { return (e * 6 + 3 + o) * 32 + k; });
    check_matrix(*files, ref.down.weight, [&](auto o, auto k) { return (e * 32 + o) * 3 + k; });
    CHECK(!ref.gate.has_bias());
  }
  const MlpRef ref = shared_ref(c, 0);
  check_matrix(*files, ref.up.weight, [](auto o, auto k) { return (5 + o) * 32 + k; });
  check_matrix(*files, ref.down.weight, [](auto o, auto k) { return o * 5 + k; });
}

TEST_CASE("weight ref: gpt-oss has gate and up in turn, transposed, and a bias of each") {
  const ModelConfig c = config_of("gpt_oss", false);
  const std::string p = "model.layers.0.mlp.experts.";
  const Files files({floats(p + "gate_up_proj", {2, 32, 6}, counted(2 * 32 * 6)),
                     floats(p + "gate_up_proj_bias", {2, 6}, counted(12)),
                     floats(p + "down_proj", {2, 3, 32}, counted(2 * 3 * 32)),
                     floats(p + "down_proj_bias", {2, 32}, counted(64))});
  for (std::int64_t e = 0; e < 2; ++e) {
    const MlpRef ref = expert_ref(c, 0, e);
    check_matrix(*files, ref.gate.weight, [&](auto o, auto k) { return (e * 32 + k) * 6 + 2 * o; });
    check_matrix(*files, ref.up.weight, [&](auto o, auto k) { return (e * 32 + k) * 6 + 2 * o + 1; });
    check_matrix(*files, ref.down.weight, [&](auto o, auto k) { return (e * 3 + k) * 32 + o; });
    check_matrix(*files, ref.gate.bias, [&](auto o, auto) { return e * 6 + 2 * o; });
    check_matrix(*files, ref.up.bias, [&](auto o, auto) { return e * 6 + 2 * o + 1; });
    check_matrix(*files, ref.down.bias, [&](auto o, auto) { return e * 32 + o; });
  }
}

TEST_CASE("weight ref: MXFP4 is the low nibble first, a power of two for 32 inputs, gate and up in turn") {
  const ModelConfig c = config_of("gpt_oss", true);
  const std::string p = "model.layers.0.mlp.experts.gate_up_proj";
  Stored blocks{p + "_blocks", Format::U8, {2, 64, 1, 16}, {}},
      scales{p + "_scales", Format::U8, {2, 64, 1}, {}};
  for (int i = 0; i < 2 * 64 * 16; ++i) blocks.bytes.push_back(static_cast<std::uint8_t>(i * 37 % 256));
  for (int i = 0; i < 2 * 64; ++i) scales.bytes.push_back(static_cast<std::uint8_t>(127 + i % 5 - 2));
  const Files files({blocks, scales});
  const double magnitudes[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (std::int64_t e = 0; e < 2; ++e) {
    const WeightRef ref = expert_ref(c, 0, e).up.weight;
    const auto got = load_weight_f64(*files, ref, Recipe::dequant_f32, {});
    REQUIRE(got.ok());
    REQUIRE(got->size() == 32 * 32);
    for (std::size_t o = 0; o < 32; ++o) {
      const std::size_t row = static_cast<std::size_t>(e) * 64 + 2 * o + 1;
      for (std::size_t k = 0; k < 32; ++k) {
        const unsigned both = blocks.bytes[row * 16 + k / 2], code = k % 2 == 0 ? both & 15U : both >> 4;
        const double sign = code >= 8 ? -1 : 1;
        REQUIRE((*got)[o * 32 + k] == sign * magnitudes[code & 7U] * std::pow(2.0, scales.bytes[row] - 127));
      }
    }
  }
  for (unsigned code = 0; code < 16; ++code) {
    const double exact = (code >= 8 ? -1 : 1) * magnitudes[code & 7U];
    CHECK(double{widen_e2m1(static_cast<std::uint8_t>(code))} == exact);
    CHECK(std::signbit(widen_e2m1(static_cast<std::uint8_t>(code))) == (code >= 8));
  }
  const TensorView *b = (*files).find(p + "_blocks"), *s = (*files).find(p + "_scales");
  CHECK(is_mxfp4_blocks(*files, *b));
  CHECK(is_block_scale(*files, *s));
  CHECK(!is_block_scale(*files, *b));
  CHECK(numbers_of(*files, *b) == 2 * 64 * 32);
  CHECK(numbers_of(*files, *s) == 0);
}

TEST_CASE("weight ref: MXFP4 of another shape, format or without scales is refused") {
  const std::string p = "model.layers.0.mlp.experts.gate_up_proj";
  const WeightRef ref = expert_ref(config_of("gpt_oss", true), 0, 0).gate.weight;
  const auto bytes = [](std::size_t n) { return std::vector<std::uint8_t>(n, 1); };
  struct Wrong {
    std::vector<Stored> tensors;
    Code code;
    const char* field;
  };
  const Stored blocks{p + "_blocks", Format::U8, {2, 64, 1, 16}, bytes(2048)},
      scales{p + "_scales", Format::U8, {2, 64, 1}, bytes(128)};
  const Wrong wrong[] = {
      {{blocks}, Code::missing_tensor, "_scales"},
      {{scales}, Code::missing_tensor, "_blocks"},
      {{blocks, {p + "_scales", Format::U8, {2, 64}, bytes(128)}}, Code::bad_shape, "_scales"},
      {{blocks, {p + "_scales", Format::F8_E8M0, {2, 64, 1}, bytes(128)}}, Code::bad_dtype, "_scales"},
      {{{p + "_blocks", Format::U8, {2, 32, 1, 32}, bytes(2048)}, scales}, Code::bad_shape, "_blocks"},
      {{{p + "_blocks", Format::I8, {2, 64, 1, 16}, bytes(2048)}, scales}, Code::bad_dtype, "_blocks"}};
  for (const Wrong& each : wrong) {
    const Files files(each.tensors);
    const auto got = load_weight_f32(*files, ref, Recipe::dequant_f32, {});
    REQUIRE(!got.ok());
    CHECK(name_of(got.error().code) == name_of(each.code));
    CHECK(got.error().field == p + each.field);
    CHECK(!got.error().expected.empty());
    CHECK(!stored_tensor(*files, ref).ok());
  }
}

TEST_CASE("dequant: FP8 with one scale a tensor, under either name, in any format of scales") {
  const std::vector<std::uint8_t> codes = {0x38, 0x40, 0xb8, 0x01, 0x7e, 0x00};  // 1, 2, -1, 2^-9, 448, 0
  const std::vector<float> values = {1, 2, -1, 0x1p-9f, 448, 0};
  const Stored w{"w.weight", Format::F8_E4M3, {2, 3}, codes};
  const Stored f32 = floats("w.weight_scale_inv", {}, {0.3f}), one = floats("w.weight_scale", {1}, {0.3f}),
               square = floats("w.weight_scale_inv", {1, 1}, {0.3f});
  const Stored bf16{"w.weight_scale", Format::BF16, {}, {0x80, 0x3e}};     // 0.25
  const Stored power{"w.weight_scale_inv", Format::F8_E8M0, {1}, {0x7d}};  // 0.25
  const std::pair<Stored, float> scales[] = {
      {f32, 0.3f}, {one, 0.3f}, {square, 0.3f}, {bf16, 0.25f}, {power, 0.25f}};
  for (const auto& [scale, factor] : scales) {
    INFO(scale.name << " " << name_of(scale.format));
    const Files files({w, scale});
    const auto got = load_f32(*files, "w.weight", std::vector<std::int64_t>{2, 3});
    if (!got.ok()) FAIL(got.error().text());
    for (std::size_t i = 0; i < 6; ++i) CHECK((*got)[i] == values[i] * factor);
    CHECK(is_block_scale(*files, *(*files).find(scale.name)));
    CHECK(numbers_of(*files, *(*files).find("w.weight")) == 6);
  }
  const Files both(
      {w, f32, one});  // the second is nobody's: a scale that is not applied must not pass unseen
  CHECK(is_block_scale(*both, *(*both).find("w.weight_scale")));
  CHECK(!is_block_scale(*both, *(*both).find("w.weight_scale_inv")));
}

TEST_CASE("dequant: one scale (1, 1) for more than one block only where no configuration states blocks") {
  const Stored w{"w.weight", Format::F8_E5M2, {130, 2}, std::vector<std::uint8_t>(260, 0x3c)},  // 1
      scale = floats("w.weight_scale_inv", {1, 1}, {0.5f});
  const Files files({w, scale});
  const std::vector<std::int64_t> shape = {130, 2};
  const auto stated = load_f32(*files, "w.weight", shape);
  REQUIRE(!stated.ok());
  CHECK(stated.error().code == Code::bad_shape);
  const auto open = load_f32(*files, "w.weight", shape, Recipe::dequant_f32, BlockSize{.stated = false});
  REQUIRE(open.ok());
  CHECK(*open == std::vector<float>(260, 0.5f));
}

TEST_CASE("dequant: F8_E5M2 in blocks of 128 x 128, partial at the edges") {
  Stored w{"w.weight", Format::F8_E5M2, {130, 150}, {}};
  for (int i = 0; i < 130 * 150; ++i) w.bytes.push_back(static_cast<std::uint8_t>(i % 0x7c));
  const std::vector<float> scales = {0.5f, 3.0f, 0.7f, 1.1f};
  const Files files({w, floats("w.weight_scale_inv", {2, 2}, scales)});
  const auto got = load_f32(*files, "w.weight", w.shape);
  REQUIRE(got.ok());
  int wrong = 0;
  for (std::size_t r = 0; r < 130; ++r) {
    for (std::size_t c = 0; c < 150; ++c) {
      const float scale = scales[r / 128 * 2 + c / 128];
      wrong += (*got)[r * 150 + c] != widen_e5m2(w.bytes[r * 150 + c]) * scale;
    }
  }
  CHECK(wrong == 0);
}

}  // namespace
