// Errors, digests, files, random numbers, threads: what everything else stands on.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "base/view.h"
#include "tests/catch.h"

using namespace assay;
namespace fs = std::filesystem;

namespace {

fs::path scratch(const std::string& name) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("assay-base-{}", ::getpid());
  fs::create_directories(folder);
  return folder / name;
}

Result<int> half(int n) {
  if (n % 2 != 0) return Error{.code = Code::bad_value, .message = "odd"};
  return n / 2;
}

Result<int> quarter(int n) {
  ASSAY_TRY(const int once, half(n));
  return half(once);
}

}  // namespace

TEST_CASE("error: one line with everything that is known") {
  const Error error{.code = Code::truncated,
                    .message = "the file ends early",
                    .file = "m.safetensors",
                    .offset = 8,
                    .field = "a\nb",
                    .expected = "10",
                    .got = "9"};
  CHECK(error.text() == "the file ends early [m.safetensors at byte 8], field 'a b', expected 10, got 9");
  CHECK(name_of(Code::bad_json) == "bad_json");
  std::set<std::string_view> names, meanings;
  for (int i = 0; i <= static_cast<int>(Code::interrupted); ++i) {
    names.insert(name_of(static_cast<Code>(i)));
    meanings.insert(meaning_of(static_cast<Code>(i)));
  }
  CHECK(names.size() == static_cast<std::size_t>(Code::interrupted) + 1);
  CHECK(meanings.size() == names.size());
}

TEST_CASE("result: values and errors travel") {
  CHECK(*quarter(8) == 2);
  CHECK(quarter(6).error().message == "odd");
  const Status fine;
  CHECK(fine.ok());
  const Status bad = Error{.message = "no"};
  CHECK_FALSE(bad.ok());
}

TEST_CASE("sha256: FIPS 180-4 examples; fields cannot be confused") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256().add_field("ab").add_field("c").hex() != Sha256().add_field("a").add_field("bc").hex());
}

TEST_CASE("file: read with a limit, replace atomically, map") {
  const std::string path = scratch("a.txt").string();
  REQUIRE(write_file_atomic(path, "hello").ok());
  REQUIRE(write_file_atomic(path, "hello again").ok());
  CHECK(*read_file(path) == "hello again");
  CHECK(read_file(path, 3).error().code == Code::too_large);
  CHECK(read_file(path + ".absent").error().code == Code::not_found);
  CHECK(read_file(fs::temp_directory_path().string()).error().code == Code::io);
  CHECK(write_file_atomic("/proc/no/such/folder", "x").error().code == Code::not_found);
  const auto mapped = MappedFile::open(path);
  REQUIRE(mapped.ok());
  CHECK(mapped->text() == "hello again");
  mapped->release(mapped->bytes());
  CHECK(mapped->text() == "hello again");
  REQUIRE(write_file_atomic(path, "").ok());
  CHECK(MappedFile::open(path)->bytes().empty());
  CHECK(MappedFile::open(path + ".absent").error().code == Code::not_found);
  for (const auto& entry : fs::directory_iterator(fs::path(path).parent_path()))
    CHECK(entry.path().extension() != ".part");
}

TEST_CASE("file: a pipe is read to its end, and not beyond the limit") {
  const std::string text(60'000, 'x');  // fits into a pipe's buffer
  for (const std::size_t limit : {text.size(), text.size() - 1, std::size_t{5}}) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(ends[1]);
    const Result<std::string> got = read_file("/dev/fd/" + std::to_string(ends[0]), limit);
    if (limit >= text.size()) {
      REQUIRE(got.ok());
      CHECK(*got == text);
    } else {
      CHECK(got.error().code == Code::too_large);
    }
    ::close(ends[0]);
  }
  CHECK(read_file("/dev/zero", 100'000).error().code == Code::too_large);
  CHECK(*read_file("/dev/null") == "");
}

TEST_CASE("rng: Philox4x32-10 known answers") {
  // Random123's kat_vectors: counter, key -> output.
  CHECK(philox({0, 0, 0, 0}, {0, 0}) ==
        std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("rng: streams are pure functions of their name and look random") {
  Stream a(7, 3, 1), b(7, 3, 1), c(7, 3, 2);
  CHECK(a.u64() == b.u64());
  CHECK(a.u64() != c.u64());
  double sum = 0, squares = 0;
  std::array<int, 5> counts{};
  constexpr int kDraws = 50000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = a.normal();
    sum += x;
    squares += x * x;
    ++counts[a.below(5)];
  }
  CHECK(std::abs(sum / kDraws) < 5 / std::sqrt(kDraws));
  CHECK(std::abs(squares / kDraws - 1) < 5 * std::sqrt(2.0 / kDraws));
  for (const int n : counts) CHECK(std::abs(n - kDraws / 5) < 5 * std::sqrt(kDraws / 5.0));
}

TEST_CASE("parallel: every index once, on any number of threads, again and again") {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    CHECK(pool.n_threads() == threads);
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{1000}}) {
      std::vector<std::atomic<int>> hits(n);
      pool.run(n, [&](std::size_t i, int thread) {
        REQUIRE(thread < threads);
        ++hits[i];
      });
      for (const auto& hit : hits) CHECK(hit == 1);
    }
  }
  CHECK(hardware_threads() >= 1);
}

TEST_CASE("view: rows of a strided matrix") {
  std::vector<float> values = {1, 2, 0, 3, 4, 0};
  const MatrixView<float> m(values.data(), 2, 2, 3);
  CHECK(m.at(1, 0) == 3);
  CHECK(m.row(1).size() == 2);
  const MatrixView<const float> read_only = m;
  CHECK(read_only.at(0, 1) == 2);
}
