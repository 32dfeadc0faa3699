// Names that every template knows: Jinja2's, and those that transformers adds.
#include <optional>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/check.h"
#include "reference/text/jinja_run.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

using Function = Value (*)(Runtime& runtime, const Arguments& given);

struct Native : Object {
  Native(std::string called, Function f) : name(std::move(called)), function(f) {}
  std::string name;
  Function function;
  std::string type_name() const override { return "function"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Arguments& given) override { return function(runtime, given); }
};

Value range(Runtime&, const Arguments& a) {
  const Bound b("range", a, {"start", "stop", "step"});
  b.need(0);
  const std::int64_t start = b.has(1) ? b.integer(0, 0) : 0, stop = b.has(1) ? b.integer(1, 0) : b.integer(0, 0), step = b.integer(2, 1);
  if (step == 0) fail("range() arg 3 must not be zero");
  std::vector<Value> items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    items.emplace_back(i);
    if (static_cast<std::int64_t>(items.size()) > kMaxRange) fail(fmt::format("range too big, the limit is {}", kMaxRange));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return Iterator::view("range", std::move(items));
}

std::vector<std::pair<Value, Value>> members(const Arguments& a) {
  std::vector<std::pair<Value, Value>> items;
  if (a.positional.size() > 1) fail("dict expected at most 1 argument");
  if (!a.positional.empty()) {
    const Value& from = a.positional[0];
    if (from.is<Dict>()) items = from.as<Dict>()->items;
    else {
      for (const Value& pair : elements(from)) {
        const auto two = elements(pair);
        if (two.size() != 2) fail("a dictionary is made of pairs");
        items.emplace_back(two[0], two[1]);
      }
    }
  }
  for (const auto& [name, value] : a.named) items.emplace_back(Value::text(name), value);
  return items;
}

Value make_namespace(Runtime& runtime, const Arguments& a) {
  const auto space = std::make_shared<Namespace>();
  charge_bytes(256);
  for (const auto& [name, value] : members(a)) {
    if (!name.is_text()) fail("a namespace needs texts as names");
    space->set(name.str(), value);
  }
  runtime.keep(space);
  return Value(ObjectRef(space));
}

struct Cycler : Object {
  std::vector<Value> items;
  std::size_t at = 0;
  std::string type_name() const override { return "Cycler"; }
  Value attribute(const std::string& name) override;
};

struct CyclerStep : Object {
  CyclerStep(Cycler& c, bool n) : items(c.items), at(&c.at), next(n) {}
  std::vector<Value> items;
  std::size_t* at;
  bool next;
  std::shared_ptr<Object> owner;
  std::string type_name() const override { return "method"; }
  bool callable() const override { return true; }
  Value call(Runtime&, const Arguments&) override {
    if (!next) {
      *at = 0;
      return {};
    }
    const Value out = items[*at];
    *at = (*at + 1) % items.size();
    return out;
  }
};

struct SharedCycler : Cycler, std::enable_shared_from_this<SharedCycler> {
  Value attribute(const std::string& name) override {
    if (name == "current") return items[at];
    if (name != "next" && name != "reset") return Object::attribute(name);
    const auto step = std::make_shared<CyclerStep>(*this, name == "next");
    step->owner = shared_from_this();
    return Value(ObjectRef(step));
  }
};

Value Cycler::attribute(const std::string& name) { return Object::attribute(name); }

Value cycler(Runtime&, const Arguments& a) {
  if (a.positional.empty()) fail("at least one item has to be provided");
  const auto out = std::make_shared<SharedCycler>();
  out->items = a.positional;
  return Value(ObjectRef(out));
}

struct Joiner : Object {
  explicit Joiner(std::string s) : separator(std::move(s)) {}
  std::string separator;
  bool used = false;
  std::string type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }
  Value call(Runtime&, const Arguments&) override { return Value::text(std::exchange(used, true) ? separator : ""); }
};

Value strftime_now(Runtime& runtime, const Arguments& a) {
  const Bound b("strftime_now", a, {"format"});
  b.need(0);
  std::string format = b.text(0, "");
  if (format.size() > 256) fail("a time format is too long");
  format = replace_text(format, "%f", "000000", -1);
  if (format.empty()) return Value::text("");
  std::array<char, 8192> buffer{};
  const std::tm now = runtime.now();
  const std::size_t n = std::strftime(buffer.data(), buffer.size(), (format + ".").c_str(), &now);
  ASSAY_CHECK(n > 0);
  return Value::text(repair_utf8({buffer.data(), n - 1}));
}

Value raise_exception(Runtime&, const Arguments& a) { fail(to_text(Bound("raise_exception", a, {"message"}).need(0))); }

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> kFunctions = {
      {"range", range},
      {"namespace", make_namespace},
      {"cycler", cycler},
      {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
      {"dict", [](Runtime&, const Arguments& a) { return Value::dict(members(a)); }},
      {"joiner", [](Runtime&, const Arguments& a) { return Value(ObjectRef(std::make_shared<Joiner>(Bound("joiner", a, {"sep"}).text(0, ", ")))); }},
  };
  return kFunctions;
}

// One conversion of a %-format: flags, width, precision, letter.
struct Conversion {
  bool left = false, sign = false, space = false, zero = false, alternate = false;
  std::size_t width = 0;
  int precision = -1;
  char letter = 's';
};

