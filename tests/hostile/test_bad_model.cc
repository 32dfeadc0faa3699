// Models that cannot be used, through the command line: exit code 3, one line, nothing written.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/hostile/hostile_safetensors.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

const std::string kDemo = std::string(ASSAY_TREE) + "/suites/data/demo/model";

// A copy of the bundled model that a test may break.
class Copy {
 public:
  Copy() { fs::copy(kDemo, scratch_ / "model"); }
  std::string folder() const { return scratch_ / "model"; }
  std::string operator/(const std::string& name) const { return folder() + "/" + name; }
  // Replaces the first `from` of a file.
  void edit(const std::string& name, const std::string& from, const std::string& to) const {
    std::string text = *read_file(*this / name);
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    fs::permissions(*this / name, fs::perms::owner_all);
    REQUIRE(write_file_atomic(*this / name, text).ok());
  }

 private:
  Scratch scratch_;
};

void check_refused(const std::string& model, const std::string& code) {
  const Scratch folder;
  const auto plain = run_assay({"inspect", model}, folder.path());
  CHECK(plain.code == 3);
  CHECK(plain.out.empty());
  CHECK(plain.err.starts_with("assay: "));
  CHECK(std::count(plain.err.begin(), plain.err.end(), '\n') == 1);
  const auto json = run_assay({"inspect", model, "--json"}, folder.path());
  CHECK(json.code == 3);
  CHECK(json.err == plain.err);
  const auto document = parse_json(json.out, "stdout");
  REQUIRE(document.ok());
  const Json& error = document->at("error");
  CHECK(error.at("code") == code);
  for (const char* field : {"message", "file", "offset", "field", "expected", "got"})
    CHECK(error.contains(field));
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("bad model: nothing of that name") {
  check_refused("/no/such/model", "not_found");
  check_refused("no-org/no-such-model-here", "not_found");
}

TEST_CASE("bad model: missing, truncated and swapped shards") {
  const Copy model;
  fs::resize_file(model / "model-00001-of-00002.safetensors", 100'000);
  check_refused(model.folder(), "truncated");
  fs::remove(model / "model-00001-of-00002.safetensors");
  check_refused(model.folder(), "not_found");
  fs::copy_file(model / "model-00002-of-00002.safetensors", model / "model-00001-of-00002.safetensors");
  check_refused(model.folder(), "duplicate");
}

TEST_CASE("bad model: an index that points outside its folder") {
  const Copy model;
  model.edit("model.safetensors.index.json", "\"model-00001-of-00002.safetensors\"",
             "\"../model-00001-of-00002.safetensors\"");
  check_refused(model.folder(), "path_escape");
}

TEST_CASE("bad model: a format whose width is not that of its bytes") {
  const Copy model;
  model.edit("model-00001-of-00002.safetensors", "BF16\"", "F64\" ");
  check_refused(model.folder(), "bad_shape");
}

TEST_CASE("bad model: overlapping offsets") {
  const Copy model;
  std::string header = *read_file(model / "model-00002-of-00002.safetensors");
  const auto at = header.find("\"data_offsets\":[0,");
  REQUIRE(at != std::string::npos);
  const std::string end = header.substr(at + 18, header.find(']', at) - at - 18);
  const auto next = header.find("\"data_offsets\":[" + end + ",");
  REQUIRE(next != std::string::npos);
  header.replace(next + 16, end.size(), std::string(end.size() - 1, ' ') + "0");
  fs::remove(model / "model-00002-of-00002.safetensors");
  REQUIRE(write_file_atomic(model / "model-00002-of-00002.safetensors", header).ok());
  check_refused(model.folder(), "bad_shape");  // the range that now begins at 0 is too long for its shape
}

TEST_CASE("bad model: configurations") {
  {
    const Copy model;
    model.edit("config.json", "\"rope_theta\": 10000.0", "\"rope_theta\": NaN");
    check_refused(model.folder(), "bad_json");
  }
  {
    const Copy model;
    model.edit("config.json", "\"model_type\": \"deepseek_v3\"", "\"model_type\": \"deepseek_v9\"");
    check_refused(model.folder(), "unsupported");
  }
  {
    const Copy model;
    model.edit("config.json", "\"type\": \"yarn\"", "\"type\": \"wool\"");
    check_refused(model.folder(), "unsupported");
  }
  {
    const Copy model;
    model.edit("config.json", "\"hidden_size\": 160", "\"hidden_size\": 161");
    check_refused(model.folder(), "bad_shape");
  }
  {
    const Copy model;
    model.edit("config.json", "\"num_hidden_layers\": 4", "\"num_hidden_layers\": 6");
    check_refused(model.folder(), "missing_tensor");
  }
}

TEST_CASE("bad model: weights that are integers") {
  const Copy model;
  model.edit("model-00001-of-00002.safetensors", "\"dtype\":\"BF16\"", "\"dtype\":\"I16\" ");
  check_refused(model.folder(), "bad_dtype");
}

TEST_CASE("bad model: a pickle") {
  const Scratch scratch;
  scratch.write("pytorch_model.bin", std::string("PK\x03\x04", 4));
  check_refused(scratch.path(), "pickle");
  const std::string fixture = std::string(ASSAY_SHARED) + "/models/format-fixtures/atenia_tiny.bin";
  if (fs::exists(fixture)) check_refused(fixture, "pickle");
}

TEST_CASE("bad model: a few hostile files through the command line") {
  const Scratch scratch;
  int tried = 0;
  for (const SafetensorsCase& c : hostile_safetensors()) {
    if (++tried % 10 != 0) continue;  // the others are refused by the same code: see test_bad_weights.cc
    INFO(c.name);
    check_refused(scratch.write("t.safetensors", c.bytes), std::string(name_of(c.code)));
  }
}

}  // namespace
