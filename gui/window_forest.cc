// Forest: how far from the published figure, and how sure.
#include "gui/forest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "gui/format.h"
#include "gui/widgets.h"
#include "gui/window.h"

namespace assay::gui {
namespace {

// Places of the three columns, in pixels of the screen.
struct ForestFrame {
  float left, label_end, plot_end, right;
  float pitch;  // height of a row
};

ForestFrame frame_now() {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x, em = ImGui::GetFontSize();
  const float label = std::min(width * 0.26F, em * 15), numbers = std::min(width * 0.36F, em * 22);
  return {at.x, at.x + label, at.x + width - numbers, at.x + width, std::floor(em * 2.1F)};
}

float x_of(const ForestFrame& frame, const ForestGroup& group, double value) {
  const double share = (value - group.low) / (group.high - group.low);
  const float margin = 10;
  return frame.label_end + margin +
         static_cast<float>(std::clamp(share, 0.0, 1.0)) * (frame.plot_end - frame.label_end - 2 * margin);
}

void text_at(ImVec2 at, ImU32 ink, const std::string& text, ImFont* font) {
  ImGui::GetWindowDrawList()->AddText(font, font->FontSize, at, ink, text.data(), text.data() + text.size());
}

// As much of the text as fits into `width` pixels, with an ellipsis where it is cut; whole characters.
std::string shortened(const std::string& text, ImFont* font, float width) {
  const auto fits = [&](const std::string& candidate) {
    return font->CalcTextSizeA(font->FontSize, FLT_MAX, 0, candidate.c_str()).x <= width;
  };
  if (fits(text)) return text;
  std::string head = text;
  while (!head.empty() && !fits(head + "...")) {
    unsigned char removed = 0;
    do {
      removed = static_cast<unsigned char>(head.back());
      head.pop_back();
    } while (!head.empty() && (removed & 0xC0) == 0x80);  // until the character's first byte is gone
  }
  return head + "...";
}

void draw_axis(const ForestFrame& frame, const ForestGroup& group, const Fonts& fonts) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float bottom = at.y + frame.pitch * static_cast<float>(group.rows.size() + 1);
  text_at({at.x + 4, at.y + 6}, colour::kSoft, group.title, fonts.bold);
  ImGui::LogText("%s\n", group.title.c_str());
  for (const double tick : group.ticks) {
    const float x = std::floor(x_of(frame, group, tick)) + 0.5F;
    const std::string label = number(tick, group.tick_decimals);
    const float width = ImGui::CalcTextSize(label.c_str()).x;
    text_at({x - width / 2, at.y + 6}, colour::kSoft, label, fonts.text);
    list.AddLine({x, at.y + frame.pitch - 4}, {x, bottom}, with_alpha(colour::kLine, 150));
  }
  ImGui::Dummy({frame.right - frame.left, frame.pitch});
}

void draw_span(const ForestFrame& frame, const ForestGroup& group, const std::optional<Span>& span, float y,
               float half, ImU32 ink) {
  if (!span) return;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float x0 = x_of(frame, group, span->low), x1 = x_of(frame, group, span->high);
  list.AddRectFilled({x0, y - half}, {std::max(x1, x0 + 1), y + half}, ink, half);
}

void draw_whiskers(const ForestFrame& frame, const ForestGroup& group, const std::optional<Span>& span, float y,
                   ImU32 ink) {
  if (!span) return;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float x0 = x_of(frame, group, span->low), x1 = x_of(frame, group, span->high);
  list.AddLine({x0, y}, {x1, y}, ink, 2);
  list.AddLine({x0, y - 5}, {x0, y + 5}, ink, 2);
  list.AddLine({x1, y - 5}, {x1, y + 5}, ink, 2);
}

void draw_diamond(ImVec2 at, float r, ImU32 ink) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImVec2 points[4] = {{at.x, at.y - r}, {at.x + r, at.y}, {at.x, at.y + r}, {at.x - r, at.y}};
  list.AddConvexPolyFilled(points, 4, colour::kGround);
  list.AddPolyline(points, 4, ink, ImDrawFlags_Closed, 2);
}

