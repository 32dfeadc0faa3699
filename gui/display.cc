#include "gui/display.h"

// GLFW brings the OpenGL 1.1 declarations; the rest is loaded by Dear ImGui's backend.
#include <GLFW/glfw3.h>
#include <backends/imgui_impl_glfw.h>
#include <backends/imgui_impl_opengl3.h>

#include <algorithm>
#include <cstring>

#include "base/progress.h"
#include "gui/keys.h"

namespace assay::gui {
namespace {

static_assert(key::kP == GLFW_KEY_P && key::kEscape == GLFW_KEY_ESCAPE && key::kEnter == GLFW_KEY_ENTER &&
              key::kTab == GLFW_KEY_TAB);
static_assert(key::kBackspace == GLFW_KEY_BACKSPACE && key::kDelete == GLFW_KEY_DELETE &&
              key::kRight == GLFW_KEY_RIGHT && key::kLeft == GLFW_KEY_LEFT);
static_assert(key::kDown == GLFW_KEY_DOWN && key::kUp == GLFW_KEY_UP && key::kPageUp == GLFW_KEY_PAGE_UP &&
              key::kPageDown == GLFW_KEY_PAGE_DOWN);
static_assert(key::kHome == GLFW_KEY_HOME && key::kEnd == GLFW_KEY_END &&
              key::kKeypadEnter == GLFW_KEY_KP_ENTER);

constexpr int kSettleFrames = 3;       // Dear ImGui's layout needs that many after an input
constexpr double kBlinkSeconds = 0.4;  // between frames while a text field has the focus
constexpr double kSleepSeconds = 5;    // wakes up to see whether it was told to stop

// Ends GLFW and Dear ImGui in the right order, whatever was reached.
struct Screen {
  GLFWwindow* window = nullptr;
  bool context = false, glfw_backend = false, gl_backend = false;
  Screen() = default;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() {
    if (gl_backend) ImGui_ImplOpenGL3_Shutdown();
    if (glfw_backend) ImGui_ImplGlfw_Shutdown();
    if (context) ImGui::DestroyContext();
    if (window != nullptr) glfwDestroyWindow(window);
    glfwTerminate();
  }
};

Error no_display(const char* what) {
  const char* why = nullptr;
  glfwGetError(&why);
  return Error{.code = Code::unsupported,
               .message = std::string(what) + "; without a display use --screenshot OUT.png",
               .got = why == nullptr ? "" : why};
}

Status open_screen(Screen& screen, const DisplayOptions& options) {
  if (glfwInit() != GLFW_TRUE) return no_display("no display can be opened");
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 0);
  glfwWindowHint(GLFW_SCALE_TO_MONITOR, GLFW_TRUE);
  screen.window = glfwCreateWindow(options.width, options.height, "assay", nullptr, nullptr);
  if (screen.window == nullptr) return no_display("no window with OpenGL 3 can be opened");
  glfwMakeContextCurrent(screen.window);
  glfwSwapInterval(1);
  ImGui::CreateContext();
  screen.context = true;
  ImGui::GetIO().IniFilename = nullptr;
  ImGui::GetIO().LogFilename = nullptr;
  screen.glfw_backend = ImGui_ImplGlfw_InitForOpenGL(screen.window, true);
  screen.gl_backend = screen.glfw_backend && ImGui_ImplOpenGL3_Init("#version 130");
  return screen.gl_backend ? Status() : Status(no_display("OpenGL 3 could not be set up"));
}

void draw_frame(const Screen& screen, App& app, const Fonts& fonts) {
  int width = 0, height = 0;
  glfwGetFramebufferSize(screen.window, &width, &height);
  ImGui_ImplOpenGL3_NewFrame();
  ImGui_ImplGlfw_NewFrame();
  ImGui::NewFrame();
  app.frame(fonts);
  ImGui::Render();
  const ImVec4 ground = as_vector(colour::kGround);
  glViewport(0, 0, width, height);
  glClearColor(ground.x, ground.y, ground.z, 1);
  glClear(GL_COLOR_BUFFER_BIT);
  ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
}

// Another frame into the log, and the picture by the processor: what the tests compare is what a user saves.
void save_window(App& app, const Fonts& fonts) {
  std::string text;
  ImGui::NewFrame();
  app.frame(fonts, &text);
  ImGui::Render();
  app.save(".", rasterise(*ImGui::GetDrawData(), font_atlas(), colour::kGround), text);
}

bool is_blank(GLFWwindow* window) {
  int width = 0, height = 0;
  glfwGetFramebufferSize(window, &width, &height);
  std::vector<unsigned char> pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 4);
  glReadPixels(0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE, pixels.data());
  for (std::size_t i = 4; i < pixels.size(); i += 4) {
    if (std::memcmp(&pixels[i], pixels.data(), 3) != 0) return false;
  }
  return true;
}

// Waits for input; true: draw.
void wait(const App& app, int& due) {
  if (due > 0) {
    glfwPollEvents();
  } else {
    const bool ticking = app.wants_time() || ImGui::GetIO().WantTextInput;
    glfwWaitEventsTimeout(ticking ? kBlinkSeconds : kSleepSeconds);
    due = kSettleFrames;
  }
  --due;
}

}  // namespace

Result<DisplayReport> show(App& app, const DisplayOptions& options) {
  Screen screen;
  ASSAY_OK(open_screen(screen, options));
  float scale_x = 1, scale_y = 1;
  glfwGetWindowContentScale(screen.window, &scale_x, &scale_y);
  const float scale = std::clamp(scale_x, 0.5F, 4.0F);
  apply_theme(scale);
  const Fonts fonts = load_fonts(FontChoice::system, scale);
  DisplayReport report;
  int due = kSettleFrames;
  while (glfwWindowShouldClose(screen.window) == GLFW_FALSE && !stop_requested()) {
    if (options.frames > 0)
      glfwPollEvents();
    else
      wait(app, due);
    draw_frame(screen, app, fonts);
    ++report.frames;
    const bool last = options.frames > 0 && report.frames >= options.frames;
    if (last) report.blank = is_blank(screen.window);
    glfwSwapBuffers(screen.window);
    if (app.wants_save()) save_window(app, fonts);
    if (last) break;
  }
  return report;
}

}  // namespace assay::gui
