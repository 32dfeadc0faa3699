// Mixtures of experts that other projects publish alone, a layer without its model: input, weights, output. Each becomes a model of one
// layer whose attention gives zero and whose norm gives the input back, so that what the layer adds to the state is the mixture.
#include <cmath>
#include <cstring>

#include "reference/model/engine.h"
#include "reference/model/oracle.h"
#include "reference/weights/writer.h"
#include "tests/golden/foreign_cases.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

using Values = std::vector<double>;

// A model to be written: tensors in f64, so that nothing is rounded on the way to the oracle.
struct Block {
  Json config;
  std::map<std::string, std::pair<std::vector<std::int64_t>, Values>> tensors;

  void add(const std::string& name, std::vector<std::int64_t> shape, Values values) {
    tensors[name + ".weight"] = {std::move(shape), std::move(values)};
  }
  void filled(const std::string& name, std::vector<std::int64_t> shape, double value) {
    std::int64_t n = 1;
    for (const std::int64_t extent : shape) n *= extent;
    add(name, std::move(shape), Values(static_cast<std::size_t>(n), value));
  }
  std::int64_t hidden() const { return config.at("hidden_size").get<std::int64_t>(); }
};

Json base_config(const char* model_type, std::int64_t hidden, std::int64_t inner) {
  return {{"model_type", model_type},     {"vocab_size", 1},
          {"hidden_size", hidden},        {"intermediate_size", inner},
          {"num_hidden_layers", 1},       {"num_attention_heads", 1},
          {"num_key_value_heads", 1},     {"head_dim", hidden},
          {"max_position_embeddings", 4}, {"rms_norm_eps", 1e-30},
          {"tie_word_embeddings", true},  {"moe_intermediate_size", inner}};
}

// Everything around the mixture, for one token whose state is `input`.
void surround(Block& b, const Values& input) {
  const std::int64_t d = b.hidden();
  double squares = 0;
  for (const double each : input) squares += each * each;
  b.add("model.embed_tokens", {1, d}, input);
  b.filled("model.norm", {d}, 1);
  const std::string p = "model.layers.0.";
  b.filled(p + "input_layernorm", {d}, 1);
  b.filled(p + "post_attention_layernorm", {d}, std::sqrt(squares / static_cast<double>(d)));
  const bool latent = b.config.contains("kv_lora_rank");
  if (latent) {
    b.filled(p + "self_attn.q_proj", {4, d}, 0);
    b.filled(p + "self_attn.kv_a_proj_with_mqa", {4, d}, 0);
    b.filled(p + "self_attn.kv_a_layernorm", {2}, 1);
    b.filled(p + "self_attn.kv_b_proj", {4, 2}, 0);
    b.filled(p + "self_attn.o_proj", {d, 2}, 0);
    return;
  }
  for (const char* each : {"q_proj", "k_proj", "v_proj", "o_proj"})
    b.filled(p + "self_attn." + each, {d, d}, 0);
  const std::string type = b.config.at("model_type").get<std::string>();
  if (type == "qwen3_moe") {
    for (const char* each : {"q_norm", "k_norm"}) b.filled(p + "self_attn." + each, {d}, 1);
  }
  if (type != "qwen2_moe") return;
  for (const char* each : {"q_proj", "k_proj", "v_proj"})
    b.tensors[p + "self_attn." + each + ".bias"] = {{d}, Values(static_cast<std::size_t>(d), 0.0)};
}

Json latent_keys() {
  return {{"kv_lora_rank", 2},
          {"qk_nope_head_dim", 2},
          {"qk_rope_head_dim", 2},
          {"v_head_dim", 2},
          {"first_k_dense_replace", 0}};
}

ModelFiles open_block(const Scratch& folder, const Block& b) {
  std::vector<TensorOut> out;
  for (const auto& [name, tensor] : b.tensors) out.push_back(tensor_out(name, tensor.first, tensor.second));
  REQUIRE(write_safetensors(folder / "model.safetensors", out).ok());
  folder.write("config.json", b.config.dump());
  auto files = open_model(folder.path());
  if (!files.ok()) FAIL(files.error().text());
  return std::move(*files);
}

struct BlockWorst {
  double f64 = 0, f32 = 0;
};

void raise(double& worst, double difference) {
  if (!(difference <= worst) && !std::isnan(worst)) worst = difference;
}

// What the layer added to the state, on both paths, against `want`.
void compare(const Block& block, const Values& input, const Values& want, BlockWorst& worst) {
  const Scratch folder;
  const std::vector<std::int32_t> ids = {0};
  {
    const ModelFiles files = open_block(folder, block);
    const auto oracle = Oracle::load(files.checkpoint, files.config);
    if (!oracle.ok()) FAIL(oracle.error().text());
    Oracle::Rows x = oracle->embed(ids);
    oracle->run_layers(x);
    REQUIRE(x[0].size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) raise(worst.f64, std::abs(x[0][i] - input[i] - want[i]));
  }
  const auto engine = Engine::load(open_block(folder, block), {});
  if (!engine.ok()) FAIL(engine.error().text());
  std::vector<std::vector<float>> states;
  REQUIRE((*engine)->logits(std::span(&ids, 1), {}, nullptr, &states).ok());
  for (std::size_t i = 0; i < want.size(); ++i)
    raise(worst.f32, std::abs(static_cast<double>(states[0][i]) - input[i] - want[i]));
}

Values numbers(const Checkpoint& file, const TensorView& view) {
  auto values = load_f64(file, view.name, view.shape);
  REQUIRE(values.ok());
  return std::move(*values);
}

