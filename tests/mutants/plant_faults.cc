// plant_faults TREE OUT BIN: writes into OUT the sources of TREE that the lists of tests/mutants/faults name,
// with all faults planted as switches; fault_table.cc; and planted_tests.cmake, which names a test for each
// fault (the programs lie in BIN). Run by the build.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "tests/mutants/planting.h"

namespace {

using namespace assay;
using namespace assay::mutants;
namespace fs = std::filesystem;

Status write_if_changed(const fs::path& path, const std::string& text) {
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  if (const auto old = read_file(path.string()); old.ok() && *old == text) return {};
  return write_file_atomic(path.string(), text);
}

std::string quoted(const std::string& text) { return fmt::format("R\"_({})_\"", text); }

std::string table_of(const std::vector<Fault>& faults) {
  std::string rows;
  for (const Fault& f : faults)
    rows += fmt::format("    {{\"{}\", {}u, \"{}\", {}}},\n", f.name, f.id, f.kind, quoted(f.killer));
  return fmt::format(
      "#include \"tests/mutants/fault_table.h\"\n\nunsigned assay_planted_fault = 0;\n\n"
      "namespace assay::mutants {{\nstd::span<const FaultRow> fault_table() {{\n"
      "  static const FaultRow kRows[] = {{\n{}  }};\n  return kRows;\n}}\n}}  // namespace assay::mutants\n",
      rows);
}

// What ctest includes: a killed fault is a passed test.
std::string tests_of(const std::vector<Fault>& faults, const std::string& bin) {
  std::string text;
  const auto add = [&](const std::string& name, const std::string& kind, const std::string& arguments) {
    text += fmt::format(
        "add_test([==[{}]==] {}/test_{}_faults {})\n"
        "set_tests_properties([==[{}]==] PROPERTIES TIMEOUT 120 LABELS mutants)\n",
        name, bin, kind, arguments, name);
  };
  std::set<std::string> kinds;
  for (const Fault& f : faults) {
    add(fmt::format("mutants: {} is killed by \"{}: {}\"", f.name, f.kind, f.killer), f.kind, f.name);
    kinds.insert(f.kind);
  }
  for (const std::string& kind : kinds)
    add(fmt::format("mutants: with no fault on, every killer of {} passes", kind), kind, "none " + kind);
  return text;
}

// Prints every edit of a file that cannot be planted by itself, or why all together cannot; how many.
int report(const std::string& source, const std::string& path, const std::vector<Edit>& edits,
           const Error& together) {
  int n = 0;
  for (const Edit& edit : edits) {
    const auto alone = plant(source, path, {edit});
    if (alone.ok()) continue;
    std::fprintf(stderr, "plant_faults: %s\n", alone.error().text().c_str());
    ++n;
  }
  if (n == 0) std::fprintf(stderr, "plant_faults: %s\n", together.text().c_str());
  return std::max(n, 1);
}

Status run(const fs::path& tree, const fs::path& out, const std::string& bin) {
  ASSAY_TRY(const std::vector<Fault> faults, read_faults((tree / "tests/mutants/faults").string()));
  int rotten = 0;
  std::map<std::string, std::vector<Edit>> by_file;
  for (const Fault& f : faults) {
    for (const Edit& e : f.edits) by_file[e.file].push_back(e);
  }
  for (const auto& [file, edits] : by_file) {
    const std::string path = (tree / file).string();
    ASSAY_TRY(const std::string source, read_file(path));
    const auto planted = plant(source, path, edits);
    if (!planted.ok()) {
      rotten += report(source, path, edits, planted.error());
      continue;
    }
    ASSAY_OK(write_if_changed(out / file, *planted));
  }
  if (rotten > 0) {
    return Error{.code = Code::bad_value,
                 .message = "anchors of planted faults are not where the lists say; mend the lists",
                 .got = fmt::format("{} of them", rotten)};
  }
  ASSAY_OK(write_if_changed(out / "fault_table.cc", table_of(faults)));
  return write_if_changed(out / "planted_tests.cmake", tests_of(faults, bin));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: plant_faults TREE OUT BIN\n", stderr);
    return 2;
  }
  const Status done = run(argv[1], argv[2], argv[3]);
  if (!done.ok()) std::fprintf(stderr, "plant_faults: %s\n", done.error().text().c_str());
  return done.ok() ? 0 : 1;
}
