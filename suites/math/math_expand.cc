#include "suites/math/math_expand.h"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "base/check.h"

namespace assay {
namespace {

using Int = boost::multiprecision::cpp_int;
using Ratio = boost::multiprecision::cpp_rational;

constexpr std::size_t kMaxBits = 8192;       // of a numerator or denominator: 10^2000 fits
constexpr int kMaxDecimalExponent = 2000;
constexpr int kTrialDivisors = 10'000;       // what is left above its square may be composite
constexpr int kMaxFactorial = 800, kMaxPolyPower = 64, kMaxPower = 8192, kMaxRoot = 64;
constexpr std::size_t kMaxTerms = 2000;

enum class AtomKind : std::uint8_t { prime, unfactored, pi, e, i, variable, opaque };

struct Atom {
  AtomKind kind;
  std::string key;
  Int value;  // of a prime
};

// An exponent in lowest terms, denominator above 0.
struct Exponent {
  int n = 0, d = 1;
  friend auto operator<=>(const Exponent&, const Exponent&) = default;
};

std::optional<Exponent> lowest(std::int64_t n, std::int64_t d) {
  ASSAY_CHECK(d != 0);
  const std::int64_t g = std::gcd(n, d), sign = d < 0 ? -1 : 1;
  n = sign * n / g;
  d = sign * d / g;
  if (std::abs(n) > 1'000'000 || d > kMaxRoot) return std::nullopt;
  return Exponent{static_cast<int>(n), static_cast<int>(d)};
}

using Monomial = std::map<int, Exponent>;  // atom -> exponent, never 0
using Poly = std::map<Monomial, Ratio>;    // never a coefficient of 0

struct Fraction {
  Poly above, below;
};

bool fits(const Int& value) { return value == 0 || msb(abs(value)) < kMaxBits; }
bool fits(const Ratio& value) { return fits(numerator(value)) && fits(denominator(value)); }

Poly constant(const Ratio& value) {
  Poly out;
  if (value != 0) out[{}] = value;
  return out;
}

std::optional<Ratio> constant_of(const Poly& poly) {
  if (poly.empty()) return Ratio(0);
  if (poly.size() != 1 || !poly.begin()->first.empty()) return std::nullopt;
  return poly.begin()->second;
}

// Decimal digits, at most one point, perhaps an exponent, as the lexer leaves them.
std::optional<Ratio> ratio_of(const std::string& text) {
  const auto e = text.find_first_of("eE");
  Int above = 0;
  int places = 0;
  bool after_dot = false;
  for (const char c : text.substr(0, e)) {
    if (c == '.') after_dot = true;
    else above = above * 10 + (c - '0');
    places += after_dot && c != '.' ? 1 : 0;
    if (!fits(above)) return std::nullopt;
  }
  if (e != std::string::npos) {
    const std::string digits = text.substr(e + 1);
    if (digits.size() > 5) return std::nullopt;
    places -= std::stoi(digits);
  }
  if (std::abs(places) > kMaxDecimalExponent) return std::nullopt;
  const Int power = pow(Int(10), static_cast<unsigned>(std::abs(places)));
  return places >= 0 ? Ratio(above, power) : Ratio(above * power);
}

class Expander {
 public:
  std::optional<Fraction> expand(const MathTree& tree) {
    switch (tree.op) {
      case MathOp::number: {
        const auto value = ratio_of(tree.text);
        return value && spend(1) ? plain(constant(*value)) : std::nullopt;
      }
      case MathOp::symbol: return plain(single(symbol(tree.text), {1, 1}));
      case MathOp::sum: case MathOp::product: return fold(tree);
      case MathOp::quotient: return quotient(expand(tree.kids[0]), expand(tree.kids[1]));
      case MathOp::negative: return negated(expand(tree.kids[0]));
      case MathOp::power: return power(tree);
      case MathOp::root: return root(tree);
      case MathOp::function: case MathOp::factorial: return function(tree);
      case MathOp::unit: return unit(tree);
      default: return std::nullopt;
    }
  }

  std::optional<Poly> multiply(const Poly& a, const Poly& b) {
    Poly out;
    for (const auto& [m, x] : a) {
      for (const auto& [n, y] : b) {
        if (!spend(1) || !add_product(out, m, n, x * y)) return std::nullopt;
      }
    }
    return out.size() <= kMaxTerms ? std::optional(std::move(out)) : std::nullopt;
  }

