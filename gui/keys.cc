#include "gui/keys.h"

#include <imgui.h>

#include <array>

#include "base/check.h"

namespace assay::gui {
namespace {

constexpr std::array kBindings = {
    Binding{Action::open_window, "1 - 9", "open a window"},
    Binding{Action::row_down, "j  Down", "next row", U'j', key::kDown},
    Binding{Action::row_up, "k  Up", "previous row", U'k', key::kUp},
    Binding{Action::page_down, "Page Down", "one screen down", 0, key::kPageDown},
    Binding{Action::page_up, "Page Up", "one screen up", 0, key::kPageUp},
    Binding{Action::first_row, "Home", "first row", 0, key::kHome},
    Binding{Action::last_row, "End", "last row", 0, key::kEnd},
    Binding{Action::drill, "Enter", "go into the selected row", 0, key::kEnter},
    Binding{Action::back, "Backspace", "go back to the window before", 0, key::kBackspace},
    Binding{Action::filter, "/", "filter the rows of this window", U'/'},
    Binding{Action::cycle, "f", "next kind of rows (verdict; all, wrong, flips ...)", U'f'},
    Binding{Action::next_flip, "n", "next item on which runs A and B differ", U'n'},
    Binding{Action::previous_flip, "p", "previous item on which runs A and B differ", U'p'},
    Binding{Action::choose_a, "a", "take the selected run as A", U'a'},
    Binding{Action::choose_b, "b", "take the selected run as B", U'b'},
    Binding{Action::swap, "x", "swap runs A and B", U'x'},
    Binding{Action::copy, "c", "copy the selected row as Markdown", U'c'},
    Binding{Action::evidence, "e", "evidence: the SQL and the rows behind the selection", U'e'},
    Binding{Action::save, "s", "save this window as a picture (PNG) and as text", U's'},
    Binding{Action::palette, "Ctrl+P", "palette: find an action or a window by its name", 0, key::kP, true},
    Binding{Action::help, "?", "this list", U'?'},
    Binding{Action::clear, "Esc", "close what is open, else clear filter", 0, key::kEscape},
};

bool allowed_while_typing(const Binding& binding) {
  return binding.control || binding.code == key::kEscape || binding.code == key::kEnter ||
         binding.code == key::kDown || binding.code == key::kUp;
}

bool code_pressed(const Binding& binding) {
  if (binding.code == 0 || ImGui::GetIO().KeyCtrl != binding.control) return false;
  const bool repeats = binding.action >= Action::row_down && binding.action <= Action::page_up;
  if (ImGui::IsKeyPressed(binding.code, repeats)) return true;
  return binding.code == key::kEnter && ImGui::IsKeyPressed(key::kKeypadEnter, false);
}

void read_characters(std::vector<Press>& presses) {
  for (const ImWchar typed : ImGui::GetIO().InputQueueCharacters) {
    if (typed >= '1' && typed <= '9') presses.push_back({Action::open_window, typed - '1'});
    for (const Binding& binding : kBindings) {
      if (binding.character != 0 && binding.character == typed) presses.push_back({binding.action});
    }
  }
}

}  // namespace

std::span<const Binding> bindings() { return kBindings; }

std::vector<Press> read_presses(bool typing) {
  ASSAY_CHECK(ImGui::GetCurrentContext() != nullptr);
  std::vector<Press> presses;
  if (!typing) read_characters(presses);
  for (const Binding& binding : kBindings) {
    if (typing && !allowed_while_typing(binding)) continue;
    if (code_pressed(binding)) presses.push_back({binding.action});
  }
  return presses;
}

void map_keys() {
  auto& map = ImGui::GetIO().KeyMap;
  map[ImGuiKey_Tab] = key::kTab;
  map[ImGuiKey_LeftArrow] = key::kLeft;
  map[ImGuiKey_RightArrow] = key::kRight;
  map[ImGuiKey_UpArrow] = key::kUp;
  map[ImGuiKey_DownArrow] = key::kDown;
  map[ImGuiKey_PageUp] = key::kPageUp;
  map[ImGuiKey_PageDown] = key::kPageDown;
  map[ImGuiKey_Home] = key::kHome;
  map[ImGuiKey_End] = key::kEnd;
  map[ImGuiKey_Delete] = key::kDelete;
  map[ImGuiKey_Backspace] = key::kBackspace;
  map[ImGuiKey_Enter] = key::kEnter;
  map[ImGuiKey_KeyPadEnter] = key::kKeypadEnter;
  map[ImGuiKey_Escape] = key::kEscape;
}

}  // namespace assay::gui
