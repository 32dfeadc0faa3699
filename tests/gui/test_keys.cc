// The action table: each key gives its action, text fields keep their letters, help and palette can name
// everything.
#include <imgui.h>

#include <set>

#include "gui/headless.h"
#include "gui/keys.h"
#include "tests/catch.h"

namespace {

using namespace assay::gui;

std::vector<Press> presses_of(const std::function<void(Headless&, const Headless::Draw&)>& act,
                              bool with_field = false) {
  Headless screen(200, 100, FontChoice::built_in);
  std::vector<Press> seen;
  char buffer[32] = {};
  const Headless::Draw draw = [&] {
    for (const Press press : read_presses(ImGui::GetIO().WantTextInput)) seen.push_back(press);
    ImGui::Begin("w");
    if (with_field) {
      if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
      ImGui::InputText("field", buffer, sizeof buffer);
    }
    ImGui::End();
  };
  screen.frames(3, draw);
  act(screen, draw);
  return seen;
}

TEST_CASE("keys: every typed character gives its action once") {
  for (const Binding& binding : bindings()) {
    if (binding.character == 0) continue;
    const std::string typed(1, static_cast<char>(binding.character));
    INFO(typed << ": " << binding.name);
    const auto seen =
        presses_of([&](Headless& screen, const Headless::Draw& draw) { screen.type(typed, draw); });
    CHECK(seen == std::vector<Press>{{binding.action, 0}});
  }
}

TEST_CASE("keys: every key code gives its action once") {
  for (const Binding& binding : bindings()) {
    if (binding.code == 0) continue;
    INFO(binding.keys << ": " << binding.name);
    const auto seen = presses_of([&](Headless& screen, const Headless::Draw& draw) {
      screen.press(binding.code, draw, binding.control);
    });
    CHECK(seen == std::vector<Press>{{binding.action, 0}});
  }
}

TEST_CASE("keys: digits open windows by place") {
  const auto seen = presses_of([](Headless& screen, const Headless::Draw& draw) { screen.type("19", draw); });
  CHECK(seen == std::vector<Press>{{Action::open_window, 0}, {Action::open_window, 8}});
}

TEST_CASE("keys: a letter typed with Ctrl held is not a letter action, P alone is not the palette") {
  const auto seen = presses_of([](Headless& screen, const Headless::Draw& draw) {
    screen.press(key::kP, draw, false);
    screen.press(key::kDown, draw, true);
  });
  CHECK(seen.empty());
}

TEST_CASE("keys: a text field keeps its letters and lets Escape, Enter and the arrows through") {
  const auto seen = presses_of(
      [](Headless& screen, const Headless::Draw& draw) {
        screen.type("jk3?", draw);
        screen.press(key::kBackspace, draw);
        screen.press(key::kDown, draw);
        screen.press(key::kP, draw, true);
        screen.press(key::kEscape, draw);
      },
      true);
  CHECK(seen == std::vector<Press>{{Action::row_down}, {Action::palette}, {Action::clear}});
}

TEST_CASE("keys: the table names each action once and no key twice") {
  std::set<Action> actions;
  std::set<char32_t> characters;
  std::set<std::pair<int, bool>> codes;
  for (const Binding& binding : bindings()) {
    INFO(binding.name);
    CHECK(actions.insert(binding.action).second);
    CHECK(std::string_view(binding.name).size() > 5);
    CHECK(std::string_view(binding.keys).size() > 0);
    if (binding.character != 0) CHECK(characters.insert(binding.character).second);
    if (binding.code != 0) CHECK(codes.insert({binding.code, binding.control}).second);
  }
  CHECK(actions.size() == static_cast<std::size_t>(Action::clear) + 1);
}

}  // namespace
