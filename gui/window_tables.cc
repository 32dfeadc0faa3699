// Models, log: windows that are one list.
#include <fmt/format.h>

#include "gui/format.h"
#include "gui/widgets.h"
#include "gui/window.h"

namespace assay::gui {
namespace {

template <class Row>
const Row* row_of(const std::vector<Row>& rows, std::optional<std::int64_t> id) {
  for (const Row& row : rows) {
    if (id && row.id == *id) return &row;
  }
  return nullptr;
}

std::string size_text(std::size_t n) { return count(static_cast<std::int64_t>(n)); }

class Models : public TableWindow {
 public:
  Models() : TableWindow(Place::models) {}
  std::string_view key() const override { return "models"; }
  std::string_view title() const override { return "Models"; }
  std::string_view subtitle() const override { return "Which weights, which conventions?"; }
  std::string total(const Store& store) const override { return size_text(store.models.size()); }
  std::string summary() const override {
    return fmt::format("{} models; without a digest of weights a model is only a name on stored outputs",
                       rows());
  }
  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    const ModelRow* row = row_of(store.models, selected_id(state));
    if (row == nullptr) return;
    draw_wrapped(row->name, colour::kText, fonts.title);
    fact("family", row->family, fonts);
    fact("architecture", row->architecture, fonts);
    if (row->params_total) fact("parameters", count(row->params_total), fonts);
    if (row->params_active) fact("active", count(row->params_active) + " per token", fonts);
    if (row->params_stored) fact("stored", count(row->params_stored) + " numbers in the files", fonts);
    if (row->context_length_tokens) fact("context", count(row->context_length_tokens) + " tokens", fonts);
    heading("Digests", fonts);
    fact("weights", short_digest(row->weights_digest), fonts);
    fact("config", short_digest(row->config_digest), fonts);
    fact("tokenizer", short_digest(row->tokenizer_digest), fonts);
    fact("template", short_digest(row->template_digest), fonts);
    if (row->conventions_json.empty()) return;
    heading("Conventions", fonts);
    draw_box("conventions", row->conventions_json, fonts, colour::kLine);
  }
  Evidence evidence(const Store&, const State& state) const override {
    const auto id = selected_id(state);
    return id ? Evidence{"Model and its files",
                         fmt::format("SELECT m.name, a.kind, a.name AS file, a.digest, a.size_bytes FROM "
                                     "model m JOIN artifact a\n"
                                     "  ON a.id IN (m.weights_artifact_id, m.config_artifact_id, "
                                     "m.tokenizer_artifact_id, m.template_artifact_id)\n"
                                     "WHERE m.id = {}",
                                     *id)}
              : Evidence{};
  }

 protected:
  Table fill(const Store& store, const State&, int) const override {
    Table table{.columns = {elastic("Model", 220), elastic("Family", 130), numbers("Parameters", 84),
                            numbers("Active", 70), numbers("Context", 70, 1), digest_column("Weights", 2),
                            digest_column("Tokenizer", 3)}};
    const auto real = [](MaybeInt v) { return v ? std::optional(static_cast<double>(*v)) : std::nullopt; };
    for (const ModelRow& m : store.models) {
      table.lines.push_back(
          {m.id,
           {plain(m.name), plain(m.family, Tone::soft),
            numeric(short_count(m.params_total), real(m.params_total)),
            numeric(short_count(m.params_active), real(m.params_active)),
            numeric(short_count(m.context_length_tokens), real(m.context_length_tokens), Tone::soft),
            plain(short_digest(m.weights_digest), Tone::faint),
            plain(short_digest(m.tokenizer_digest), Tone::faint)}});
    }
    return table;
  }
  std::string empty_hint() const override {
    return "No model has been loaded yet.\n\nassay run MODEL --suite NAME   loads one and records its "
           "digests.";
  }
};

class Log : public TableWindow {
 public:
  Log() : TableWindow(Place::log) {}
  std::string_view key() const override { return "log"; }
  std::string_view title() const override { return "Log"; }
  std::string_view subtitle() const override { return "What happened, newest first"; }
  std::string total(const Store& store) const override { return size_text(store.events.size()); }
  std::string summary() const override { return fmt::format("{} events", rows()); }
  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    const EventRow* row = row_of(store.events, selected_id(state));
    if (row == nullptr) return;
    draw_wrapped(row->kind, colour::kText, fonts.title);
    fact("at", row->at_utc, fonts);
    if (row->run_id) fact("run", std::to_string(*row->run_id), fonts);
    draw_wrapped(row->message, colour::kText, fonts.text);
  }
  Evidence evidence(const Store&, const State& state) const override {
    const auto id = selected_id(state);
    return id ? Evidence{"Event", fmt::format("SELECT * FROM event WHERE id = {}", *id)} : Evidence{};
  }

 protected:
  Table fill(const Store& store, const State&, int) const override {
    Table table{.columns = {{.title = "When (UTC)", .width = 170, .mono = true},
                            numbers("Run", 44),
                            fixed("Kind", 90),
                            elastic("Message", 400)}};
    for (const EventRow& e : store.events) {
      table.lines.push_back(
          {e.id,
           {plain(e.at_utc, Tone::soft), plain(e.run_id ? std::to_string(*e.run_id) : "", Tone::soft),
            plain(e.kind, e.kind == "warning" ? Tone::open : Tone::normal),
            plain(one_line(e.message, 400))}});
    }
    return table;
  }
  std::string empty_hint() const override {
    return "Nothing happened yet. Every assay command that works on the database leaves its events here.";
  }
};

}  // namespace

std::unique_ptr<Window> make_models_window() { return std::make_unique<Models>(); }
std::unique_ptr<Window> make_log_window() { return std::make_unique<Log>(); }

}  // namespace assay::gui
