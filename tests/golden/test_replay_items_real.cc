// Suites whose items lie only inside stored outputs: their number and digest are those of the items that the files in ../shared hold together.
#include <cstdio>
#include <filesystem>
#include <map>

#include "base/sha256.h"
#include "eval/replay/replay.h"
#include "eval/replay/replay_score.h"
#include "tests/catch.h"

namespace {

using namespace assay;

// SHA-256 over the fields id, item digest of all items in the order of their ids. Items that files of one suite describe differently fail.
std::string digest_of(const std::string& folder, const std::string& format, std::size_t& count) {
  std::map<std::string, std::string> items;
  const Importer* importer = find_importer(format).value();
  const auto files = list_outputs({folder}).value();
  for (const auto& file : files) {
    const auto counts = read_stored(file, *importer, {}, [&](StoredOutput output) -> Status {
      const Item item = item_of_record(output);
      const auto [at, fresh] = items.emplace(item.id, item.digest());
      if (!fresh && at->second != item.digest()) FAIL("two files describe an item differently: " + item.id);
      return {};
    });
    REQUIRE(counts.ok());
  }
  Sha256 sha;
  for (const auto& [id, digest] : items) sha.add_field(id).add_field(digest);
  count = items.size();
  return sha.hex();
}

}  // namespace

TEST_CASE("formats real: items inside stored outputs are those that the definitions pin", "[.long]") {
  const std::tuple<const char*, const char*, const char*> kSuites[] = {
      {"evalperf", "evalplus", "evalplus_evalperf"},
      {"misguided-attention", "misguided-attention", "misguided_attention/scores"},
      {"wildbench", "wildbench", "wildbench"},
  };
  for (const auto& [name, format, folder] : kSuites) {
    const std::string path = std::string(ASSAY_SHARED "/data/") + folder;
    if (!std::filesystem::exists(path)) {
      std::printf("skipped: %s is not there\n", path.c_str());
      continue;
    }
    const auto suite = load_suite(name);
    REQUIRE(suite.ok());
    std::size_t count = 0;
    INFO(name);
    CHECK(digest_of(path, format, count) == suite->items_digest);
    CHECK(static_cast<std::int64_t>(count) == suite->n_items);
  }
}
