// GGUF as a MODEL: values, names, the hub cache, tokenizer and template, what inspect says.
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/parallel.h"
#include "eval/compare/model_diff.h"
#include "eval/inspect.h"
#include "reference/model/gguf_config.h"
#include "reference/model/model_files.h"
#include "reference/text/chat_template.h"
#include "reference/text/gguf_tokenizer.h"
#include "reference/text/tokenizer.h"
#include "reference/weights/gguf_files.h"
#include "reference/weights/locate.h"
#include "tests/catch.h"
#include "tests/gguf_file.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

const std::string kModels = ASSAY_TREE "/tests/golden/data/gguf/";

GgufHeader header_of(const std::string& bytes) {
  auto header = parse_gguf_header(std::as_bytes(std::span(bytes)), "test");
  REQUIRE(header.ok());
  return std::move(*header);
}

TEST_CASE("gguf: values are what they are and nothing else") {
  const std::string bytes = GgufBytes{}
                                .f32("eps", 1e-5F)
                                .u32("n", 7)
                                .entry("minus", 11, GgufBytes::raw<std::int64_t>(-3))
                                .entry("huge", 10, GgufBytes::raw(~std::uint64_t{0}))
                                .flag("on", true)
                                .str("name", "x")
                                .strings("list", {"a", "", "bc"})
                                .numbers<std::int16_t>("small", 3, {-1, 2})
                                .numbers<float>("real", 6, {0.1F, -2})
                                .bytes();
  const GgufHeader h = header_of(bytes);
  CHECK(h.find("eps")->number() == 1e-5);  // the decimal that was meant, not the nearest float of it
  CHECK_FALSE(h.find("eps")->integer().has_value());
  CHECK(h.find("n")->integer() == 7);
  CHECK(h.find("n")->number() == 7.0);
  CHECK(h.find("minus")->integer() == -3);
  CHECK_FALSE(h.find("huge")->integer().has_value());
  CHECK(h.find("on")->boolean() == true);
  CHECK_FALSE(h.find("n")->boolean().has_value());
  CHECK(h.find("name")->text() == "x");
  CHECK(h.find("list")->texts() == std::vector<std::string_view>{"a", "", "bc"});
  CHECK_FALSE(h.find("list")->integers().has_value());
  CHECK(h.find("small")->integers() == std::vector<std::int64_t>{-1, 2});
  CHECK(h.find("real")->numbers() == std::vector<double>{0.1, -2});
  CHECK(h.find("none") == nullptr);
}

TEST_CASE("gguf: a folder or a repository with one GGUF file stands for it") {
  Scratch cache;
  const fs::path home = fs::path(cache.path()) / "models--org--quant", blobs = home / "blobs",
                 snapshot = home / "snapshots" / "abc";
  fs::create_directories(blobs);
  fs::create_directories(snapshot);
  fs::create_directories(home / "refs");
  cache.write("models--org--quant/refs/main", "abc\n");
  fs::copy_file(kModels + "qwen3/model.gguf", blobs / "0123");
  fs::create_symlink("../../blobs/0123", snapshot / "quant-Q4.gguf");
  cache.write("models--org--quant/snapshots/abc/README.md", "x");
  ::setenv("HF_HUB_CACHE", cache.path().c_str(), 1);
  const auto found = locate_model("org/quant");
  ::unsetenv("HF_HUB_CACHE");
  REQUIRE(found.ok());
  CHECK(found->name == "org/quant");
  CHECK(found->revision == "abc");
  CHECK(found->path == (snapshot / "quant-Q4.gguf").string());
  CHECK(found->folder == found->path);
  const auto files = open_model(found->path);
  if (!files.ok()) FAIL(files.error().text());
  CHECK(files->config.model_type == "qwen3");
  CHECK(locate_model(snapshot.string())->path == found->path);
  CHECK(locate_texts(snapshot.string()).value() == found->path);
  CHECK(locate_texts(ASSAY_TREE "/suites/data/demo/model/tokenizer.json").value() == ASSAY_TREE
        "/suites/data/demo/model/tokenizer.json");
  CHECK(Checkpoint::open(snapshot.string()).ok());
  fs::copy_file(kModels + "qwen2/model.gguf", snapshot / "quant-Q8.gguf");
  CHECK(locate_model(snapshot.string()).error().code == Code::bad_value);
}