  static Poly sum(Poly a, const Poly& b, const Ratio& factor = 1) {
    for (const auto& [m, y] : b) {
      const auto at = a.try_emplace(m, 0).first;
      at->second += factor * y;
      if (at->second == 0) a.erase(at);
    }
    return a;
  }

  // A polynomial that is not the empty one: can its value be 0 nevertheless?
  bool independent(const Poly& poly) const {
    bool has_e = false, has_pi = false, odd = false;
    for (const auto& [m, x] : poly) {
      for (const auto& [atom, exponent] : m) {
        const AtomKind kind = atoms_[static_cast<std::size_t>(atom)].kind;
        has_e = has_e || kind == AtomKind::e;
        has_pi = has_pi || kind == AtomKind::pi;
        odd = odd || kind == AtomKind::opaque || kind == AtomKind::unfactored;
      }
    }
    return !odd && !(has_e && has_pi);
  }

 private:
  using Result = std::optional<Fraction>;

  bool spend(int n) { return (steps_ -= n) >= 0; }

  static Result plain(Poly poly) { return Fraction{std::move(poly), constant(1)}; }

  int atom(AtomKind kind, const std::string& key, Int value = 0) {
    for (std::size_t i = 0; i < atoms_.size(); ++i) {
      if (atoms_[i].kind == kind && atoms_[i].key == key) return static_cast<int>(i);
    }
    atoms_.push_back({kind, key, std::move(value)});
    return static_cast<int>(atoms_.size()) - 1;
  }

  int symbol(const std::string& name) {
    if (name == "pi") return atom(AtomKind::pi, name);
    if (name == "e") return atom(AtomKind::e, name);
    if (name == "i") return atom(AtomKind::i, name);
    return atom(AtomKind::variable, name);
  }

  Poly single(int of, Exponent exponent) const {
    Poly out;
    out[exponent.n == 0 ? Monomial{} : Monomial{{of, exponent}}] = 1;
    return out;
  }

  // out += factor * m * n, with powers of primes and of i reduced.
  bool add_product(Poly& out, const Monomial& m, const Monomial& n, Ratio factor) {
    Monomial product = m;
    for (const auto& [at, exponent] : n) {
      auto& own = product.try_emplace(at, Exponent{0, 1}).first->second;
      const auto total = lowest(std::int64_t{own.n} * exponent.d + std::int64_t{exponent.n} * own.d, std::int64_t{own.d} * exponent.d);
      if (!total) return false;
      own = *total;
    }
    for (auto& [at, exponent] : product) {
      if (!reduce(atoms_[static_cast<std::size_t>(at)], exponent, factor)) return false;
    }
    std::erase_if(product, [](const auto& entry) { return entry.second.n == 0; });
    if (!fits(factor)) return false;
    const auto at = out.try_emplace(std::move(product), 0).first;
    at->second += factor;
    if (at->second == 0) out.erase(at);
    return fits(factor);
  }

  // Whole powers of a prime become part of the factor, i^2 is -1.
  static bool reduce(const Atom& of, Exponent& exponent, Ratio& factor) {
    if (of.kind == AtomKind::i) {
      if (exponent.d != 1) return false;
      const int rest = ((exponent.n % 4) + 4) % 4;
      if (rest >= 2) factor = -factor;
      exponent = {rest % 2, 1};
      return true;
    }
    if (of.kind != AtomKind::prime && of.kind != AtomKind::unfactored) return true;
    const int whole = exponent.n >= 0 ? exponent.n / exponent.d : -((-exponent.n + exponent.d - 1) / exponent.d);
    if (std::abs(whole) > kMaxPower || std::size_t(std::abs(whole)) * (msb(of.value) + 1) > kMaxBits) return false;
    const Int power = pow(of.value, static_cast<unsigned>(std::abs(whole)));
    factor *= whole >= 0 ? Ratio(power) : Ratio(Int(1), power);
    const auto rest = lowest(exponent.n - std::int64_t{whole} * exponent.d, exponent.d);
    ASSAY_CHECK(rest.has_value());
    exponent = *rest;
    return true;
  }

  Result add(const Result& a, const Result& b) {
    if (!a || !b) return std::nullopt;
    if (a->below == b->below) return tidy({sum(a->above, b->above), a->below});
    const auto left = multiply(a->above, b->below), right = multiply(b->above, a->below), below = multiply(a->below, b->below);
    if (!left || !right || !below) return std::nullopt;
    return tidy({sum(*left, *right), *below});
  }

