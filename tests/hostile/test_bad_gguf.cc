// GGUF files that lie: refused with code, place and field; what is unusual but legal is read. Models in GGUF whose metadata
// and tensors do not fit are refused in words.
#include <cctype>
#include <filesystem>

#include "base/file.h"
#include "reference/model/model_files.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/gguf.h"
#include "tests/catch.h"
#include "tests/gguf_file.h"
#include "tests/hostile/hostile_gguf.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

TEST_CASE("bad gguf: every hostile file is refused with code, file, place and field") {
  Scratch scratch;
  CHECK(hostile_gguf().size() >= 60);
  for (const GgufCase& c : hostile_gguf()) {
    INFO(c.name);
    const std::string file = scratch.write("t.gguf", c.bytes);
    const auto opened = Checkpoint::open(file);
    REQUIRE_FALSE(opened.ok());
    const Error& error = opened.error();
    CHECK(name_of(error.code) == name_of(c.code));
    CHECK(error.file == file);
    CHECK(error.offset >= 0);
    CHECK(error.offset <= static_cast<std::int64_t>(c.bytes.size()));
    if (!c.field.empty()) CHECK(error.field == c.field);
    CHECK_FALSE(error.expected.empty());
    CHECK_FALSE(error.got.empty());
    CHECK(error.got.size() <= 200);
    CHECK(error.text().find('\n') == std::string::npos);
  }
}

TEST_CASE("bad gguf: a file cut anywhere is refused or is all there") {
  const std::string whole = valid_gguf().back().bytes;
  int refused = 0;
  for (std::size_t n = 4; n < whole.size(); ++n) {
    const std::string part = whole.substr(0, n);
    refused += parse_gguf_header(std::as_bytes(std::span(part)), "cut").ok() ? 0 : 1;
  }
  CHECK(refused == static_cast<int>(whole.size()) - 4);
}

TEST_CASE("bad gguf: everything legal is accepted and every byte is reachable") {
  Scratch scratch;
  CHECK(valid_gguf().size() >= 11);
  for (const GgufCase& c : valid_gguf()) {
    INFO(c.name);
    const auto opened = Checkpoint::open(scratch.write("t.gguf", c.bytes));
    if (!opened.ok()) FAIL(opened.error().text());
    std::size_t sum = 0;
    for (const TensorView& view : opened->tensors()) {
      sum += std::to_integer<std::size_t>(view.bytes.front() | view.bytes.back());
      CHECK(view.offset + static_cast<std::int64_t>(view.bytes.size()) <=
            static_cast<std::int64_t>(c.bytes.size()));
      CHECK(view.bytes.size() == stored_bytes(view));
    }
    CHECK(sum == 0);
    CHECK(opened->weights_digest().size() == 64);
  }
}

// Parts of a split file that do not belong together.
std::string part(std::uint32_t number, std::uint32_t count, std::uint32_t total, const std::string& tensor) {
  GgufBytes file;
  if (number == 0) file.str("general.architecture", "none");
  file.u32("split.no", number).u32("split.count", count).u32("split.tensors.count", total);
  if (!tensor.empty()) file.f32_tensor(tensor, {4}, {1, 2, 3, 4});
  return file.bytes();
}

TEST_CASE("bad gguf: parts of a split file must be the parts they say") {
  struct Row {
    std::string what, first, second;
    Code code;
  };
  const Row rows[] = {
      {"right", part(0, 2, 2, "a"), part(1, 2, 2, "b"), Code::io},
      {"second part missing", part(0, 2, 2, "a"), "", Code::not_found},
      {"numbered wrongly", part(0, 2, 2, "a"), part(0, 2, 2, "b"), Code::bad_value},
      {"another count", part(0, 2, 2, "a"), part(1, 3, 2, "b"), Code::bad_value},
      {"another total", part(0, 2, 3, "a"), part(1, 2, 2, "b"), Code::missing_tensor},
      {"the same tensor twice", part(0, 2, 2, "a"), part(1, 2, 2, "a"), Code::duplicate},
      {"more parts than the name says", part(0, 5, 2, "a"), part(1, 5, 2, "b"), Code::bad_value},
      {"2^32 - 1 parts", part(0, ~0U, 2, "a"), part(1, ~0U, 2, "b"), Code::too_large}};
  for (const Row& row : rows) {
    INFO(row.what);
    Scratch scratch;
    const std::string first = scratch.write("m-00001-of-00002.gguf", row.first);
    if (!row.second.empty()) scratch.write("m-00002-of-00002.gguf", row.second);
    for (const std::string& model : {first, scratch.path()}) {
      const auto opened = Checkpoint::open(model);
      CHECK(opened.ok() == (row.code == Code::io));
      if (!opened.ok()) CHECK(name_of(opened.error().code) == name_of(row.code));
      if (opened.ok()) CHECK(opened->tensors().size() == 2);
    }
    const auto late = Checkpoint::open(scratch / "m-00002-of-00002.gguf");
    CHECK_FALSE(late.ok());
  }
}

