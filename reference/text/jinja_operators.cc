// Operators of Jinja2's expressions, which are Python's.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "reference/text/jinja_iterate.h"
#include "reference/text/jinja_run.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

std::optional<std::int64_t> checked(const std::string& op, std::int64_t a, std::int64_t b) {
  std::int64_t r = 0;
  const bool overflow = op == "+" ? __builtin_add_overflow(a, b, &r) : op == "-" ? __builtin_sub_overflow(a, b, &r) : __builtin_mul_overflow(a, b, &r);
  if (overflow) fail("an integer is beyond 64 bits");
  return r;
}

Value divide_integers(const std::string& op, std::int64_t a, std::int64_t b) {
  if (b == 0) fail("integer division or modulo by zero");
  if (b == -1) {
    if (op == "%") return Value(std::int64_t{0});
    return Value(*checked("-", 0, a));
  }
  const std::int64_t r = a % b;
  const bool adjust = r != 0 && (r < 0) != (b < 0);
  if (op == "%") return Value(adjust ? r + b : r);
  return Value(a / b - (adjust ? 1 : 0));
}

Value integer_power(std::int64_t a, std::int64_t b) {
  std::int64_t r = 1;
  for (std::int64_t i = 0; i < b; ++i) {
    r = *checked("*", r, a);
    if (a == 0 || a == 1) break;
    if (a == -1) return Value(std::int64_t{b % 2 == 0 ? 1 : -1});
  }
  return Value(r);
}

Value numbers(const std::string& op, const Value& a, const Value& b) {
  const bool integers = a.is_integer() && b.is_integer();
  if (integers && (op == "+" || op == "-" || op == "*")) return Value(*checked(op, a.integer(), b.integer()));
  if (integers && (op == "//" || op == "%")) return divide_integers(op, a.integer(), b.integer());
  if (integers && op == "**" && b.integer() >= 0) return integer_power(a.integer(), b.integer());
  const double x = a.number(), y = b.number();
  if (op == "+") return Value(x + y);
  if (op == "-") return Value(x - y);
  if (op == "*") return Value(x * y);
  if (op == "**") {
    if (x == 0 && y < 0) fail("0.0 cannot be raised to a negative power");
    if (x < 0 && std::floor(y) != y) fail("complex numbers are not supported");
    return Value(std::pow(x, y));
  }
  if (y == 0) fail("division by zero");
  if (op == "/") return Value(x / y);
  double rest = std::fmod(x, y);
  if (rest == 0) rest = std::copysign(0.0, y);
  else if ((rest < 0) != (y < 0)) rest += y;
  if (op == "%") return Value(rest);
  const double quotient = (x - rest) / y, whole = std::floor(quotient);
  if (quotient == 0) return Value(std::copysign(0.0, x / y));
  return Value(quotient - whole > 0.5 ? whole + 1 : whole);
}

Value added_texts(const Value& a, const Value& b) {
  const bool safe = a.as<Text>().safe || b.as<Text>().safe;
  const auto part = [&](const Value& v) { return safe && !v.as<Text>().safe ? escape_html(v.str()) : v.str(); };
  charge_bytes(a.str().size() + b.str().size());
  return Value::text(part(a) + part(b), safe);
}

Value repeated_list(const ListData& list, std::int64_t times) {
  const auto n = static_cast<std::uint64_t>(std::max<std::int64_t>(times, 0));
  if (n > 1 && list.items.size() > (std::uint64_t{1} << 28) / n) fail("a repeated list is too long");
  charge_bytes(n * list.items.size() * sizeof(Value));
  std::vector<Value> items;
  for (std::uint64_t i = 0; i < n; ++i) items.insert(items.end(), list.items.begin(), list.items.end());
  return Value::list(std::move(items), list.tuple);
}

struct SliceRange {
  std::int64_t start, stop, step;
};

// Python's slice.indices.
SliceRange slice_range(std::int64_t n, const Value& a, const Value& b, const Value& c) {
  const auto part = [](const Value& v) {
    if (!v.is_integer()) fail("slice indices must be integers or None");
    return v.integer();
  };
  const std::int64_t step = c.is_none() ? 1 : part(c);
  if (step == 0) fail("slice step cannot be zero");
  const std::int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
  const auto place = [&](const Value& v, std::int64_t absent) {
    if (v.is_none()) return absent;
    std::int64_t i = part(v);
    if (i < 0) i = std::max(i + n, low);
    return std::min(i, high);
  };
  return {place(a, step < 0 ? high : low), place(b, step < 0 ? low : high), step};
}

}  // namespace

