// Experts in one tensor a layer: views under the published names, and what does not fit refused.
#include <nlohmann/json.hpp>
#include <numeric>

#include "reference/model/fused_experts.h"
#include "reference/model/model_files.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

constexpr std::int64_t kExperts = 3, kInner = 2, kHidden = 4;

ModelConfig config_of(const char* model_type) {
  const Json json = {
      {"model_type", model_type},     {"vocab_size", 5},         {"hidden_size", kHidden},
      {"intermediate_size", kInner},  {"num_hidden_layers", 1},  {"num_attention_heads", 2},
      {"max_position_embeddings", 8}, {"rms_norm_eps", 1e-6},    {"num_local_experts", kExperts},
      {"num_experts_per_tok", 1},     {"num_key_value_heads", 2}};
  auto config = parse_model_config(json, "config.json");
  if (!config.ok()) FAIL(config.error().text());
  return *config;
}

struct Layout {
  std::vector<std::int64_t> up = {kExperts, 2 * kInner, kHidden}, down = {kExperts, kHidden, kInner};
  bool with_down = true, with_single = false, with_gate = true;
};

std::vector<float> counting(const std::vector<std::int64_t>& shape, float first) {
  std::vector<float> out(static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>())));
  std::iota(out.begin(), out.end(), first);
  return out;
}

Checkpoint written(const Scratch& scratch, const Layout& layout) {
  const std::string p = "model.layers.0.mlp.";
  const auto up = counting(layout.up, 0), down = counting(layout.down, 100),
             gate = counting({kExperts, kHidden}, 200), single = counting({kInner, kHidden}, 300);
  std::vector<TensorOut> out = {tensor_out(p + "experts.gate_up_proj", layout.up, up)};
  if (layout.with_down) out.push_back(tensor_out(p + "experts.down_proj", layout.down, down));
  if (layout.with_gate) out.push_back(tensor_out(p + "gate.weight", {kExperts, kHidden}, gate));
  if (layout.with_single)
    out.push_back(
        tensor_out("model.layers.0.block_sparse_moe.experts.1.w1.weight", {kInner, kHidden}, single));
  REQUIRE(write_safetensors(scratch / "m.safetensors", out).ok());
  auto file = Checkpoint::open(scratch / "m.safetensors");
  REQUIRE(file.ok());
  return std::move(*file);
}

std::vector<float> values(const Checkpoint& file, const std::string& name, std::vector<std::int64_t> shape) {
  const auto out = load_f32(file, name, shape);
  if (!out.ok()) FAIL(out.error().text());
  return *out;
}

}  // namespace

TEST_CASE("fused experts: gate rows first, then up, and the router under the family's own name") {
  const Scratch scratch;
  Checkpoint file = written(scratch, {});
  const std::string digest = file.headers_digest();
  REQUIRE(view_fused_experts(config_of("mixtral"), file).ok());
  const std::string p = "model.layers.0.block_sparse_moe.";
  CHECK(values(file, p + "experts.0.w1.weight", {kInner, kHidden}) == counting({kInner, kHidden}, 0));
  CHECK(values(file, p + "experts.0.w3.weight", {kInner, kHidden}) == counting({kInner, kHidden}, 8));
  CHECK(values(file, p + "experts.2.w1.weight", {kInner, kHidden}) == counting({kInner, kHidden}, 32));
  CHECK(values(file, p + "experts.1.w2.weight", {kHidden, kInner}) == counting({kHidden, kInner}, 108));
  CHECK(values(file, p + "gate.weight", {kExperts, kHidden}) == counting({kExperts, kHidden}, 200));
  CHECK(file.tensors().size() == 3);  // what the files hold does not change, nor its digest
  CHECK(file.headers_digest() == digest);
  CHECK(file.has_parts("model.layers.0.mlp.experts.gate_up_proj"));
  CHECK(!file.has_parts(p + "gate.weight"));
}

TEST_CASE("fused experts: other shapes, missing partners and experts that are stored twice are refused") {
  const auto refused = [](const Layout& layout) {
    const Scratch scratch;
    Checkpoint file = written(scratch, layout);
    const Status status = view_fused_experts(config_of("mixtral"), file);
    REQUIRE(!status.ok());
    return status.error();
  };
  CHECK(refused({.up = {kExperts, kHidden, 2 * kInner}, .down = {kExperts, kInner, kHidden}}).code ==
        Code::bad_shape);
  CHECK(refused({.up = {kExperts - 1, 2 * kInner, kHidden}}).code == Code::bad_shape);
  CHECK(refused({.up = {kExperts * 2 * kInner, kHidden}}).code == Code::bad_shape);
  CHECK(refused({.with_down = false}).code == Code::missing_tensor);
  CHECK(refused({.with_gate = false}).code == Code::missing_tensor);
  const Error twice = refused({.with_single = true});
  CHECK(twice.code == Code::duplicate);
  CHECK(twice.field == "model.layers.0.block_sparse_moe.experts.1.w1.weight");
}
