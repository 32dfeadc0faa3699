// Similarity: which models behave, or are built, alike; as a matrix and as a list of pairs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gui/format.h"
#include "gui/plot_draw.h"
#include "gui/widgets.h"
#include "gui/window.h"
#include "reports/plot/charts.h"

namespace assay::gui {
namespace {

constexpr std::size_t kMaxTensorsShown = 200;  // in the inspector; the database has all

Tone tone_of(const std::string& verdict) {
  if (contains_folded(verdict, "inconclusive")) return Tone::open;
  return contains_folded(verdict, "identical") || contains_folded(verdict, "same") ? Tone::good
                                                                                   : Tone::normal;
}

class Similarity : public TableWindow {
 public:
  Similarity() : TableWindow(Place::similarity) {}
  std::string_view key() const override { return "similarity"; }
  std::string_view title() const override { return "Similarity"; }
  std::string_view subtitle() const override { return "Whose outputs or weights are alike, beyond chance?"; }
  std::vector<std::string> modes() const override { return {"all", "outputs", "weights"}; }
  std::string total(const Store& store) const override {
    return count(static_cast<std::int64_t>(store.similarities.size()));
  }
  std::string summary() const override {
    return "without a panel of other models the verdict is INCONCLUSIVE";
  }

  void draw(const Store& store, State& state, const Fonts& fonts) override {
    if (!store.similarities.empty()) draw_matrix(store, state, fonts);
    TableWindow::draw(store, state, fonts);
  }

  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    const SimilarityRow* row = find(store, state);
    if (row == nullptr) return;
    draw_wrapped(row->verdict, colour_of(tone_of(row->verdict)), fonts.title);
    draw_wrapped(fmt::format("{} of {} and {}", row->kind, row->a, row->b), colour::kText, fonts.text);
    heading("Test", fonts);
    fact("test", row->test, fonts);
    fact("statistic", significant(row->statistic, 6), fonts);
    fact("effect", significant(row->effect, 6), fonts);
    if (row->low)
      fact("interval", fmt::format("[{}, {}]", significant(row->low, 4), significant(row->high, 4)), fonts);
    if (row->p) fact("p", probability(row->p), fonts);
    if (row->p_adjusted) fact("p adjusted", probability(row->p_adjusted), fonts);
    if (row->p_min) fact("smallest p", probability(row->p_min) + " that this panel can give", fonts);
    fact("n", count(row->n), fonts);
    fact("panel", row->panel.empty() ? "none: nothing to compare with" : row->panel, fonts);
    heading("What this does not show", fonts);
    draw_wrapped(row->does_not_show, colour::kText, fonts.text);
    if (row->kind == "weights") draw_tensors(store, row->id, fonts);
  }

  Evidence evidence(const Store& store, const State& state) const override {
    const SimilarityRow* row = find(store, state);
    if (row == nullptr) return {};
    return {
        "Comparison",
        row->kind == "weights"
            ? fmt::format("SELECT * FROM tensor_similarity WHERE similarity_id = {} ORDER BY rel_error DESC",
                          row->id)
            : fmt::format("SELECT * FROM similarity WHERE id = {}", row->id)};
  }

 protected:
  Table fill(const Store& store, const State&, int mode) const override {
    Table table{.columns = {elastic("A", 150), elastic("B", 150), fixed("Of", 58, 2), elastic("Test", 130),
                            numbers("Effect", 64), numbers("Interval", 104, 3), numbers("p adj.", 56, 1),
                            numbers("n", 50, 4), elastic("Verdict", 150)}};
    for (const SimilarityRow& s : store.similarities) {
      if (mode != 0 && s.kind != modes()[static_cast<std::size_t>(mode)]) continue;
      const auto p = s.p_adjusted ? s.p_adjusted : s.p;
      table.lines.push_back(
          {s.id,
           {plain(s.a), plain(s.b), plain(s.kind, Tone::soft), plain(s.test, Tone::soft),
            numeric(significant(s.effect, 4), s.effect),
            numeric(s.low && s.high ? fmt::format("[{}, {}]", significant(s.low, 3), significant(s.high, 3))
                                    : kUnknown,
                    s.low, Tone::soft),
            numeric(probability(p), p, Tone::soft), numeric(count(s.n), static_cast<double>(s.n), Tone::soft),
            plain(s.verdict, tone_of(s.verdict))}});
    }
    return table;
  }
  std::string empty_hint() const override {
    return "Nothing has been compared yet.\n\nassay similarity outputs FILES --panel PANEL   compares stored "
           "outputs,\nassay similarity weights A B   compares tensor by tensor.";
  }

