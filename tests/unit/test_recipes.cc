// The recipe mla-absorbed: who may have it, what a run's row says, which runs do not mix, what it takes.
#include "base/parallel.h"
#include "eval/runs/run.h"
#include "kernels/select.h"
#include "reference/model/cuda_engine.h"
#include "reference/model/forward.h"
#include "reference/model/recipes.h"
#include "reference/model/tensors.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/small_model.h"

using namespace assay;

namespace {

const std::string kRecipeModel = ASSAY_TREE "/suites/data/demo/model";

ModelConfig recipe_config() {
  auto files = open_model(kRecipeModel);
  REQUIRE(files.ok());
  return files->config;
}

// The first column of the first row.
std::string stored_text(const std::string& file, const std::string& sql) {
  const auto database = Database::open_read_only(file);
  REQUIRE(database.ok());
  auto rows = database->prepare(sql);
  REQUIRE(rows.ok());
  REQUIRE(rows->next().value());
  return rows->text(0);
}

}  // namespace

TEST_CASE("recipes: mla-absorbed is for latent attention, and other names are refused with the one there is") {
  ModelConfig config = recipe_config();
  CHECK(recipe_of(config) == "dequant-f32");
  CHECK_FALSE(config.absorbs());
  const Status unknown = set_recipe(config, "mla-absorb");
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().code == Code::usage);
  CHECK(unknown.error().expected == "mla-absorbed");
  REQUIRE(set_recipe(config, "mla-absorbed").ok());
  CHECK(config.absorbs());
  CHECK(recipe_of(config) == "dequant-f32, mla-absorbed");

  const small::Model llama(R"({"model_type": "llama", "num_key_value_heads": 2})");
  const auto refused = Engine::load(llama.folder.path(), {.recipe = "mla-absorbed"});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::usage);
  CHECK(refused.error().got == "llama");
  const auto on_device = CudaEngine::load(kRecipeModel, {.recipe = "mla-absorbed"}, {.device = "emulated"});
  REQUIRE_FALSE(on_device.ok());
  CHECK(on_device.error().code == Code::unsupported);
  CHECK(on_device.error().field == "--recipe");
  const auto server = load_eval_model("http://127.0.0.1:9/v1", {.recipe = "mla-absorbed"});
  REQUIRE_FALSE(server.ok());
  CHECK(server.error().field == "--recipe");
}

TEST_CASE("recipes: what mla-absorbed takes of memory is announced, and a page holds the latent and the rotated key once") {
  auto files = open_model(kRecipeModel);
  REQUIRE(files.ok());
  const ModelConfig expanded = files->config;
  REQUIRE(set_recipe(files->config, "mla-absorbed").ok());
  const ModelConfig& c = files->config;
  const auto sizes = measure_stack(*files, c, {});
  const auto packed = pack_model(*files);
  REQUIRE((sizes.ok() && packed.ok()));
  CHECK(sizes->whole() == packed->bytes);
  for (const PackedLayer& layer : packed->layers) {
    CHECK(layer.kv_b.empty());
    REQUIRE(layer.k_up.size() == static_cast<std::size_t>(c.num_attention_heads));
    CHECK(layer.k_up[0].matrix.n_out == c.kv_lora_rank);
    CHECK(layer.v_up[0].matrix.n_out == c.v_head_dim);
  }
  ThreadPool pool(1);
  const Compute compute{**chosen_kernels(), pool};
  CHECK(Forward(*files, c, compute).page_floats_per_layer() == kPageKeys * (c.kv_lora_rank + c.qk_rope_head_dim));
  CHECK(Forward(*files, expanded, compute).page_floats_per_layer() ==
        kPageKeys * c.num_attention_heads * (c.key_dim() + c.v_head_dim));
  CHECK(count_model(c).forward_flops_per_token == count_model(expanded).forward_flops_per_token);
  CHECK(count_model(c).attention_flops_per_key ==
        2 * c.num_attention_heads * (2 * c.kv_lora_rank + c.qk_rope_head_dim) * c.num_hidden_layers);
}

TEST_CASE("recipes: a run's row names its recipe, and neither a resume nor another run goes on under the other one") {
  const Scratch scratch;
  const std::string db = scratch / "assay.db";
  const auto assay = [&](std::vector<std::string> arguments) { return run_assay(arguments, scratch.path()); };
  const std::vector<std::string> plain = {"run", kRecipeModel, "--suite", "world-mc", "--limit", "6"};
  std::vector<std::string> absorbed = plain;
  absorbed.insert(absorbed.end(), {"--recipe", "mla-absorbed"});
  REQUIRE(assay(absorbed).code == 0);
  REQUIRE(assay(plain).code == 0);
  CHECK(stored_text(db, "SELECT recipe FROM run WHERE id = 1") == "dequant-f32, mla-absorbed");
  CHECK(stored_text(db, "SELECT recipe FROM run WHERE id = 2") == "dequant-f32");
  CHECK(stored_text(db, "SELECT count(DISTINCT identity) FROM run") == "2");
  CHECK(stored_text(db, "SELECT count(*) FROM model") == "1");
  {
    auto database = Database::create(db);
    REQUIRE(database.ok());
    REQUIRE(database->run("DELETE FROM item_result WHERE id IN (2, 3, 9)").ok());
    REQUIRE(database->run("UPDATE run SET status = 'interrupted'").ok());
  }
  const auto other = assay({"resume", "1"});
  CHECK(other.code == 3);
  CHECK(other.err.find("changed since the run was started: recipe") != std::string::npos);
  CHECK(assay({"resume", "2", "--recipe", "mla-absorbed"}).code == 3);
  CHECK(assay({"resume", "1", "--recipe", "mla-absorbed"}).code == 0);
  CHECK(assay({"resume", "2"}).code == 0);
  CHECK(stored_text(db, "SELECT count(*) FROM item_result") == "12");
}

TEST_CASE("recipes: logits say the recipe, and the oracle has none") {
  const Scratch scratch;
  scratch.write("ids.json", "[[5,9,13,400,77]]");
  const auto logits = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {"logits", kRecipeModel, "--ids", "ids.json", "--out", "o.safetensors", "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return run_assay(all, scratch.path());
  };
  const auto absorbed = logits({"--recipe", "mla-absorbed"}), plain = logits({});
  REQUIRE(absorbed.code == 0);
  CHECK(Json::parse(absorbed.out)["conventions"]["recipe"] == "mla-absorbed");
  CHECK_FALSE(Json::parse(plain.out)["conventions"].contains("recipe"));
  CHECK(logits({"--recipe", "mla-absorbed", "--oracle"}).code == 2);
  CHECK(logits({"--recipe", "absorbed"}).code == 2);
  CHECK(logits({"--recipe", "mla-absorbed", "--device", "emulated"}).code == 3);
}
