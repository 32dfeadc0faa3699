// A model that does not fit into --memory: the evidence is that of a run that keeps its weights in memory, the bound is kept, and a run that
// is killed goes on.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/rng.h"
#include "reference/model/tensors.h"
#include "reference/weights/writer.h"
#include "reports/database.h"
#include "tests/command.h"
#include "tests/process.h"

using namespace assay;

namespace {

constexpr const char* kStreamedConfig =
    R"({"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "vocab_size": 1024, "hidden_size": 256, "intermediate_size": 512,
    "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 1024,
    "rms_norm_eps": 1e-6, "hidden_act": "silu", "num_experts": 64, "num_experts_per_tok": 4, "moe_intermediate_size": 256,
    "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": [], "rope_theta": 10000.0, "tie_word_embeddings": false,
    "bos_token_id": 0, "eos_token_id": 1})";

// 160 MB of BF16 that nobody trained, with the bundled tokenizer.
void write_streamed_model(const Scratch& folder) {
  const auto config = parse_model_config(Json::parse(kStreamedConfig), "config.json");
  REQUIRE(config.ok());
  folder.write("config.json", kStreamedConfig);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"})
    std::filesystem::copy(std::string(ASSAY_TREE "/suites/data/demo/model/") + name, folder / name);
  std::vector<std::vector<std::uint16_t>> values;
  std::vector<TensorOut> tensors;
  const auto specs = tensors_of(*config);
  std::uint32_t random = 12345;
  for (const TensorSpec& spec : specs) {
    std::size_t n = 1;
    for (const std::int64_t extent : spec.shape) n *= static_cast<std::size_t>(extent);
    std::vector<std::uint16_t> codes(n, 0x3F80);  // 1
    for (std::size_t i = 0; i < n && spec.role != TensorRole::norm; ++i) {
      random = random * 1664525u + 1013904223u;
      codes[i] = static_cast<std::uint16_t>((random >> 16 & 0x807F) | 0x3D00);  // 0.03 to 0.06 of either sign
    }
    values.push_back(std::move(codes));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) tensors.push_back(tensor_out_bf16(specs[i].name, specs[i].shape, values[i]));
  REQUIRE(write_safetensors(folder / "model.safetensors", tensors).ok());
}

std::vector<std::string> streamed_arguments(const Scratch& model, const std::string& db, const std::string& memory, const char* wave) {
  std::vector<std::string> out = {"run", model.path(), "--suite", "world-mc", "--protocol", "text-0shot", "--limit", "80", "--db", db, "--json", "--threads", "2", "--wave-tokens", wave};
  if (!memory.empty()) out.insert(out.end(), {"--memory", memory});
  return out;
}

std::string streamed_rows(const std::string& db, const Scratch& folder) {
  const CommandResult got = run_assay({"export", "--canonical", "--db", db}, folder.path());
  REQUIRE(got.code == 0);
  return got.out;
}

Json streamed_report(const CommandResult& got) {
  INFO(got.err);
  REQUIRE(got.code == 0);
  auto json = parse_json(got.out, "");
  REQUIRE(json.ok());
  return *json;
}

bool has_streamed_run(const std::string& db) {
  if (!std::filesystem::exists(db)) return false;
  const auto database = Database::open_read_only(db);
  if (!database.ok()) return false;
  auto statement = database->prepare("SELECT count(*) FROM main.run");
  return statement.ok() && statement->next().value() && statement->integer(0) > 0;
}

// The least memory, as the refusal names it.
std::uint64_t announced_minimum(const Scratch& model, const Scratch& scratch) {
  const CommandResult refused = run_assay(streamed_arguments(model, scratch / "none.db", "1M", "0"), scratch.path());
  CHECK(refused.code == 2);
  const std::size_t at = refused.err.find("at least ");
  REQUIRE(at != std::string::npos);
  return std::stoull(refused.err.substr(at + 9));
}

}  // namespace

TEST_CASE("streamed run: a model larger than --memory gives the rows of one that is held, within the bound, also when killed") {
  const Scratch model, scratch;
  write_streamed_model(model);
  const auto size = std::filesystem::file_size(model / "model.safetensors");
  const Json whole = streamed_report(run_assay(streamed_arguments(model, scratch / "whole.db", "", "0"), scratch.path()));
  const std::string expected = streamed_rows(scratch / "whole.db", scratch);
  CHECK(whole["forecast"]["streamed"] == false);
  CHECK(whole["peak_memory_bytes"].get<std::uint64_t>() > size);

  const std::uint64_t least = announced_minimum(model, scratch);
  CHECK(least < size);
  CHECK(run_assay(streamed_arguments(model, scratch / "none.db", std::to_string(least - 1), "0"), scratch.path()).code == 2);
  for (const std::uint64_t memory : {least, least + (std::uint64_t{24} << 20)}) {
    for (const char* wave : {"0", "300"}) {
      INFO(memory << " bytes, waves of " << wave);
      const std::string db = scratch / ("streamed" + std::to_string(memory) + wave + ".db");
      const Json streamed = streamed_report(run_assay(streamed_arguments(model, db, std::to_string(memory), wave), scratch.path()));
      CHECK(streamed["forecast"]["streamed"] == true);
      CHECK(streamed["peak_memory_bytes"].get<std::uint64_t>() <= memory + memory / 20);
      CHECK(streamed["metrics"] == whole["metrics"]);
      CHECK((streamed_rows(db, scratch) == expected));
    }
  }

  Stream random(3);
  const std::string db = scratch / "killed.db";
  int kills = 0;
  for (int i = 0; i < 6; ++i) {
    std::vector<std::string> next = {"resume", "1", "--db", db, "--memory", std::to_string(least), "--wave-tokens", "200", "--threads", "2"};
    if (!has_streamed_run(db)) next = streamed_arguments(model, db, std::to_string(least), "200");
    AssayProcess process(next, scratch.path());
    const double seconds = 0.3 + 1.5 * random.uniform();
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (process.running() && std::chrono::steady_clock::now() < until) ::poll(nullptr, 0, 1);
    if (!process.running()) break;
    process.signal(SIGKILL);
    kills += process.wait() == -SIGKILL && has_streamed_run(db) ? 1 : 0;
    if (!has_streamed_run(db)) --i;  // not even begun: on a slow machine it starts again
  }
  CHECK(kills >= 1);
  const CommandResult last = run_assay({"resume", "1", "--db", db, "--memory", std::to_string(least)}, scratch.path());
  INFO(last.err);
  REQUIRE(last.code == 0);
  CHECK((streamed_rows(db, scratch) == expected));
}