  Result times(const Result& a, const Result& b) {
    if (!a || !b) return std::nullopt;
    auto above = multiply(a->above, b->above), below = multiply(a->below, b->below);
    if (!above || !below) return std::nullopt;
    return tidy({std::move(*above), std::move(*below)});
  }

  Result quotient(const Result& a, const Result& b) {
    if (!a || !b || b->above.empty()) return std::nullopt;  // nothing is divided by 0
    return times(a, Fraction{b->below, b->above});
  }

  static Result negated(Result a) {
    if (!a) return a;
    for (auto& [m, x] : a->above) x = -x;
    return a;
  }

  // A denominator of one term goes into the numerator.
  Result tidy(Fraction f) {
    if (f.below.empty()) return std::nullopt;
    if (f.below.size() != 1) return f;
    const auto inverse = monomial_power(f.below, {-1, 1});
    if (!inverse) return std::nullopt;
    auto above = multiply(f.above, *inverse);
    return above ? plain(std::move(*above)) : std::nullopt;
  }

  Result fold(const MathTree& tree) {
    Result out = plain(constant(tree.op == MathOp::sum ? 0 : 1));
    for (const MathTree& kid : tree.kids) out = tree.op == MathOp::sum ? add(out, expand(kid)) : times(out, expand(kid));
    return out;
  }

  // x^(n/d) of one term. Fractional powers: of positive constants only, where (a^b)^c = a^(bc) holds.
  std::optional<Poly> monomial_power(const Poly& base, Exponent exponent) {
    ASSAY_CHECK(base.size() == 1);
    const auto& [m, x] = *base.begin();
    if (exponent.d != 1 && (x < 0 || !positive(m))) return std::nullopt;
    auto out = rational_power(x, exponent);
    if (!out) return std::nullopt;
    for (const auto& [at, own] : m) {
      const auto total = lowest(std::int64_t{own.n} * exponent.n, std::int64_t{own.d} * exponent.d);
      if (!total) return std::nullopt;
      out = multiply(*out, single(at, *total));
      if (!out) return std::nullopt;
    }
    return out;
  }

  bool positive(const Monomial& m) const {
    return std::all_of(m.begin(), m.end(), [&](const auto& entry) {
      const AtomKind kind = atoms_[static_cast<std::size_t>(entry.first)].kind;
      return kind == AtomKind::prime || kind == AtomKind::unfactored || kind == AtomKind::pi || kind == AtomKind::e;
    });
  }

  std::optional<Poly> rational_power(const Ratio& x, Exponent exponent) {
    if (x == 0) return std::nullopt;
    if (exponent.d == 1) {
      const unsigned n = static_cast<unsigned>(std::abs(exponent.n));
      const std::size_t bits = msb(abs(numerator(x))) + msb(denominator(x)) + 2;
      if (x != 1 && x != -1 && (n > kMaxPower || n * bits > 2 * kMaxBits)) return std::nullopt;
      const bool unit = x == 1 || x == -1;
      const Int above = pow(Int(numerator(x)), unit ? n % 2 : n), below = pow(Int(denominator(x)), unit ? 1 : n);
      return constant(exponent.n >= 0 ? Ratio(above, below) : Ratio(below * (above < 0 ? -1 : 1), abs(above)));
    }
    std::optional<Poly> out = constant(1);
    for (const bool below : {false, true}) {
      const auto part = integer_power(below ? denominator(x) : numerator(x), {below ? -exponent.n : exponent.n, exponent.d});
      out = part ? multiply(*out, *part) : std::nullopt;
      if (!out) return std::nullopt;
    }
    return out;
  }

  // A fractional power of a positive integer as a product of powers of primes.
  std::optional<Poly> integer_power(Int n, Exponent exponent) {
    ASSAY_CHECK(n > 0);
    std::optional<Poly> out = constant(1);
    const auto take = [&](const Int& prime, int times, AtomKind kind) {
      const auto total = lowest(std::int64_t{exponent.n} * times, exponent.d);
      out = total ? multiply(*out, single(atom(kind, prime.str(), prime), *total)) : std::nullopt;
      return out.has_value();
    };
    for (int p = 2; p <= kTrialDivisors && Int(p) * p <= n; p += p == 2 ? 1 : 2) {
      if (p % 64 == 1 && !spend(1)) return std::nullopt;
      int times = 0;
      for (; n % p == 0; n /= p) ++times;
      if (times > 0 && !take(p, times, AtomKind::prime)) return std::nullopt;
    }
    if (n == 1) return out;
    const Int root = sqrt(n);
    if (n > Int(kTrialDivisors) * kTrialDivisors && root * root == n) {  // p^2 of a large p
      return take(root, 2, root > Int(kTrialDivisors) * kTrialDivisors ? AtomKind::unfactored : AtomKind::prime) ? out : std::nullopt;
    }
    return take(n, 1, n > Int(kTrialDivisors) * kTrialDivisors ? AtomKind::unfactored : AtomKind::prime) ? out : std::nullopt;
  }

