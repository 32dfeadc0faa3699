// The program: refusals before any window, pictures without a display, and once on a virtual screen with OpenGL.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "reports/database.h"
#include "tests/catch.h"
#include "tests/gui/sample.h"

namespace {

using namespace assay;

struct Outcome {
  int exit = -1;
  std::string out, err;
};

// Runs the viewer (or `before` it: xvfb-run ...) without a display of its own.
Outcome viewer(const std::string& arguments,
               const std::string& before = "env -u DISPLAY -u WAYLAND_DISPLAY") {
  const std::string out = test::scratch("viewer-" + std::to_string(getpid()) + ".out"),
                    err = test::scratch("viewer-" + std::to_string(getpid()) + ".err");
  const std::string command =
      before + " " + ASSAY_BIN + "/assay-viewer " + arguments + " >" + out + " 2>" + err;
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, *read_file(out), *read_file(err)};
}

void check_refused(const Outcome& outcome, int exit, const std::string& part) {
  INFO(outcome.err);
  CHECK(outcome.exit == exit);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.starts_with("assay: "));
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  CHECK(outcome.err.find(part) != std::string::npos);
}

TEST_CASE("viewer: what is not a database is refused in one line") {
  const std::string picture = test::scratch("refused.png");
  const std::string text = test::scratch("text.db");
  REQUIRE(write_file_atomic(text, std::string(5000, 'x')).ok());
  check_refused(viewer(text), 3, "not a database");
  check_refused(viewer(text + " --screenshot " + picture), 3, "not a database");
  check_refused(viewer(test::scratch("missing.db")), 3, "no such database");
  const std::string nothing = test::scratch("nothing.db");
  REQUIRE(write_file_atomic(nothing, "").ok());
  check_refused(viewer(nothing), 3, "not one that assay wrote");
  check_refused(viewer("/"), 3, "/");
  CHECK_FALSE(std::filesystem::exists(picture));
}

TEST_CASE("viewer: a stranger's database and a damaged one are refused") {
  const std::string path = test::write_sample("damaged.db");
  std::string bytes = *read_file(path);
  for (std::size_t i = 8192; i < 40'000; ++i) bytes[i] = static_cast<char>(i * 37);
  REQUIRE(write_file_atomic(path, bytes).ok());
  const Outcome damaged = viewer(path);
  check_refused(damaged, 3, path);
  const std::string cut = test::write_sample("cut.db");
  const std::string whole = *read_file(cut);
  REQUIRE(write_file_atomic(cut, whole.substr(0, whole.size() / 2)).ok());
  check_refused(viewer(cut), 3, cut);
}

TEST_CASE("viewer: wrong use is said in one line") {
  const std::string path = test::write_sample("usage.db");
  check_refused(viewer(path + " --window nonsense"), 2, "claims, forest, runs");
  check_refused(viewer(path + " --size 12"), 2, "WIDTHxHEIGHT");
  check_refused(viewer(path + " --size 99999x100"), 2, "WIDTHxHEIGHT");
  check_refused(viewer(path + " --nonsense"), 2, "--help");
}

TEST_CASE("viewer: without a display it names --screenshot") {
  check_refused(viewer(test::write_sample("no-display.db")), 3, "--screenshot");
}

TEST_CASE("viewer: help has examples, version has a number") {
  const Outcome help = viewer("--help");
  CHECK(help.exit == 0);
  CHECK(help.out.find("--screenshot claims.png") != std::string::npos);
  const Outcome version = viewer("--version");
  CHECK(version.exit == 0);
  CHECK(version.out.find("assay-viewer ") != std::string::npos);
}

TEST_CASE("viewer: a picture without a display, of any window, with keys pressed first") {
  const std::string path = test::write_sample("shot.db"), picture = test::scratch("shot.png"),
                    other = test::scratch("shot-2.png");
  const Outcome first =
      viewer(path + " --window forest --built-in-font --size 800x500 --screenshot " + picture);
  INFO(first.err);
  CHECK(first.exit == 0);
  CHECK(read_file(picture)->substr(1, 3) == "PNG");
  CHECK(
      viewer(path + " --window forest --built-in-font --size 800x500 --keys jf --screenshot " + other).exit ==
      0);
  CHECK(*read_file(picture) != *read_file(other));
  check_refused(viewer(path + " --screenshot /nowhere/x.png"), 3, "/nowhere");
}

TEST_CASE("viewer: on a virtual screen it draws frames with OpenGL and ends") {
  if (std::system("command -v Xvfb >/dev/null 2>&1 && command -v xvfb-run >/dev/null 2>&1") != 0) {
    std::printf("skipped: Xvfb is not installed\n");
    return;
  }
  const std::string path = test::write_sample("screen.db");
  // Mesa's software driver keeps 240 bytes when it is unloaded: leaks are looked for where no driver is, in every other test.
  const Outcome outcome = viewer(path + " --window items --frames 10",
                                 "env LIBGL_ALWAYS_SOFTWARE=1 ASAN_OPTIONS=detect_leaks=0 xvfb-run -a -s '-screen 0 1600x1000x24'");
  INFO(outcome.err);
  CHECK(outcome.exit == 0);
  CHECK(outcome.out == "frames 10 blank false\n");
}

}  // namespace
