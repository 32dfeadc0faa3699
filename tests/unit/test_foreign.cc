// Files that are no weights we read: pickles in every wrapping, archives, and folders that hold nothing else.
#include <algorithm>
#include <string>

#include "reference/weights/checkpoint.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

TEST_CASE("foreign files: pickles are recognised by content, whatever the name") {
  const std::string rest(100, 'x');
  const std::pair<const char*, std::string> rows[] = {
      {"zip of torch.save", std::string("PK\x03\x04", 4) + rest},
      {"empty zip", std::string("PK\x05\x06", 4) + rest},
      {"7z around a pickle", std::string("7z\xBC\xAF\x27\x1C", 6) + rest},
      {"pickle protocol 2", "\x80\x02" + rest},
      {"pickle protocol 4", "\x80\x04" + rest},
      {"pickle protocol 5", "\x80\x05" + rest}};
  Scratch scratch;
  for (const auto& [what, bytes] : rows) {
    for (const char* name : {"m.bin", "m.pt", "m.ckpt", "model.safetensors", "m.gguf"}) {
      INFO(what << " " << name);
      const auto opened = Checkpoint::open(scratch.write(name, bytes));
      REQUIRE_FALSE(opened.ok());
      CHECK(opened.error().code == Code::pickle);
      CHECK(opened.error().message.find("runs code") != std::string::npos);
      CHECK_FALSE(opened.error().got.empty());
    }
  }
  const std::string text = "(dp0\nS'a'\np1\nI1\ns.";  // protocol 0 has no magic: its name has to say so
  CHECK(Checkpoint::open(scratch.write("m.pkl", text)).error().code == Code::pickle);
  CHECK(Checkpoint::open(scratch.write("m.safetensors", text)).error().code != Code::pickle);
}

TEST_CASE("foreign files: others are named") {
  Scratch scratch;
  const std::pair<const char*, std::string> rows[] = {
      {"gzip", "\x1F\x8B"}, {"zstd", "\x28\xB5\x2F\xFD"}, {"HDF5", "\x89HDF"}, {"rar", "Rar!"}};
  for (const auto& [name, magic] : rows) {
    const auto opened = Checkpoint::open(scratch.write("m.bin", magic + std::string(64, 'x')));
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == Code::unsupported);
    CHECK(opened.error().got.find(name) != std::string::npos);
  }
}

TEST_CASE("foreign files: a folder of pickles says so, an empty one that it is empty") {
  for (const char* name : {"pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "consolidated.00.pth",
                           "model.ckpt", "pytorch_model.bin.index.json"}) {
    Scratch scratch;
    CHECK(Checkpoint::open(scratch.path()).error().code == Code::not_found);
    scratch.write(name, "x");
    const auto opened = Checkpoint::open(scratch.path());
    CHECK(opened.error().code == Code::pickle);
    CHECK(opened.error().got == name);
  }
}

}  // namespace
