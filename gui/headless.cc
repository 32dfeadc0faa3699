#include "gui/headless.h"

#include <imgui_internal.h>

#include "base/check.h"
#include "gui/keys.h"

namespace assay::gui {
namespace {

constexpr float kStepSeconds = 1.0F / 60.0F;

}  // namespace

Headless::Headless(int width, int height, FontChoice fonts, float scale) : context_(ImGui::CreateContext()) {
  ASSAY_CHECK(width > 0 && width <= kMaxImageSide && height > 0 && height <= kMaxImageSide);
  ImGui::SetCurrentContext(context_);
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.LogFilename = nullptr;
  io.DisplaySize = {static_cast<float>(width), static_cast<float>(height)};
  io.DeltaTime = kStepSeconds;
  io.ConfigInputTextCursorBlink = false;
  io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
  io.MousePos = {-1, -1};
  set_clipboard_functions();
  map_keys();
  apply_theme(scale);
  fonts_ = load_fonts(fonts, scale);
  atlas_ = font_atlas();
  ImGui::GetIO().Fonts->SetTexID(reinterpret_cast<ImTextureID>(std::intptr_t{1}));
}

Headless::~Headless() { ImGui::DestroyContext(context_); }

void Headless::set_clipboard_functions() {
  ImGuiIO& io = ImGui::GetIO();
  io.ClipboardUserData = &clipboard_;
  io.GetClipboardTextFn = [](void* user) { return static_cast<std::string*>(user)->c_str(); };
  io.SetClipboardTextFn = [](void* user, const char* text) { *static_cast<std::string*>(user) = text; };
}

void Headless::frame(const Draw& draw) {
  ASSAY_CHECK(ImGui::GetCurrentContext() == context_);
  ImGui::NewFrame();
  draw();
  ImGui::Render();
}

void Headless::frames(int count, const Draw& draw) {
  for (int i = 0; i < count; ++i) frame(draw);
}

void Headless::press(int code, const Draw& draw, bool control) {
  ImGuiIO& io = ImGui::GetIO();
  ASSAY_CHECK(code > 0 && code < IM_ARRAYSIZE(io.KeysDown));
  io.KeyCtrl = control;
  io.KeysDown[code] = true;
  frame(draw);
  io.KeysDown[code] = false;
  io.KeyCtrl = false;
  frame(draw);
}

void Headless::type(std::string_view utf8, const Draw& draw) {
  const std::string text(utf8);
  const char* at = text.c_str();
  while (*at != 0) {
    unsigned int character = 0;
    at += ImTextCharFromUtf8(&character, at, nullptr);
    ImGui::GetIO().AddInputCharacter(character);
    frame(draw);
  }
  frame(draw);
}

void Headless::move(float x, float y, const Draw& draw) {
  ImGui::GetIO().MousePos = {x, y};
  frames(2, draw);
}

void Headless::click(float x, float y, const Draw& draw) {
  move(x, y, draw);
  ImGui::GetIO().MouseDown[0] = true;
  frame(draw);
  ImGui::GetIO().MouseDown[0] = false;
  frames(2, draw);
}

void Headless::double_click(float x, float y, const Draw& draw) {
  click(x, y, draw);
  ImGui::GetIO().MouseDown[0] = true;
  frame(draw);
  ImGui::GetIO().MouseDown[0] = false;
  frames(2, draw);
}

void Headless::wheel(float steps, const Draw& draw) {
  ImGui::GetIO().MouseWheel = steps;
  frame(draw);
  ImGui::GetIO().MouseWheel = 0;
  frame(draw);
}

Image Headless::picture() const {
  const ImDrawData* data = ImGui::GetDrawData();
  ASSAY_CHECK(data != nullptr);
  return rasterise(*data, atlas_, colour::kGround);
}

}  // namespace assay::gui
