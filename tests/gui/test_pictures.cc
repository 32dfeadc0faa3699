// Pixels: what people see, drawn by the processor. The pictures lie in build/*/test-gui for people to look at.
#include <set>

#include "tests/catch.h"
#include "tests/gui/sample.h"

namespace {

using namespace assay;
using namespace assay::gui;

// All windows of a database, one picture each.
std::vector<std::string> all_windows(const std::string& path, const std::string& prefix, FontChoice font) {
  std::vector<std::string> digests;
  for (int i = 0; i < kPlaces; ++i) {
    App app = test::open_app(path);
    Headless screen(1440, 900, font);
    const auto draw = [&] { app.frame(screen.fonts()); };
    screen.frames(3, draw);
    screen.type(std::string(1, static_cast<char>('1' + i)), draw);
    screen.frames(3, draw);
    digests.push_back(
        test::keep_picture(prefix + std::string(app.active().key()) + ".png", screen.picture()));
  }
  return digests;
}

TEST_CASE("pictures: every window differs from the others and is the same twice") {
  const std::string path = test::write_sample("pictures.db");
  const auto first = all_windows(path, "sample-", FontChoice::built_in);
  const auto second = all_windows(path, "sample-", FontChoice::built_in);
  CHECK(first == second);
  CHECK(std::set<std::string>(first.begin(), first.end()).size() == kPlaces);
}

TEST_CASE("pictures: with the system's fonts, for people") {
  const std::string path = test::write_sample("pictures-font.db");
  CHECK(all_windows(path, "font-", FontChoice::system).size() == kPlaces);
}

}  // namespace
