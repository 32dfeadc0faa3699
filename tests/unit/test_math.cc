// Mathematical equivalence: what is the same, what is not, and what no input may do.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "suites/math/math_equal.h"
#include "suites/math/math_expand.h"
#include "suites/math/math_lex.h"
#include "suites/math/math_parse.h"
#include "suites/math/math_probe.h"
#include "suites/math/math_units.h"
#include "suites/score.h"
#include "tests/catch.h"

namespace {

using namespace assay;

struct MathPair {
  std::string_view a, b;
};

void check_all(const std::vector<MathPair>& pairs, bool wanted) {
  for (const auto& [a, b] : pairs) {
    INFO(a << "   and   " << b);
    CHECK(same_math(a, b) == wanted);
    CHECK(same_math(b, a) == wanted);
    CHECK(same_math(a, a));
    CHECK(same_math(b, b));
  }
}

TEST_CASE("math: numbers in all their spellings") {
  check_all({{"1/2", "0.5"},
             {"\\frac12", "\\dfrac{1}{2}"},
             {"\\tfrac{3}{4}", "75\\%"},
             {"3\\frac{1}{2}", "7/2"},
             {"6\\frac23", "20/3"},
             {"3 1/2", "3.5"},
             {"-2\\frac12", "-2.5"},
             {"-\\frac{3}{4}", "\\frac{-3}{4}"},
             {"1,000", "1000"},
             {"1,\\!000,\\!000", "10^6"},
             {"1{,}000", "10^3"},
             {"10\\,000", "10000"},
             {"0.\\overline{3}", "1/3"},
             {"1.\\overline{36}", "15/11"},
             {"0.1\\overline{6}", "1/6"},
             {"1e-8", "10^{-8}"},
             {"3.3\\times 10^{-10}", "3.3e-10"},
             {"2\\cdot 3^2", "18"},
             {"5!", "120"},
             {"\\binom{6}{2}", "15"},
             {"1112112_3", "1121"},
             {"11_2", "3"},
             {"0.0011_{2}", "3/16"},
             {"\\boxed{7}", "7."},
             {"$\\frac{58}{3}$", "58/3"},
             {"\\(4\\)", "**4**"},
             {".5", "0.50"},
             {"+2", "2"},
             {"\u22125", "-5"},
             {"= 5", "5"},
             {"|{-3}|", "3"},
             {"\\lfloor 7/2 \\rfloor", "3"},
             {"\\lceil -7/2 \\rceil", "-3"},
             {"10^{100}", "10^{100}"},
             {"\\log_2 8", "3"}},
            true);
}

TEST_CASE("math: numbers that differ, however little") {
  check_all({{"1/2", "0.51"},
             {"\\sqrt2", "1.41421356"},
             {"\\pi", "3.14"},
             {"\\frac13", "0.333"},
             {"\\sqrt{2}+10^{-200}", "\\sqrt2"},
             {"\\sin(1+10^{-200})", "\\sin 1"},
             {"e^{\\pi\\sqrt{163}}", "262537412640768744"},
             {"10^{400}+1", "10^{400}"},
             {"2^{2^{2^5}}", "2^{2^{2^6}}"},
             {"\\pi^{-300}", "\\pi^{-301}"},
             {"0", "\\infty"},
             {"\\infty", "-\\infty"},
             {"1112112_3", "1112112"},
             {"11_2", "11"},
             {"50", "0.5"},
             {"1,000", "1"},
             {"0.\\overline{9}8", "1"},
             {"(-8)^{1/3}", "2"},
             {"0^0", "1"}},
            false);
}

TEST_CASE("math: radicals, pi, e, i and angles") {
  check_all({{"\\sqrt{12}", "2\\sqrt3"},
             {"\\frac{1}{\\sqrt2}", "\\frac{\\sqrt{2}}{2}"},
             {"\\frac{1}{\\sqrt2+\\sqrt3}", "\\sqrt3-\\sqrt2"},
             {"\\sqrt{5+2\\sqrt{6}}", "\\sqrt2+\\sqrt3"},
             {"\\sqrt[3]{-8}", "-2"},
             {"\\sqrt[4]{4}", "\\sqrt2"},
             {"5 \\sqrt[3]{4}", "5\\cdot 2^{2/3}"},
             {"\\sqrt{-4}", "2i"},
             {"sqrt(8)/2", "\u221a2"},
             {"12\\pi", "12*pi"},
             {"\\frac{\\pi}{4}", "\\arctan 1"},
             {"30^\\circ", "\\pi/6"},
             {"\\cos 58^\\circ", "\\sin 32^\\circ"},
             {"\\sin^2 1 + \\cos^2 1", "1"},
             {"e^{i\\pi}", "-1"},
             {"(2+3i)(2-3i)", "13"},
             {"\\frac{1}{1+i}", "\\frac{1-i}{2}"},
             {"\\ln e^2", "2"},
             {"\\ln 6", "\\ln 2 + \\ln 3"},
             {"\\log 6", "\\log 2 + \\log 3"},
             {"\\sin^{-1}\\frac12", "\\pi/6"},
             {"\\frac{1+\\sqrt5}{2}", "(1+sqrt(5))/2"}},
            true);
  check_all({{"\\sqrt{2}+\\sqrt{3}", "\\sqrt5"}, {"\\log 2", "\\ln 2"}, {"2i", "-2i"}, {"\\sqrt{-4}", "2"}, {"\\cos 58^\\circ", "0.5299192642"}}, false);
}

TEST_CASE("math: expressions in variables") {
  check_all({{"(x+1)^2", "x^2+2x+1"},
             {"\\frac{x^2-1}{x-1}", "x+1"},
             {"\\sin(2x)", "2\\sin x\\cos x"},
             {"\\frac{n(n+1)}{2}", "\\binom{n+1}{2}"},
             {"2^{n+1}", "2\\cdot 2^n"},
             {"\\frac{e^{t}} {3}+c e^{-2 t}", "\\frac{1}{3}e^t + c e^{-2t}"},
             {"|x-1|", "|1-x|"},
             {"\\sqrt{x^2y}", "\\sqrt{yx^2}"},
             {"m n-\\lfloor m / 2\\rfloor", "mn - floor(m/2)"},
             {"x_1+x_{2}", "x_2 + x_1"},
             {"2[x+1]", "2x+2"},
             {"y'+1", "1+y^{\\prime}"}},
            true);
  check_all({{"\\sqrt{x^2}", "x"}, {"n!", "n"}, {"\\lfloor n/2\\rfloor", "n/2"}, {"x", "y"}, {"ab", "a+b"}, {"x_1", "x_2"}, {"X", "x"}}, false);
}

TEST_CASE("math: equations, inequalities and both signs") {
  check_all({{"x=5", "5"},
             {"f(x)=2x", "2x"},
             {"5 = x", "x = 5"},
             {"y=2x+3", "2x-y+3=0"},
             {"x<3", "(-\\infty,3)"},
             {"3 > x", "x < 3"},
             {"-2\\leq x < 1", "[-2,1)"},
             {"1 > x \\ge -2", "[-2,1)"},
             {"\\{x|-2\\leq x < 1\\}", "[-2,1)"},
             {"x \\in [1,2]", "[1,2]"},
             {"3\\pm\\sqrt2", "3+\\sqrt{2}, 3-\\sqrt{2}"},
             {"x = \\pm 2", "x=2 \\text{ or } x=-2"},
             {"x=1, 2", "2, 1"},
             {"2+3=5", "5"},
             {"The answer is 5", "5"}},
            true);
  check_all({{"y=5", "x=5"}, {"x<3", "x\\leq 3"}, {"x+y=5", "5"}, {"x<3", "x>3"}, {"x<y", "x>y"}, {"3\\pm 1", "4"}, {"x \\neq 2", "x = 2"}}, false);
}

TEST_CASE("math: tuples, intervals, sets, unions and matrices") {
  check_all({{"(1,2]", "(1, 2]"},
             {"\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\pi/2)"},
             {"(-\\infty,3)\\cup(5,\\infty)", "(5,\\infty) \\cup (-\\infty, 3)"},
             {"\\{1,2,3\\}", "3, 2, 1"},
             {"\\{1,1,2\\}", "\\{2,1\\}"},
             {"14\\text{ and }16", "16, 14"},
             {"(1,-2),(2,3)", "(2,3),(1,-2)"},
             {"\\begin{pmatrix} 6/5 \\\\ -17/5 \\end{pmatrix}", "\\begin{bmatrix} 1.2 \\\\ -3.4 \\end{bmatrix}"},
             {"\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "(1,2)"},
             {"\\begin{array}{cc} 1 & 2 \\\\ 3 & 4 \\end{array}", "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}"},
             {"\\langle 1,2\\rangle", "(1,2)"},
             {"1,234", "1, 234"}},
            true);
  check_all({{"(1,2)", "(2,1)"},
             {"(1,2)", "[1,2]"},
             {"(1,2)", "\\{1,2\\}"},
             {"1,2", "1,3"},
             {"1,1,2", "1,2"},
             {"1,2", "1,2,3"},
             {"(1,234)", "1234"},
             {"\\begin{pmatrix} 1 & 2 \\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"}},
            false);
}

TEST_CASE("math: units, money, letters and words") {
  check_all({{"50\\%", "0.5"},
             {"50\\%", "50"},
             {"\\$20", "20"},
             {"\\$0.50", "50 cents"},
             {"30^\\circ", "30"},
             {"575\\text{ students}", "575"},
             {"36 \\text{ cm}^2", "36"},
             {"5 \\text{ cm}", "5 cm"},
             {"100 \\text{ cm}", "1 \\text{ m}"},
             {"36 \\text{ km/h}", "10\\text{ m/s}"},
             {"5\\text{ square inches}", "5 \\mbox{ inches}^2"},
             {"\\text{(B)}", "B"},
             {"(B)", "\\textbf{B}"},
             {"\\text{even}", "Even"},
             {"\\text{June 20}", "June 20"}},
            true);
  check_all({{"5 cm", "5\\text{ m}"}, {"5\\text{ cm}", "5\\text{ cm}^2"}, {"5\\text{ cm}", "5\\text{ kg}"}, {"B", "b"}, {"A", "B"}, {"even", "odd"}, {"\\text{yes}", "\\text{no}"}, {"a,b", "ab"}}, false);
}

TEST_CASE("math: nothing never equals anything, and nonsense equals only itself") {
  for (const char* text : {"", " ", "$$", "\\text{}", "=", "**", "."}) {
    INFO(text);
    CHECK_FALSE(same_math(text, text));
    CHECK_FALSE(same_math(text, "0"));
  }
  check_all({{"\\frac{1}{0}", "\\frac{2}{0}"}, {"3:1", "1:3"}, {"{", "}"}, {"\\frac{1}{23}", "\\frac{12}{3}"}, {"\\foo{1}{23}", "\\foo{12}{3}"}, {"\\undefinedcommand", "\\othercommand"}, {"1 2", "12"}}, false);
  CHECK_FALSE(reads_as_math("3:1"));
  CHECK(reads_as_math("\\frac{1}{2}"));
}

TEST_CASE("math: the normal form proves, the numbers decide what it cannot") {
  const auto tree = [](std::string_view text) { return parse_math(text)->tree; };
  CHECK(same_expanded(tree("\\sqrt{8}"), tree("2\\sqrt2")) == MathSame::equal);
  CHECK(same_expanded(tree("\\sqrt{2}"), tree("\\sqrt3")) == MathSame::different);
  CHECK(same_expanded(tree("\\sin 1"), tree("\\cos 1")) == MathSame::unknown);
  CHECK(same_expanded(tree("(1+x)^{60}(1+y)^{60}"), tree("(1+y)^{60}(1+x)^{60}")) == MathSame::unknown);  // the steps run out
  CHECK(same_probed(tree("\\sin 1"), tree("\\cos 1")) == MathSame::different);
  CHECK(same_probed(tree("\\sin 1"), tree("\\cos(\\pi/2-1)")) == MathSame::equal);
  CHECK(same_probed(tree("\\sqrt2+10^{-200}"), tree("\\sqrt2")) == MathSame::unknown);  // the digits agree: no proof of equality
  CHECK(same_up_to_factor(tree("2x"), tree("4"), tree("x"), tree("2"), true) == MathSame::equal);
  CHECK(same_up_to_factor(tree("-2x"), tree("-4"), tree("x"), tree("2"), true) == MathSame::different);
}

TEST_CASE("math: words, numbers and separators of the lexer") {
  const auto words = [](std::string_view text, bool separate = false) {
    const auto tokens = lex_math(text, separate);
    REQUIRE(tokens.has_value());
    std::string out;
    for (const MathToken& token : tokens->list) out += token.text + " ";
    return out;
  };
  CHECK(words("\\left(1,000\\right)") == "( 1 , 000 ) ");
  CHECK(words("1,000") == "1000 ");
  CHECK(words("1,000", true) == "1 , 000 ");
  CHECK(words("1,0000") == "1 , 0000 ");
  CHECK(words("2e-3 x") == "2e-3 x ");
  CHECK(words("\\dfrac{a}{b}") == "frac { a } { b } ");
  CHECK(words("5 apples") == "5 apples ");
  CHECK(words("xyz^2") == "xyz ^ 2 ");
  CHECK(words("\\mathrm{~m} \\quad \\text{ or }") == "m or ");
  CHECK(lex_math("1,000", false)->ambiguous_commas);
  CHECK_FALSE(lex_math("1{,}000", false)->ambiguous_commas);
  CHECK_FALSE(lex_math(std::string(kMaxMathBytes + 1, '1'), false).has_value());
}

TEST_CASE("math: units and their dimensions") {
  CHECK(known_unit("cm^2")->dimension == known_unit("square inches")->dimension);
  CHECK(known_unit("miles per hour")->dimension == known_unit("km/h")->dimension);
  CHECK(known_unit("cm")->dimension != known_unit("kg")->dimension);
  CHECK(known_unit("Seconds")->dimension == known_unit("min")->dimension);
  CHECK_FALSE(known_unit("students").has_value());
  CHECK_FALSE(known_unit("").has_value());
}

// What takes long elsewhere: towers, deep nesting, long sums, chains without end. Bounded by counted steps, so it returns.
TEST_CASE("math: hostile answers are refused, not worked on") {
  const auto repeated = [](std::string_view text, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += text;
    return out;
  };
  const std::vector<std::string> hostile = {repeated("(", 4000), repeated("{", 2000) + repeated("}", 2000), repeated("9^", 1000) + "9", repeated("\\sqrt{", 300) + "2" + repeated("}", 300),
                                            "(" + repeated("x+y+z+", 20) + "1)^{64}", repeated("2!", 500), "9999999999!", "10^{10^{10}}", repeated("%", 3000) + "1", "1" + repeated("%", 2000),
                                            "1" + repeated("/2", 1000), repeated("-", 4000) + "1", repeated("\\pm 1", 300), "\\binom{10^9}{10^8}", repeated("1,", 1000) + "1", repeated("|", 1001),
                                            "1e99999999", repeated("a", 4000), "\\sqrt[99999999]{2}", "12_{99}", "\\begin{pmatrix}" + repeated("1&", 500) + "1\\end{pmatrix}"};
  for (const std::string& text : hostile) {
    INFO(text.substr(0, 40));
    CHECK_FALSE(same_math(text, "3"));
    CHECK_FALSE(same_math("3", text));
  }
}

// Rational arithmetic as the oracle: p/q against r/s, each written in several ways.
TEST_CASE("math: 2,000 pairs of fractions in random spellings") {
  const auto spelling = [](Stream& random, long p, long q) -> std::string {
    const std::string a = std::to_string(p), b = std::to_string(q), minus = p < 0 ? "-" : "", size = std::to_string(p < 0 ? -p : p);
    switch (random.below(5)) {
      case 0: return a + "/" + b;
      case 1: return "\\frac{" + a + "}{" + b + "}";
      case 2: return "x = " + minus + "\\dfrac{" + size + "}{" + b + "}";
      case 3: return "\\frac{" + std::to_string(p * 7) + "}{" + std::to_string(q * 7) + "}\\text{ units}";
      default: return minus + "\\frac{\\sqrt{" + std::to_string(p * p) + "}}{" + b + "}";
    }
  };
  int equal = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    Stream random(11, i);
    const long p = static_cast<long>(random.below(40)) - 20, q = 1 + static_cast<long>(random.below(12));
    const long k = 1 + static_cast<long>(random.below(3)), r = p * k + static_cast<long>(random.below(2)), s = q * k;
    const std::string a = spelling(random, p, q), b = spelling(random, r, s);
    const bool same = p * s == r * q;
    INFO(a << "   and   " << b);
    CHECK(same_math(a, b) == same);
    equal += same ? 1 : 0;
  }
  CHECK(equal > 500);
}

TEST_CASE("math: the equality is there by name") {
  CHECK(equal_answers("math", "\\frac{1}{2}", "0.5") == true);
  CHECK(equal_answers("math", "2", "3") == false);
  CHECK(equal_answers("math", "", "3") == false);
  CHECK_FALSE(equal_answers("math", "3", "").has_value());
}

}  // namespace
