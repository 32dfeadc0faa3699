// Weights that lie: every class of malformed file and index is refused with its code, place and field,
// quickly and in little memory, and everything unusual but legal is read.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/hostile/hostile_safetensors.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

TEST_CASE("bad weights: every hostile file is refused with code, file, place and field") {
  Scratch scratch;
  CHECK(hostile_safetensors().size() >= 45);
  for (const SafetensorsCase& c : hostile_safetensors()) {
    INFO(c.name);
    const std::string file = scratch.write("t.safetensors", c.bytes);
    const auto opened = Checkpoint::open(file);
    REQUIRE_FALSE(opened.ok());
    const Error& error = opened.error();
    CHECK(name_of(error.code) == name_of(c.code));
    CHECK(error.file == file);
    CHECK(error.offset >= 0);
    CHECK(error.offset <= static_cast<std::int64_t>(c.bytes.size()));
    if (!c.field.empty()) CHECK(error.field == c.field);
    CHECK_FALSE(error.got.empty());
    CHECK(error.got.size() <= 200);
    CHECK(error.text().find('\n') == std::string::npos);
  }
}

TEST_CASE("bad weights: everything legal is accepted and every byte is reachable") {
  Scratch scratch;
  CHECK(valid_safetensors().size() >= 11);
  for (const SafetensorsCase& c : valid_safetensors()) {
    INFO(c.name);
    const std::string file = scratch.write("t.safetensors", c.bytes);
    const auto opened = Checkpoint::open(file);
    REQUIRE(opened.ok());
    std::size_t sum = 0;
    for (const TensorView& view : opened->tensors()) {
      if (!view.bytes.empty()) sum += std::to_integer<std::size_t>(view.bytes.front() | view.bytes.back());
      CHECK(view.offset + static_cast<std::int64_t>(view.bytes.size()) <=
            static_cast<std::int64_t>(c.bytes.size()));
    }
    CHECK(sum == 0);  // the data of all of them are zeros
    CHECK(opened->weights_digest().size() == 64);
  }
}

