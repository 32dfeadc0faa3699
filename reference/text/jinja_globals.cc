// Names that every template knows: Jinja2's, and those that transformers adds.
#include <optional>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/check.h"
#include "reference/text/jinja_iterate.h"
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
  if (!a.named.empty()) fail("range() takes no keyword arguments");
  const Bound b("range", a, {"start", "stop", "step"});
  b.need(0);
  const std::int64_t start = b.has(1) ? b.integer(0, 0) : 0, stop = b.has(1) ? b.integer(1, 0) : b.integer(0, 0), step = b.integer(2, 1);
  if (step == 0) fail("range() arg 3 must not be zero");
  const auto out = std::make_shared<Range>(start, stop, step);
  if (out->count() > kMaxRange) fail(fmt::format("range too big, the limit is {}", kMaxRange));
  return Value(ObjectRef(out));
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
  int deepest = 1;
  int depth() const override { return deepest; }
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
  for (const Value& v : out->items) out->deepest = std::max(out->deepest, deeper_than(v));
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
  if (n == 0) fail("a time is longer than its buffer");  // a width such as %9999d
  return Value::text(repair_utf8({buffer.data(), n - 1}));
}

Value raise_exception(Runtime&, const Arguments& a) { fail(to_text(Bound("raise_exception", a, {"message"}).need(0))); }

// transformers' dict(): a call, and fromkeys.
struct DictMaker : Object {
  std::string type_name() const override { return "TemplateDict"; }
  bool callable() const override { return true; }
  Value call(Runtime&, const Arguments& given) override { return Value::dict(members(given)); }
  Value attribute(const std::string& name) override {
    if (name != "fromkeys") return Object::attribute(name);
    return Value(ObjectRef(std::make_shared<Native>(name, [](Runtime&, const Arguments& a) {
      if (!a.named.empty()) fail("dict.fromkeys() takes no keyword arguments");
      const Bound b("fromkeys", a, {"iterable", "value"});
      std::vector<std::pair<Value, Value>> items;
      for (const Value& key : elements(b.need(0))) items.emplace_back(key, b.get(1));
      return Value::dict(std::move(items));
    })));
  }
};

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> kFunctions = {
      {"range", range},
      {"namespace", make_namespace},
      {"cycler", cycler},
      {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
      {"joiner", [](Runtime&, const Arguments& a) { return Value(ObjectRef(std::make_shared<Joiner>(Bound("joiner", a, {"sep"}).text(0, ", ")))); }},
  };
  return kFunctions;
}

}  // namespace

bool is_global(const std::string& name) { return name == "dict" || functions().contains(name); }

Value global_of(const std::string& name) {
  if (name == "dict") return Value(ObjectRef(std::make_shared<DictMaker>()));
  const auto it = functions().find(name);
  ASSAY_CHECK(it != functions().end());
  return Value(ObjectRef(std::make_shared<Native>(name, it->second)));
}

}  // namespace assay::jinja
