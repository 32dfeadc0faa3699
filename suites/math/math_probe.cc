#include "suites/math/math_probe.h"

#include <algorithm>
#include <array>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"

namespace assay {
namespace {

namespace mp = boost::multiprecision;

using Real = mp::number<mp::cpp_bin_float<160>, mp::et_off>;

constexpr int kMaxLiteralDigits = 40;   // together: literals that differ in later digits than these are compared exactly or not at all
constexpr int kMaxNodes = 2000;         // evaluated in one comparison and point
constexpr int kPoints = 9;

const Real& epsilon() {
  static const Real kEpsilon = mp::pow(Real(10), -155);  // far above half a unit in the last place, covers the functions too
  return kEpsilon;
}
const Real& largest() {
  static const Real kLargest = mp::pow(Real(10), 50);
  return kLargest;
}
const Real& agreement() {
  static const Real kAgreement = mp::pow(Real(10), -kMathDigits);
  return kAgreement;
}
const Real& pi() {
  static const Real kPi = mp::acos(Real(-1));
  return kPi;
}

// A complex value and a bound on the distance from the true one.
struct Ball {
  Real re = 0, im = 0, error = 0;
};

Real size_of(const Ball& x) { return mp::abs(x.re) + mp::abs(x.im); }
Real larger(const Real& a, const Real& b) { return a < b ? b : a; }
bool is_real(const Ball& x) { return x.im == 0; }

Ball rounded(Ball x) {
  x.error += size_of(x) * epsilon();
  return x;
}

using Value = std::optional<Ball>;

Value add(const Value& a, const Value& b) {
  if (!a || !b) return std::nullopt;
  return rounded({a->re + b->re, a->im + b->im, a->error + b->error + (size_of(*a) + size_of(*b)) * epsilon()});
}

Value multiply(const Value& a, const Value& b) {
  if (!a || !b) return std::nullopt;
  const Real x = size_of(*a), y = size_of(*b);
  return Ball{a->re * b->re - a->im * b->im, a->re * b->im + a->im * b->re, x * b->error + y * a->error + a->error * b->error + x * y * epsilon() * 4};
}

Value inverse(const Value& a) {
  if (!a) return std::nullopt;
  const Real norm = a->re * a->re + a->im * a->im, size = mp::sqrt(norm);
  if (size <= a->error * 4) return std::nullopt;
  return rounded({a->re / norm, -a->im / norm, a->error * 2 / norm + epsilon() / size});
}

Value negative(const Value& a) {
  if (!a) return std::nullopt;
  return Ball{-a->re, -a->im, a->error};
}

Value integer_power(Value base, long n) {
  if (!base) return std::nullopt;
  if (n < 0) return integer_power(inverse(base), -n);
  Value out = Ball{1, 0, 0};
  for (; n > 0; n /= 2) {
    if (n % 2 == 1) out = multiply(out, base);
    base = multiply(base, base);
    if (!base || size_of(*base) > largest() * largest() * largest()) {
      if (n > 1) return std::nullopt;
    }
  }
  return out;
}

Value exponential(const Value& a) {
  if (!a || mp::abs(a->re) > 200 || mp::abs(a->im) > 1'000'000 || a->error > Real(1) / 4) return std::nullopt;
  const Real size = mp::exp(a->re);
  return rounded({size * mp::cos(a->im), is_real(*a) ? Real(0) : Real(size * mp::sin(a->im)), size * (a->error * 2 + epsilon() * 4)});
}

Value logarithm(const Value& a) {
  if (!a || !is_real(*a) || a->re <= a->error * 4) return std::nullopt;
  return rounded({mp::log(a->re), 0, a->error * 2 / a->re + epsilon()});
}

// The real root of a real number; of a negative one for an odd index only, and i times that of its absolute value where square roots of
// negative numbers are meant.
Value real_root(const Value& a, int index, bool complex) {
  if (!a || !is_real(*a) || index < 2) return std::nullopt;
  if (mp::abs(a->re) <= a->error) return Ball{0, 0, mp::pow(a->error * 2, Real(1) / index)};
  const bool minus = a->re < 0;
  if (minus && index % 2 == 0 && !(complex && index == 2)) return std::nullopt;
  const Real size = mp::abs(a->re), root = index == 2 ? Real(mp::sqrt(size)) : Real(mp::exp(mp::log(size) / index));
  const Real error = root * (a->error / size + epsilon() * 8);
  if (!minus) return Ball{root, 0, error};
  return index == 2 ? Ball{0, root, error} : Ball{-root, 0, error};
}

std::optional<long> whole_number(const Value& a) {
  if (!a || !is_real(*a) || mp::abs(a->re) > 100'000) return std::nullopt;
  const long n = static_cast<long>(mp::round(a->re));
  return mp::abs(a->re - n) <= a->error + epsilon() ? std::optional(n) : std::nullopt;
}

void collect(const MathTree& tree, std::set<std::string>& names, int& digits) {
  if (tree.op == MathOp::symbol && tree.text != "pi" && tree.text != "e" && tree.text != "i") names.insert(tree.text);
  if (tree.op == MathOp::number) digits += static_cast<int>(std::min<std::size_t>(tree.text.size(), 1000));
  for (const MathTree& kid : tree.kids) collect(kid, names, digits);
}

// Five points that are no integers (the last two with negative coordinates) and four of integers, all coordinates of a
// point different.
Real coordinate(int point, int rank) {
  if (point < 3) return Real(10 + (rank * 38 + point * 51) % 97) / (point == 0 ? 7 : point == 1 ? 11 : 13) + Real(1) / 17;
  if (point < 5) return (point == 3 || rank % 2 == 0 ? -1 : 1) * (Real(9 + (rank * 41 + point * 29) % 83) / 19 + Real(1) / 23);
  static constexpr std::array<std::array<int, 2>, 4> kWhole = {{{4, 3}, {7, 2}, {11, 5}, {2, 3}}};
  const auto& [first, step] = kWhole[static_cast<std::size_t>(point - 5)];
  return first + step * rank;
}

class Prober {
 public:
  Prober(std::map<std::string, Real> point, bool complex) : point_(std::move(point)), complex_(complex) {}

  bool extreme() const { return extreme_; }

  Value value(const MathTree& tree) {
    if (++nodes_ > kMaxNodes) return std::nullopt;
    Value out = compute(tree);
    if (!out) return out;
    const Real size = size_of(*out);
    extreme_ = extreme_ || size > largest() || (size > out->error && size < 1 / largest());
    return out;
  }

 private:
  Value compute(const MathTree& tree) {
    switch (tree.op) {
      case MathOp::number: return rounded({Real(tree.text), 0, 0});
      case MathOp::symbol: return symbol(tree.text);
      case MathOp::sum: case MathOp::product: return fold(tree);
      case MathOp::quotient: return multiply(value(tree.kids[0]), inverse(value(tree.kids[1])));
      case MathOp::negative: return negative(value(tree.kids[0]));
      case MathOp::power: return power(tree);
      case MathOp::root: return root(tree);
      case MathOp::unit: return unit(tree);
      case MathOp::factorial: return factorial(value(tree.kids[0]));
      case MathOp::function: return function(tree);
      default: return std::nullopt;
    }
  }

  Value symbol(const std::string& name) const {
    if (name == "pi") return rounded({pi(), 0, 0});
    if (name == "e") return rounded({mp::exp(Real(1)), 0, 0});
    if (name == "i") return Ball{0, 1, 0};
    if (name == "inf") return std::nullopt;
    const auto at = point_.find(name);
    return at == point_.end() ? std::nullopt : Value(rounded({at->second, 0, 0}));
  }

  Value fold(const MathTree& tree) {
    Value out = Ball{tree.op == MathOp::sum ? 0 : 1, 0, 0};
    for (const MathTree& kid : tree.kids) {
      out = tree.op == MathOp::sum ? add(out, value(kid)) : multiply(out, value(kid));
      if (!out) return out;
    }
    return out;
  }

  Value power(const MathTree& tree) {
    const Value base = value(tree.kids[0]), exponent = value(tree.kids[1]);
    if (!base || !exponent) return std::nullopt;
    if (const auto n = whole_number(exponent)) {
      if (*n == 0 && size_of(*base) <= base->error) return std::nullopt;
      return std::abs(*n) <= 10'000 ? integer_power(base, *n) : std::nullopt;
    }
    if (!is_real(*base)) return std::nullopt;
    return exponential(multiply(exponent, logarithm(base)));
  }

  Value root(const MathTree& tree) {
    const auto index = whole_number(value(tree.kids[1]));
    if (!index || *index < 2 || *index > 1000) return std::nullopt;
    return real_root(value(tree.kids[0]), static_cast<int>(*index), complex_);
  }

  Value unit(const MathTree& tree) {
    const Value inside = value(tree.kids[0]);
    if (tree.text == "%") return multiply(inside, inverse(Ball{100, 0, 0}));
    return tree.text == "deg" ? multiply(inside, rounded({pi() / 180, 0, 0})) : std::nullopt;
  }

  static Value factorial(const Value& x) {
    const auto n = whole_number(x);
    if (!n || *n < 0 || *n > 200) return std::nullopt;
    Value out = Ball{1, 0, 0};
    for (long i = 2; i <= *n; ++i) out = multiply(out, Ball{Real(i), 0, 0});
    return out;
  }

  Value binomial(const Value& top, const Value& bottom) {
    const auto n = whole_number(top), k = whole_number(bottom);
    if (!n || !k || *k < 0 || *n < 0 || *n > 200) return std::nullopt;
    Value out = Ball{1, 0, 0};
    for (long i = 0; i < *k; ++i) out = multiply(out, multiply(Ball{Real(*n - i), 0, 0}, inverse(Ball{Real(i + 1), 0, 0})));
    return out;
  }

  Value function(const MathTree& tree) {
    std::vector<Value> x;
    for (const MathTree& kid : tree.kids) x.push_back(value(kid));
    if (x.empty() || std::any_of(x.begin(), x.end(), [](const Value& v) { return !v; })) return std::nullopt;
    const std::string& name = tree.text;
    if (name == "binom" && x.size() == 2) return binomial(x[0], x[1]);
    if (name == "log") return x.size() > 1 ? multiply(logarithm(x[0]), inverse(logarithm(x[1]))) : some_logarithm(x[0]);
    if (x.size() != 1) return std::nullopt;
    if (name == "exp") return exponential(x[0]);
    if (name == "abs") return absolute(x[0]);
    if (!is_real(*x[0])) return std::nullopt;
    if (name == "ln") return logarithm(x[0]);
    if (name == "floor" || name == "ceil") return whole_part(*x[0], name == "ceil");
    return trigonometric(name, *x[0]);
  }

  // \log without a base is that of 10 or of e: a factor that nothing else has keeps what holds for both.
  static Value some_logarithm(const Value& x) {
    static const Real kFactor = mp::sqrt(Real(7)) / mp::exp(mp::sqrt(Real(3)));
    return multiply(logarithm(x), rounded({kFactor, 0, 0}));
  }

  static Value absolute(const Value& x) {
    if (is_real(*x)) return Ball{mp::abs(x->re), 0, x->error};
    return real_root(rounded({x->re * x->re + x->im * x->im, 0, x->error * size_of(*x) * 2}), 2, false);
  }

  static Value whole_part(const Ball& x, bool up) {
    const Real near = mp::round(x.re);
    if (mp::abs(x.re - near) <= x.error) return Ball{near, 0, 0};
    return Ball{up ? Real(mp::ceil(x.re)) : Real(mp::floor(x.re)), 0, 0};
  }

  static Value trigonometric(const std::string& name, const Ball& x) {
    if (mp::abs(x.re) > 1'000'000 || x.error > Real(1) / 1000) return std::nullopt;
    const Real e = x.error + epsilon() * (8 + mp::abs(x.re) * 8);
    const Ball sine{mp::sin(x.re), 0, e}, cosine{mp::cos(x.re), 0, e};
    if (name == "sin") return sine;
    if (name == "cos") return cosine;
    if (name == "tan") return multiply(sine, inverse(cosine));
    if (name == "cot") return multiply(cosine, inverse(sine));
    if (name == "sec") return inverse(cosine);
    if (name == "csc") return inverse(sine);
    if (name == "atan") return Ball{mp::atan(x.re), 0, e};
    if (name == "asin" || name == "acos") {
      const Real room = 1 - x.re * x.re;
      if (room < -e * 4) return std::nullopt;
      const Real inside = room < 0 ? Real(x.re > 0 ? 1 : -1) : x.re;
      const Real error = room > mp::sqrt(e) ? Real(e * 4 / mp::sqrt(room)) : Real(mp::sqrt(e) * 4);  // the slope is 1 / sqrt(room)
      return Ball{name == "asin" ? Real(mp::asin(inside)) : Real(mp::acos(inside)), 0, error};
    }
    const Value up = exponential(x), down = exponential(Ball{-x.re, 0, x.error}), half = Ball{Real(1) / 2, 0, 0};
    const Value sinh = multiply(half, add(up, negative(down))), cosh = multiply(half, add(up, down));
    if (name == "sinh") return sinh;
    if (name == "cosh") return cosh;
    return name == "tanh" ? multiply(sinh, inverse(cosh)) : std::nullopt;
  }

  std::map<std::string, Real> point_;
  bool complex_;
  bool extreme_ = false;
  int nodes_ = 0;
};

MathSame compare_at(const MathTree& a, const MathTree& b, const std::map<std::string, Real>& point, bool complex) {
  Prober prober(point, complex);
  const Value x = prober.value(a), y = prober.value(b);
  if (!x || !y) return MathSame::unknown;
  const Real error = x->error + y->error, apart = larger(mp::abs(x->re - y->re), mp::abs(x->im - y->im));
  if (apart > error) return MathSame::different;
  const bool sharp = error <= agreement() * larger(Real(1), larger(size_of(*x), size_of(*y)));
  return sharp && !prober.extreme() ? MathSame::equal : MathSame::unknown;
}

}  // namespace

MathSame same_probed(const MathTree& a, const MathTree& b) {
  std::set<std::string> names;
  int digits = 0;
  collect(a, names, digits);
  collect(b, names, digits);
  if (names.contains("inf") || names.size() > 20) return MathSame::unknown;
  int agreed = 0;
  for (int point = 0; point < (names.empty() ? 1 : kPoints); ++point) {
    std::map<std::string, Real> at;
    for (const std::string& name : names) at.emplace(name, coordinate(point, static_cast<int>(at.size())));
    const MathSame here = compare_at(a, b, at, names.empty());
    if (here == MathSame::different) return here;
    agreed += here == MathSame::equal ? 1 : 0;
  }
  const bool enough = agreed >= (names.empty() ? 1 : 3) && digits <= kMaxLiteralDigits;
  return enough ? MathSame::equal : MathSame::unknown;
}

}  // namespace assay
