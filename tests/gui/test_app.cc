// The whole shell with scripted keys and mouse: what is shown, what is selected, and that nothing breaks or writes.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "gui/keys.h"
#include "tests/catch.h"
#include "tests/gui/sample.h"

namespace {

using namespace assay;
using namespace assay::gui;

// An application with a screen; frames are settled.
struct Stage {
  explicit Stage(const std::string& path, int width = 1440, int height = 900)
      : app(test::open_app(path)), screen(width, height, FontChoice::built_in) {
    draw = [this] { app.frame(screen.fonts()); };
    screen.frames(3, draw);
  }
  void type(const std::string& keys) { screen.type(keys, draw); }
  void press(int code, bool control = false) { screen.press(code, draw, control); }
  std::string text() {
    std::string log;
    screen.frame([&] { app.frame(screen.fonts(), &log); });
    return log;
  }

  App app;
  Headless screen;
  Headless::Draw draw;
};

// Compares with tests/gui/golden/NAME.txt; ASSAY_UPDATE_GOLDEN=1 writes it.
void check_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(ASSAY_TREE) + "/tests/gui/golden/" + name + ".txt";
  if (std::getenv("ASSAY_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    REQUIRE(write_file_atomic(path, text).ok());
  }
  const auto golden = read_file(path);
  INFO("ASSAY_UPDATE_GOLDEN=1 writes " << path);
  REQUIRE(golden.ok());
  CHECK(text == *golden);
}

// The log without the status line, which holds the file's digest.
std::string without_status(const std::string& text) {
  std::string kept;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (line.find("sha256") == std::string::npos) kept += line + "\n";
    at = end + 1;
  }
  return kept;
}

TEST_CASE("app: what each window says") {
  const std::string path = test::write_sample("said.db");
  for (const char* key :
       {"claims", "forest", "runs", "items", "similarity", "cost", "kernels", "models", "log"}) {
    Stage stage(path);
    stage.app.state().place = *stage.app.place_of(key);
    stage.screen.frames(3, stage.draw);
    check_golden(key, without_status(stage.text()));
  }
}

TEST_CASE("app: an empty database says in every window which command fills it") {
  const std::string path = test::write_empty("empty.db");
  for (int i = 0; i < kPlaces; ++i) {
    Stage stage(path);
    stage.type(std::string(1, static_cast<char>('1' + i)));
    const std::string text = stage.text();
    INFO(stage.app.active().key() << "\n" << text);
    CHECK(text.find("assay ") != std::string::npos);
  }
}

TEST_CASE("app: digits open windows, Backspace goes back") {
  Stage stage(test::write_sample("digits.db"));
  stage.type("35");
  CHECK(stage.app.state().place == Place::similarity);
  stage.press(key::kBackspace);
  CHECK(stage.app.state().place == Place::runs);
  stage.press(key::kBackspace);
  stage.press(key::kBackspace);
  CHECK(stage.app.state().place == Place::claims);
}

TEST_CASE("app: rows move by keys and stop at the ends") {
  Stage stage(test::write_sample("rows.db"));
  const auto row = [&] { return stage.app.state().cursor().row; };
  stage.type("jjj");
  CHECK(row() == 3);
  stage.type("k");
  stage.press(key::kDown);
  CHECK(row() == 3);
  stage.press(key::kEnd);
  CHECK(row() == 6);
  stage.type("j");
  CHECK(row() == 6);
  stage.press(key::kHome);
  stage.type("k");
  CHECK(row() == 0);
  stage.press(key::kPageDown);
  CHECK(row() == 6);
}

TEST_CASE("app: one selection for all windows") {
  Stage stage(test::write_sample("linked.db"));
  stage.type("jj");  // the fork's claim: run 2 against run 1
  CHECK(stage.app.state().selection.claim == 3);
  CHECK(stage.app.state().selection.run_a == 2);
  CHECK(stage.app.state().selection.run_b == 1);
  stage.press(key::kEnter);
  CHECK(stage.app.state().place == Place::forest);
  CHECK(stage.text().find("sample-fork") != std::string::npos);
  stage.type("j");  // the forest's order is its own: the next row is another claim, and the list follows
  const auto claim = stage.app.state().selection.claim;
  CHECK(claim != 3);
  stage.type("1");
  CHECK(stage.app.store().claims[static_cast<std::size_t>(stage.app.state().cursor().row)].id == claim);
}

