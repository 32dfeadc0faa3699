// What a MODEL argument means.
#include <cstdlib>
#include <filesystem>

#include "reference/weights/checkpoint.h"
#include "reference/weights/locate.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

// Points the hub cache at a folder while a test runs.
class CacheAt {
 public:
  explicit CacheAt(const std::string& folder) { ::setenv("HF_HUB_CACHE", folder.c_str(), 1); }
  ~CacheAt() { ::unsetenv("HF_HUB_CACHE"); }
  CacheAt(const CacheAt&) = delete;
  CacheAt& operator=(const CacheAt&) = delete;
};

// A snapshot as huggingface_hub lays it out: the file is a link into blobs.
void make_snapshot(const Scratch& cache, const std::string& revision) {
  const std::string home = cache / "models--org--tiny";
  fs::create_directories(home + "/blobs");
  fs::create_directories(home + "/refs");
  fs::create_directories(home + "/snapshots/" + revision);
  const std::vector<float> values = {1, 2};
  const std::vector<TensorOut> tensors = {tensor_out("w", {2}, values)};
  REQUIRE(write_safetensors(home + "/blobs/0123", tensors).ok());
  fs::create_symlink("../../blobs/0123", home + "/snapshots/" + revision + "/model.safetensors");
}

TEST_CASE("locate: a folder and a file are themselves") {
  const std::string demo = std::string(ASSAY_TREE) + "/suites/data/demo/model";
  const auto folder = locate_model(demo);
  REQUIRE(folder.ok());
  CHECK(folder->path == demo);
  CHECK(folder->folder == demo);
  CHECK(folder->name == "model");
  CHECK(locate_model(demo + "/")->name == "model");
  const auto file = locate_model(demo + "/model-00001-of-00002.safetensors");
  REQUIRE(file.ok());
  CHECK(file->folder == demo);
  CHECK(file->name == "model-00001-of-00002");
}

TEST_CASE("locate: org/name comes from the hub cache through refs/main") {
  Scratch cache;
  const CacheAt at(cache.path());
  make_snapshot(cache, "abc123");
  cache.write("models--org--tiny/refs/main", "abc123\n");
  const auto found = locate_model("org/tiny");
  REQUIRE(found.ok());
  CHECK(found->name == "org/tiny");
  CHECK(found->revision == "abc123");
  const auto opened =
      Checkpoint::open(found->path);  // the link leaves the snapshot, into blobs: that is the layout
  REQUIRE(opened.ok());
  CHECK(opened->find("w") != nullptr);
}

TEST_CASE("locate: without refs/main the only snapshot is taken, and of two none") {
  Scratch cache;
  const CacheAt at(cache.path());
  make_snapshot(cache, "one");
  CHECK(locate_model("org/tiny")->revision == "one");
  fs::create_directories(cache / "models--org--tiny/snapshots/two");
  const auto found = locate_model("org/tiny");
  REQUIRE_FALSE(found.ok());
  CHECK(found.error().code == Code::not_found);
}

TEST_CASE("locate: a model that is not there is refused with the command that fetches it") {
  Scratch cache;
  const CacheAt at(cache.path());
  const auto found = locate_model("allenai/OLMoE-1B-7B-0125");
  REQUIRE_FALSE(found.ok());
  CHECK(found.error().code == Code::not_found);
  CHECK(found.error().message.find("hf download allenai/OLMoE-1B-7B-0125") != std::string::npos);
  CHECK(found.error().expected.find(cache.path()) != std::string::npos);
  for (const char* wrong : {"", "no-such-folder", "a/b/c", "../no-such-neighbour", "org/..", "/no/such/file.safetensors"}) {
    INFO(wrong);
    const auto refused = locate_model(wrong);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Code::not_found);
  }
}

TEST_CASE("locate: a refs/main that is no revision is refused") {
  Scratch cache;
  const CacheAt at(cache.path());
  make_snapshot(cache, "abc123");
  cache.write("models--org--tiny/refs/main", "../../../etc");
  const auto found = locate_model("org/tiny");
  REQUIRE_FALSE(found.ok());
  CHECK(found.error().code == Code::path_escape);
}

TEST_CASE("locate: the cache folder follows the hub's own variables") {
  ::unsetenv("HF_HUB_CACHE");
  ::setenv("HF_HOME", "/somewhere", 1);
  CHECK(hub_cache_folder() == "/somewhere/hub");
  ::unsetenv("HF_HOME");
  ::setenv("XDG_CACHE_HOME", "/cache", 1);
  CHECK(hub_cache_folder() == "/cache/huggingface/hub");
  ::unsetenv("XDG_CACHE_HOME");
  CHECK(hub_cache_folder().ends_with("/.cache/huggingface/hub"));
}

TEST_CASE("locate: http is said to be missing") {
  CHECK(locate_model("http://localhost:8000/v1#m").error().code == Code::not_implemented);
}

}  // namespace