 private:
  const SimilarityRow* find(const Store& store, const State& state) const {
    const auto id = selected_id(state);
    for (const SimilarityRow& row : store.similarities) {
      if (id && row.id == *id) return &row;
    }
    return nullptr;
  }
  // The matrix that the selected pair is in; only with three models or more does a matrix say more than its rows.
  void draw_matrix(const Store& store, State& state, const Fonts& fonts) {
    if (matrices_.empty()) matrices_ = plot::similarity_matrices(store.similarities);
    const SimilarityRow* row = find(store, state);
    for (std::size_t i = 0; i < matrices_.size(); ++i) {
      const plot::SimilarityMatrix& matrix = matrices_[i];
      if (row == nullptr || matrix.kind != row->kind || matrix.test != row->test || matrix.names.size() < 3)
        continue;
      if (i != shown_matrix_) cache_.forget();
      shown_matrix_ = i;
      ImGui::BeginChild("matrix", {0, ImGui::GetContentRegionAvail().y * 0.6F});
      const auto make = [&](double width) {
        return plot::similarity_plot(matrix, store.similarities, width);
      };
      const auto chosen = static_cast<int>(row - store.similarities.data());
      const auto clicked = draw_plot(cache_.at_width(make), fonts, chosen);
      ImGui::EndChild();
      if (clicked && *clicked >= 0)
        select_id(store, state, store.similarities[static_cast<std::size_t>(*clicked)].id);
      return;
    }
  }
  void select_id(const Store& store, State& state, std::int64_t id) {
    for (std::size_t i = 0; i < table().lines.size(); ++i) {
      if (table().lines[i].id == id) select(store, state, static_cast<std::int64_t>(i));
    }
    state.cursor_of(Place::similarity).reveal = true;
  }
  void draw_tensors(const Store& store, Id id, const Fonts& fonts) {
    if (id != tensors_of_) {
      auto rows = tensor_similarity_rows(store.database, id);
      tensors_ = rows.ok() ? std::move(*rows) : std::vector<TensorSimilarityRow>();
      tensors_of_ = id;
    }
    heading(fmt::format("Tensors ({})", tensors_.size()), fonts);
    for (std::size_t i = 0; i < std::min(kMaxTensorsShown, tensors_.size()); ++i) {
      const TensorSimilarityRow& t = tensors_[i];
      draw_wrapped(t.name, colour::kSoft, fonts.mono);
      draw_wrapped(fmt::format("    {}, relative error {}, cosine {}", t.status, significant(t.rel_error, 3),
                               significant(t.cosine, 6)),
                   colour::kText, fonts.text);
    }
    if (tensors_.size() > kMaxTensorsShown)
      draw_wrapped(fmt::format("{} more: press e", tensors_.size() - kMaxTensorsShown), colour::kFaint,
                   fonts.text);
  }

  std::vector<TensorSimilarityRow> tensors_;
  Id tensors_of_ = -1;
  std::vector<plot::SimilarityMatrix> matrices_;
  std::size_t shown_matrix_ = 0;
  PlotCache cache_;
};

}  // namespace

std::unique_ptr<Window> make_similarity_window() { return std::make_unique<Similarity>(); }

}  // namespace assay::gui