TEST_CASE("bad weights: a hostile file costs little memory") {
  // A child opens all of them and tells how much its resident memory grew: 16 MB above what it had (field
  // notes, 2.5).
  Scratch scratch;
  std::vector<std::string> files;
  for (std::size_t i = 0; i < hostile_safetensors().size(); ++i) {
    files.push_back(scratch.write(fmt::format("{}.safetensors", i), hostile_safetensors()[i].bytes));
  }
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    struct rusage before {
    }, after{};
    ::getrusage(RUSAGE_SELF, &before);
    for (const std::string& file : files) {
      if (Checkpoint::open(file).ok()) ::_exit(2);
    }
    ::getrusage(RUSAGE_SELF, &after);
    ::_exit(after.ru_maxrss - before.ru_maxrss <= 16 * 1024 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
#if !defined(__SANITIZE_ADDRESS__)  // a sanitizer keeps freed memory
  CHECK(WEXITSTATUS(status) == 0);
#endif
}

// A folder with shards x (tensor a) and y (tensor b), and an index to be broken.
class Sharded {
 public:
  Sharded() {
    const std::vector<float> a = {1, 2}, b = {3};
    put("x.safetensors", "a", a);
    put("y.safetensors", "b", b);
    fs::create_directory(scratch_ / "outside");
    fs::create_directory(scratch_ / "model/sub");
    put("sub/x.safetensors", "a", a);
    put("../outside/x.safetensors", "a", a);
  }
  Result<Checkpoint> open_with(const std::string& index) const {
    scratch_.write("model/model.safetensors.index.json", index);
    return Checkpoint::open(scratch_ / "model");
  }
  Result<Checkpoint> open_map(const std::string& a, const std::string& b) const {
    return open_with(fmt::format(R"({{"metadata": {{}}, "weight_map": {{"a": "{}", "b": "{}"}}}})", a, b));
  }
  void put(const std::string& file, const std::string& tensor, const std::vector<float>& values) const {
    fs::create_directories(scratch_ / "model");
    const std::vector<TensorOut> tensors = {
        tensor_out(tensor, {static_cast<std::int64_t>(values.size())}, values)};
    REQUIRE(write_safetensors(scratch_ / ("model/" + file), tensors).ok());
  }
  std::string operator/(const std::string& name) const { return scratch_ / ("model/" + name); }
  const std::string& root() const { return scratch_.path(); }

 private:
  struct MadeFirst {  // the folder exists before the first shard is written
    explicit MadeFirst(const Scratch& s) {
      fs::create_directories(s / "model");
      fs::create_directories(s / "outside");
      fs::create_directories(s / "model/sub");
    }
  };
  Scratch scratch_;
  MadeFirst made_{scratch_};
};

void check_refused(const Result<Checkpoint>& opened, Code code) {
  REQUIRE_FALSE(opened.ok());
  CHECK(name_of(opened.error().code) == name_of(code));
  CHECK_FALSE(opened.error().file.empty());
}

TEST_CASE("bad weights: index names that leave the folder") {
  const Sharded model;
  REQUIRE(model.open_map("x.safetensors", "y.safetensors").ok());
  for (const std::string name :
       {"../outside/x.safetensors", "/etc/passwd", "sub/x.safetensors", "..", ".", "", "./x.safetensors",
        "sub\\\\x.safetensors", "x\\u0000.safetensors", "x\\n.safetensors"}) {
    INFO(name);
    check_refused(model.open_map(name, "y.safetensors"), Code::path_escape);
  }
  check_refused(model.open_map(model.root() + "/outside/x.safetensors", "y.safetensors"), Code::path_escape);
  check_refused(model.open_map("pytorch_model.bin", "y.safetensors"), Code::pickle);
  check_refused(model.open_map("config.json", "y.safetensors"), Code::bad_value);
}

TEST_CASE("bad weights: links that leave the folder") {
  const Sharded model;
  fs::create_symlink("../outside/x.safetensors", model / "out.safetensors");
  fs::create_symlink("x.safetensors", model / "in.safetensors");
  fs::create_symlink("loop.safetensors", model / "loop.safetensors");
  fs::create_symlink("nowhere", model / "dangling.safetensors");
  check_refused(model.open_map("out.safetensors", "y.safetensors"), Code::path_escape);
  CHECK(model.open_map("in.safetensors", "y.safetensors").ok());
  check_refused(model.open_map("loop.safetensors", "y.safetensors"), Code::not_found);
  check_refused(model.open_map("dangling.safetensors", "y.safetensors"), Code::not_found);
}

TEST_CASE("bad weights: a single file that is a link out of the folder") {
  const Sharded model;
  fs::create_directory(model / "single");
  fs::create_symlink("../../outside/x.safetensors", model / "single/model.safetensors");
  check_refused(Checkpoint::open(model / "single"), Code::path_escape);
}

TEST_CASE("bad weights: the hub cache's links into blobs work, others from there do not") {
  const Sharded model;
  const std::string home = model / "models--o--n";
  fs::create_directories(home + "/blobs");
  fs::create_directories(home + "/snapshots/rev");
  fs::copy_file(model / "x.safetensors", home + "/blobs/aaaa");
  fs::create_symlink("../../blobs/aaaa", home + "/snapshots/rev/model.safetensors");
  CHECK(Checkpoint::open(home + "/snapshots/rev").ok());
  fs::remove(home + "/snapshots/rev/model.safetensors");
  fs::create_symlink("../../../x.safetensors", home + "/snapshots/rev/model.safetensors");
  check_refused(Checkpoint::open(home + "/snapshots/rev"), Code::path_escape);
}

TEST_CASE("bad weights: shards that do not hold what the index says") {
  const Sharded model;
  check_refused(model.open_map("gone.safetensors", "y.safetensors"), Code::not_found);
  check_refused(model.open_map("y.safetensors", "x.safetensors"), Code::missing_tensor);
  const auto swapped = model.open_map("y.safetensors", "x.safetensors");
  CHECK(swapped.error().field == "a");
  CHECK(swapped.error().expected == "y.safetensors");
  CHECK(swapped.error().got == "x.safetensors");
  check_refused(model.open_with(
                    R"({"weight_map": {"a": "x.safetensors", "b": "y.safetensors", "c": "y.safetensors"}})"),
                Code::missing_tensor);
}

TEST_CASE("bad weights: the same tensor in two shards") {
  const Sharded model;
  model.put("z.safetensors", "a", {9});
  const auto opened = model.open_with(R"({"weight_map": {"a": "x.safetensors", "b": "z.safetensors"}})");
  check_refused(opened, Code::duplicate);
  CHECK(opened.error().field == "a");
}

TEST_CASE("bad weights: a tensor that only a shard knows is read and said") {
  const Sharded model;
  const auto opened = model.open_with(R"({"weight_map": {"a": "x.safetensors"}})");
  REQUIRE(opened.ok());
  CHECK(opened->warnings().empty());
  const std::vector<float> more = {1, 2, 3};
  const std::vector<TensorOut> both = {tensor_out("a", {2}, std::span(more).subspan(1)),
                                       tensor_out("extra", {3}, more)};
  REQUIRE(write_safetensors(model / "x.safetensors", both).ok());
  const auto again = model.open_with(R"({"weight_map": {"a": "x.safetensors"}})");
  REQUIRE(again.ok());
  REQUIRE(again->warnings().size() == 1);
  CHECK(again->find("extra") != nullptr);
}

TEST_CASE("bad weights: an index that is not one") {
  const Sharded model;
  check_refused(model.open_with(""), Code::bad_json);
  check_refused(model.open_with("[]"), Code::missing_field);
  check_refused(model.open_with("{}"), Code::missing_field);
  check_refused(model.open_with(R"({"weight_map": []})"), Code::bad_value);
  check_refused(model.open_with(R"({"weight_map": {}})"), Code::bad_value);
  check_refused(model.open_with(R"({"weight_map": {"a": 1}})"), Code::bad_value);
  check_refused(model.open_with(R"({"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}})"),
                Code::duplicate);
  check_refused(model.open_with(std::string(100'000, '[')), Code::too_large);
  check_refused(model.open_with(R"({"weight_map": {"a": "x.safetensors")"), Code::bad_json);
}

TEST_CASE("bad weights: a truncated shard names itself") {
  const Sharded model;
  fs::resize_file(model / "y.safetensors", fs::file_size(model / "y.safetensors") - 1);
  const auto opened = model.open_map("x.safetensors", "y.safetensors");
  check_refused(opened, Code::truncated);
  CHECK(opened.error().file == model / "y.safetensors");
}

TEST_CASE("bad weights: folders without safetensors") {
  Scratch scratch;
  check_refused(Checkpoint::open(scratch.path()), Code::not_found);
  check_refused(Checkpoint::open(scratch / "nothing"), Code::not_found);
  scratch.write("pytorch_model.bin", "PK\x03\x04");
  check_refused(Checkpoint::open(scratch.path()), Code::pickle);
  check_refused(Checkpoint::open(scratch / "pytorch_model.bin"), Code::pickle);
  check_refused(Checkpoint::open("/dev/zero"), Code::io);
}

TEST_CASE("bad weights: both a single file and an index") {
  const Sharded model;
  fs::copy_file(model / "x.safetensors", model / "model.safetensors");
  const auto opened = model.open_map("x.safetensors", "y.safetensors");
  REQUIRE(opened.ok());
  CHECK(opened->tensors().size() == 1);
  CHECK(opened->warnings().size() == 1);
}

// One FP8 matrix (rows, cols) and whatever scale tensors a test wants.
Result<Checkpoint> fp8_checkpoint(const Scratch& scratch, std::vector<std::int64_t> shape,
                                  std::vector<TensorOut> more) {
  static const std::vector<std::uint8_t> kCodes(200 * 200, 0x38);  // 1.0
  const auto count = static_cast<std::size_t>(shape[0] * shape[1]);
  more.push_back({.name = "w.weight",
                  .format = Format::F8_E4M3,
                  .shape = std::move(shape),
                  .bytes = std::as_bytes(std::span(kCodes)).subspan(0, count)});
  REQUIRE(write_safetensors(scratch / "fp8.safetensors", more).ok());
  return Checkpoint::open(scratch / "fp8.safetensors");
}

TEST_CASE("bad weights: FP8 without scales, or with wrong ones, is refused and never passed through") {
  Scratch scratch;
  const std::vector<std::int64_t> shape = {130, 129};
  const std::vector<float> scales = {1, 2, 3, 4};
  {
    auto opened = fp8_checkpoint(scratch, shape, {});
    REQUIRE(opened.ok());
    const auto loaded = load_f32(*opened, "w.weight", shape);
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code == Code::missing_tensor);
    CHECK(loaded.error().field == "w.weight_scale_inv");
  }
  {
    auto opened = fp8_checkpoint(scratch, shape,
                                 {tensor_out("w.weight_scale_inv", {1, 1}, std::span(scales).subspan(0, 1))});
    const auto loaded =
        load_f32(*opened, "w.weight", shape);  // what a division without rounding up would give
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code == Code::bad_shape);
    CHECK(loaded.error().expected == "[2, 2]");
  }
  {
    const std::vector<std::int64_t> wrong = {1, 1, 1, 1};
    auto opened = fp8_checkpoint(scratch, shape, {tensor_out("w.weight_scale_inv", {2, 2}, wrong)});
    CHECK(load_f32(*opened, "w.weight", shape).error().code == Code::bad_dtype);
  }
  auto opened = fp8_checkpoint(scratch, shape, {tensor_out("w.weight_scale_inv", {2, 2}, scales)});
  const auto loaded = load_f32(*opened, "w.weight", shape);
  REQUIRE(loaded.ok());
  CHECK((*loaded)[0] == 1);
  CHECK((*loaded)[128] == 2);        // first row, second block
  CHECK((*loaded)[129 * 128] == 3);  // row 128, first block
  CHECK((*loaded)[129 * 130 - 1] == 4);
}

// Not run by default: `test_hostile "[corpus]"` writes the small cases as the corpus of the fuzz target.
TEST_CASE("bad weights: write the fuzz corpus", "[.][corpus]") {
  const fs::path folder = fs::path(ASSAY_TREE) / "tests/fuzz/corpus/safetensors";
  int written = 0;
  for (const auto* cases : {&hostile_safetensors(), &valid_safetensors()}) {
    for (const SafetensorsCase& c : *cases) {
      if (c.bytes.size() > 2048) continue;
      std::string name = (cases == &valid_safetensors() ? "valid " : "hostile ") + c.name;
      for (char& letter : name) {
        if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '-';
      }
      REQUIRE(write_file_atomic((folder / name).string(), c.bytes).ok());
      ++written;
    }
  }
  CHECK(written >= 60);
}

}  // namespace