// kv_b (heads (nope + v), latent) of 2 heads, nope 2, v 1, latent 3; the number of row r, column c is 10 r + c.
TEST_CASE("gguf: a split kv_b is put together, and a whole one wins") {
  const auto at = [](int row, int column) { return static_cast<float>(10 * row + column); };
  std::vector<float> whole, keys, values;
  for (int head = 0; head < 2; ++head) {
    for (int row = 0; row < 3; ++row) {
      for (int c = 0; c < 3; ++c) whole.push_back(at(3 * head + row, c));
    }
    for (int c = 0; c < 3; ++c) {
      for (int nope = 0; nope < 2; ++nope) keys.push_back(at(3 * head + nope, c));
    }
    for (int c = 0; c < 3; ++c) values.push_back(at(3 * head + 2, c));
  }
  const auto split = [&](GgufBytes file) {
    return file.f32_tensor("blk.7.attn_k_b.weight", {2, 3, 2}, keys)
        .f32_tensor("blk.7.attn_v_b.weight", {3, 1, 2}, values);
  };
  Scratch scratch;
  const std::string name = "model.layers.7.self_attn.kv_b_proj.weight";
  const GgufBytes start = GgufBytes{}.str("general.architecture", "deepseek2");
  const auto joined = Checkpoint::open(scratch.write("j.gguf", split(start).bytes()));
  REQUIRE(joined.ok());
  CHECK(load_f32(*joined, name, std::vector<std::int64_t>{6, 3}).value() == whole);
  CHECK(joined->bytes() == 18 * 4);
  CHECK(joined->tensors().size() == 1);
  for (std::int64_t row = 0; row < 6; ++row) {
    std::vector<float> one(3);
    REQUIRE(load_rows_f32(*joined, joined->tensors()[0], row, 1, one).ok());
    CHECK(one[2] == at(static_cast<int>(row), 2));
  }
  GgufBytes both = start;
  both.f32_tensor("blk.7.attn_kv_b.weight", {3, 6}, std::vector<float>(18, 5));
  const auto kept = Checkpoint::open(scratch.write("k.gguf", split(both).bytes()));
  REQUIRE(kept.ok());
  CHECK(load_f32(*kept, name, std::vector<std::int64_t>{6, 3}).value() == std::vector<float>(18, 5));
  GgufBytes half = start;
  const auto refused = Checkpoint::open(
      scratch.write("h.gguf", half.f32_tensor("blk.7.attn_k_b.weight", {2, 3, 2}, keys).bytes()));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::missing_tensor);
}

// The bytes as GPT-2's characters, one merge, two added tokens.
std::string byte_level_file(bool more) {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  for (int c = '!'; c <= '~'; ++c) tokens.emplace_back(1, static_cast<char>(c));
  tokens.insert(tokens.end(), {"\xC4\xA0", "ab", "<s>", "</s>", "<x>"});
  types.assign(tokens.size(), 1);
  types[tokens.size() - 3] = types[tokens.size() - 2] = 3;
  types.back() = 4;
  const auto bos = static_cast<std::uint32_t>(tokens.size() - 3);
  GgufBytes file;
  file.str("general.architecture", "llama")
      .str("tokenizer.ggml.model", "gpt2")
      .str("tokenizer.ggml.pre", "gpt-2");
  file.strings("tokenizer.ggml.tokens", tokens)
      .numbers("tokenizer.ggml.token_type", 5, types)
      .strings("tokenizer.ggml.merges", {"a b"});
  file.u32("tokenizer.ggml.bos_token_id", bos)
      .u32("tokenizer.ggml.eos_token_id", bos + 1)
      .flag("tokenizer.ggml.add_bos_token", true);
  file.str("tokenizer.chat_template", "{{ messages[0].content }}")
      .str("tokenizer.chat_template.tool_use", "T");
  if (more) file.u32("tokenizer.ggml.something_new", 1);
  return file.bytes();
}

TEST_CASE("gguf: tokenizer and templates from metadata") {
  Scratch scratch;
  const std::string path = scratch.write("v.gguf", byte_level_file(false));
  const auto tokenizer = Tokenizer::load(path);
  if (!tokenizer.ok()) FAIL(tokenizer.error().text());
  const int bos = tokenizer->bos_id().value();
  CHECK(tokenizer->bos_token() == "<s>");
  CHECK(tokenizer->eos_token() == "</s>");
  CHECK(tokenizer->encode("ab c<x>", true) == std::vector<int>{bos, bos - 1, bos - 2, 'c' - '!', bos + 2});
  CHECK(tokenizer->encode("ab", false) == std::vector<int>{bos - 1});
  CHECK(tokenizer->is_special(bos));
  CHECK_FALSE(tokenizer->is_special(bos + 2));
  const auto chat = ChatTemplate::load(path);
  REQUIRE(chat.ok());
  CHECK(chat->text() == "{{ messages[0].content }}");
  CHECK(ChatTemplate::load(path, "tool_use")->text() == "T");
  CHECK(ChatTemplate::load(path, "none").error().code == Code::missing_field);
  const auto refused = Tokenizer::load(scratch.write("w.gguf", byte_level_file(true)));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::unsupported);
  CHECK(refused.error().field == "tokenizer.ggml.something_new");
  CHECK(gguf_tokenizer_digest(header_of(byte_level_file(true))) !=
        gguf_tokenizer_digest(header_of(byte_level_file(false))));
}