TEST_CASE("bad gguf: a part that is a link out of the folder is refused") {
  Scratch scratch, elsewhere;
  scratch.write("m-00001-of-00002.gguf", part(0, 2, 2, "a"));
  fs::create_symlink(elsewhere.write("b.gguf", part(1, 2, 2, "b")), scratch / "m-00002-of-00002.gguf");
  const auto opened = Checkpoint::open(scratch / "m-00001-of-00002.gguf");
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == Code::path_escape);
}

TEST_CASE("bad gguf: a folder with several models asks for one") {
  Scratch scratch;
  scratch.write("a.gguf", GgufBytes{}.f32_tensor("t", {1}, {1}).bytes());
  scratch.write("mmproj-a.gguf", "not read");
  CHECK(Checkpoint::open(scratch.path()).ok());
  scratch.write("b.gguf", GgufBytes{}.f32_tensor("t", {1}, {1}).bytes());
  const auto opened = Checkpoint::open(scratch.path());
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == Code::bad_value);
  CHECK(opened.error().got == "a.gguf, b.gguf");
}

// A whole tiny Llama, one part of which a case changes.
struct TinyLlama {
  std::uint32_t heads = 2, hidden = 8;
  std::vector<std::pair<std::string, std::uint32_t>> sizes = {
      {"llama.block_count", 1},          {"llama.context_length", 16},
      {"llama.embedding_length", 8},     {"llama.feed_forward_length", 8},
      {"llama.attention.head_count", 2}, {"llama.attention.head_count_kv", 2}};
  float eps = 1e-5F;
  std::string architecture = "llama";
  GgufBytes more = {};
  bool with_output = true;

  std::string bytes() const {
    GgufBytes file;
    file.str("general.architecture", architecture).f32("llama.attention.layer_norm_rms_epsilon", eps);
    for (const auto& [key, value] : sizes) file.u32(key, value);
    file.metadata += more.metadata;
    file.n_metadata += more.n_metadata;
    const auto matrix = [&](const std::string& name, std::uint64_t rows) {
      file.f32_tensor(name, {8, rows}, std::vector<float>(8 * rows, 0.5F));
    };
    matrix("token_embd.weight", 6);
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      matrix("blk.0." + std::string(name) + ".weight", 8);
    for (const char* name : {"blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"})
      file.f32_tensor(name, {8}, std::vector<float>(8, 1.0F));
    if (with_output) matrix("output.weight", 6);
    return file.bytes();
  }
};

