#include "gui/app.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "base/file.h"
#include "gui/format.h"
#include "gui/widgets.h"

namespace assay::gui {
namespace {

constexpr std::int64_t kRowsAPage = 20;

Place place_at(int index) {
  ASSAY_CHECK(index >= 0 && index < kPlaces);
  return static_cast<Place>(index);
}

}  // namespace

App::App(Store store) : store_(std::move(store)), windows_(make_windows()) {
  for (std::size_t i = 0; i < windows_.size(); ++i) inspector_share_[i] = windows_[i]->inspector_share();
  if (!store_.runs.empty()) state_.selection.run_a = store_.runs.front().id;
  Window& claims = window(Place::claims);
  if (claims.build(store_, state_).ok()) claims.select(store_, state_, 0);
}

std::optional<Place> App::place_of(std::string_view key) const {
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    if (windows_[i]->key() == key) return static_cast<Place>(i);
  }
  return std::nullopt;
}

std::string App::window_keys() const {
  std::string all;
  for (const auto& each : windows_) all += (all.empty() ? "" : ", ") + std::string(each->key());
  return all;
}

bool App::typing() const { return ImGui::GetIO().WantTextInput || focus_pending_; }

void App::frame(const Fonts& fonts, std::string* log) {
  if (ImGui::GetIO().WantTextInput) focus_pending_ = false;
  for (const Press press : read_presses(typing())) act(press);
  const Status built = active().build(store_, state_);
  problem_ = built.ok() ? std::string() : built.error().text();

  const ImGuiIO& io = ImGui::GetIO();
  const float em = ImGui::GetFontSize(), status_height = std::floor(em * 2);
  const float rail = std::floor(em * 12.5F), body = std::max(1.0F, io.DisplaySize.y - status_height);
  const float room = std::max(1.0F, io.DisplaySize.x - rail);
  const float inspector = std::floor(room * inspector_share_[static_cast<std::size_t>(state_.place)]);
  ImGui::SetNextWindowPos({0, 0});
  ImGui::SetNextWindowSize(io.DisplaySize);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {0, 0});
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {0, 0});
  ImGui::Begin("shell", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                   ImGuiWindowFlags_NoBringToFrontOnFocus);
  begin_log(log);
  const auto panel = [&](const char* name, ImVec2 size, ImU32 ground, auto&& draw) {
    ImGui::PushStyleColor(ImGuiCol_ChildBg, ground);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {em * 0.8F, em * 0.7F});
    ImGui::BeginChild(name, size, false, ImGuiWindowFlags_AlwaysUseWindowPadding);
    ImGui::PopStyleVar();
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {em * 0.5F, em * 0.4F});
    draw();
    ImGui::PopStyleVar();
    ImGui::EndChild();
    ImGui::PopStyleColor();
  };
  panel("rail", {rail, body}, colour::kPanel, [&] { draw_rail(fonts); });
  ImGui::SameLine();
  panel("centre", {std::max(1.0F, room - inspector - 5), body}, colour::kGround, [&] { draw_centre(fonts); });
  ImGui::SameLine();
  draw_splitter(body, room);
  ImGui::SameLine();
  panel("inspector", {inspector, body}, colour::kPanel, [&] { draw_inspector(fonts); });
  draw_status(fonts);
  end_log(log);
  ImGui::End();
  ImGui::PopStyleVar(2);
  draw_overlay(fonts, log);
}

void App::act(Press press) {
  const bool field = typing();
  switch (press.action) {
    case Action::open_window:
      state_.overlay = Overlay::none;
      state_.go(place_at(press.argument));
      return;
    case Action::clear:
      clear();
      return;
    case Action::palette:
      state_.overlay = state_.overlay == Overlay::palette ? Overlay::none : Overlay::palette;
      state_.palette_text.clear();
      state_.palette_row = 0;
      focus_pending_ = state_.overlay == Overlay::palette;
      return;
    case Action::help:
      state_.overlay = state_.overlay == Overlay::help ? Overlay::none : Overlay::help;
      return;
    case Action::evidence:
      open_evidence();
      return;
    case Action::copy:
      copy_row();
      return;
    case Action::save:
      save_ = true;
      return;
    case Action::back:
      state_.back();
      return;
    case Action::filter:
      state_.focus_filter = focus_pending_ = true;
      return;
    case Action::cycle: {
      const int n = static_cast<int>(active().modes().size());
      if (n > 0) state_.cursor().mode = (state_.cursor().mode + 1) % n;
      return;
    }
    case Action::next_flip:
      active().flip(store_, state_, 1);
      return;
    case Action::previous_flip:
      active().flip(store_, state_, -1);
      return;
    case Action::choose_a:
      choose_run(false);
      return;
    case Action::choose_b:
      choose_run(true);
      return;
    case Action::swap:
      std::swap(state_.selection.run_a, state_.selection.run_b);
      return;
    case Action::drill:
      if (state_.overlay == Overlay::palette)
        run_palette_entry();
      else if (!field && state_.overlay == Overlay::none)
        active().drill(store_, state_);
      return;
    default:
      act_on_rows(press.action);
  }
}