std::string converted(const Conversion& c, const Value& v) {
  std::string body;
  if (c.letter == 's' || c.letter == 'r') {
    body = c.letter == 's' ? to_text(v) : repr(v);
    if (c.precision >= 0) {
      std::string cut;
      for (std::size_t at = 0, n = 0; at < body.size() && static_cast<int>(n) < c.precision; ++n) {
        const std::size_t bytes = decode_utf8(body, at).bytes;
        cut.append(body, at, bytes);
        at += bytes;
      }
      body = cut;
    }
  } else {
    if (!v.is_number()) fail(fmt::format("%{} format: a number is required, not {}", c.letter, type_name(v)));
    const bool integer = c.letter == 'd' || c.letter == 'i' || c.letter == 'x' || c.letter == 'X' || c.letter == 'o';
    const double d = v.number();
    if (integer && !v.is_integer() && !(std::fabs(d) < 9.2e18)) fail("a number is beyond 64 bits");
    const std::int64_t n = integer ? (v.is_integer() ? v.integer() : static_cast<std::int64_t>(d)) : 0;
    const auto magnitude = n < 0 ? ~static_cast<std::uint64_t>(n) + 1 : static_cast<std::uint64_t>(n);
    const int precision = c.precision < 0 ? 6 : c.precision;
    switch (c.letter) {
      case 'x': body = fmt::format("{:x}", magnitude); break;
      case 'X': body = fmt::format("{:X}", magnitude); break;
      case 'o': body = fmt::format("{:o}", magnitude); break;
      case 'f': case 'F': body = fmt::format("{:.{}f}", std::fabs(d), precision); break;
      case 'e': body = fmt::format("{:.{}e}", std::fabs(d), precision); break;
      case 'g': body = fmt::format("{:.{}g}", std::fabs(d), precision); break;
      default: body = fmt::format("{}", magnitude);
    }
    if (integer && c.precision > 0 && body.size() < static_cast<std::size_t>(c.precision)) body.insert(0, static_cast<std::size_t>(c.precision) - body.size(), '0');
    const bool minus = integer ? n < 0 : std::signbit(d);
    const std::string sign = minus ? "-" : c.sign ? "+" : c.space ? " " : "";
    if (c.zero && !c.left && body.size() + sign.size() < c.width) body.insert(0, c.width - body.size() - sign.size(), '0');
    body = sign + body;
  }
  const std::size_t n = count_characters(body);
  if (n < c.width) body.insert(c.left ? body.size() : 0, c.width - n, ' ');
  return body;
}

}  // namespace

bool is_global(const std::string& name) { return functions().contains(name); }

Value global_of(const std::string& name) {
  const auto it = functions().find(name);
  ASSAY_CHECK(it != functions().end());
  return Value(ObjectRef(std::make_shared<Native>(name, it->second)));
}

// Python's % on texts: positional values, or one mapping with %(name)s.
std::string printf_text(const std::string& format, const Arguments& arguments) {
  std::string out;
  std::size_t used = 0;
  bool by_name = false;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const auto at = [&](std::size_t k) { return k < format.size() ? format[k] : '\0'; };
    if (at(++i) == '%') {
      out += '%';
      continue;
    }
    std::optional<Value> value;
    if (at(i) == '(') {
      const std::size_t close = format.find(')', i);
      if (close == std::string::npos) fail("incomplete format key");
      const std::string key = format.substr(i + 1, close - i - 1);
      by_name = true;
      const auto named = std::find_if(arguments.named.begin(), arguments.named.end(), [&](const auto& kv) { return kv.first == key; });
      if (named != arguments.named.end()) value = named->second;
      else if (arguments.positional.size() == 1 && arguments.positional[0].is<Dict>() && arguments.positional[0].as<Dict>()->find(key)) value = *arguments.positional[0].as<Dict>()->find(key);
      else fail(fmt::format("the format asks for '{}', which is not given", key));
      i = close + 1;
    }
    Conversion c;
    for (;; ++i) {
      if (at(i) == '-') c.left = true;
      else if (at(i) == '+') c.sign = true;
      else if (at(i) == ' ') c.space = true;
      else if (at(i) == '0') c.zero = true;
      else if (at(i) == '#') c.alternate = true;
      else break;
    }
    const auto number = [&] {
      std::size_t n = 0;
      for (; at(i) >= '0' && at(i) <= '9'; ++i) n = std::min<std::size_t>(n * 10 + static_cast<std::size_t>(at(i) - '0'), 100000);
      return n;
    };
    c.width = number();
    if (at(i) == '.') {
      ++i;
      c.precision = static_cast<int>(std::min<std::size_t>(number(), 1000));
    }
    c.letter = at(i);
    if (c.letter == '\0' || c.alternate || std::string_view("sdiruxXofFeg").find(c.letter) == std::string_view::npos) fail("unsupported format character");
    if (!value) {
      if (used >= arguments.positional.size()) fail("not enough arguments for format string");
      value = arguments.positional[used++];
    }
    out += converted(c, *value);
    charge_bytes(c.width + 16);
  }
  const bool mapping = arguments.positional.size() == 1 && arguments.positional[0].is<Dict>();
  if (!by_name && !mapping && used < arguments.positional.size()) fail("not all arguments converted during string formatting");
  return out;
}

}  // namespace assay::jinja
