// Small checkpoints of our own (tests/oracle/make_family_goldens.py) for what those of ../shared leave out, through both
// paths. A folder of further ones may be named in ASSAY_ORACLES.
#include <algorithm>
#include <cstdlib>

#include "reference/model/packed_weights.h"
#include "reference/weights/writer.h"
#include "tests/golden/hf_checks.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

namespace fs = std::filesystem;

std::vector<std::string> folders() {
  std::vector<std::string> out;
  const char* const more = std::getenv("ASSAY_ORACLES");
  for (const std::string& root :
       {std::string(ASSAY_TREE) + "/tests/golden/data/families", std::string(more ? more : "")}) {
    if (root.empty()) continue;
    REQUIRE(fs::is_directory(root));
    for (const auto& entry : fs::directory_iterator(root)) {
      if (fs::exists(entry.path() / "cases.json")) out.push_back(entry.path().string());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

const std::string kFolder = std::string(ASSAY_TREE) + "/tests/golden/data/families/";

PackedModel packed(const std::string& name, Recipe recipe) {
  auto files = open_model(kFolder + name);
  if (!files.ok()) FAIL(files.error().text());
  files->config.quant.recipe = recipe;
  auto model = pack_model(*files);
  REQUIRE(model.ok());
  return std::move(*model);
}

// The checkpoint with every correction bias rounded to BF16 and then stored in `format`.
std::string with_bias_in(const Scratch& scratch, const std::string& name, Format format) {
  const auto from = Checkpoint::open(kFolder + name);
  REQUIRE(from.ok());
  std::vector<std::vector<std::byte>> memory;
  std::vector<TensorOut> tensors;
  for (const TensorView& view : from->tensors()) {
    tensors.push_back({view.name, view.format, view.shape, view.bytes});
    if (!view.name.ends_with("e_score_correction_bias")) continue;
    const auto values = load_f32(*from, view.name, view.shape);
    REQUIRE(values.ok());
    std::vector<std::byte>& bytes = memory.emplace_back();
    const auto append = [&bytes](const auto& value) {
      const auto* const p = reinterpret_cast<const std::byte*>(&value);
      bytes.insert(bytes.end(), p, p + sizeof value);
    };
    for (const float value : *values) {
      const std::uint16_t code = round_bf16(value);
      if (format == Format::BF16) append(code);
      if (format == Format::F32) append(widen_bf16(code));
      if (format == Format::F64) append(static_cast<double>(widen_bf16(code)));
    }
    tensors.back().format = format;
    tensors.back().bytes = bytes;
  }
  const std::string folder = scratch / std::string(name_of(format));
  std::filesystem::create_directory(folder);
  std::filesystem::copy_file(kFolder + name + "/config.json", folder + "/config.json");
  REQUIRE(memory.size() == 1);  // of the one layer with experts
  REQUIRE(write_safetensors(folder + "/model.safetensors", tensors).ok());
  return folder;
}

}  // namespace

TEST_CASE("family goldens: MXFP4 and FP8 weights stay codes in the panels, under dequant-bf16 FP8 is BF16") {
  const PackedModel oss = packed("gpt_oss-mxfp4-w63", Recipe::dequant_f32);
  CHECK(oss.layers[0].experts[0].gate_up.matrix.format == WeightFormat::mxfp4);
  CHECK(oss.layers[1].experts[3].down.matrix.format == WeightFormat::mxfp4);
  CHECK(oss.layers[0].experts[0].gate_up.bias.size() == 2 * 96);
  CHECK(oss.layers[0].inputs.matrix.format == WeightFormat::bf16);
  CHECK(oss.layers[0].sinks.size() == 3);
  const PackedModel e5m2 = packed("deepseek_v3-e5m2", Recipe::dequant_f32);
  CHECK(e5m2.layers[1].experts[0].gate_up.matrix.format == WeightFormat::e5m2);
  CHECK(e5m2.layers[0].o.matrix.format == WeightFormat::e5m2);
  CHECK(e5m2.layers[1].router.matrix.format == WeightFormat::bf16);
  CHECK(packed("deepseek_v3-fp8-tensor", Recipe::dequant_f32).layers[0].kv_b.matrix.format ==
        WeightFormat::e4m3);
  CHECK(packed("deepseek_v3-fp8-tensor", Recipe::dequant_bf16).layers[0].kv_b.matrix.format ==
        WeightFormat::bf16);
}

TEST_CASE("family goldens: a correction bias is read as f32 from whatever it is stored in") {
  const Scratch scratch;
  const std::vector<std::vector<std::int32_t>> prompts = {{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9}};
  std::vector<float> first;
  std::vector<double> first_exact;
  for (const Format format : {Format::F32, Format::BF16, Format::F64}) {
    const std::string folder = with_bias_in(scratch, "deepseek_v3-fp8-tensor", format);
    const auto engine = Engine::load(folder, {});
    if (!engine.ok()) FAIL(engine.error().text());
    const auto got = (*engine)->logits(prompts);
    const auto files = open_model(folder);
    const auto oracle = Oracle::load(files->checkpoint, files->config);
    REQUIRE(got.ok());
    REQUIRE(oracle.ok());
    if (first.empty()) {
      first = (*got)[0];
      first_exact = oracle->logits(prompts[0]);
    }
    CHECK((*got)[0] == first);
    CHECK(oracle->logits(prompts[0]) == first_exact);
  }
}

TEST_CASE("family goldens: the oracle path within 1e-9 of every reading") {
  const auto all = folders();
  REQUIRE(all.size() >= 10);
  for (const std::string& folder : all) {
    const hf::Variant v = hf::load_folder(folder);
    for (const assay::Json& convention : v.meta["conventions"]) {
      const auto reading = convention["reading"].get<std::string>();
      DYNAMIC_SECTION(v.name << " " << reading) { hf::check_reading(v, reading); }
    }
  }
}

TEST_CASE(
    "family goldens: the f32 path within its bar, whatever the instruction set and the cut of the prompt") {
  for (const std::string& folder : folders()) {
    const hf::Variant v = hf::load_folder(folder);
    DYNAMIC_SECTION(v.name) {
      hf::check_engine(v);
      assay::EngineOptions cut;
      cut.isa = "scalar";
      cut.prefill_chunk = 3;
      hf::check_engine(v, cut);
    }
  }
}
