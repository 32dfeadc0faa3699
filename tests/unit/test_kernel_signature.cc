// Every implementation and thread count gives the committed digests; tests/neon/run.sh holds AArch64 to the same file.
#include "tests/unit/kernel_signature.h"

#include "base/file.h"
#include "tests/catch.h"
#include "tests/unit/kernel_fixture.h"

namespace assay {
namespace {

TEST_CASE("kernel signature: every implementation gives the committed digests") {
  const std::string path = ASSAY_TREE "/tests/golden/data/kernel_signature.txt";
  const auto golden = read_file(path);
  REQUIRE(golden.ok());
  test::each_compute([&](const Compute& c) { CHECK(test::signature_text(test::kernel_signature(c)) == golden.value()); });
}

TEST_CASE("kernel signature: one bit of one value changes the digest") {
  std::vector<float> values = test::signature_floats(1'000, 3);
  const auto digest = [](const std::vector<float>& all) {
    test::SignatureHash hash;
    hash.add_all(all);
    return hash.value();
  };
  const std::uint64_t before = digest(values);
  values[700] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(values[700]) ^ 1u);
  CHECK(digest(values) != before);
}

}  // namespace
}  // namespace assay
