// The viewer on a screen: GLFW window, OpenGL 3, redrawn only when something is entered.
#pragma once
#include "base/result.h"
#include "gui/app.h"

namespace assay::gui {

struct DisplayOptions {
  int width = 1440, height = 900;
  int frames = 0;  // end after so many frames, for tests; 0: when the window is closed
};

struct DisplayReport {
  int frames = 0;
  bool blank = true;  // the last frame had one colour only (asked for with `frames`)
};

// Returns when the window is closed. Without a display: an Error that names --screenshot.
Result<DisplayReport> show(App& app, const DisplayOptions& options);

}  // namespace assay::gui
