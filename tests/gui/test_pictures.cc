// Pixels: what people see, drawn by the processor. The pictures lie in build/*/test-gui for people to look at.
#include <set>

#include "tests/catch.h"
#include "tests/gui/sample.h"

namespace {

using namespace assay;
using namespace assay::gui;

std::string picture_of(const std::string& path, int window, const std::string& name, FontChoice font) {
  App app = test::open_app(path);
  Headless screen(1440, 900, font);
  const auto draw = [&] { app.frame(screen.fonts()); };
  screen.frames(3, draw);
  screen.type(std::string(1, static_cast<char>('1' + window)), draw);
  screen.frames(3, draw);
  return test::keep_picture(name, screen.picture());
}

TEST_CASE("pictures: every window differs from the others") {
  const std::string path = test::write_sample("pictures.db");
  std::set<std::string> digests;
  for (int i = 0; i < kPlaces; ++i)
    digests.insert(picture_of(path, i, "window-" + std::to_string(i + 1) + ".png", FontChoice::built_in));
  CHECK(digests.size() == kPlaces);
}

TEST_CASE("pictures: the same window has the same pixels") {
  const std::string path = test::write_sample("pictures-twice.db");
  for (const int window : {1, 3, 4}) {
    CHECK(picture_of(path, window, "once.png", FontChoice::built_in) ==
          picture_of(path, window, "twice.png", FontChoice::built_in));
  }
}

TEST_CASE("pictures: with the system's fonts, for people") {
  const std::string path = test::write_sample("pictures-font.db");
  CHECK(picture_of(path, 0, "font-claims.png", FontChoice::system) !=
        picture_of(path, 3, "font-items.png", FontChoice::system));
}

}  // namespace
