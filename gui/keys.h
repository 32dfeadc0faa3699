// What can be done from the keyboard: one table that the program, the palette (Ctrl+P) and the help (?) read.
// Letters are taken as typed characters, so that they follow the user's keyboard layout; other keys by the
// code that GLFW gives them.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::gui {

// The codes that Dear ImGui 1.86 gets from GLFW (GLFW/glfw3.h, "Keyboard key tokens"); main.cc asserts that
// they are equal.
namespace key {
inline constexpr int kP = 80, kEscape = 256, kEnter = 257, kTab = 258, kBackspace = 259, kDelete = 261,
                     kRight = 262, kLeft = 263;
inline constexpr int kDown = 264, kUp = 265, kPageUp = 266, kPageDown = 267, kHome = 268, kEnd = 269,
                     kKeypadEnter = 335;
}  // namespace key

enum class Action {
  open_window,  // argument: place in the rail, from 0
  row_down,
  row_up,
  page_down,
  page_up,
  first_row,
  last_row,
  drill,
  back,
  filter,
  cycle,
  next_flip,
  previous_flip,
  choose_a,
  choose_b,
  swap,
  copy,
  evidence,
  save,
  palette,
  help,
  clear,
};

struct Binding {
  Action action;
  const char* keys;        // as the help shows it
  const char* name;        // what it does, as the palette shows it
  char32_t character = 0;  // typed character, 0: none
  int code = 0;            // key code, 0: none
  bool control = false;
};
std::span<const Binding> bindings();

struct Press {
  Action action;
  int argument = 0;
  bool operator==(const Press&) const = default;
};

// What was pressed in this frame (after ImGui::NewFrame), in order. While a text field has the focus
// (`typing`) only Escape, Enter, Ctrl+P and the vertical arrows count.
std::vector<Press> read_presses(bool typing);

// Points Dear ImGui's own keys (text fields need them) at the codes above, for contexts without a GLFW
// window.
void map_keys();

}  // namespace assay::gui