// At least: everything to the right of the figure would do; an arrow says so.
void draw_direction(ImVec2 at, ImU32 ink) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddLine({at.x, at.y - 10}, {at.x + 16, at.y - 10}, ink, 1.5F);
  list.AddTriangleFilled({at.x + 21, at.y - 10}, {at.x + 14, at.y - 14}, {at.x + 14, at.y - 6}, ink);
}

void draw_marks(const ForestFrame& frame, const ForestGroup& group, const ForestRow& row, float top) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float y = std::floor(top + frame.pitch / 2) + 0.5F;
  const ImU32 ink = style_of_verdict(row.verdict).fill;
  if (row.band) {
    const float x0 = x_of(frame, group, row.band->low), x1 = x_of(frame, group, row.band->high);
    list.AddRectFilled({x0, top + 3}, {std::max(x1, x0 + 2), top + frame.pitch - 3}, colour::kBand, 3);
  }
  draw_whiskers(frame, group, row.population, y, with_alpha(ink, 200));
  draw_span(frame, group, row.fixed, y, 4, with_alpha(ink, 120));
  if (row.measured) list.AddCircleFilled({x_of(frame, group, *row.measured), y}, 5, ink);
  const ImVec2 published{x_of(frame, group, row.published), y};
  if (row.relation == "at-least") draw_direction(published, colour::kText);
  if (row.relation != "within") draw_diamond(published, 6, colour::kText);
}

