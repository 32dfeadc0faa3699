// Checkpoints that are as they should be: the bundled model, what the writer wrote, what the fixtures of
// others hold.
#include <filesystem>
#include <fstream>
#include <string>

#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

const std::string kDemo = std::string(ASSAY_TREE) + "/suites/data/demo/";

TEST_CASE("checkpoint: the bundled model opens from two shards") {
  auto opened = Checkpoint::open(kDemo + "model");
  REQUIRE(opened.ok());
  const Checkpoint& model = *opened;
  CHECK(model.files().size() == 2);
  CHECK(model.bytes() == 5776352);  // metadata.total_size of the index
  std::int64_t stored = 0;
  for (const TensorView& view : model.tensors()) stored += view.elements();
  CHECK(stored == 2888128);  // README of the bundled model
  const TensorView* head = model.find("lm_head.weight");
  REQUIRE(head != nullptr);
  CHECK(head->format == Format::BF16);
  CHECK(head->shape == std::vector<std::int64_t>{1024, 160});
  CHECK(model.find("lm_head") == nullptr);
  CHECK(model.folder() == kDemo + "model");
}

TEST_CASE("checkpoint: need() names the shape it wants") {
  auto model = Checkpoint::open(kDemo + "model");
  REQUIRE(model.ok());
  const std::vector<std::int64_t> right = {1024, 160}, wrong = {160, 1024};
  CHECK(model->need("lm_head.weight", right).ok());
  const auto bad = model->need("lm_head.weight", wrong);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().code == Code::bad_shape);
  CHECK(bad.error().expected == "[160, 1024]");
  CHECK(bad.error().got == "[1024, 160]");
  CHECK(bad.error().field == "lm_head.weight");
  const auto missing = model->need("nothing.weight", right);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == Code::missing_tensor);
}

TEST_CASE("checkpoint: the digest is of names, formats, shapes and bytes, not of files") {
  Scratch scratch;
  const std::vector<float> a = {1, 2, 3, 4}, b = {5, 6};
  const std::vector<TensorOut> both = {tensor_out("a", {2, 2}, a), tensor_out("b", {2}, b)};
  REQUIRE(write_safetensors(scratch / "one.safetensors", both).ok());
  fs::create_directory(scratch / "two");
  REQUIRE(write_safetensors(scratch / "two/x.safetensors", std::span(both).subspan(0, 1)).ok());
  REQUIRE(write_safetensors(scratch / "two/y.safetensors", std::span(both).subspan(1)).ok());
  scratch.write("two/model.safetensors.index.json",
                R"({"weight_map": {"b": "y.safetensors", "a": "x.safetensors"}})");
  auto one = Checkpoint::open(scratch / "one.safetensors");
  auto two = Checkpoint::open(scratch / "two");
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(one->weights_digest() == two->weights_digest());
  CHECK(one->headers_digest() == two->headers_digest());
  CHECK(one->weights_digest() != one->headers_digest());
  CHECK(one->weights_digest().size() == 64);

  const std::vector<float> changed = {1, 2, 3, 5};
  const std::vector<TensorOut> other = {tensor_out("a", {2, 2}, changed), tensor_out("b", {2}, b)};
  REQUIRE(write_safetensors(scratch / "other.safetensors", other).ok());
  auto three = Checkpoint::open(scratch / "other.safetensors");
  REQUIRE(three.ok());
  CHECK(three->weights_digest() != one->weights_digest());
  CHECK(three->headers_digest() == one->headers_digest());
}

TEST_CASE("checkpoint: moving keeps views valid") {
  auto opened = Checkpoint::open(kDemo + "model");
  REQUIRE(opened.ok());
  const TensorView* norm = opened->find("model.norm.weight");
  REQUIRE(norm != nullptr);
  const Checkpoint moved = std::move(*opened);
  CHECK(moved.find("model.norm.weight") == norm);
  moved.release(*norm);
  CHECK(norm->bytes.size() == 320);
  CHECK(norm->bytes[1] != std::byte{0});  // bf16 weights near 1: the high byte of the first is not 0
}

TEST_CASE("writer: what it writes comes back, with metadata") {
  Scratch scratch;
  const std::vector<float> f32 = {1.5F, -2.25F};
  const std::vector<double> f64 = {0.1};
  const std::vector<std::int64_t> i64 = {-7, 8, 9};
  const std::vector<std::uint16_t> bf16 = {0x3F80};
  const std::vector<TensorOut> tensors = {tensor_out("z", {2}, f32), tensor_out("scalar", {}, f64),
                                          tensor_out("ids", {3}, i64), tensor_out_bf16("half", {1, 1}, bf16),
                                          tensor_out("empty", {0, 4}, std::span<const float>())};
  const std::vector<std::pair<std::string, std::string>> metadata = {{"format", "pt"}};
  REQUIRE(write_safetensors(scratch / "t.safetensors", tensors, metadata).ok());
  auto back = Checkpoint::open(scratch / "t.safetensors");
  REQUIRE(back.ok());
  CHECK(back->tensors().size() == 5);
  REQUIRE(back->metadata().size() == 1);
  CHECK(back->metadata()[0] == std::pair<std::string, std::string>("format", "pt"));
  CHECK(*load_f32(*back, "z", std::vector<std::int64_t>{2}) == f32);
  CHECK(*load_f64(*back, "scalar", {}) == f64);
  CHECK(*load_f32(*back, "half", std::vector<std::int64_t>{1, 1}) == std::vector<float>{1.0F});
  CHECK(load_f32(*back, "empty", std::vector<std::int64_t>{0, 4})->empty());
  CHECK(load_f32(*back, "ids", std::vector<std::int64_t>{3}).error().code == Code::bad_dtype);
  for (const TensorView& view : back->tensors()) {
    if (view.name != "half") CHECK(view.bytes.size() % 8 == 0);
  }
}

TEST_CASE("writer: a folder that is not there is refused and nothing stays behind") {
  Scratch scratch;
  const std::vector<float> values = {1};
  const std::vector<TensorOut> tensors = {tensor_out("a", {1}, values)};
  const Status status = write_safetensors(scratch / "no/such/folder.safetensors", tensors);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == Code::io);
  CHECK(fs::is_empty(scratch.path()));
}

}  // namespace
