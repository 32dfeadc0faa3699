// `inspect`: the bundled model's published counts, the fork, one file, folders without a configuration, oracles of ../shared.
#include <sys/resource.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "eval/inspect.h"
#include "reference/model/families.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

const std::string kBundled = std::string(ASSAY_TREE) + "/suites/data/demo/";

TEST_CASE("inspect: the bundled model has the counts that its README states") {
  const auto result = inspect_model(kBundled + "model", {});
  REQUIRE(result.ok());
  const Json& i = *result;
  CHECK(i.at("family") == "deepseek_v3");
  CHECK(i.at("architecture") == "DeepseekV3ForCausalLM");
  CHECK(i.at("params_total") == 2029188);
  CHECK(i.at("params_active") == 1199748);
  CHECK(i.at("params_stored") == 2888128);
  CHECK(i.at("params_mtp") == 858940);
  CHECK(i.at("params_mtp_unique") == 858940 - 327680);
  CHECK(i.at("mtp_modules") == 1);
  CHECK(i.at("tensors") == 221);
  CHECK(i.at("bytes") == 5776352);
  CHECK(i.at("bytes_by_format").at("F32") == 4 * 12 * 4);  // four correction biases of 12 experts
  CHECK(i.at("context_length") == 1024);
  CHECK(i.at("kv_bytes_per_token") == 4 * (64 + 16) * 2);  // layers x (latent + rotated key) in bf16
  CHECK(i.at("warnings").empty());
  CHECK(i.at("conventions").at("closed-groups") == "minus-infinity");
  CHECK(i.at("digest").at("weights_of") == "headers");
  CHECK(i.at("digest").at("config") == sha256_hex(*read_file(kBundled + "model/config.json")));
}

TEST_CASE("inspect: block scales of the fork are not parameters") {
  const auto result = inspect_model(kBundled + "model-fp8", {});
  REQUIRE(result.ok());
  CHECK(result->at("params_total") == 2029188);
  CHECK(result->at("params_stored") == 2888128);
  CHECK(result->at("block_scales") == 184);
  CHECK(result->at("tensors") == 221 + 184);
  CHECK(result->at("bytes_by_format").at("F8_E4M3").get<int>() > 2'000'000);
}

TEST_CASE("inspect: --digest reads the bytes and says so") {
  const auto result = inspect_model(kBundled + "model", {.read_bytes = true});
  REQUIRE(result.ok());
  CHECK(result->at("digest").at("weights_of") == "bytes");
  CHECK(result->at("digest").at("weights") == Checkpoint::open(kBundled + "model")->weights_digest());
}

TEST_CASE("inspect: the tensor list names every tensor once") {
  const auto result = inspect_model(kBundled + "model", {.list_tensors = true});
  REQUIRE(result.ok());
  const Json& list = result->at("tensor_list");
  REQUIRE(list.size() == 221);
  std::int64_t bytes = 0;
  for (const Json& t : list) bytes += t.at("bytes").get<std::int64_t>();
  CHECK(bytes == 5776352);
  CHECK(inspect_text(*result).find("model.layers.3.mlp.experts.11.down_proj.weight") != std::string::npos);
}

TEST_CASE("inspect: one shard by itself is told as a part") {
  const auto result = inspect_model(kBundled + "model/model-00002-of-00002.safetensors", {});
  REQUIRE(result.ok());
  REQUIRE(result->at("warnings").size() == 1);
  CHECK(result->at("warnings")[0].get<std::string>().find("not the whole model") != std::string::npos);
}

TEST_CASE("inspect: without a configuration the headers are told and the rest is null") {
  Scratch scratch;
  const std::vector<float> values = {1, 2, 3};
  REQUIRE(write_safetensors(scratch / "m.safetensors", std::vector<TensorOut>{tensor_out("w", {3}, values)})
              .ok());
  const auto result = inspect_model(scratch / "m.safetensors", {});
  REQUIRE(result.ok());
  CHECK(result->at("params_total") == 3);
  CHECK(result->at("params_active").is_null());
  CHECK(result->at("family").is_null());
  CHECK(result->at("warnings").size() == 1);
  CHECK(inspect_text(*result).find("not known") != std::string::npos);
}

TEST_CASE("inspect: only headers are read, whatever the size of the tensors") {
  // A sparse file of 8 GB: reading its bytes would take seconds and show as resident memory.
  Scratch scratch;
  const std::string header = R"({"w":{"dtype":"F32","shape":[2147483648],"data_offsets":[0,8589934592]}})";
  std::string prefix(8, '\0');
  prefix[0] = static_cast<char>(header.size());
  const std::string file = scratch.write("big.safetensors", prefix + header);
  fs::resize_file(file, 8 + header.size() + 8589934592ULL);
  struct rusage before {
  }, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto result = inspect_model(file, {});
  ::getrusage(RUSAGE_SELF, &after);
  REQUIRE(result.ok());
  CHECK(result->at("params_total") == 2147483648);
  CHECK(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
}

TEST_CASE("inspect: every oracle of a known family fits its configuration") {
  const fs::path folder = fs::path(ASSAY_SHARED) / "models/hf-oracles";
  if (!fs::exists(folder)) {
    std::puts("skipped: no ../shared/models/hf-oracles");
    return;
  }
  int known = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    INFO(name);
    const bool is_known = find_family(name.substr(0, name.find('-'))) != nullptr;
    const auto result = inspect_model(entry.path().string(), {});
    CHECK(result.ok() == is_known);
    if (result.ok()) {
      ++known;
      CHECK(result->at("params_active").get<std::int64_t>() <=
            result->at("params_total").get<std::int64_t>());
      CHECK(result->at("params_total").get<std::int64_t>() + result->at("params_mtp").get<std::int64_t>() ==
            result->at("params_stored").get<std::int64_t>());
    } else {
      CHECK(result.error().code == Code::unsupported);
      CHECK(inspect_model(entry.path().string(), {.headers_only = true}).ok());
    }
  }
  CHECK(known >= 45);
}

TEST_CASE("inspect: on the command line, as JSON and as a table") {
  Scratch scratch;
  const auto json = run_assay({"inspect", kBundled + "model", "--json"}, scratch.path());
  CHECK(json.code == 0);
  CHECK(json.err.empty());
  const auto document = parse_json(json.out, "stdout");
  REQUIRE(document.ok());
  for (const char* field :
       {"family", "architecture", "params_total", "params_active", "tensors", "bytes_by_format",
        "kv_bytes_per_token", "flops_per_token", "context_length", "digest", "conventions", "warnings"}) {
    INFO(field);
    CHECK(document->contains(field));
  }
  const auto table = run_assay({"inspect", kBundled + "model"}, scratch.path());
  CHECK(table.code == 0);
  CHECK(table.out.find("2,029,188, active per token 1,199,748") != std::string::npos);
  CHECK(fs::is_empty(scratch.path()));  // no database is made
}

}  // namespace