  std::optional<Exponent> small_exponent(const Fraction& f) {
    const auto above = constant_of(f.above), below = constant_of(f.below);
    if (!above || !below) return std::nullopt;
    const Ratio value = *above / *below;
    if (abs(numerator(value)) > 1'000'000 || denominator(value) > kMaxRoot) return std::nullopt;
    return lowest(static_cast<std::int64_t>(numerator(value)), static_cast<std::int64_t>(denominator(value)));
  }

  Result power(const MathTree& tree) {
    const Result base = expand(tree.kids[0]), exponent = expand(tree.kids[1]);
    if (!base || !exponent) return std::nullopt;
    const auto n = small_exponent(*exponent);
    if (!n) return opaque("pow", {*base, *exponent});
    return power_of(*base, *n);
  }

  Result power_of(const Fraction& base, Exponent n) {
    if (n.n == 0) return base.above.empty() ? std::nullopt : plain(constant(1));
    if (base.above.empty()) return n.n > 0 ? plain({}) : std::nullopt;
    if (base.above.size() == 1 && base.below.size() == 1) {
      if (auto out = monomial_power(base.above, n)) return times(plain(std::move(*out)), inverse_power(base.below, n));
    }
    if (n.d != 1) {
      const Fraction exponent{constant(Ratio(n.n, n.d)), constant(1)};
      return opaque("pow", {base, exponent});
    }
    if (std::abs(n.n) > kMaxPolyPower) return std::nullopt;
    Result out = plain(constant(1));
    for (int i = 0; i < std::abs(n.n); ++i) out = times(out, base);
    return n.n > 0 ? out : quotient(plain(constant(1)), out);
  }

  Result inverse_power(const Poly& below, Exponent n) {
    auto out = monomial_power(below, {-n.n, n.d});
    return out ? plain(std::move(*out)) : std::nullopt;
  }

  // Roots of negative numbers: real for an odd index, i times the root of the absolute value for a square root.
  Result root(const MathTree& tree) {
    const Result inside = expand(tree.kids[0]), index = expand(tree.kids[1]);
    if (!inside || !index) return std::nullopt;
    const auto k = small_exponent(*index);
    if (!k || k->d != 1 || k->n < 2) return std::nullopt;
    const Exponent exponent{1, k->n};
    const auto value = constant_of(inside->above), below = constant_of(inside->below);
    if (!value || !below || *value / *below >= 0) return power_of(*inside, exponent);
    const auto positive_root = rational_power(-*value / *below, exponent);
    if (!positive_root) return std::nullopt;
    if (k->n % 2 == 1) return negated(plain(*positive_root));
    if (k->n != 2) return std::nullopt;
    return times(plain(*positive_root), plain(single(symbol("i"), {1, 1})));
  }

  Result unit(const MathTree& tree) {
    const Result inside = expand(tree.kids[0]);
    if (tree.text == "%") return times(inside, plain(constant(Ratio(1, 100))));
    if (tree.text != "deg") return std::nullopt;
    return times(inside, times(plain(single(symbol("pi"), {1, 1})), plain(constant(Ratio(1, 180)))));
  }

  // What is known exactly for rational arguments, else an atom of its own.
  Result function(const MathTree& tree) {
    std::vector<Fraction> arguments;
    for (const MathTree& kid : tree.kids) {
      auto argument = expand(kid);
      if (!argument) return std::nullopt;
      arguments.push_back(std::move(*argument));
    }
    const std::string name = tree.op == MathOp::factorial ? "factorial" : tree.text;
    if (name == "exp" && arguments.size() == 1) return exponential(arguments[0]);
    std::vector<Ratio> values;
    for (const Fraction& argument : arguments) {
      const auto above = constant_of(argument.above), below = constant_of(argument.below);
      if (above && below) values.push_back(*above / *below);
    }
    if (values.size() == arguments.size()) {
      if (const auto exact = exact_value(name, values)) return plain(constant(*exact));
    }
    return opaque(name, arguments);
  }