TEST_CASE("app: runs A and B are chosen, swapped and shown") {
  Stage stage(test::write_sample("sides.db"));
  stage.type("3");
  stage.press(key::kHome);
  stage.type("ajb");
  CHECK(stage.app.state().selection.run_a == 1);
  CHECK(stage.app.state().selection.run_b == 2);
  stage.type("x");
  CHECK(stage.app.state().selection.run_a == 2);
  CHECK(stage.app.state().selection.run_b == 1);
}

TEST_CASE("app: in items f goes through the kinds and n jumps to flips") {
  Stage stage(test::write_sample("flipped.db"));
  stage.app.state().selection.run_a = 1;
  stage.app.state().selection.run_b = 2;
  stage.type("4");
  CHECK(stage.app.active().rows() == test::kSampleItems);
  stage.type("n");
  CHECK(stage.app.state().cursor().row == 3);
  stage.type("nn");
  CHECK(stage.app.state().cursor().row == 7);
  stage.type("p");
  CHECK(stage.app.state().cursor().row == 4);
  stage.type("f");
  CHECK(stage.app.active().rows() == 8);  // wrong in A
  stage.type("f");
  CHECK(stage.app.active().rows() == 14);  // flips: 8 + 10 wrong, 2 in both
  stage.press(key::kEscape);
  CHECK(stage.app.active().rows() == test::kSampleItems);
}

TEST_CASE("app: the filter takes letters as text, Escape clears it") {
  Stage stage(test::write_sample("filtered.db"));
  stage.type("/");
  stage.type("inflated");
  CHECK(stage.app.state().cursor().filter == "inflated");
  CHECK(stage.app.active().rows() == 1);
  CHECK(stage.app.state().place == Place::claims);
  stage.press(key::kEscape);
  stage.screen.frames(2, stage.draw);
  CHECK(stage.app.state().cursor().filter.empty());
  CHECK(stage.app.active().rows() == 7);
  stage.type("j");
  CHECK(stage.app.state().cursor().row == 1);
}

TEST_CASE("app: the palette finds a window by name") {
  Stage stage(test::write_sample("palette.db"));
  stage.press(key::kP, true);
  CHECK(stage.app.state().overlay == Overlay::palette);
  stage.type("kern");
  stage.press(key::kEnter);
  CHECK(stage.app.state().place == Place::kernels);
  CHECK(stage.app.state().overlay == Overlay::none);
}

TEST_CASE("app: help lists every key") {
  Stage stage(test::write_sample("help.db"));
  stage.type("?");
  stage.screen.frames(2, stage.draw);
  const std::string text = stage.text();
  for (const Binding& binding : bindings()) CHECK(text.find(binding.name) != std::string::npos);
  stage.press(key::kEscape);
  CHECK(stage.app.state().overlay == Overlay::none);
}

TEST_CASE("app: evidence shows the query and its rows, c copies the query") {
  Stage stage(test::write_sample("evident.db"));
  stage.type("e");
  stage.screen.frames(2, stage.draw);
  CHECK(stage.text().find("FROM verdict v") != std::string::npos);
  stage.type("c");
  CHECK(stage.screen.clipboard().find("WHERE v.claim_id = 1") != std::string::npos);
}

TEST_CASE("app: c copies the row as Markdown") {
  Stage stage(test::write_sample("copied.db"));
  stage.type("jc");
  CHECK(stage.screen.clipboard().find("| contradicted | sample-inflated | 95.8 % on world-mc, 0-shot |") !=
        std::string::npos);
  CHECK(stage.app.state().message == "row copied as Markdown");
}

TEST_CASE("app: s asks for a picture, and both files are written") {
  Stage stage(test::write_sample("saved.db"));
  stage.type("2s");
  REQUIRE(stage.app.wants_save());
  const std::string folder = std::filesystem::path(test::scratch("saved-forest")).parent_path().string();
  test::scratch("assay-forest.png");
  stage.app.save(folder, stage.screen.picture(), stage.text());
  CHECK_FALSE(stage.app.wants_save());
  CHECK(std::filesystem::file_size(folder + "/assay-forest.png") > 1000);
  CHECK(read_file(folder + "/assay-forest.txt")->find("sample-mc") != std::string::npos);
  stage.type("s");
  stage.app.save("/nowhere/at/all", stage.screen.picture(), "");
  CHECK(stage.app.state().message.find("/nowhere/at/all") != std::string::npos);
}

