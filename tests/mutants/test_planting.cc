// The planter refuses lists that have rotted, and the lists keep what the project promises of them.
#include <map>

#include "base/file.h"
#include "tests/catch.h"
#include "tests/mutants/planting.h"

using namespace assay;
using namespace assay::mutants;

namespace {

const std::string kLists = ASSAY_TREE "/tests/mutants/faults";

std::string planted(const std::string& source, const std::vector<Edit>& edits) {
  const auto out = plant(source, "f.cc", edits);
  if (!out.ok()) return "refused: " + out.error().field;
  const std::size_t body = out->find('\n', out->find("#line")) + 1;
  return out->substr(body);
}

Edit edit(std::string from, std::string to, std::string within = {}, std::uint32_t id = 7) {
  return {"f.cc", std::move(within), std::move(from), std::move(to), id};
}

}  // namespace

TEST_CASE("planting: an expression becomes a choice, a statement an if") {
  CHECK(planted("x = a + b;", {edit("a + b", "a - b")}) ==
        "x = (assay_planted_fault == 7u ? (a - b) : (a + b));");
  CHECK(planted("x = a;", {edit("x = a;", "")}) == "if (assay_planted_fault == 7u) {  } else { x = a; }");
}

TEST_CASE("planting: blanks and line breaks do not hide an anchor, and lines keep their numbers") {
  CHECK(planted("f(\n    a,\n b)", {edit("f(a, b)", "g()")}) ==
        "(assay_planted_fault == 7u ? (g()) : (f(\n    a,\n b)))");
  CHECK(planted("f();", {edit("f();", "g();\nh();")}) ==
        "if (assay_planted_fault == 7u) { g(); h(); } else { f(); }");
}

TEST_CASE("planting: several faults share an anchor or lie inside one another") {
  CHECK(planted("a * b", {edit("a * b", "1", "", 2), edit("a * b", "2", "", 3)}) ==
        "(assay_planted_fault == 2u ? (1) : assay_planted_fault == 3u ? (2) : (a * b))");
  CHECK(planted("a * b", {edit("b", "c", "", 3), edit("a * b", "1", "", 2)}) ==
        "(assay_planted_fault == 2u ? (1) : (a * (assay_planted_fault == 3u ? (c) : (b))))");
}

TEST_CASE("planting: an anchor that is absent, there twice, part of a word or overlapping is refused") {
  CHECK(planted("a", {edit("b", "c")}) == "refused: b");
  CHECK(planted("a a", {edit("a", "c")}) == "refused: a");
  CHECK(planted("ab", {edit("a", "c")}) == "refused: a");
  CHECK(planted("a + b + c", {edit("a + b", "1"), edit("b + c", "2")}) == "refused: b + c");
  CHECK(planted("int f() {\n  a;\n}\nint g() {\n  a;\n}\n", {edit("a", "c", "int g(")}) ==
        "int f() {\n  a;\n}\nint g() {\n  (assay_planted_fault == 7u ? (c) : (a));\n}\n");
  CHECK(planted("int f() {\n  a;\n}\n", {edit("a", "c", "int h(")}) == "refused: int h(");
  CHECK(planted("int f() {\n  a;\n}\nb", {edit("b", "c", "int f(")}) == "refused: b");
}

TEST_CASE("planting: a list is read with its line numbers, or refused with one") {
  const auto good = parse_faults(
      "# words\nfault: x-1\nmuseum: 3\nimitates: a\n  b\nkiller: unit: kernels: k\nfile: k/r.cc\nfrom: "
      "a\nto: b\n"
      "from: c\nto: d\n",
      "lists/router.txt");
  REQUIRE(good.ok());
  REQUIRE(good->size() == 1);
  const Fault& f = good->front();
  CHECK((f.name == "x-1" && f.area == "router" && f.museum == 3 && f.imitates == "a\nb"));
  CHECK((f.kind == "unit" && f.killer == "kernels: k" && f.edits.size() == 2 && f.edits[1].file == "k/r.cc"));
  for (const auto& [text, line] : std::map<std::string, std::string>{{"fault: x\nimitates: a\n", "line 1"},
                                                                     {"fault: X\n", "line 1"},
                                                                     {"imitates: a\n", "line 1"},
                                                                     {"fault: x\nmuseum: 3x\n", "line 2"},
                                                                     {"fault: x\nmuseum: 13\n", "line 1"},
                                                                     {"fault: x\nnonsense\n", "line 2"},
                                                                     {"fault: x\n\nkiller: k\n", "line 3"},
                                                                     {"fault: x\nto: k\n", "line 2"},
                                                                     {"fault: x\nsource: k\n", "line 2"}}) {
    INFO(text);
    const auto bad = parse_faults(text, "router.txt");
    REQUIRE_FALSE(bad.ok());
    CHECK(bad.error().field == line);
  }
}

TEST_CASE("planted faults: the museum is complete and every area has its share") {
  const auto faults = read_faults(kLists);
  REQUIRE(faults.ok());
  std::map<std::string, int> in_area;
  std::map<int, int> in_museum;
  for (const Fault& f : *faults) {
    ++in_area[f.area];
    if (f.museum > 0) ++in_museum[f.museum];
  }
  CHECK(in_museum.size() == 12);
  const std::map<std::string, int> wanted = {{"router", 20},    {"rope", 12},       {"norm", 10},
                                             {"attention", 14}, {"dequantise", 14}, {"tokenizer", 16},
                                             {"sampler", 12}};
  for (const auto& [area, n] : wanted) {
    INFO(area);
    CHECK(in_area[area] >= n);
  }
  CHECK(faults->size() >= 112);
}

TEST_CASE("planted faults: no two of them change the same place into the same thing") {
  const auto faults = read_faults(kLists);
  REQUIRE(faults.ok());
  std::map<std::string, std::string> seen;
  for (const Fault& f : *faults) {
    std::string all;
    for (const Edit& e : f.edits) all += e.file + "\n" + e.within + "\n" + e.from + "\n" + e.to + "\n";
    const auto [other, fresh] = seen.try_emplace(all, f.name);
    INFO(f.name << " and " << other->second);
    CHECK(fresh);
  }
}

// ASSAY_UPDATE=1 writes it anew.
TEST_CASE("planted faults: the page of docs/ is made from the lists") {
  const auto faults = read_faults(kLists);
  REQUIRE(faults.ok());
  const std::string path = ASSAY_TREE "/docs/planted-faults.md", page = fault_page(*faults);
  if (std::getenv("ASSAY_UPDATE") != nullptr) REQUIRE(write_file_atomic(path, page).ok());
  const auto stored = read_file(path);
  REQUIRE(stored.ok());
  CHECK(*stored == page);
}
