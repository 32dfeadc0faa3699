// The shell: rail of windows on the left, the active one in the centre, the inspector of the selection on the
// right, status below; palette, help and evidence lie over them. One call draws one frame; nothing is kept
// between frames but the state.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gui/keys.h"
#include "gui/overlay.h"
#include "gui/raster.h"
#include "gui/state.h"
#include "gui/store.h"
#include "gui/window.h"

namespace assay::gui {

class App {
 public:
  explicit App(Store store);

  // Between ImGui::NewFrame and ImGui::Render. With `log`: what the frame says, tables as "| a | b |".
  void frame(const Fonts& fonts, std::string* log = nullptr);

  State& state() { return state_; }
  const State& state() const { return state_; }
  const Store& store() const { return store_; }
  Window& window(Place place) { return *windows_[static_cast<std::size_t>(place)]; }
  Window& active() { return window(state_.place); }
  std::optional<Place> place_of(std::string_view key) const;  // "claims" …
  std::string window_keys() const;                            // all of them, for messages

  void act(Press press);
  bool wants_save() const { return save_; }
  // Writes assay-WINDOW.png and assay-WINDOW.txt into `folder`; says in the status line how it went.
  void save(const std::string& folder, const Image& picture, const std::string& text);
  // Text fields blink and tooltips wait: a loop that sleeps between inputs should then draw from time to
  // time.
  bool wants_time() const { return state_.overlay == Overlay::palette; }

 private:
  void act_on_rows(Action action);
  void choose_run(bool as_b);
  void copy_row();
  void clear();
  void open_evidence();
  void run_palette_entry();
  std::vector<PaletteEntry> palette_entries() const;
  bool typing() const;

  void draw_rail(const Fonts& fonts);
  void draw_rail_entry(Place place, const Fonts& fonts);
  void draw_side_card(const char* name, MaybeId run, ImU32 ink, const Fonts& fonts);
  void draw_centre(const Fonts& fonts);
  void draw_filter();
  void draw_modes(const Fonts& fonts);
  void draw_inspector(const Fonts& fonts);
  void draw_splitter(float height, float width);
  void draw_status(const Fonts& fonts);
  void draw_overlay(const Fonts& fonts, std::string* log);

  Store store_;
  State state_;
  std::vector<std::unique_ptr<Window>> windows_;
  std::array<float, kPlaces> inspector_share_{};
  std::string problem_;  // the last query's error; empty: none
  EvidenceView evidence_;
  bool save_ = false;
  bool focus_pending_ = false;
};

}  // namespace assay::gui
