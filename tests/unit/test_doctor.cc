// `assay doctor`: every finding is there, says what to do where something is missing, and a bad database is called broken.
#include "eval/doctor.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace assay {
namespace {

const Finding& named(const std::vector<Finding>& findings, const std::string& name) {
  for (const auto& f : findings) {
    if (f.name == name) return f;
  }
  FAIL("no finding " << name);
  return findings.front();
}

TEST_CASE("doctor: looks at everything and advises where something is missing") {
  const auto findings = examine((std::filesystem::temp_directory_path() / "assay-doctor-new.db").string());
  for (const char* name :
       {"processor", "kernels", "memory", "gpu", "display", "sandbox", "data", "database"}) {
    const auto& f = named(findings, name);
    CHECK_FALSE(f.found.empty());
    CHECK(f.advice.empty() == (f.health == Health::fine));
  }
  CHECK(named(findings, "data").health == Health::fine);
  CHECK(named(findings, "database").found.find("will be created") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(std::filesystem::temp_directory_path() / "assay-doctor-new.db"));
}

TEST_CASE("doctor: JSON says whether it works and lists the kernels") {
  const auto findings = examine("assay-doctor-none.db");
  const Json document = doctor_json(findings);
  CHECK(document["works"].get<bool>());
  CHECK(document["checks"].size() == findings.size());
  CHECK(document["isas"][0] == "scalar");
  CHECK(doctor_text(findings).find("processor") != std::string::npos);
}

TEST_CASE("doctor: a file that is no database, and a folder that is not there, are broken") {
  const auto path =
      std::filesystem::temp_directory_path() / ("assay-doctor-" + std::to_string(::getpid()) + ".db");
  std::ofstream(path) << "not a database at all, but long enough to look like one from afar";
  const auto findings = examine(path.string());
  CHECK(named(findings, "database").health == Health::broken);
  CHECK_FALSE(doctor_json(findings)["works"].get<bool>());
  std::filesystem::remove(path);
  CHECK(named(examine("/nowhere/at/all/assay.db"), "database").health == Health::broken);
}

TEST_CASE("doctor: kernels that ASSAY_ISA asks for and that are not there are broken, not a crash") {
  ::setenv("ASSAY_ISA", "avx9000", 1);
  const auto findings = examine("x.db");
  ::unsetenv("ASSAY_ISA");
  CHECK(named(findings, "processor").health == Health::broken);
  CHECK(named(findings, "processor").found.find("avx9000") != std::string::npos);
}

}  // namespace
}  // namespace assay