  Result exponential(const Fraction& argument) {
    const Fraction e{single(symbol("e"), {1, 1}), constant(1)};
    if (const auto n = small_exponent(argument)) return power_of(e, *n);
    return opaque("pow", {e, argument});
  }

  static std::optional<Ratio> exact_value(const std::string& name, const std::vector<Ratio>& x) {
    const auto whole = [&](std::size_t i) { return i < x.size() && denominator(x[i]) == 1 && x[i] >= 0 && x[i] <= kMaxFactorial; };
    if (x.size() == 1 && name == "abs") return abs(x[0]);
    if (x.size() == 1 && (name == "floor" || name == "ceil")) return rounded(x[0], name == "ceil");
    if (x.size() == 1 && name == "ln" && x[0] == 1) return Ratio(0);
    if (name == "factorial" && whole(0)) return Ratio(falling(static_cast<int>(x[0]), static_cast<int>(x[0])));
    if (name == "binom" && whole(0) && whole(1)) {
      const int n = static_cast<int>(x[0]), k = static_cast<int>(x[1]);
      return k > n ? Ratio(0) : Ratio(falling(n, k), falling(k, k));
    }
    return std::nullopt;
  }

  static Int falling(int n, int k) {
    Int out = 1;
    for (int i = 0; i < k; ++i) out *= n - i;
    return out;
  }

  static Ratio rounded(const Ratio& x, bool up) {
    Int whole = numerator(x) / denominator(x);  // towards 0
    if (Ratio(whole) > x) --whole;
    if (up && Ratio(whole) != x) ++whole;
    return Ratio(whole);
  }

  Result opaque(const std::string& name, const std::vector<Fraction>& arguments) {
    std::string key = name + "(";
    for (const Fraction& argument : arguments) key += text_of(argument.above) + "/" + text_of(argument.below) + ";";
    if (key.size() > 20'000 || !spend(1 + static_cast<int>(key.size() / 16))) return std::nullopt;
    return plain(single(atom(AtomKind::opaque, key), {1, 1}));
  }

  static std::string text_of(const Poly& poly) {
    std::string out;
    for (const auto& [m, x] : poly) {
      out += x.str();
      for (const auto& [at, exponent] : m) {
        for (const int part : {at, exponent.n, exponent.d}) out.append(1, '*').append(std::to_string(part));
      }
      out += '+';
    }
    return out;
  }

  std::vector<Atom> atoms_;
  int steps_ = kMathSteps;
};

}  // namespace

MathSame same_expanded(const MathTree& a, const MathTree& b) {
  Expander expander;
  const auto x = expander.expand(a), y = expander.expand(b);
  if (!x || !y) return MathSame::unknown;
  const auto left = expander.multiply(x->above, y->below), right = expander.multiply(y->above, x->below);
  if (!left || !right) return MathSame::unknown;
  const Poly difference = Expander::sum(*left, *right, -1);
  if (difference.empty()) return MathSame::equal;
  return expander.independent(difference) ? MathSame::different : MathSame::unknown;
}

MathSame same_up_to_factor(const MathTree& a0, const MathTree& a1, const MathTree& b0, const MathTree& b1, bool positive) {
  Expander expander;
  const auto difference = [&](const MathTree& l, const MathTree& r) -> std::optional<Poly> {
    const auto x = expander.expand(l), y = expander.expand(r);
    if (!x || !y) return std::nullopt;
    if (positive && (x->below != constant(1) || y->below != constant(1))) return std::nullopt;  // its sign is not known
    const auto left = expander.multiply(x->above, y->below), right = expander.multiply(y->above, x->below);
    if (!left || !right) return std::nullopt;
    return Expander::sum(*left, *right, -1);
  };
  const auto p = difference(a0, a1), q = difference(b0, b1);
  if (!p || !q) return MathSame::unknown;
  if (p->empty() || q->empty()) return p->empty() == q->empty() ? MathSame::equal : MathSame::different;
  const Ratio factor = p->begin()->second / q->begin()->second;
  if (positive && factor < 0) return MathSame::different;
  return Expander::sum(*p, *q, -factor).empty() ? MathSame::equal : MathSame::different;
}

}  // namespace assay
