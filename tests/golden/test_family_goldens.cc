// Small checkpoints of our own (tests/oracle/make_family_goldens.py) for what those of ../shared leave out, through both
// paths. A folder of further ones may be named in ASSAY_ORACLES.
#include <algorithm>
#include <cstdlib>

#include "tests/golden/hf_checks.h"

namespace {

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

}  // namespace

TEST_CASE("family goldens: the oracle path within 1e-9 of every reading") {
  const auto all = folders();
  REQUIRE(all.size() >= 12);
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
