// Plots as display lists and their SVG.
#include <cmath>
#include <limits>

#include "reports/plot/axis.h"
#include "reports/plot/charts.h"
#include "reports/plot/svg.h"
#include "tests/catch.h"
#include "tests/markup.h"

using namespace assay;
using namespace assay::plot;

namespace {

template <class Shape>
std::vector<Shape> all_of(const PlotScene& scene) {
  std::vector<Shape> found;
  for (const Element& element : scene.elements) {
    if (const auto* shape = std::get_if<Shape>(&element)) found.push_back(*shape);
  }
  return found;
}

ClaimRow percent_claim(const std::string& key, double value, double measured) {
  ClaimRow claim;
  claim.key = key;
  claim.relation = "equals";
  claim.verdict = "reproduced";
  claim.value = value;
  claim.scale = 100;
  claim.measured = measured;
  claim.margin = 0.5;
  claim.n = 500;
  claim.population_low = measured - 4;
  claim.population_high = measured + 3;
  return claim;
}

void check_inside(const PlotScene& scene) {
  const auto inside = [&](double x, double y) {
    return x >= -1 && x <= scene.width + 1 && y >= -1 && y <= scene.height + 1;
  };
  for (const Line& line : all_of<Line>(scene)) CHECK((inside(line.x0, line.y0) && inside(line.x1, line.y1)));
  for (const Mark& mark : all_of<Mark>(scene)) CHECK(inside(mark.x, mark.y));
  for (const Box& box : all_of<Box>(scene))
    CHECK((inside(box.x, box.y) && inside(box.x + box.width, box.y + box.height)));
  for (const Text& text : all_of<Text>(scene)) CHECK(inside(text.x, text.y));
}

}  // namespace

TEST_CASE("plot: ticks are round, inside the range and about as many as asked") {
  const auto labels = [](const std::vector<Tick>& ticks) {
    std::string out;
    for (const Tick& tick : ticks) out += tick.label + " ";
    return out;
  };
  CHECK(labels(nice_ticks(0, 10, 5)) == "0 2 4 6 8 10 ");
  CHECK(labels(nice_ticks(-0.3, 0.3, 6)) == "-0.3 -0.2 -0.1 0.0 0.1 0.2 0.3 ");
  CHECK(labels(nice_ticks(76.1, 76.9, 4)) == "76.2 76.4 76.6 76.8 ");
  CHECK(labels(log_ticks(1, 1e6)) == "1 10 100 1000 10k 100k 1M ");
  CHECK(labels(log_ticks(1, 20)) == "1 2 5 10 20 ");
  for (const double span : {1e-9, 1e-3, 1.0, 7.3, 1e12}) {
    const auto ticks = nice_ticks(3 * span, 4 * span, 6);
    CHECK(ticks.size() >= 3);
    CHECK(ticks.size() <= 12);
  }
}

TEST_CASE("plot: an axis maps its ends to its pixels, clamps, and survives any range") {
  const Axis axis = Axis::linear(10, 20, 100, 300);
  CHECK(axis.pixel(10) == 100);
  CHECK(axis.pixel(15) == 200);
  CHECK(axis.pixel(99) == 300);
  CHECK(axis.pixel(std::nan("")) == 100);
  CHECK_FALSE(axis.contains(std::nan("")));
  const Axis log = Axis::logarithmic(1, 100, 0, 200);
  CHECK(log.pixel(10) == Approx(100));
  const double inf = std::numeric_limits<double>::infinity();
  for (const auto& [low, high] :
       {std::pair{5.0, 5.0}, {0.0, 0.0}, {-inf, inf}, {1.0, std::nan("")}, {9.0, 1.0}}) {
    CHECK(std::isfinite(Axis::linear(low, high, 0, 1).pixel(5)));
    CHECK(std::isfinite(Axis::logarithmic(low, high, 0, 1).pixel(5)));
  }
}

TEST_CASE("plot: forest rows are measured minus published in points, or in percent of the figure") {
  const auto row = forest_row(percent_claim("a", 76.4, 76.0), 3);
  REQUIRE(row.has_value());
  CHECK(row->claim == 3);
  CHECK(row->measured == Approx(-0.4));
  CHECK(*row->population_low == Approx(-4.4));
  CHECK(row->band_low == -0.5);
  CHECK(row->band_high == 0.5);

  ClaimRow bits = percent_claim("b", 0.5, 0.51);
  bits.scale = 1;
  CHECK(forest_row(bits, 0)->measured == Approx(2.0));
  CHECK_FALSE(forest_row(bits, 0)->points);
  bits.value = 0;
  CHECK_FALSE(forest_row(bits, 0).has_value());

  ClaimRow least = percent_claim("c", 68, 74.6);
  least.relation = "at-least";
  CHECK_FALSE(forest_row(least, 0)->band_high.has_value());

  ClaimRow within = percent_claim("d", 0.3, 0.8);
  within.relation = "within";
  CHECK(forest_row(within, 0)->measured == Approx(0.8));  // the difference itself against ±0.3
  CHECK(forest_row(within, 0)->band_high == 0.3);
  CHECK_FALSE(forest_row(within, 0)->has_published);

  ClaimRow open = percent_claim("e", 1, 1);
  open.measured.reset();
  CHECK_FALSE(forest_row(open, 0).has_value());
}

