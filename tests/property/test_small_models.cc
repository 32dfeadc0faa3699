// The f32 path against the f64 oracle on small models of every family: two implementations that share only the
// configuration, the rope tables and the reading of weights. Prompts pass the 64 keys of a page.
#include "tests/small_model.h"

using namespace assay;

namespace {

const char* const kLatentPlain =
    R"({"model_type": "deepseek_v2", "kv_lora_rank": 14, "q_lora_rank": null, "qk_nope_head_dim": 6,
    "qk_rope_head_dim": 4, "v_head_dim": 7, "n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 2,
    "moe_intermediate_size": 10, "first_k_dense_replace": 1, "topk_method": "group_limited_greedy", "n_group": 4,
    "topk_group": 2, "routed_scaling_factor": 3.0, "scoring_func": "softmax",
    "rope_scaling": {"type": "yarn", "factor": 8, "original_max_position_embeddings": 32, "mscale": 1.0, "mscale_all_dim": 0.707}})";
const char* const kLatentLowRank =
    R"({"model_type": "deepseek_v3", "kv_lora_rank": 14, "q_lora_rank": 11, "qk_nope_head_dim": 6,
    "qk_rope_head_dim": 4, "v_head_dim": 7, "n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 1,
    "moe_intermediate_size": 10, "n_group": 4, "topk_group": 2, "routed_scaling_factor": 2.5, "norm_topk_prob": true})";

// Within the bar of the project's larger comparisons, and not closer than f32 can be.
void check_paths_agree(const std::string& own, const EngineOptions& options = {}) {
  INFO(own);
  const small::Model model(own);
  const auto ids = small::prompt(100, model.files.config.vocab_size);
  const auto oracle = Oracle::load(model.files.checkpoint, model.files.config);
  REQUIRE(oracle.ok());
  RouterTrace expected_trace;
  const auto expected = oracle->logits(ids, nullptr, &expected_trace);
  auto engine = Engine::load(model.folder.path(), options);
  REQUIRE(engine.ok());
  std::vector<RouterTrace> traces;
  const std::vector<std::vector<std::int32_t>> prompts = {ids};
  const auto got = (*engine)->logits(prompts, {}, &traces);
  REQUIRE(got.ok());
  REQUIRE(near_ties(expected_trace).empty());
  CHECK(traces[0].experts == expected_trace.experts);
  double worst = 0, squares = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(static_cast<double>((*got)[0][i]) - expected[i]);
    worst = difference <= worst ? worst : difference;
    squares += expected[i] * expected[i];
  }
  const double size = std::sqrt(squares / static_cast<double>(expected.size()));
  INFO("worst " << worst << " of logits of " << size);
  CHECK(worst <= 2e-5 * std::max(1.0, size));
  CHECK(worst > 1e-9);
}

}  // namespace

TEST_CASE("small models: both paths agree on dense models with shared key heads and biases") {
  check_paths_agree(
      R"({"model_type": "llama", "num_key_value_heads": 2, "attention_bias": true, "mlp_bias": true,
    "tie_word_embeddings": true})");
  check_paths_agree(R"({"model_type": "qwen2", "num_key_value_heads": 1, "head_dim": 10})");
}

TEST_CASE("small models: both paths agree on windows, of all layers or of the upper ones") {
  check_paths_agree(R"({"model_type": "mistral", "num_key_value_heads": 2, "sliding_window": 70})");
  check_paths_agree(
      R"({"model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 8, "use_sliding_window": true,
    "sliding_window": 5, "max_window_layers": 1})");
}

TEST_CASE(
    "small models: both paths agree on norms of queries and keys, whole and per head, and on clipping") {
  check_paths_agree(R"({"model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 8})");
  check_paths_agree(
      R"({"model_type": "olmoe", "num_key_value_heads": 2, "num_experts": 6, "num_experts_per_tok": 2,
    "clip_qkv": 0.8})");
}

TEST_CASE("small models: both paths agree on mixtures, shared experts with a gate and sparse steps") {
  check_paths_agree(
      R"({"model_type": "mixtral", "num_key_value_heads": 2, "num_local_experts": 5, "num_experts_per_tok": 2,
    "sliding_window": null})");
  check_paths_agree(
      R"({"model_type": "qwen2_moe", "num_key_value_heads": 2, "num_experts": 5, "num_experts_per_tok": 2,
    "moe_intermediate_size": 12, "shared_expert_intermediate_size": 18, "decoder_sparse_step": 1, "norm_topk_prob": false})");
}

TEST_CASE(
    "small models: both paths agree on latent attention without low rank, groups by maximum, dense layers "
    "first") {
  check_paths_agree(kLatentPlain);
}

TEST_CASE("small models: both paths agree on latent attention with low rank and groups by the sum of two") {
  check_paths_agree(kLatentLowRank);
}

TEST_CASE("small models: both paths agree on latent attention in its absorbed form") {
  check_paths_agree(kLatentPlain, {.recipe = "mla-absorbed"});
  check_paths_agree(kLatentLowRank, {.recipe = "mla-absorbed"});
}

// Beginnings of 70 and of 3 tokens: the first ends in the second page, whose keys each branch inherits.
TEST_CASE("small models: a shared beginning changes no bit") {
  const small::Model model(R"({"model_type": "mixtral", "num_key_value_heads": 2, "num_local_experts": 5,
    "num_experts_per_tok": 2, "sliding_window": 40})");
  const auto stem = small::prompt(80, 40);
  std::vector<std::vector<std::int32_t>> prompts;
  for (const std::size_t shared : {70, 70, 3, 0}) {
    prompts.push_back({stem.begin(), stem.begin() + static_cast<std::ptrdiff_t>(shared)});
    for (std::int32_t i = 0; i < 9; ++i)
      prompts.back().push_back((7 * i + static_cast<std::int32_t>(prompts.size())) % 40);
  }
  auto together = Engine::load(model.folder.path(), {});
  auto alone = Engine::load(model.folder.path(), {.prefix_reuse = false});
  REQUIRE((together.ok() && alone.ok()));
  const auto a = (*together)->logits(prompts), b = (*alone)->logits(prompts);
  REQUIRE((a.ok() && b.ok()));
  for (std::size_t i = 0; i < prompts.size(); ++i) CHECK((*a)[i] == (*b)[i]);
  CHECK((*together)->stats().tokens_computed < (*alone)->stats().tokens_computed);
}