void App::act_on_rows(Action action) {
  std::int64_t by = 0;
  switch (action) {
    case Action::row_down:
      by = 1;
      break;
    case Action::row_up:
      by = -1;
      break;
    case Action::page_down:
      by = kRowsAPage;
      break;
    case Action::page_up:
      by = -kRowsAPage;
      break;
    case Action::first_row:
      by = -active().rows();
      break;
    case Action::last_row:
      by = active().rows();
      break;
    default:
      return;
  }
  if (state_.overlay == Overlay::palette) {
    state_.palette_row += static_cast<int>(by);
    return;
  }
  if (state_.overlay != Overlay::none || active().rows() == 0) return;
  const std::int64_t row = std::clamp<std::int64_t>(state_.cursor().row + by, 0, active().rows() - 1);
  active().select(store_, state_, row);
  state_.cursor().reveal = true;
}

void App::choose_run(bool as_b) {
  const MaybeId run = active().run_here(store_, state_);
  if (!run) {
    state_.message = "no run is selected here; choose one in Runs (3)";
    return;
  }
  (as_b ? state_.selection.run_b : state_.selection.run_a) = run;
  state_.message = fmt::format("run {} is {} now", *run, as_b ? "B" : "A");
}

void App::copy_row() {
  const std::string text =
      state_.overlay == Overlay::evidence ? evidence_.evidence.sql : active().copy(state_);
  if (text.empty()) {
    state_.message = "nothing to copy: no row is selected";
    return;
  }
  ImGui::SetClipboardText(text.c_str());
  state_.message = state_.overlay == Overlay::evidence ? "query copied" : "row copied as Markdown";
}

void App::clear() {
  focus_pending_ = false;
  if (state_.overlay != Overlay::none) {
    state_.overlay = Overlay::none;
  } else if (!state_.cursor().filter.empty()) {
    state_.cursor().filter.clear();
  } else {
    state_.cursor().mode = 0;
    state_.message.clear();
  }
}

void App::open_evidence() {
  if (state_.overlay == Overlay::evidence) {
    state_.overlay = Overlay::none;
    return;
  }
  evidence_ = read_evidence(store_, active().evidence(store_, state_));
  state_.overlay = Overlay::evidence;
}

std::vector<PaletteEntry> App::palette_entries() const {
  std::vector<PaletteEntry> entries;
  for (int i = 0; i < kPlaces; ++i) {
    entries.push_back({fmt::format("window: {}", windows_[static_cast<std::size_t>(i)]->title()),
                       std::to_string(i + 1),
                       {Action::open_window, i}});
  }
  for (const Binding& binding : bindings()) {
    if (binding.action == Action::open_window || binding.action == Action::palette) continue;
    entries.push_back({binding.name, binding.keys, {binding.action}});
  }
  return entries;
}

void App::run_palette_entry() {
  const auto found = matching(palette_entries(), state_.palette_text);
  state_.overlay = Overlay::none;
  if (state_.palette_row < 0 || state_.palette_row >= static_cast<int>(found.size())) return;
  const Press press = found[static_cast<std::size_t>(state_.palette_row)].press;
  if (press.action != Action::drill) return act(press);
  active().drill(store_, state_);  // the Enter that chose it is spent
}

void App::save(const std::string& folder, const Image& picture, const std::string& text) {
  save_ = false;
  const std::string stem = (std::filesystem::path(folder) / fmt::format("assay-{}", active().key())).string();
  const auto png = encode_png(picture);
  Status status = png.ok() ? write_file_atomic(stem + ".png", *png) : Status(png.error());
  if (status.ok()) status = write_file_atomic(stem + ".txt", text);
  state_.message = status.ok() ? fmt::format("saved {0}.png and {0}.txt", stem) : status.error().text();
}

}  // namespace assay::gui
