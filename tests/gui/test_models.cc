// View models without drawing: numbers as text, tables sorted and filtered, the forest's axes, evidence.
#include <cmath>
#include <set>

#include "gui/details.h"
#include "gui/forest.h"
#include "gui/format.h"
#include "gui/items.h"
#include "gui/overlay.h"
#include "tests/catch.h"
#include "tests/gui/sample.h"

namespace {

using namespace assay;
using namespace assay::gui;

TEST_CASE("format: numbers carry their unit and no more digits than they have") {
  CHECK(number(77.456, 1) == "77.5");
  CHECK(number(-0.04, 1) == "0.0");
  CHECK(number(std::nullopt, 2) == "-");
  CHECK(number(std::numeric_limits<double>::quiet_NaN(), 2) == "-");
  CHECK(count(std::int64_t{0}) == "0");
  CHECK(count(std::int64_t{1319}) == "1,319");
  CHECK(count(std::int64_t{-1234567}) == "-1,234,567");
  CHECK(short_count(9'999) == "9,999");
  CHECK(short_count(21'034) == "21.0k");
  CHECK(short_count(2'029'188) == "2.03M");
  CHECK(short_count(671'000'000'000) == "671B");
  CHECK(seconds(0.0000213) == "21.3 us");
  CHECK(seconds(0.85) == "850 ms");
  CHECK(seconds(59.94) == "59.9 s");
  CHECK(seconds(200.0) == "3 min 20 s");
  CHECK(seconds(18'120.0) == "5 h 02 min");
  CHECK(seconds(std::numeric_limits<double>::infinity()) == "-");
  CHECK(bytes(1'536) == "1.50 KiB");
  CHECK(dollars(5'576'000.0) == "$5,576,000");
  CHECK(dollars(0.00017) == "$0.00017");
  CHECK(dollars(0.0) == "$0");
  CHECK(probability(1e-30) == "< 1e-12");
  CHECK(probability(0.0123) == "0.012");
  CHECK(probability(0.00002) == "2.0e-05");
  CHECK(figure(76.4, 100, 1) == "76.4 %");
  CHECK(figure(0.518, 1, 3) == "0.518");
  CHECK(interval(1.0, 2.0, 1) == "[1.0, 2.0]");
  CHECK(interval(1.0, std::nullopt, 1) == "-");
  CHECK(decimals_of("76.40") == 2);
  CHECK(decimals_of("68") == 0);
  CHECK(score(0.7745, "accuracy") == "77.5 %");
  CHECK(score(0.51765, "bits_per_byte") == "0.5177");
}

TEST_CASE("format: long and broken lines are cut where a character ends") {
  CHECK(one_line("a\nb\tc") == "a b c");
  CHECK(one_line("abcdef", 3) == "abc...");
  CHECK(one_line("ab\xC3\xA9z", 3) == "ab...");  // the two bytes of e acute stay together
  CHECK(one_line("ab\xC3\xA9z", 4) == "ab\xC3\xA9...");
  CHECK(one_line("") == "");
}

Table small() {
  Table table{.columns = {elastic("name", 10), numbers("value", 10)}};
  for (const auto& [name, value] :
       {std::pair("beta", 2.0), std::pair("Alpha", 10.0), std::pair("gamma", -1.0)}) {
    table.lines.push_back(
        {static_cast<std::int64_t>(table.lines.size()), {plain(name), numeric(number(value, 0), value)}});
  }
  table.lines.push_back({9, {plain("none"), numeric("-", std::nullopt)}});
  return table;
}

std::string names(const Table& table) {
  std::string all;
  for (const Line& line : table.lines) all += line.cells[0].text + " ";
  return all;
}

TEST_CASE("table: numbers sort as numbers, nothing comes last in both directions") {
  Table up = small();
  arrange(up, "", 1, false);
  CHECK(names(up) == "gamma beta Alpha none ");
  Table down = small();
  arrange(down, "", 1, true);
  CHECK(names(down) == "Alpha beta gamma none ");
  Table as_it_was = small();
  arrange(as_it_was, "", -1, false);
  CHECK(names(as_it_was) == "beta Alpha gamma none ");
}

TEST_CASE("table: the filter looks into every cell without case") {
  Table table = small();
  arrange(table, "ALPHA", -1, false);
  CHECK(names(table) == "Alpha ");
  Table by_value = small();
  arrange(by_value, "10", -1, false);
  CHECK(names(by_value) == "Alpha ");
  Table nothing = small();
  arrange(nothing, "zzz", -1, false);
  CHECK(nothing.lines.empty());
}

TEST_CASE("table: sorting by any column keeps exactly the same rows") {
  for (int column = -1; column < 2; ++column) {
    for (const bool down : {false, true}) {
      Table table = small();
      arrange(table, "", column, down);
      std::set<std::int64_t> ids;
      for (const Line& line : table.lines) ids.insert(line.id);
      CHECK(ids == std::set<std::int64_t>{0, 1, 2, 9});
    }
  }
}

TEST_CASE("table: Markdown escapes bars and line ends") {
  const Line line{1, {plain("a|b\nc"), plain("2")}};
  CHECK(markdown({elastic("name", 1), numbers("n", 1)}, line) ==
        "| name | n |\n| --- | ---: |\n| a\\|b c | 2 |\n");
}

TEST_CASE("table: columns are dropped by their order until the rest fits") {
  const std::vector<Column> columns = {elastic("a", 100), numbers("b", 50, 2), numbers("c", 50, 1)};
  CHECK(fitting(columns, 1000) == std::vector<bool>{true, true, true});
  CHECK(fitting(columns, 160) == std::vector<bool>{true, false, true});
  CHECK(fitting(columns, 100) == std::vector<bool>{true, false, false});
  CHECK(fitting(columns, 5) == std::vector<bool>{true, false, false});
}

TEST_CASE("forest: ticks are round, few and inside") {
  for (const auto& [low, high] : {std::pair(0.0, 100.0), std::pair(-3.1, 2.7), std::pair(0.5171, 0.5189),
                                  std::pair(1e6, 2.1e6), std::pair(-1e-7, 1e-7)}) {
    const auto ticks = nice_ticks(low, high, 9);
    INFO(low << " to " << high);
    REQUIRE(ticks.size() >= 2);
    CHECK(ticks.size() <= 10);
    for (const double tick : ticks) CHECK((tick >= low && tick <= high));
    const double step = ticks[1] - ticks[0],
                 mantissa = step / std::pow(10.0, std::floor(std::log10(step) + 1e-9));
    CHECK((std::abs(mantissa - 1) < 1e-6 || std::abs(mantissa - 2) < 1e-6 || std::abs(mantissa - 5) < 1e-6));
  }
  CHECK(nice_ticks(1, 1, 9).empty());
  CHECK(nice_ticks(0, std::numeric_limits<double>::infinity(), 9).empty());
}

Store sample_store(const std::string& name) {
  auto store = Store::open(test::write_sample(name));
  REQUIRE(store.ok());
  return std::move(*store);
}

TEST_CASE("forest: everything that is drawn lies on its axis") {
  const Store store = sample_store("forest.db");
  for (const bool differences : {false, true}) {
    const Forest forest = build_forest(store, "", differences);
    CHECK(forest.n_rows == 7);
    for (const ForestGroup& group : forest.groups) {
      for (const ForestRow& row : group.rows) {
        INFO(row.label);
        CHECK((row.published > group.low && row.published < group.high));
        if (row.population) CHECK((row.population->low > group.low && row.population->high < group.high));
        if (differences) CHECK(row.published == 0);
      }
    }
  }
}

TEST_CASE("forest: scores and differences have axes of their own; the filter leaves what fits") {
  const Store store = sample_store("forest-groups.db");
  const Forest forest = build_forest(store, "", false);
  REQUIRE(forest.groups.size() == 2);
  CHECK(forest.groups[0].title == "Scores, %");
  CHECK(forest.groups[1].rows.size() == 2);
  REQUIRE(forest.row(5) != nullptr);
  CHECK(forest.row(5)->label == "sample-fork");
  REQUIRE(forest.row(5)->band.has_value());
  CHECK(forest.row(5)->band->low == -0.5);
  CHECK(forest.row(7) == nullptr);
  CHECK(forest.row(-1) == nullptr);
  CHECK(build_forest(store, "impossible", false).n_rows == 1);
}

TEST_CASE("claims: the interval is the one that the sentence speaks of") {
  ClaimRow claim;
  CHECK_FALSE(spoken_interval(claim).has_value());
  claim.fixed_low = 1;
  claim.fixed_high = 2;
  claim.speaks_of = "population";
  CHECK(spoken_interval(claim)->high == 2);
  claim.population_low = 0;
  claim.population_high = 3;
  CHECK(spoken_interval(claim)->high == 3);
  claim.speaks_of = "items";
  CHECK(spoken_interval(claim)->high == 2);
}

TEST_CASE("evidence: every window's query runs and gives rows") {
  App app = test::open_app(test::write_sample("evidence.db"));
  for (int i = 0; i < kPlaces; ++i) {
    app.state().place = static_cast<Place>(i);
    REQUIRE(app.active().build(app.store(), app.state()).ok());
    app.active().select(app.store(), app.state(), 0);
    REQUIRE(app.active().build(app.store(), app.state()).ok());
    const EvidenceView view = read_evidence(app.store(), app.active().evidence(app.store(), app.state()));
    INFO(app.active().key() << ": " << view.problem << "\n" << view.evidence.sql);
    CHECK(view.problem.empty());
    CHECK(view.lines.size() > 0);
    for (const Line& line : view.lines) CHECK(line.cells.size() == view.columns.size());
  }
}

TEST_CASE("evidence: without a selection it says so") {
  App app = test::open_app(test::write_empty("evidence-empty.db"));
  const EvidenceView view = read_evidence(app.store(), app.active().evidence(app.store(), app.state()));
  CHECK(view.problem == "Nothing is selected; choose a row first.");
}

TEST_CASE("items: a choice's expected index is shown as its letter, an answer as it is") {
  CHECK(gold_text("2", true) == "C");
  CHECK(gold_text("123", true) == "123");
  CHECK(gold_text("2", false) == "2");
  CHECK(option_letter(30) == "30");
}

TEST_CASE("items: both sides of an item are read, with the tokens of the chosen option") {
  App app = test::open_app(test::write_sample("detail.db"));
  ItemList list;
  REQUIRE(list.load(app.store(), {.run_a = 1, .run_b = 2}).ok());
  const PairRow* row = list.row(app.store(), 3);
  REQUIRE(row != nullptr);
  const auto view = read_item_view(app.store(), *row);
  REQUIRE(view.ok());
  CHECK(view->a.options.size() == 4);
  REQUIRE(view->b.has_value());
  CHECK(view->b->row.correct == false);
  REQUIRE(view->tokens.size() ==
          3);  // A's choice is expected; B chose another, the expected one is shown too
  for (const auto& [id, tokens] : view->tokens) CHECK(tokens.size() == 2);
}

TEST_CASE("palette: entries fit by all their words") {
  const std::vector<PaletteEntry> entries = {{"window: Claims", "1", {Action::open_window, 0}},
                                             {"copy the selected row as Markdown", "c", {Action::copy}}};
  CHECK(matching(entries, "").size() == 2);
  CHECK(matching(entries, "row COPY").size() == 1);
  CHECK(matching(entries, "claims copy").empty());
}

}  // namespace