TEST_CASE("gguf: tokenizers that cannot be are refused") {
  struct Row {
    std::string field;
    GgufBytes file;
    Code code;
  };
  const auto spm = [] { return GgufBytes{}.str("tokenizer.ggml.model", "llama"); };
  const auto two = [&] { return spm().strings("tokenizer.ggml.tokens", {"<unk>", "a"}); };
  const Row rows[] = {
      {"tokenizer.ggml.model", GgufBytes{}, Code::missing_field},
      {"tokenizer.ggml.model", GgufBytes{}.str("tokenizer.ggml.model", "rwkv"), Code::unsupported},
      {"tokenizer.ggml.model", GgufBytes{}.u32("tokenizer.ggml.model", 1), Code::bad_value},
      {"tokenizer.ggml.tokens", spm(), Code::missing_field},
      {"tokenizer.ggml.tokens", spm().u32("tokenizer.ggml.tokens", 1), Code::bad_value},
      {"tokenizer.ggml.scores", two().numbers<float>("tokenizer.ggml.scores", 6, {1}), Code::bad_value},
      {"tokenizer.ggml.token_type", two().numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 1}),
       Code::bad_value},
      {"tokenizer.ggml.token_type", two().numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {1, 7}),
       Code::bad_value},
      {"tokenizer.ggml.bos_token_id", two().u32("tokenizer.ggml.bos_token_id", 2), Code::out_of_range},
      {"tokenizer.ggml.eos_token_id",
       two().entry("tokenizer.ggml.eos_token_id", 11, GgufBytes::raw<std::int64_t>(-2)), Code::out_of_range},
      {"tokenizer.ggml.eos_token_id", two().flag("tokenizer.ggml.add_eos_token", true), Code::missing_field},
      {"tokenizer.ggml.add_bos_token", two().u32("tokenizer.ggml.add_bos_token", 1), Code::bad_value},
      {"tokenizer.ggml.add_sep_token", two().flag("tokenizer.ggml.add_sep_token", true), Code::unsupported}};
  for (const Row& row : rows) {
    INFO(row.field);
    const std::string bytes = row.file.bytes();
    const GgufHeader header = header_of(bytes);
    const auto parts = gguf_tokenizer(header, "v.gguf");
    REQUIRE_FALSE(parts.ok());
    CHECK(name_of(parts.error().code) == name_of(row.code));
    CHECK(parts.error().field == row.field);
    CHECK(parts.error().file == "v.gguf");
  }
}

TEST_CASE("gguf: inspect counts what the checkpoint has") {
  for (const char* name : {"deepseek-v3", "mixtral-mxfp4", "llama"}) {
    INFO(name);
    const auto hf = inspect_model(kModels + name, {}),
               gguf = inspect_model(kModels + name + std::string("/model.gguf"), {});
    REQUIRE(hf.ok());
    if (!gguf.ok()) FAIL(gguf.error().text());
    for (const char* key :
         {"family", "architecture", "params_total", "params_active", "params_stored", "context_length"})
      CHECK(gguf->at(key) == hf->at(key));
    CHECK(gguf->at("flops_per_token") == hf->at("flops_per_token"));
    const bool blocks =
        std::string_view(name) == "mixtral-mxfp4";  // no format of a cache: two bytes a number
    CHECK(gguf->at("kv_bytes_per_token").get<int>() * (blocks ? 2 : 1) ==
          hf->at("kv_bytes_per_token").get<int>());
    CHECK(gguf->at("warnings").empty());
    CHECK(gguf->at("digest").at("config").is_string());
    CHECK(gguf->at("digest").at("weights") != hf->at("digest").at("weights"));
    std::uint64_t sum = 0;
    for (const auto& [format, bytes] : gguf->at("bytes_by_format").items()) sum += bytes.get<std::uint64_t>();
    CHECK(sum == gguf->at("bytes").get<std::uint64_t>());
  }
  const auto mixed = inspect_model(kModels + "mixtral-mxfp4/model.gguf", {});
  CHECK(mixed->at("bytes_by_format").contains("MXFP4"));
  CHECK(mixed->at("bytes_by_format").contains("Q8_0"));
}

TEST_CASE("gguf: diff sees the same weights, and rounding as such") {
  ThreadPool pool(1);
  const SimilarityOptions options{.seed = 1, .siblings = 0};
  const auto same = diff_models(kModels + "qwen2moe", kModels + "qwen2moe/model.gguf", options, pool);
  if (!same.ok()) FAIL(same.error().text());
  CHECK(same->at("class") == "same-weights");
  for (const Json& t : same->at("tensors")) CHECK(t.at("status") == "identical");
}

}  // namespace