TEST_CASE("plot: the forest has a letter, a published diamond and a hit for each decided claim") {
  std::vector<ClaimRow> claims = {percent_claim("one", 76.4, 76.0), percent_claim("two", 50, 60),
                                  percent_claim("open", 1, 1)};
  claims[1].verdict = "contradicted";
  claims[2].measured.reset();
  const PlotScene scene = forest_plot(claims, 900);
  check_inside(scene);
  CHECK(scene.hits.size() == 2);
  CHECK(scene.hits[1].row == 1);
  CHECK(scene.hits[1].tip.find("contradicted") != std::string::npos);
  int letters = 0, diamonds = 0;
  for (const Text& text : all_of<Text>(scene)) letters += text.text == "R" || text.text == "C";
  for (const Mark& mark : all_of<Mark>(scene)) diamonds += mark.shape == Shape::diamond;
  CHECK(letters == 2);
  CHECK(diamonds == 3);  // one is the legend's
  CHECK(forest_plot({}, 900).height > 0);
}

TEST_CASE("plot: verdict colours differ from each other in both themes") {
  const std::vector<std::string> verdicts = {"reproduced",        "contradicted", "undecided",
                                             "protocol-mismatch", "impossible",   "?"};
  for (const bool dark : {false, true}) {
    std::set<std::uint32_t> colors;
    for (const std::string& verdict : verdicts) colors.insert(rgb_of(ink_of_verdict(verdict), dark));
    CHECK(colors.size() == verdicts.size());
  }
  CHECK(css_variables(true).find("--ink-reproduced:#") != std::string::npos);
}

TEST_CASE("plot: similarity matrices are symmetric, one a test") {
  std::vector<SimilarityRow> rows(3);
  rows[0].a = "x", rows[0].b = "y", rows[0].kind = "outputs", rows[0].test = "kappa", rows[0].statistic = 0.2;
  rows[1].a = "y", rows[1].b = "z", rows[1].kind = "outputs", rows[1].test = "kappa", rows[1].statistic = 0.9;
  rows[2].a = "x", rows[2].b = "y", rows[2].kind = "weights", rows[2].test = "cosine",
  rows[2].statistic = std::nan("");
  const auto matrices = similarity_matrices(rows);
  REQUIRE(matrices.size() == 2);
  CHECK(matrices[0].names == std::vector<std::string>{"x", "y", "z"});
  CHECK(matrices[0].cells == std::vector<int>{-1, 0, -1, 0, -1, 1, -1, 1, -1});
  const PlotScene scene = similarity_plot(matrices[0], rows, 900);
  check_inside(scene);
  CHECK(scene.hits.size() == 4);
  check_inside(similarity_plot(matrices[1], rows, 900));
  std::vector<SimilarityRow> many(50);
  for (std::size_t i = 0; i < many.size(); ++i)
    many[i].a = std::to_string(i), many[i].b = std::to_string(i + 1000);
  CHECK(similarity_matrices(many).empty());  // a hundred names cannot be read
}

TEST_CASE("plot: cost and kernels draw what is positive and skip the rest") {
  std::vector<CostRow> costs(3);
  costs[0].cost_usd = 5.576e6, costs[0].low_usd = 4.7e6, costs[0].high_usd = 8.2e6;
  costs[1].cost_usd = 0.0001;
  costs[2].cost_usd = -1;
  const PlotScene cost = cost_plot(costs, 900);
  CHECK(cost.hits.size() == 2);
  check_inside(cost);
  std::vector<KernelRow> kernels(3);
  for (KernelRow& row : kernels)
    row.flops_per_s = 1e9, row.bytes_per_s = 1e8, row.intensity_flops_per_byte = 10, row.isa = "avx2";
  kernels[0].isa = "scalar", kernels[0].fraction_of_limit = 0.5;
  kernels[1].fraction_of_limit = 3.0;  // above the limit is clamped in the picture, not in the words
  kernels[2].flops_per_s.reset();
  const PlotScene roof = roofline_plot(kernels, 900);
  CHECK(roof.hits.size() == 2);
  check_inside(roof);
  const PlotScene bars = kernel_bars(kernels, 900);
  CHECK(bars.hits.size() == 2);
  CHECK(bars.hits[1].tip.find("300 %") != std::string::npos);
  check_inside(bars);
  check_inside(cost_plot({}, 900));
  check_inside(roofline_plot({}, 900));
  check_inside(kernel_bars({}, 900));
}

TEST_CASE("plot: SVG is well formed and hostile names are text") {
  std::vector<ClaimRow> claims = {percent_claim("<script>alert(1)</script>", 76.4, 76.0)};
  claims[0].reason = "\"quoted\" & <b>bold</b> \x01\xff \xe2\x80\xae";
  const std::string svg = to_svg(forest_plot(claims, 900));
  CHECK(test::markup_fault(svg).empty());
  CHECK(svg.find("<script") == std::string::npos);
  CHECK(svg.find("&lt;script") != std::string::npos);
  CHECK(svg.find('\x01') == std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg == to_svg(forest_plot(claims, 900)));
}
