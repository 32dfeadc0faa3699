// The same bits however the work is cut up: a matrix of families, of numbers that are well and ill conditioned, and of ways to compute.
#include <algorithm>

#include "kernels/select.h"
#include "reference/model/engine.h"
#include "tests/small_model.h"

using namespace assay;

namespace {

const std::vector<std::string> kFamilies = {
    R"({"model_type": "llama", "num_key_value_heads": 2, "attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true})",
    R"({"model_type": "mistral", "num_key_value_heads": 2, "sliding_window": 30})",
    R"({"model_type": "qwen2", "num_key_value_heads": 1, "head_dim": 10})",
    R"({"model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 8})",
    R"({"model_type": "olmoe", "num_key_value_heads": 2, "num_experts": 6, "num_experts_per_tok": 2, "clip_qkv": 0.8})",
    R"({"model_type": "mixtral", "num_key_value_heads": 2, "num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": null})",
    R"({"model_type": "qwen2_moe", "num_key_value_heads": 2, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 12,
        "shared_expert_intermediate_size": 18, "decoder_sparse_step": 1, "norm_topk_prob": false})",
    R"({"model_type": "qwen3_moe", "num_key_value_heads": 2, "head_dim": 8, "num_experts": 6, "num_experts_per_tok": 3,
        "moe_intermediate_size": 12, "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": []})",
    R"({"model_type": "deepseek_v2", "kv_lora_rank": 14, "q_lora_rank": null, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 7,
        "n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 2, "moe_intermediate_size": 10, "first_k_dense_replace": 1,
        "topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2, "routed_scaling_factor": 3.0, "scoring_func": "softmax"})",
    R"({"model_type": "deepseek_v3", "kv_lora_rank": 14, "q_lora_rank": 11, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 7,
        "n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 1, "moe_intermediate_size": 10, "n_group": 4, "topk_group": 2,
        "routed_scaling_factor": 2.5, "norm_topk_prob": true, "num_hidden_layers": 3})"};

// As the batch-invariance tests of others have it: numbers that rise from -100 to 100, so that every sum cancels to its last bits. Norms
// keep the layers' outputs in range.
std::vector<float> rising(const TensorSpec& spec, std::uint32_t index) {
  std::vector<float> out = small::values_of(spec, index);
  if (spec.role == TensorRole::norm || spec.role == TensorRole::bias) return out;
  const double step = 200.0 / static_cast<double>(std::max<std::size_t>(1, out.size() - 1));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(-100 + step * static_cast<double>(i));
  return out;
}

struct Way {
  const char* name;
  EngineOptions options;
};