Value Runtime::eval_slice(const Value& of, const Expr& slice, const FrameRef& frame) {
  const auto part = [&](std::size_t i) { return slice.parts[i] ? eval(*slice.parts[i], frame) : Value(); };
  const Value a = part(0), b = part(1), c = part(2);
  if (of.is_undefined()) use_of_undefined(of);
  if (const auto* range = object_of<Range>(of)) {
    const SliceRange r = slice_range(range->count(), a, b, c);
    return Value(ObjectRef(std::make_shared<Range>(range->start + r.start * range->step, range->start + r.stop * range->step, range->step * r.step)));
  }
  if (!of.is_text() && !of.is<List>()) fail(fmt::format("'{}' object is not subscriptable", type_name(of)));
  const std::u32string characters = of.is_text() ? codes(of.str()) : std::u32string();
  const std::size_t n = of.is_text() ? characters.size() : of.as<List>()->items.size();
  charge_bytes(n);
  const SliceRange range = slice_range(static_cast<std::int64_t>(n), a, b, c);
  std::vector<Value> taken;
  std::string text;
  for (std::int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;) {
    if (of.is_text()) append_utf8(text, characters[static_cast<std::size_t>(i)]);
    else taken.push_back(of.as<List>()->items[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, range.step, &i)) break;
  }
  return of.is_text() ? Value::text(std::move(text), of.as<Text>().safe) : Value::list(std::move(taken), of.as<List>()->tuple);
}

bool Runtime::compared(const std::string& op, const Value& a, const Value& b) {
  if (op == "==") return equal(a, b);
  if (op == "!=") return !equal(a, b);
  for (const Value* v : {&a, &b}) {
    if (v->is_undefined() && op != "in" && op != "not in") use_of_undefined(*v);
  }
  if (op == "in") return contains(b, a);
  if (op == "not in") return !contains(b, a);
  const int order = compare(a, b);
  if (op == "<") return order == -1;
  if (op == ">") return order == 1;
  return order == 0 || order == (op == "<=" ? -1 : 1);
}

Value Runtime::eval_compare(const Expr& e, const FrameRef& frame) {
  Value left = eval(*e.parts[0], frame);
  for (std::size_t i = 0; i < e.operators.size(); ++i) {
    Value right = eval(*e.parts[i + 1], frame);
    if (!compared(e.operators[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Runtime::negative(const Value& value, bool minus) const {
  if (value.is_undefined()) use_of_undefined(value);
  if (value.is<Big>()) {
    const std::string& digits = *value.as<Big>().digits;
    return minus ? Value::decimal(digits[0] == '-' ? digits.substr(1) : "-" + digits) : value;
  }
  if (!value.is_number()) fail(fmt::format("bad operand type for unary {}: '{}'", minus ? '-' : '+', type_name(value)));
  if (value.is<double>()) return Value(minus ? -value.as<double>() : value.as<double>());
  return Value(minus ? *checked("-", 0, value.integer()) : value.integer());
}

Value Runtime::binary(const std::string& op, const Value& a, const Value& b) {
  for (const Value* v : {&a, &b}) {
    if (v->is_undefined() && !(op == "%" && v == &b && a.is_text())) use_of_undefined(*v);
  }
  if (a.is_number() && b.is_number()) return numbers(op, a, b);
  if ((a.is<Big>() && !b.is_text()) || (b.is<Big>() && !a.is_text())) fail("an integer is beyond 64 bits");
  if (op == "+" && a.is_text() && b.is_text()) return added_texts(a, b);
  if (op == "+" && a.is<List>() && b.is<List>() && a.as<List>()->tuple == b.as<List>()->tuple) {
    std::vector<Value> items = a.as<List>()->items;
    charge_bytes((items.size() + b.as<List>()->items.size()) * sizeof(Value));
    items.insert(items.end(), b.as<List>()->items.begin(), b.as<List>()->items.end());
    return Value::list(std::move(items), a.as<List>()->tuple);
  }
  if (op == "*" && a.is_text() && b.is_integer()) return repeat_text(a, b.integer());
  if (op == "*" && a.is_integer() && b.is_text()) return repeat_text(b, a.integer());
  if (op == "*" && a.is<List>() && b.is_integer()) return repeated_list(*a.as<List>(), b.integer());
  if (op == "*" && a.is_integer() && b.is<List>()) return repeated_list(*b.as<List>(), a.integer());
  if (op == "%" && a.is_text()) return Value::text(printf_text(a.str(), b, a.as<Text>().safe), a.as<Text>().safe);
  fail(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", op, type_name(a), type_name(b)));
}

}  // namespace assay::jinja
