// Dequantised matrices against torch's float8 types (tests/oracle/dequant_digest.py) and fixtures of others in ../shared.
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/sha256.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

struct Golden {
  std::string folder;
  int matrices;
  std::string f32, bf16;  // what the script prints
};

std::string digest_of(const Checkpoint& checkpoint, Recipe recipe, int& matrices) {
  Sha256 hash;
  matrices = 0;
  for (const TensorView& view : checkpoint.tensors()) {
    if (view.format != Format::F8_E4M3) continue;
    const auto values = load_f32(checkpoint, view.name, view.shape, recipe);
    REQUIRE(values.ok());
    hash.add(values->data(), values->size() * sizeof(float));
    ++matrices;
  }
  return hash.hex();
}

TEST_CASE("dequant golden: every FP8 matrix has torch's bits under both recipes") {
  const std::string oracles = std::string(ASSAY_SHARED) + "/models/hf-oracles/";
  const std::vector<Golden> goldens = {
      {std::string(ASSAY_TREE) + "/suites/data/demo/model-fp8", 184,
       "7928505249dc44f8b18bb1e9c415decdf5ce35513126eace55ad9c7006168c95",
       "cdc8d5475e42e4344a0152dba426861d0522245f07083c67d2ea27c7bae6f6f6"},
      {oracles + "deepseek_v3-fp8", 34, "d62c40d5e305f90fe25fea9d4d10229c691351cc26d8129e47187a1bc40e2c8b",
       "5fc8f9adcf9e3cc3d5a10705ad6ae4cba7021a976ec7ee9b45678264da74c2b8"},
      {oracles + "deepseek_v3-fp8-noqlora", 74,
       "67de7bf127746b6051f3908782b25ae33b0c44048a5d027ddfc8ce46e0885257",
       "8bf8b99eaf32d046a023979beac5cd084d2c62fe3bf0641243027251fadea88f"},
      // Powers of two as scales, in another shard than their matrix: both recipes are exact.
      {oracles + "deepseek_v3-fp8-ue8m0", 34,
       "b5b511520efd71751c5b65b0269896e6321323530024b0f95db1a9ee46edd41e",
       "b5b511520efd71751c5b65b0269896e6321323530024b0f95db1a9ee46edd41e"}};
  for (const Golden& golden : goldens) {
    INFO(golden.folder);
    if (!fs::exists(golden.folder)) {
      std::printf("skipped: no %s\n", golden.folder.c_str());
      continue;
    }
    const auto checkpoint = Checkpoint::open(golden.folder);
    REQUIRE(checkpoint.ok());
    int matrices = 0;
    CHECK(digest_of(*checkpoint, Recipe::dequant_f32, matrices) == golden.f32);
    CHECK(digest_of(*checkpoint, Recipe::dequant_bf16, matrices) == golden.bf16);
    CHECK(matrices == golden.matrices);
  }
}

TEST_CASE("dequant golden: 8-bit fixtures of another project against their f32 references") {
  const std::string folder = std::string(ASSAY_SHARED) + "/models/format-fixtures/";
  if (!fs::exists(folder)) {
    std::puts("skipped: no ../shared/models/format-fixtures");
    return;
  }
  for (const std::string kind : {"e4m3", "e5m2"}) {
    INFO(kind);
    const auto codes = Checkpoint::open(folder + "atenia_tiny_" + kind + ".safetensors");
    const auto reference = Checkpoint::open(folder + "atenia_tiny_" + kind + "_ref_f32.safetensors");
    REQUIRE(codes.ok());
    REQUIRE(reference.ok());
    const TensorView* view = codes->find("w_" + kind);
    REQUIRE(view != nullptr);
    const auto expected = load_f32(*reference, "w_" + kind, view->shape);
    REQUIRE(expected.ok());
    REQUIRE(expected->size() == view->bytes.size());
    for (std::size_t i = 0; i < expected->size(); ++i) {
      const auto code = std::to_integer<std::uint8_t>(view->bytes[i]);
      CHECK((kind == "e4m3" ? widen_e4m3(code) : widen_e5m2(code)) == (*expected)[i]);
    }
  }
  CHECK(Checkpoint::open(folder + "atenia_assembled_reference.safetensors").ok());
  CHECK(Checkpoint::open(folder + "safetensors-cpp_gen_model.safetensors").ok());
  const auto abuse = Checkpoint::open(folder + "safetensors_abuse_attempt_1.safetensors");
  REQUIRE_FALSE(abuse.ok());
  CHECK(abuse.error().code == Code::truncated);  // a header of 1,000 bytes in a file of 88
}

TEST_CASE("dequant golden: every safetensors file in ../shared opens") {
  const std::string folder = std::string(ASSAY_SHARED) + "/models";
  if (!fs::exists(folder)) {
    std::puts("skipped: no ../shared/models");
    return;
  }
  int opened = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".safetensors" || name.find("abuse") != std::string::npos) continue;
    INFO(entry.path().string());
    const auto checkpoint = Checkpoint::open(entry.path().string());
    CHECK(checkpoint.ok());
    opened += checkpoint.ok();
  }
  CHECK(opened >= 100);
}

}  // namespace
