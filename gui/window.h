// A window of the viewer: `build` turns rows of the database into what is shown, `draw` shows it; tests look
// at both apart.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gui/state.h"
#include "gui/store.h"
#include "gui/table.h"
#include "gui/theme.h"

namespace assay::gui {

// What stands behind a figure: a query that anyone can run with sqlite3 on the same file.
struct Evidence {
  std::string title;
  std::string sql;  // one SELECT; numbers of rows are pasted as integers, never text
};

class Window {
 public:
  virtual ~Window() = default;
  virtual std::string_view key() const = 0;    // "claims": --window claims
  virtual std::string_view title() const = 0;  // "Claims"
  virtual std::string_view subtitle() const = 0;
  virtual std::vector<std::string> modes() const { return {}; }  // kinds of rows that `f` goes through
  virtual float inspector_share() const { return 0.29F; }        // of the width right of the rail

  // Brings the view model up to date with the state; does nothing where nothing changed. Keeps the cursor
  // inside.
  virtual Status build(const Store& store, State& state) = 0;
  virtual void draw(const Store& store, State& state, const Fonts& fonts) = 0;
  virtual void inspect(const Store& store, State& state, const Fonts& fonts) = 0;

  virtual std::int64_t rows() const = 0;
  virtual std::string total(const Store& store) const = 0;  // beside the name in the rail
  virtual std::string summary() const = 0;                  // above the rows: "11 claims: 6 reproduced ..."
  virtual void select(const Store& store, State& state,
                      std::int64_t row) = 0;                 // cursor and the shared selection
  virtual void drill(const Store& store, State& state) = 0;  // Enter
  virtual void flip(const Store&, State& state, int) {
    state.message = "n and p work in Items (4)";
  }  // next, previous flip
  virtual MaybeId run_here(const Store&, const State& state) const {
    return state.selection.run_a;
  }                                                        // for keys a and b
  virtual std::string copy(const State& state) const = 0;  // the selected row as Markdown; empty: none
  virtual Evidence evidence(const Store& store,
                            const State& state) const = 0;  // empty sql: nothing is selected
};

// All windows, in the order of `Place`.
std::vector<std::unique_ptr<Window>> make_windows();

// A window that is one table in memory. The window says how to build it; sorting, filter, drawing and copying
// are the same everywhere.
class TableWindow : public Window {
 public:
  Status build(const Store& store, State& state) override;
  void draw(const Store& store, State& state, const Fonts& fonts) override;
  std::int64_t rows() const override { return static_cast<std::int64_t>(table_.lines.size()); }
  void select(const Store& store, State& state, std::int64_t row) override;
  void drill(const Store& store, State& state) override;
  std::string copy(const State& state) const override;

  const Table& table() const { return table_; }

 protected:
  explicit TableWindow(Place place) : place_(place) {}
  virtual Table fill(const Store& store, const State& state, int mode) const = 0;  // all rows of this mode
  virtual std::string empty_hint() const = 0;                    // which command would fill it
  virtual void on_select(const Store&, State&, std::int64_t) {}  // id of the row
  virtual void on_drill(const Store&, State&, std::int64_t) {}
  virtual std::optional<std::int64_t> linked(const State&) const {
    return std::nullopt;
  }  // row that the shared selection names

  std::optional<std::int64_t> selected_id(const State& state) const;

 private:
  struct Wanted {
    std::string filter;
    int sort_column = -2;
    bool descending = false;
    int mode = -1;
    Selection selection;
    bool operator==(const Wanted&) const = default;
  };
  Place place_;
  void follow(State& state);

  Wanted built_for_;
  std::optional<std::int64_t> followed_;
  Table table_;
};

std::unique_ptr<Window> make_claims_window();
std::unique_ptr<Window> make_forest_window();
std::unique_ptr<Window> make_runs_window();
std::unique_ptr<Window> make_items_window();
std::unique_ptr<Window> make_similarity_window();
std::unique_ptr<Window> make_cost_window();
std::unique_ptr<Window> make_kernels_window();
std::unique_ptr<Window> make_models_window();
std::unique_ptr<Window> make_log_window();

}  // namespace assay::gui