TEST_CASE("bad gguf: metadata that change numbers and are not known are refused") {
  Scratch scratch;
  const auto open = [&](const TinyLlama& model) {
    return open_model(scratch.write("m.gguf", model.bytes()));
  };
  const auto plain = open({});
  if (!plain.ok()) FAIL(plain.error().text());
  CHECK(plain->config.head_dim == 4);
  CHECK_FALSE(plain->config.tie_word_embeddings);
  CHECK(open({.with_output = false})->config.tie_word_embeddings);

  struct Row {
    std::string field;
    TinyLlama model;
    Code code;
  };
  const auto more = [](GgufBytes entries) { return TinyLlama{.more = std::move(entries)}; };
  const Row rows[] = {
      {"llama.logit_scale", more(GgufBytes{}.f32("llama.logit_scale", 2)), Code::unsupported},
      {"llama.something_new", more(GgufBytes{}.u32("llama.something_new", 1)), Code::unsupported},
      {"llama.rope.scaling.type", more(GgufBytes{}.str("llama.rope.scaling.type", "longrope")),
       Code::unsupported},
      {"llama.rope.scaling.original_context_length",
       more(GgufBytes{}.str("llama.rope.scaling.type", "yarn").f32("llama.rope.scaling.factor", 2)),
       Code::missing_field},
      {"llama.rope.scaling.attn_factor", more(GgufBytes{}.f32("llama.rope.scaling.attn_factor", 1.5F)),
       Code::unsupported},
      {"llama.rope.dimension_count", more(GgufBytes{}.u32("llama.rope.dimension_count", 2)),
       Code::unsupported},
      {"llama.attention.value_length", more(GgufBytes{}.u32("llama.attention.value_length", 2)),
       Code::unsupported},
      {"llama.attention.causal", more(GgufBytes{}.flag("llama.attention.causal", false)), Code::unsupported},
      {"llama.block_count", more(GgufBytes{}.u32("general.quantization_version", 2)), Code::missing_field},
      {"general.type", more(GgufBytes{}.str("general.type", "adapter")), Code::unsupported},
      {"general.quantization_version", more(GgufBytes{}.u32("general.quantization_version", 1)),
       Code::unsupported},
      {"llama.rope.freq_base", more(GgufBytes{}.str("llama.rope.freq_base", "1e4")), Code::bad_value},
      {"llama.feed_forward_length",
       TinyLlama{.sizes = {{"llama.block_count", 1},
                           {"llama.context_length", 16},
                           {"llama.embedding_length", 8},
                           {"llama.attention.head_count", 2}},
                 .more = GgufBytes{}.numbers<std::int32_t>("llama.feed_forward_length", 5, {8, 9})},
       Code::unsupported},
      {"general.architecture", TinyLlama{.architecture = "gemma"}, Code::unsupported},
      {"rms_norm_eps", TinyLlama{.eps = 0}, Code::bad_value}};
  for (Row row : rows) {
    INFO(row.field);
    if (row.field == "llama.block_count") row.model.sizes.erase(row.model.sizes.begin());
    const auto opened = open(row.model);
    REQUIRE_FALSE(opened.ok());
    INFO(opened.error().text());
    CHECK(name_of(opened.error().code) == name_of(row.code));
    CHECK(opened.error().field == row.field);
    CHECK_FALSE(opened.error().expected.empty());
    CHECK_FALSE(opened.error().got.empty());
  }
}

TEST_CASE("bad gguf: tensors that do not fit the metadata are refused") {
  Scratch scratch;
  struct Row {
    std::string key;
    std::uint32_t value;
    Code code;
  };
  const Row rows[] = {
      {"llama.attention.head_count", 3, Code::bad_shape},     // rows of queries are no multiple
      {"llama.attention.head_count_kv", 8, Code::bad_shape},  // heads of one row have no halves
      {"llama.attention.head_count_kv", 1, Code::bad_shape},  // the keys' tensor has another shape
      {"llama.block_count", 2, Code::missing_tensor},        {"llama.block_count", 513, Code::missing_tensor},
      {"llama.block_count", ~0U, Code::too_large},           {"llama.embedding_length", 16, Code::bad_shape},
      {"llama.feed_forward_length", 16, Code::bad_shape},    {"llama.embedding_length", 0, Code::bad_value},
      {"llama.attention.head_count", 0, Code::bad_shape}};
  for (const Row& row : rows) {
    INFO(row.key << " " << row.value);
    TinyLlama model;
    for (auto& [key, value] : model.sizes) value = key == row.key ? row.value : value;
    const auto opened = open_model(scratch.write("m.gguf", model.bytes()));
    REQUIRE_FALSE(opened.ok());
    INFO(opened.error().text());
    CHECK(name_of(opened.error().code) == name_of(row.code));
  }
}

// Not run by default: `test_hostile "[corpus]"` writes the small cases as the corpus of the fuzz target.
TEST_CASE("bad gguf: write the fuzz corpus", "[.][corpus]") {
  const fs::path folder = fs::path(ASSAY_TREE) / "tests/fuzz/corpus/gguf";
  fs::create_directories(folder);
  const auto write = [&](std::string name, const std::string& bytes) {
    for (char& letter : name) {
      if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '-';
    }
    REQUIRE(write_file_atomic((folder / name).string(), bytes).ok());
  };
  for (const GgufCase& c : hostile_gguf()) write("hostile " + c.name, c.bytes);
  for (const GgufCase& c : valid_gguf()) {
    if (c.bytes.size() <= 4096) write("valid " + c.name, c.bytes);
  }
  write("valid tiny llama", TinyLlama{}.bytes());
  CHECK(hostile_gguf().size() >= 60);
}

}  // namespace
