// Jinja2's tests: what stands after "is".
#include <algorithm>
#include <optional>
#include <array>
#include <fmt/format.h>

#include <map>

#include "reference/text/jinja_iterate.h"
#include "reference/text/jinja_run.h"

namespace assay::jinja {

bool is_filter(const std::string& name);
bool is_test(const std::string& name);

namespace {

using Test = bool (*)(Runtime& runtime, const Value& value, const Arguments& given);

void nothing(const char* name, const Arguments& given) { Bound(name, given, {}); }

// value % by == rest, for all that has a remainder.
bool remainder(Runtime& r, const Value& v, const Value& by, std::int64_t rest) { return equal(r.binary("%", v, by), Value(rest)); }

bool known(const Value& v, bool (*is)(const std::string&)) {
  if (v.is<Dict>() || (v.is<List>() && !v.as<List>()->tuple)) fail(fmt::format("unhashable type: '{}'", type_name(v)));
  return v.is_text() && is(v.str());
}

bool has_elements(const Value& v) {
  if (v.is<ObjectRef>()) return v.as<ObjectRef>()->iterable();
  return v.is_text() || v.is<List>() || v.is<Dict>() || v.is_undefined();
}

bool same_object(const Value& a, const Value& b) {
  if (a.v.index() != b.v.index()) return false;
  if (a.is<List>()) return a.as<List>() == b.as<List>();
  if (a.is<Dict>()) return a.as<Dict>() == b.as<Dict>();
  return equal(a, b);
}

template <int kOperator>
bool comparison(Runtime& r, const Value& v, const Arguments& a) {
  static constexpr const char* kNames[] = {"==", "!=", "<", "<=", ">", ">=", "in"};
  return r.compared(kNames[kOperator], v, Bound(kNames[kOperator], a, {"other"}).need(0));
}

const std::map<std::string, Test>& tests() {
  static const std::map<std::string, Test> kTests = {
      {"defined", [](Runtime&, const Value& v, const Arguments& a) { nothing("defined", a); return !v.is_undefined(); }},
      {"undefined", [](Runtime&, const Value& v, const Arguments& a) { nothing("undefined", a); return v.is_undefined(); }},
      {"none", [](Runtime&, const Value& v, const Arguments& a) { nothing("none", a); return v.is_none(); }},
      {"boolean", [](Runtime&, const Value& v, const Arguments& a) { nothing("boolean", a); return v.is<bool>(); }},
      {"true", [](Runtime&, const Value& v, const Arguments& a) { nothing("true", a); return v.is<bool>() && v.as<bool>(); }},
      {"false", [](Runtime&, const Value& v, const Arguments& a) { nothing("false", a); return v.is<bool>() && !v.as<bool>(); }},
      {"integer", [](Runtime&, const Value& v, const Arguments& a) { nothing("integer", a); return v.is<std::int64_t>() || v.is<Big>(); }},
      {"float", [](Runtime&, const Value& v, const Arguments& a) { nothing("float", a); return v.is<double>(); }},
      {"number", [](Runtime&, const Value& v, const Arguments& a) { nothing("number", a); return v.is_number() || v.is<Big>(); }},
      {"string", [](Runtime&, const Value& v, const Arguments& a) { nothing("string", a); return v.is_text(); }},
      {"mapping", [](Runtime&, const Value& v, const Arguments& a) { nothing("mapping", a); return v.is<Dict>(); }},
      {"sequence", [](Runtime&, const Value& v, const Arguments& a) {
         nothing("sequence", a);
         return v.is_text() || v.is<List>() || v.is<Dict>() || v.is_undefined() || object_of<Range>(v);
       }},
      {"iterable", [](Runtime&, const Value& v, const Arguments& a) { nothing("iterable", a); return has_elements(v); }},
      {"callable", [](Runtime&, const Value& v, const Arguments& a) {
         nothing("callable", a);
         return v.is_undefined() || (v.is<ObjectRef>() && v.as<ObjectRef>()->callable());
       }},
      {"odd", [](Runtime& r, const Value& v, const Arguments& a) { nothing("odd", a); return remainder(r, v, Value(std::int64_t{2}), 1); }},
      {"even", [](Runtime& r, const Value& v, const Arguments& a) { nothing("even", a); return remainder(r, v, Value(std::int64_t{2}), 0); }},
      {"divisibleby", [](Runtime& r, const Value& v, const Arguments& a) { return remainder(r, v, Bound("divisibleby", a, {"num"}).need(0), 0); }},
      {"lower", [](Runtime&, const Value& v, const Arguments& a) { nothing("lower", a); return all_cased(to_text(v), false); }},
      {"upper", [](Runtime&, const Value& v, const Arguments& a) { nothing("upper", a); return all_cased(to_text(v), true); }},
      {"escaped", [](Runtime&, const Value& v, const Arguments& a) { nothing("escaped", a); return v.is_text() && v.as<Text>().safe; }},
      {"sameas", [](Runtime&, const Value& v, const Arguments& a) { return same_object(v, Bound("sameas", a, {"other"}).need(0)); }},
      {"filter", [](Runtime&, const Value& v, const Arguments& a) { nothing("filter", a); return known(v, is_filter); }},
      {"test", [](Runtime&, const Value& v, const Arguments& a) { nothing("test", a); return known(v, is_test); }},
      {"eq", comparison<0>}, {"equalto", comparison<0>}, {"==", comparison<0>}, {"ne", comparison<1>}, {"!=", comparison<1>},
      {"lt", comparison<2>}, {"lessthan", comparison<2>}, {"<", comparison<2>}, {"le", comparison<3>}, {"<=", comparison<3>},
      {"gt", comparison<4>}, {"greaterthan", comparison<4>}, {">", comparison<4>}, {"ge", comparison<5>}, {">=", comparison<5>},
      {"in", comparison<6>},
  };
  return kTests;
}

}  // namespace

bool is_test(const std::string& name) { return tests().contains(name); }

bool Runtime::test(const std::string& name, const Value& value, const Arguments& arguments) {
  step();
  const auto it = tests().find(name);
  if (it == tests().end()) fail(fmt::format("there is no test named '{}'", name));
  return it->second(*this, value, arguments);
}

}  // namespace assay::jinja