std::vector<Way> ways() {
  std::vector<Way> out = {
      {"two threads", {.threads = 2}},
      {"three threads, waves of 50", {.threads = 3, .wave_tokens = 50}},
      {"waves of a token", {.wave_tokens = 1}},
      {"chunks of a token", {.prefill_chunk = 1}},
      {"chunks of 7", {.threads = 2, .prefill_chunk = 7}},
      {"prefixes again", {.wave_tokens = 200, .prefix_reuse = false}},
      {"streamed", {.hold_weight_bytes = UINT64_MAX}},
      {"streamed an expert at a time", {.threads = 2, .hold_weight_bytes = 1}},
      {"streamed two experts or so, waves of 90, states on disk",
       {.wave_tokens = 90, .hold_weight_bytes = 9000, .hold_state_bytes = 0}},
      {"streamed, more experts at a time", {.hold_weight_bytes = 18'000, .slab_rows = 70}},
      {"streamed, still more experts at a time, states on disk",
       {.hold_weight_bytes = 26'000, .hold_state_bytes = 0, .slab_rows = 33}},
      {"states on disk", {.threads = 2, .prefill_chunk = 50, .hold_state_bytes = 0}},
      {"slabs of 40, states on disk", {.hold_state_bytes = 0, .slab_rows = 40}},
  };
  for (const Kernels* kernels : available_kernels()) out.push_back({kernels->name, {.isa = kernels->name}});
  return out;
}

// Branches of 0, 1, 3, 64, 65 and 130 tokens, a prompt that is the beginning of another, one twice, one of a single token.
std::vector<ScoreRequest> requests(std::int64_t vocab) {
  const auto stem = small::prompt(160, vocab);
  std::vector<ScoreRequest> out;
  for (const std::size_t shared :
       {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{64}, std::size_t{65}, std::size_t{130}}) {
    for (std::int32_t i = 0; i < 2; ++i) {
      ScoreRequest request{.ids = {stem.begin(), stem.begin() + static_cast<std::ptrdiff_t>(shared)}};
      for (std::int32_t n = 0; n < 5 + 3 * i; ++n)
        request.ids.push_back(static_cast<std::int32_t>((7 * n + i + std::ssize(out)) % vocab));
      request.scored_from = 1 + std::ssize(request.ids) / 2;
      out.push_back(request);
    }
  }
  out.push_back(out.back());
  out.push_back({.ids = stem, .scored_from = 159});
  out.push_back({.ids = {stem[0], stem[1]}, .scored_from = 1});
  for (std::size_t i = 0; i < out.size(); ++i) out[i].unit = static_cast<std::int64_t>(i / 2);
  return out;
}

// Bitwise, NaN included: the ill-conditioned numbers may overflow, and then do so everywhere.
std::vector<std::uint64_t> bits_of(const std::vector<ScoreAnswer>& answers) {
  std::vector<std::uint64_t> out;
  for (const ScoreAnswer& answer : answers) {
    out.push_back(static_cast<std::uint64_t>(answer.near_ties));
    for (const TokenScore& t : answer.tokens) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &t.logprob, sizeof bits);
      out.push_back(std::isnan(t.logprob) ? UINT64_MAX : bits);
      out.push_back(static_cast<std::uint64_t>(t.top_token));
    }
  }
  return out;
}

std::unique_ptr<Engine> load(const small::Model& model, EngineOptions options,
                             const std::string& recipe = "") {
  options.spill_folder = model.folder.path();
  options.recipe = recipe;
  auto engine = Engine::load(model.folder.path(), options);
  if (!engine.ok()) FAIL(engine.error().text());
  return std::move(*engine);
}

void check_scores(const small::Model& model, const std::string& recipe = "") {
  const auto asked = requests(model.files.config.vocab_size);
  const auto plain = load(model, {}, recipe);
  const auto expected = plain->score(asked);
  REQUIRE(expected.ok());
  const auto bits = bits_of(*expected);
  const BackendStats stats = plain->stats();
  CHECK(std::ranges::count(bits, UINT64_MAX) == 0);
  for (const Way& way : ways()) {
    INFO(way.name);
    const auto engine = load(model, way.options, recipe);
    CHECK(engine->is_streamed() == way.options.hold_weight_bytes.has_value());
    const auto got = engine->score(asked);
    REQUIRE(got.ok());
    CHECK(bits_of(*got) == bits);
    CHECK(engine->stats().expert_tokens == stats.expert_tokens);
    CHECK(engine->stats().near_ties == stats.near_ties);
    CHECK(engine->stats().tokens_asked == stats.tokens_asked);
    CHECK(engine->stats().tokens_computed >= stats.tokens_computed);
  }
}

void check_samples(const small::Model& model, const std::string& recipe = "") {
  std::vector<GenerateRequest> asked;
  for (const ScoreRequest& request : requests(model.files.config.vocab_size))
    asked.push_back({.ids = request.ids, .item = asked.size()});
  asked.push_back({.ids = {3}, .item = asked.size()});
  const GenerateOptions options{.max_tokens = 9, .samples = 3, .temperature = 1.1, .top_k = 20, .seed = 5};
  const auto plain = load(model, {}, recipe);
  const auto expected = plain->generate(asked, options);
  REQUIRE(expected.ok());
  for (const Way& way : ways()) {
    INFO(way.name);
    const auto engine = load(model, way.options, recipe);
    const auto got = engine->generate(asked, options);
    REQUIRE(got.ok());
    REQUIRE(got->size() == expected->size());
    for (std::size_t i = 0; i < got->size(); ++i) {
      CHECK((*got)[i].ids == (*expected)[i].ids);
      CHECK((*got)[i].logprobs == (*expected)[i].logprobs);
      CHECK((*got)[i].near_ties == (*expected)[i].near_ties);
    }
    CHECK(engine->stats().expert_tokens == plain->stats().expert_tokens);
    CHECK(engine->stats().near_ties == plain->stats().near_ties);
  }
}

}  // namespace

TEST_CASE(
    "same bits: scores of every family over threads, waves, chunks, prefixes, streaming, spilling and "
    "instruction sets") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    check_scores(small::Model(family));
  }
}

TEST_CASE("same bits: scores of every family whose weights rise from -100 to 100") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    check_scores(small::Model(family, rising));
  }
}

TEST_CASE(
    "same bits: samples of every family over threads, waves, chunks, prefixes, streaming, spilling and "
    "instruction sets") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    check_samples(small::Model(family));
  }
}

// The last two families have latent attention.
TEST_CASE(
    "same bits: scores and samples of the recipe mla-absorbed over all those ways, and none of them the "
    "expanded form's") {
  for (const std::string& family : {kFamilies[8], kFamilies[9]}) {
    INFO(family);
    const small::Model model(family), hard(family, rising);
    check_scores(model, "mla-absorbed");
    check_scores(hard, "mla-absorbed");
    check_samples(model, "mla-absorbed");
    const auto asked = requests(model.files.config.vocab_size);
    const auto expanded = load(model, {})->score(asked),
               absorbed = load(model, {}, "mla-absorbed")->score(asked);
    REQUIRE((expanded.ok() && absorbed.ok()));
    CHECK(bits_of(*expanded) != bits_of(*absorbed));
  }
}

TEST_CASE("same bits: logits and traces of streamed weights are those of resident ones") {
  for (const std::string& family : kFamilies) {
    INFO(family);
    const small::Model model(family);
    const std::vector<std::vector<std::int32_t>> prompts = {small::prompt(80, 40), small::prompt(3, 40)};
    std::vector<RouterTrace> a_traces, b_traces;
    std::vector<std::vector<float>> a_states, b_states;
    const auto a = load(model, {})->logits(prompts, {}, &a_traces, &a_states);
    const auto b = load(model, {.threads = 2, .hold_weight_bytes = 1, .hold_state_bytes = 0})
                       ->logits(prompts, {}, &b_traces, &b_states);
    REQUIRE((a.ok() && b.ok()));
    CHECK(*a == *b);
    CHECK(a_states == b_states);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      CHECK(a_traces[i].experts == b_traces[i].experts);
      CHECK(a_traces[i].weights == b_traces[i].weights);
      CHECK(a_traces[i].margins == b_traces[i].margins);
    }
  }
}
