// Items of two runs side by side: filters, order, missing partners, refusals.
#include "reports/item_pairs.h"

#include <set>

#include "gui/items.h"
#include "tests/catch.h"
#include "tests/gui/sample.h"

namespace {

using namespace assay;

Database open(const std::string& path) {
  auto database = Database::open_read_only(path);
  REQUIRE(database.ok());
  return std::move(*database);
}

std::vector<Id> ids(const Database& db, PairQuery query) {
  auto found = pair_item_ids(db, query);
  INFO((found.ok() ? "" : found.error().text()));
  REQUIRE(found.ok());
  return *found;
}

// In the sample run 1 is wrong on items 4, 9, 14 ... and run 2 on 3, 7, 11 ...
bool a_wrong(int i) { return i % 5 == 4; }
bool b_wrong(int i) { return i % 4 == 3; }

TEST_CASE("item pairs: filters agree with the rule by which the sample was made") {
  const Database db = open(test::write_sample("pairs.db"));
  std::map<PairFilter, std::size_t> expected;
  for (int i = 0; i < test::kSampleItems; ++i) {
    expected[PairFilter::all] += 1;
    expected[PairFilter::wrong] += a_wrong(i) ? 1 : 0;
    expected[PairFilter::flips] += a_wrong(i) != b_wrong(i) ? 1 : 0;
    expected[PairFilter::lost] += !a_wrong(i) && b_wrong(i) ? 1 : 0;
    expected[PairFilter::gained] += a_wrong(i) && !b_wrong(i) ? 1 : 0;
    expected[PairFilter::close] += i == 7 || i == 9 ? 1 : 0;
  }
  for (const auto& [filter, n] : expected) {
    INFO(static_cast<int>(filter));
    CHECK(ids(db, {.run_a = 1, .run_b = 2, .filter = filter}).size() == n);
  }
  CHECK(ids(db, {.run_a = 3, .filter = PairFilter::no_answer}).size() == 1);
}

TEST_CASE("item pairs: without a second run nothing flips and no row has a partner") {
  const Database db = open(test::write_sample("pairs-one.db"));
  CHECK(ids(db, {.run_a = 1, .filter = PairFilter::flips}).empty());
  const auto all = ids(db, {.run_a = 1});
  const auto rows = pair_rows(db, 1, std::nullopt, all);
  REQUIRE(rows.ok());
  for (const PairRow& row : *rows) CHECK_FALSE(row.b.has_value());
}

TEST_CASE("item pairs: rows come in the order asked for, with both sides") {
  const Database db = open(test::write_sample("pairs-rows.db"));
  const auto all = ids(db, {.run_a = 1, .run_b = 2});
  const std::vector<Id> asked = {all[8], all[3], all[8]};
  const auto rows = pair_rows(db, 1, 2, asked);
  REQUIRE(rows.ok());
  REQUIRE(rows->size() == 3);
  CHECK((*rows)[0].key == "world-fact-008");
  CHECK((*rows)[1].key == "world-fact-003");
  CHECK((*rows)[1].a.correct == true);
  REQUIRE((*rows)[1].b.has_value());
  CHECK((*rows)[1].b->correct == false);
  CHECK((*rows)[2].item_id == (*rows)[0].item_id);
}

TEST_CASE("item pairs: the text filter looks at id, question, expected and extracted, without case") {
  const Database db = open(test::write_sample("pairs-text.db"));
  CHECK(ids(db, {.run_a = 1, .contains = "STAINDAX"}).size() == 20);
  CHECK(ids(db, {.run_a = 1, .contains = "fact-013"}).size() == 1);
  CHECK(ids(db, {.run_a = 3, .contains = "113"}).size() == 9);
  CHECK(ids(db, {.run_a = 1, .contains = "' OR 1 --"}).empty());
}

TEST_CASE("item pairs: an item that is not in the run is refused") {
  const Database db = open(test::write_sample("pairs-none.db"));
  const std::vector<Id> asked = {999'999};
  const auto rows = pair_rows(db, 1, std::nullopt, asked);
  REQUIRE_FALSE(rows.ok());
  CHECK(rows.error().code == Code::out_of_range);
  CHECK(rows.error().got == "999999");
}

TEST_CASE("item list: a hundred thousand items are listed, and only looked-at blocks are read") {
  auto store = gui::Store::open(test::write_many_items("many.db", 110'000));
  REQUIRE(store.ok());
  gui::ItemList list;
  REQUIRE(list.load(*store, {.run_a = 1}).ok());
  CHECK(list.size() == 110'000);
  CHECK(list.blocks_read() == 0);
  REQUIRE(list.row(*store, 109'999) != nullptr);
  CHECK(list.row(*store, 109'999)->key == "q-0109999");
  CHECK(list.row(*store, 109'990)->key == "q-0109990");
  CHECK(list.blocks_read() == 1);
  for (std::int64_t i = 0; i < 100 * gui::kBlockRows; i += gui::kBlockRows)
    REQUIRE(list.row(*store, i) != nullptr);
  CHECK(list.blocks_read() == 101);
  REQUIRE(list.row(*store, 99 * gui::kBlockRows) != nullptr);  // still kept
  CHECK(list.blocks_read() == 101);
  CHECK(list.find(list.id(77'777)) == 77'777);
  CHECK(list.find(-5) == -1);
}

TEST_CASE("item list: flips are found in both directions and around the ends") {
  auto store = gui::Store::open(test::write_sample("flips.db"));
  REQUIRE(store.ok());
  gui::ItemList list;
  REQUIRE(list.load(*store, {.run_a = 1, .run_b = 2}).ok());
  CHECK(list.next_flip(*store, 0, 1) == 3);
  CHECK(list.next_flip(*store, 3, 1) == 4);
  CHECK(list.next_flip(*store, 3, -1) == 35);  // 39 is wrong in both
  CHECK(list.next_flip(*store, 38, 1) == 3);
  gui::ItemList alone;
  REQUIRE(alone.load(*store, {.run_a = 1}).ok());
  CHECK(alone.next_flip(*store, 0, 1) == -1);
}

}  // namespace