struct Case {
  const char* file;
  const char* family;
  const char *input, *output;
};

const Case kCases[] = {
    {"mixtral_layer0", "mixtral", "input", "hf_ref"},
    {"qwen2_moe_layer0", "qwen2_moe", "input", "hf_ref"},
    {"qwen15_moe_layer0", "qwen2_moe", "input", "hf_ref"},
    {"qwen3_moe_layer0", "qwen3_moe", "input", "hf_ref"},
    {"deepseek_block", "deepseek_v2", "probe", "mlp_output"},
};

Json config_of(const Case& c, const Json& meta, const Checkpoint& file) {
  const TensorView* stack = file.find("model.layers.0.mlp.experts.gate_up_proj");
  REQUIRE(stack);
  Json config = base_config(c.family, stack->shape[2], stack->shape[1] / 2);
  const std::string count = std::string(c.family) == "deepseek_v2" ? "n_routed_experts"
                            : std::string(c.family) == "mixtral"   ? "num_local_experts"
                                                                   : "num_experts";
  config[count] = stack->shape[0];
  config["num_experts_per_tok"] =
      meta.at(meta.contains("experts_per_token") ? "experts_per_token" : "num_experts_per_tok");
  if (count == "n_routed_experts") config.update(latent_keys());
  if (count == "n_routed_experts") config.erase("head_dim");
  if (count == "n_routed_experts") config["n_shared_experts"] = 1;
  if (count == "num_experts") config["norm_topk_prob"] = meta.at("norm_topk_prob");
  if (count == "num_local_experts") config.erase("moe_intermediate_size");
  if (const TensorView* shared = file.find("model.layers.0.mlp.shared_expert.gate_proj.weight"))
    config["shared_expert_intermediate_size"] = shared->shape[0];
  return config;
}

// Sigmoid routing of DeepSeek-V3: the tensors have names of their own.
Block v3_block(const Json& meta, const Checkpoint& file) {
  const auto inner = meta.at("moe_intermediate_size").get<std::int64_t>();
  Block b{.config = base_config("deepseek_v3", meta.at("hidden_size").get<std::int64_t>(), inner),
          .tensors = {}};
  b.config.update(latent_keys());
  b.config.erase("head_dim");
  for (const char* key : {"n_routed_experts", "n_group", "topk_group", "n_shared_experts",
                          "routed_scaling_factor", "norm_topk_prob"})
    b.config[key] = meta.at(key);
  b.config["num_experts_per_tok"] = meta.at("top_k");
  const std::string p = "model.layers.0.mlp.";
  for (const TensorView& view : file.tensors()) {
    const std::string& name = view.name;
    if (name == "router.weight") b.add(p + "gate", view.shape, numbers(file, view));
    if (name == "router.bias")
      b.tensors[p + "gate.e_score_correction_bias"] = {view.shape, numbers(file, view)};
    const std::size_t at = name.find(".w_");
    if (at == std::string::npos) continue;
    const std::string owner =
        name.starts_with("shared") ? "shared_experts" : "experts." + name.substr(7, at - 7);
    b.add(p + owner + "." + name.substr(at + 3) + "_proj", view.shape, numbers(file, view));
  }
  return b;
}

}  // namespace

TEST_CASE("foreign blocks: mixtures published alone are reproduced on both paths") {
  if (!foreign::present("atenia-moe-references")) return;
  for (const Case& c : kCases) {
    const std::string path = std::string("atenia-moe-references/") + c.file;
    const Json meta = foreign::document(path + ".json");
    const auto file = Checkpoint::open(foreign::kModels + path + ".safetensors");
    REQUIRE(file.ok());
    const Values input = meta.at(c.input).get<Values>(), want = meta.at(c.output).get<Values>();
    Block block{.config = config_of(c, meta, *file), .tensors = {}};
    for (const TensorView& view : file->tensors()) {
      std::string name = view.name;
      if (name.ends_with(".mlp.router.weight")) name = "model.layers.0.mlp.gate.weight";
      block.tensors[name] = {view.shape, numbers(*file, view)};
    }
    surround(block, input);
    BlockWorst worst;
    compare(block, input, want, worst);
    INFO(c.file << ": f64 " << worst.f64 << ", f32 " << worst.f32);
    CHECK(worst.f64 <= 2e-5);
    CHECK(worst.f32 <= 2e-5);
  }
}

TEST_CASE("foreign blocks: DeepSeek-V3's routing with groups, biases and a scale, token by token") {
  if (!foreign::present("atenia-moe-references")) return;
  const Json meta = foreign::document("atenia-moe-references/v3_route_ref.json");
  const auto file = Checkpoint::open(foreign::kModels + "atenia-moe-references/v3_route_ref.safetensors");
  REQUIRE(file.ok());
  const Values states = numbers(*file, *file->find("hidden")), want = meta.at("block_out").get<Values>();
  const auto d = meta.at("hidden_size").get<std::size_t>();
  BlockWorst worst;
  for (std::size_t t = 0; t < states.size() / d; ++t) {
    Block block = v3_block(meta, *file);
    const auto row = [&](const Values& all) {
      return Values(all.begin() + static_cast<std::ptrdiff_t>(t * d),
                    all.begin() + static_cast<std::ptrdiff_t>((t + 1) * d));
    };
    surround(block, row(states));
    compare(block, row(states), row(want), worst);
  }
  INFO("f64 " << worst.f64 << ", f32 " << worst.f32);
  CHECK(worst.f64 <= 2e-5);
  CHECK(worst.f32 <= 2e-5);
}