void draw_tip(const ClaimRow& claim, const Fonts& fonts) {
  const int decimals = claim_decimals(claim) + 1;
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(ImGui::GetFontSize() * 30);
  ImGui::PushFont(fonts.bold);
  ImGui::TextUnformatted(claim.key.c_str());
  ImGui::PopFont();
  ImGui::TextUnformatted(claim.text.c_str());
  ImGui::TextUnformatted(
      fmt::format("published {}\nmeasured {}\non these items {}\npopulation {}\nn {}, p {}",
                  claim_published(claim), figure(claim.measured, claim.scale, decimals),
                  interval(claim.fixed_low, claim.fixed_high, decimals),
                  interval(claim.population_low, claim.population_high, decimals), count(claim.n),
                  probability(claim.p))
          .c_str());
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

class ForestWindow : public Window {
 public:
  std::string_view key() const override { return "forest"; }
  std::string_view title() const override { return "Forest"; }
  std::string_view subtitle() const override { return "How far from the published figure, and how sure?"; }
  std::vector<std::string> modes() const override { return {"values", "differences"}; }
  std::int64_t rows() const override { return forest_.n_rows; }
  std::string total(const Store&) const override { return {}; }
  std::string summary() const override {
    return "diamond: published   dot: measured   bar: these items   whiskers: population   band: counts as "
           "equal";
  }

  Status build(const Store& store, State& state) override {
    Cursor& cursor = state.cursor_of(Place::forest);
    if (!built_ || filter_ != cursor.filter || mode_ != cursor.mode) {
      forest_ = build_forest(store, cursor.filter, cursor.mode == 1);
      filter_ = cursor.filter;
      mode_ = cursor.mode;
      built_ = true;
    }
    follow(state);
    cursor.row = std::clamp<std::int64_t>(cursor.row, 0, std::max<std::int64_t>(0, rows() - 1));
    return {};
  }

  void draw(const Store& store, State& state, const Fonts& fonts) override {
    if (forest_.n_rows == 0) {
      draw_empty(filter_.empty() ? "No verdicts to plot yet.\n\nassay verify CLAIMS.json --model NAME=MODEL  "
                                   " fills this window; so does   assay demo."
                                 : "No claim fits this filter; Esc clears it.",
                 fonts);
      return;
    }
    ImGui::BeginChild("forest rows");
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {0, 0});
    const ForestFrame frame = frame_now();
    std::int64_t index = 0;
    for (const ForestGroup& group : forest_.groups) {
      draw_axis(frame, group, fonts);
      for (const ForestRow& row : group.rows) draw_row(store, state, frame, group, row, index++, fonts);
      ImGui::Dummy({1, frame.pitch * 0.6F});
    }
    ImGui::PopStyleVar();
    ImGui::EndChild();
    state.cursor_of(Place::forest).reveal = false;
  }

  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    if (const ClaimRow* claim = store.claim(state.selection.claim)) draw_claim(store, state, *claim, fonts);
  }

  void select(const Store&, State& state, std::int64_t row) override {
    Cursor& cursor = state.cursor_of(Place::forest);
    cursor.row = std::clamp<std::int64_t>(row, 0, std::max<std::int64_t>(0, rows() - 1));
    if (const ForestRow* chosen = forest_.row(cursor.row))
      state.selection.claim = followed_ = chosen->claim_id;
  }

  void drill(const Store& store, State& state) override {
    const ClaimRow* claim = store.claim(state.selection.claim);
    if (claim == nullptr || !claim->run_id) return;
    state.selection.run_a = claim->run_id;
    state.selection.run_b = claim->against_run_id;
    state.go(Place::items);
  }

  std::string copy(const State& state) const override {
    const ForestRow* row = forest_.row(state.cursors[static_cast<std::size_t>(Place::forest)].row);
    return row == nullptr
               ? std::string()
               : fmt::format(
                     "| claim | verdict | published, measured |\n| --- | --- | --- |\n| {} | {} | {} |\n",
                     row->label, row->verdict, row->numbers);
  }

  Evidence evidence(const Store& store, const State& state) const override {
    const ClaimRow* claim = store.claim(state.selection.claim);
    return claim == nullptr ? Evidence{} : claim_evidence(*claim);
  }

 private:
  // The shared selection may have moved in another window.
  void follow(State& state) {
    if (state.selection.claim == followed_) return;
    followed_ = state.selection.claim;
    for (std::int64_t i = 0; i < rows(); ++i) {
      if (forest_.row(i)->claim_id != followed_) continue;
      state.cursor_of(Place::forest).row = i;
      state.cursor_of(Place::forest).reveal = true;
    }
  }

  void draw_row(const Store& store, State& state, const ForestFrame& frame, const ForestGroup& group,
                const ForestRow& row, std::int64_t index, const Fonts& fonts) {
    const Cursor& cursor = state.cursor_of(Place::forest);
    ImGui::PushID(static_cast<int>(index));
    const ImVec2 at = ImGui::GetCursorScreenPos();
    if (ImGui::Selectable("##row", index == cursor.row, ImGuiSelectableFlags_AllowDoubleClick,
                          {0, frame.pitch})) {
      select(store, state, index);
      if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) drill(store, state);
    }
    const bool hot = ImGui::IsItemHovered();
    if (index == cursor.row && cursor.reveal) ImGui::SetScrollHereY(0.5F);
    const float text_y = at.y + (frame.pitch - ImGui::GetFontSize()) / 2;
    const VerdictStyle style = style_of_verdict(row.verdict);
    text_at({at.x + 6, text_y}, style.fill, std::string(1, style.letter), fonts.bold);
    text_at({at.x + 26, text_y}, colour::kText, shortened(row.label, fonts.text, frame.label_end - at.x - 30), fonts.text);
    text_at({frame.plot_end + 12, text_y}, colour::kSoft, row.numbers, fonts.text);
    ImGui::LogText("%c %s  %s\n", style.letter, row.label.c_str(), row.numbers.c_str());
    draw_marks(frame, group, row, at.y);
    if (hot) {
      if (const ClaimRow* claim = store.claim(row.claim_id)) draw_tip(*claim, fonts);
    }
    ImGui::PopID();
  }

  Forest forest_;
  std::string filter_;
  int mode_ = 0;
  bool built_ = false;
  std::optional<std::int64_t> followed_;
};

}  // namespace

std::unique_ptr<Window> make_forest_window() { return std::make_unique<ForestWindow>(); }

}  // namespace assay::gui
