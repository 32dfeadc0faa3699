// The viewer without a display: frames are fed with scripted keys and mouse, and drawn by the processor. For
// --screenshot and tests.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "gui/raster.h"
#include "gui/theme.h"

struct ImGuiContext;

namespace assay::gui {

// One Dear ImGui context; while an object lives it is the current one. Time passes in steps of 1/60 s, never
// by the clock.
class Headless {
 public:
  Headless(int width, int height, FontChoice fonts, float scale = 1.0F);
  ~Headless();
  Headless(const Headless&) = delete;
  Headless& operator=(const Headless&) = delete;

  using Draw = std::function<void()>;

  void frame(const Draw& draw);              // one frame with the input that is set now
  void frames(int count, const Draw& draw);  // Dear ImGui needs two or three until its layout has settled
  void press(int code, const Draw& draw, bool control = false);  // down for one frame, up for the next
  void type(std::string_view utf8, const Draw& draw);  // a frame for each character, as from a keyboard
  void move(float x, float y, const Draw& draw);
  void click(float x, float y, const Draw& draw);  // moves there first, as a hand does
  void double_click(float x, float y, const Draw& draw);
  void wheel(float steps, const Draw& draw);

  Image picture() const;  // of the last frame
  const Fonts& fonts() const { return fonts_; }
  const std::string& clipboard() const { return clipboard_; }

 private:
  void set_clipboard_functions();

  ImGuiContext* context_;
  Fonts fonts_;
  Image atlas_;
  std::string clipboard_;
};

}  // namespace assay::gui