TEST_CASE("app: the mouse selects, sorts and goes in") {
  Stage stage(test::write_sample("mouse.db"));
  const Image before = stage.screen.picture();
  stage.screen.click(60, 130, stage.draw);  // a place in the rail
  CHECK(stage.app.state().place != Place::claims);
  stage.type("1");
  stage.screen.click(400, 190, stage.draw);
  const auto row = stage.app.state().cursor().row;
  CHECK(row > 0);
  stage.screen.double_click(400, 190, stage.draw);
  CHECK(stage.app.state().place == Place::forest);
  CHECK(before.digest() != stage.screen.picture().digest());
}

TEST_CASE("app: a scripted session gives the same pixels twice") {
  const auto session = [](const std::string& name) {
    Stage stage(test::write_sample(name));
    stage.type("jj3ab4nf/world");
    stage.press(key::kEnter);
    stage.screen.click(700, 300, stage.draw);
    stage.app.state().message.clear();
    return test::keep_picture("session.png", stage.screen.picture());
  };
  const std::string first = session("session.db");
  CHECK(first == session("session.db"));
}

TEST_CASE("app: tiny and large screens are drawn") {
  const std::string path = test::write_sample("sizes.db");
  for (const auto& [width, height] :
       {std::pair(320, 200), std::pair(40, 30), std::pair(1, 1), std::pair(3000, 1600)}) {
    Stage stage(path, width, height);
    for (const char* keys : {"1", "2", "3", "4", "5", "6", "7", "?", "e"}) stage.type(keys);
    CHECK(stage.screen.picture().width == width);
  }
}

// One random input: mostly keys that mean something.
void random_input(Stage& stage, Stream& random) {
  static const std::string kTyped = "123456789jk/fnpabxces?qz. \n";
  static const int kCodes[] = {key::kEscape, key::kEnter,    key::kBackspace, key::kDown,
                               key::kUp,     key::kPageDown, key::kPageUp,    key::kHome,
                               key::kEnd,    key::kTab,      key::kLeft,      key::kDelete};
  const auto x = static_cast<float>(random.below(1000)), y = static_cast<float>(random.below(640));
  switch (random.below(8)) {
    case 0:
      return stage.press(key::kP, true);
    case 1:
      return stage.press(kCodes[random.below(std::size(kCodes))]);
    case 2:
      return stage.screen.click(x, y, stage.draw);
    case 3:
      return stage.screen.double_click(x, y, stage.draw);
    case 4:
      return stage.screen.wheel(random.below(2) == 0 ? 3.0F : -3.0F, stage.draw);
    case 5:
      return stage.screen.move(x, y, stage.draw);
    default:
      return stage.type(std::string(1, kTyped[random.below(kTyped.size())]));
  }
}

TEST_CASE("app: random keys and mouse neither break it nor change the database") {
  for (const bool empty : {false, true}) {
    const std::string path = empty ? test::write_empty("random-empty.db") : test::write_sample("random.db");
    const std::string before = sha256_hex(*read_file(path));
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      Stream random(seed);
      Stage stage(path, 1000, 640);
      for (int i = 0; i < 250; ++i) {
        random_input(stage, random);
        const Selection& chosen = stage.app.state().selection;
        if (chosen.claim) REQUIRE(stage.app.store().claim(chosen.claim) != nullptr);
        if (chosen.run_a) REQUIRE(stage.app.store().run(chosen.run_a) != nullptr);
        REQUIRE(stage.app.state().cursor().row >= 0);
      }
      CHECK(stage.screen.picture().width == 1000);
    }
    CHECK(sha256_hex(*read_file(path)) == before);
    CHECK_FALSE(std::filesystem::exists(path + "-wal"));
  }
}

TEST_CASE("app: a long list stays a few rows of work a frame") {
  Stage stage(test::write_many_items("long.db", 110'000));
  stage.type("4");
  CHECK(stage.app.active().rows() == 110'000);
  stage.press(key::kEnd);
  stage.screen.frames(2, stage.draw);
  CHECK(stage.app.state().cursor().page == 1);
  CHECK(ImGui::GetDrawData()->TotalVtxCount < 40'000);
  CHECK(stage.text().find("q-0109999") != std::string::npos);
  CHECK(ImGui::GetDrawData()->TotalVtxCount < 400'000);
}

}  // namespace
