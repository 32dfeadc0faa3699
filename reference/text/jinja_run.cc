#include "reference/text/jinja_run.h"

#include <optional>
#include <array>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "reference/text/jinja_iterate.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

using Kind = Expr::Kind;

struct Macro : Object {
  Macro(const Stmt& stmt, FrameRef frame) : macro(stmt), scope(std::move(frame)) {}
  std::string type_name() const override { return "Macro"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Arguments& arguments) override { return runtime.call_macro(macro, scope, arguments); }
  Value attribute(const std::string& name) override;
  std::string shown(int) override { return macro.kind == Stmt::Kind::kMacro ? "<Macro " + repr(Value::text(macro.text)) + ">" : "<Macro anonymous>"; }
  const Stmt& macro;
  FrameRef scope;
};

Value Macro::attribute(const std::string& name) {
  const Signature& signature = macro.signature;
  if (name == "name") return macro.kind == Stmt::Kind::kMacro ? Value::text(macro.text) : Value();
  if (name == "catch_varargs") return Value(signature.uses_varargs);
  if (name == "catch_kwargs") return Value(signature.uses_kwargs);
  if (name == "caller") return Value(signature.uses_caller);
  if (name != "arguments") return Object::attribute(name);
  std::vector<Value> names;
  for (const std::string& argument : signature.names) names.push_back(Value::text(argument));
  return Value::list(std::move(names), true);
}

}  // namespace

void use_of_undefined(const Value& value) { fail(value.as<Undefined>().what); }

Bound::Bound(const char* callee, const Arguments& given, std::initializer_list<const char*> names)
    : callee_(callee), names_(names), values_(names.size()) {
  if (given.positional.size() > names_.size()) {
    fail(fmt::format("{} takes at most {} arguments ({} given)", callee, names_.size(), given.positional.size()));
  }
  for (std::size_t i = 0; i < given.positional.size(); ++i) values_[i] = given.positional[i];
  for (const auto& [name, value] : given.named) {
    const auto it = std::find_if(names_.begin(), names_.end(), [&](const char* n) { return name == n; });
    if (it == names_.end()) fail(fmt::format("{} got an unexpected keyword argument '{}'", callee, name));
    auto& place = values_[static_cast<std::size_t>(it - names_.begin())];
    if (place) fail(fmt::format("{} got multiple values for argument '{}'", callee, name));
    place = value;
  }
}

const Value& Bound::need(std::size_t i) const {
  if (!values_[i]) fail(fmt::format("{} misses its argument '{}'", callee_, names_[i]));
  return *values_[i];
}

std::int64_t Bound::integer(std::size_t i, std::int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (!values_[i]->is_integer()) fail(fmt::format("{} needs an integer as '{}', not {}", callee_, names_[i], type_name(*values_[i])));
  return values_[i]->integer();
}

std::string Bound::text(std::size_t i, const std::string& otherwise) const {
  if (!has(i)) return otherwise;
  if (!values_[i]->is_text()) fail(fmt::format("{} needs a text as '{}', not {}", callee_, names_[i], type_name(*values_[i])));
  return values_[i]->str();
}

Runtime::Deeper::Deeper(Runtime& r) : runtime(r) {
  runtime.step();
  if (--runtime.budget_.depth >= 0) return;
  ++runtime.budget_.depth;
  fail("the template calls itself too deeply");
}

Runtime::~Runtime() {
  for (const auto& frame : frames_) frame->names.clear();
  for (const auto& space : spaces_) space->members.clear();
}

void Runtime::step() {
  if (--budget_.steps < 0) fail("the template passed its step limit");
}

FrameRef Runtime::inner(const FrameRef& frame) {
  auto made = std::make_shared<Frame>();
  made->outer = frame;
  return made;
}

std::string Runtime::render(const Body& body, const Value& context) {
  ASSAY_CHECK(context.is<Dict>());
  context_ = context;
  std::string out;
  root_ = inner(nullptr);
  run(body, root_, out);
  return out;
}

Runtime::Flow Runtime::run(const Body& body, const FrameRef& frame, std::string& out) {
  for (const auto& stmt : body) {
    const Flow flow = run(*stmt, frame, out);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

void Runtime::print(const Value& value, std::string& out) {
  const std::string text = to_text(value);
  charge_bytes(text.size());
  if (out.size() + text.size() > kMaxOutputBytes) fail("the template writes more than its output limit");
  out += text;
}

Runtime::Flow Runtime::run(const Stmt& s, const FrameRef& frame, std::string& out) {
  const Deeper deeper(*this);
  try {
    switch (s.kind) {
      case Stmt::Kind::kText:
        if (out.size() + s.text.size() > kMaxOutputBytes) fail("the template writes more than its output limit");
        charge_bytes(s.text.size());
        out += s.text;
        break;
      case Stmt::Kind::kPrint:
        for (const auto& value : s.values) print(eval(*value, frame), out);
        break;
      case Stmt::Kind::kIf: return run_if(s, frame, out);
      case Stmt::Kind::kFor: run_for(s, eval(*s.values[0], frame), frame, 0, out); break;
      case Stmt::Kind::kSet: assign(*s.target, eval(*s.values[0], frame), frame); break;
      case Stmt::Kind::kSetBlock: return run_set_block(s, frame);
      case Stmt::Kind::kMacro: run_macro(s, frame); break;
      case Stmt::Kind::kCallBlock: run_call_block(s, frame, out); break;
      case Stmt::Kind::kFilterBlock: return run_filter_block(s, frame, out);
      case Stmt::Kind::kWith: return run_with(s, frame, out);
      case Stmt::Kind::kBlock: return run(s.body, inner(root_), out);  // a block sees what stands at the top, not the loops around it
      case Stmt::Kind::kScope: return run(s.body, inner(frame), out);
      case Stmt::Kind::kBreak: return Flow::kBreak;
      case Stmt::Kind::kContinue: return Flow::kContinue;
    }
  } catch (Fault& fault) {
    if (fault.line == 0) fault.line = s.line;
    throw;
  }
  return Flow::kNormal;
}

Runtime::Flow Runtime::run_if(const Stmt& s, const FrameRef& frame, std::string& out) {
  for (std::size_t i = 0; i < s.values.size(); ++i) {
    if (truth(eval(*s.values[i], frame))) return run(s.branches[i], frame, out);
  }
  return run(s.otherwise, frame, out);
}

Runtime::Flow Runtime::run_set_block(const Stmt& s, const FrameRef& frame) {
  std::string text;
  const Flow flow = run(s.body, inner(frame), text);
  if (flow != Flow::kNormal) return flow;  // a break inside leaves the block before it assigns
  Value value = Value::text(std::move(text));
  if (s.values[0]) value = filter_chain(*s.values[0], value, frame);
  assign(*s.target, value, frame);
  return flow;
}

Runtime::Flow Runtime::run_filter_block(const Stmt& s, const FrameRef& frame, std::string& out) {
  std::string text;
  const Flow flow = run(s.body, inner(frame), text);
  if (flow != Flow::kNormal) return flow;
  const Value value = filter_chain(*s.values[0], Value::text(std::move(text)), frame);
  if (!value.is_text()) fail(fmt::format("a filter block makes text, not {}", type_name(value)));
  print(value, out);
  return flow;
}

// Frames that a macro holds live until the end: chains of them would be taken down by recursion.
void Runtime::keep(const FrameRef& frame) {
  charge_bytes(512);
  frames_.push_back(frame);
}

void Runtime::run_macro(const Stmt& s, const FrameRef& frame) {
  keep(frame);
  frame->names[s.text] = Value(ObjectRef(std::make_shared<Macro>(s, frame)));
}

void Runtime::run_call_block(const Stmt& s, const FrameRef& frame, std::string& out) {
  const Expr& e = *s.values[0];
  const Value callee = eval(*e.parts[0], frame);
  Arguments arguments = eval_arguments(e, 1, frame);
  keep(frame);
  arguments.named.emplace_back("caller", Value(ObjectRef(std::make_shared<Macro>(s, frame))));
  print(call(callee, arguments), out);
}

Runtime::Flow Runtime::run_with(const Stmt& s, const FrameRef& frame, std::string& out) {
  const FrameRef body = inner(frame);
  for (std::size_t i = 0; i < s.targets.size(); ++i) assign(*s.targets[i], eval(*s.values[i], frame), body);
  return run(s.body, body, out);
}

void Runtime::assign(const Expr& target, const Value& value, const FrameRef& frame) {
  if (target.kind == Kind::kName) {
    frame->names[target.name] = value;
    return;
  }
  if (target.kind == Kind::kNamespaceMember) {
    const Value space = eval_name(target, frame);
    const auto object = space.is<ObjectRef>() ? std::dynamic_pointer_cast<Namespace>(space.as<ObjectRef>()) : nullptr;
    if (!object) fail("cannot assign attribute on non-namespace object");
    object->set(target.operators[0], value);
    return;
  }
  ASSAY_CHECK(target.kind == Kind::kTuple);
  const std::vector<Value> items = elements(value);
  if (value.is_undefined()) use_of_undefined(value);
  if (items.size() != target.parts.size()) {
    fail(fmt::format("{} values to unpack, expected {}", items.size(), target.parts.size()));
  }
  for (std::size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i], frame);
}

Value Runtime::call_macro(const Stmt& macro, const FrameRef& scope, const Arguments& given) {
  const Deeper deeper(*this);
  const Signature& sig = macro.signature;
  const FrameRef frame = inner(scope);
  std::vector<std::optional<Value>> values(sig.names.size());
  std::vector<Value> extra;
  std::vector<std::pair<Value, Value>> named;
  for (std::size_t i = 0; i < given.positional.size(); ++i) {
    if (i < values.size()) values[i] = given.positional[i];
    else extra.push_back(given.positional[i]);
  }
  Value caller = Value::undefined("No caller defined");
  for (const auto& [name, value] : given.named) {
    const auto it = std::find(sig.names.begin(), sig.names.end(), name);
    const bool filled = it != sig.names.end() && values[static_cast<std::size_t>(it - sig.names.begin())];
    if (it != sig.names.end() && !filled) values[static_cast<std::size_t>(it - sig.names.begin())] = value;
    else if (name == "caller" && sig.uses_caller) caller = value;
    else if (sig.uses_kwargs) named.emplace_back(Value::text(name), value);
    else fail(fmt::format("macro '{}' takes no keyword argument '{}'", macro.text, name));
  }
  if (!extra.empty() && !sig.uses_varargs) fail(fmt::format("macro '{}' takes not more than {} argument(s)", macro.text, sig.names.size()));
  if (sig.uses_varargs) frame->names["varargs"] = Value::list(std::move(extra), true);
  if (sig.uses_kwargs) frame->names["kwargs"] = Value::dict(std::move(named));
  const bool own_caller = std::find(sig.names.begin(), sig.names.end(), "caller") != sig.names.end();
  if (sig.uses_caller && !own_caller) frame->names["caller"] = caller;
  // All names stand before the first default is computed, so that a default which names its own or a later argument finds it undefined.
  for (std::size_t i = 0; i < values.size(); ++i) {
    frame->names[sig.names[i]] = values[i] ? *values[i] : Value::undefined(fmt::format("parameter '{}' was not provided", sig.names[i]));
  }
  const std::size_t without_default = sig.names.size() - sig.defaults.size();
  for (std::size_t i = without_default; i < values.size(); ++i) {
    if (!values[i]) frame->names[sig.names[i]] = eval(*sig.defaults[i - without_default], frame);
  }
  std::string out;
  run(macro.body, frame, out);
  return Value::text(std::move(out));
}

Value Runtime::eval_name(const Expr& e, const FrameRef& frame) const {
  for (const Frame* f = frame.get(); f; f = f->outer.get()) {
    const auto it = f->names.find(e.name);
    if (it != f->names.end()) return it->second;
  }
  if (const Value* found = context_.as<Dict>()->find(e.name)) return *found;
  if (is_global(e.name)) return global_of(e.name);
  return Value::undefined(fmt::format("'{}' is undefined", e.name));
}

Value Runtime::eval(const Expr& e, const FrameRef& frame) {
  const Deeper deeper(*this);
  switch (e.kind) {
    case Kind::kConstant: return e.constant;
    case Kind::kName: return eval_name(e, frame);
    case Kind::kMember: return member(eval(*e.parts[0], frame), e.name);
    case Kind::kItem: return eval_item(e, frame);
    case Kind::kCall: {
      const Value callee = eval(*e.parts[0], frame);
      return call(callee, eval_arguments(e, 1, frame));
    }
    case Kind::kFilter: {
      const Value value = eval(*e.parts[0], frame);
      return filter(e.name, value, eval_arguments(e, 1, frame));
    }
    case Kind::kTest: {
      const Value value = eval(*e.parts[0], frame);
      return Value(test(e.name, value, eval_arguments(e, 1, frame)));
    }
    case Kind::kNot: return Value(!truth(eval(*e.parts[0], frame)));
    case Kind::kAnd:
    case Kind::kOr: {
      Value left = eval(*e.parts[0], frame);
      return truth(left) == (e.kind == Kind::kAnd) ? eval(*e.parts[1], frame) : left;
    }
    case Kind::kNegative:
    case Kind::kPositive: return negative(eval(*e.parts[0], frame), e.kind == Kind::kNegative);
    case Kind::kBinary: {
      const Value left = eval(*e.parts[0], frame);
      return binary(e.name, left, eval(*e.parts[1], frame));
    }
    case Kind::kCompare: return eval_compare(e, frame);
    case Kind::kConcat: return eval_concat(e, frame);
    case Kind::kIf: return eval_condition(e, frame);
    case Kind::kList:
    case Kind::kTuple: return eval_sequence(e, frame);
    case Kind::kDict: return eval_dict(e, frame);
    case Kind::kSlice: fail("a slice stands outside of a subscript");
    case Kind::kNamespaceMember: break;
  }
  ASSAY_CHECK(false);
  return {};
}

Value Runtime::eval_condition(const Expr& e, const FrameRef& frame) {
  if (truth(eval(*e.parts[0], frame))) return eval(*e.parts[1], frame);
  if (e.parts.size() == 3) return eval(*e.parts[2], frame);
  return Value::undefined("the inline if-expression evaluated to false and no else section was defined");
}

Value Runtime::eval_concat(const Expr& e, const FrameRef& frame) {
  std::string out;
  for (const auto& part : e.parts) {
    const std::string text = to_text(eval(*part, frame));
    charge_bytes(text.size());
    out += text;
  }
  return Value::text(std::move(out));
}

Value Runtime::eval_sequence(const Expr& e, const FrameRef& frame) {
  std::vector<Value> items;
  for (const auto& part : e.parts) items.push_back(eval(*part, frame));
  return Value::list(std::move(items), e.kind == Kind::kTuple);
}

Value Runtime::eval_dict(const Expr& e, const FrameRef& frame) {
  std::vector<std::pair<Value, Value>> items;
  for (std::size_t i = 0; i + 1 < e.parts.size(); i += 2) {
    Value key = eval(*e.parts[i], frame);
    items.emplace_back(std::move(key), eval(*e.parts[i + 1], frame));
  }
  return Value::dict(std::move(items));
}

Value Runtime::eval_item(const Expr& e, const FrameRef& frame) {
  const Value of = eval(*e.parts[0], frame);
  const Expr& index = *e.parts[1];
  if (index.kind == Kind::kSlice) return eval_slice(of, index, frame);
  return item(of, eval(index, frame));
}

Arguments Runtime::eval_arguments(const Expr& e, std::size_t from, const FrameRef& frame) {
  Arguments out;
  for (std::size_t i = from; i < e.parts.size(); ++i) out.positional.push_back(eval(*e.parts[i], frame));
  for (const auto& [name, value] : e.named) out.named.emplace_back(name, eval(*value, frame));
  if (e.spread) {
    for (Value& v : elements(eval(*e.spread, frame))) out.positional.push_back(std::move(v));
  }
  if (e.spread_named) {
    const Value more = eval(*e.spread_named, frame);
    if (!more.is<Dict>()) fail("the argument after ** must be a mapping");
    for (const auto& [key, value] : more.as<Dict>()->items) {
      if (!key.is_text()) fail("keywords must be strings");
      out.named.emplace_back(key.str(), value);
    }
  }
  return out;
}

// A chain of filters whose innermost one has no value of its own: a block's text takes its place.
Value Runtime::filter_chain(const Expr& e, const Value& value, const FrameRef& frame) {
  const Value input = e.parts[0] ? filter_chain(*e.parts[0], value, frame) : value;
  return filter(e.name, input, eval_arguments(e, 1, frame));
}

Value Runtime::call(const Value& callee, const Arguments& arguments) {
  if (callee.is_undefined()) use_of_undefined(callee);
  if (!callee.is<ObjectRef>() || !callee.as<ObjectRef>()->callable()) fail(fmt::format("'{}' object is not callable", type_name(callee)));
  const Deeper deeper(*this);
  return callee.as<ObjectRef>()->call(*this, arguments);
}

Value Runtime::member(const Value& of, const std::string& name) {
  if (of.is_undefined()) use_of_undefined(of);
  if (of.is<ObjectRef>()) return of.as<ObjectRef>()->attribute(name);
  if (of.is<List>() && of.as<List>()->group && (name == "grouper" || name == "list")) return of.as<List>()->items[name == "list" ? 1 : 0];
  Value method = method_of(of, name);
  if (!method.is_undefined()) return method;
  if (of.is<Dict>()) {
    if (const Value* found = of.as<Dict>()->find(name)) return *found;
  }
  return method;
}

Value Runtime::item(const Value& of, const Value& index) {
  if (of.is_undefined()) use_of_undefined(of);
  if (of.is<Dict>() && !index.is<Dict>() && !(index.is<List>() && !index.as<List>()->tuple)) {
    if (const Value* found = of.as<Dict>()->find(index)) return *found;
  }
  if (of.is<List>() && index.is_integer()) {
    const auto& items = of.as<List>()->items;
    const auto n = static_cast<std::int64_t>(items.size());
    const std::int64_t i = index.integer() < 0 ? index.integer() + n : index.integer();
    if (i >= 0 && i < n) return items[static_cast<std::size_t>(i)];
    return Value::undefined(fmt::format("the list has no element {}", index.integer()));
  }
  if (const auto* range = object_of<Range>(of); range && index.is_integer()) {
    const std::int64_t n = range->count(), i = index.integer() < 0 ? index.integer() + n : index.integer();
    return i >= 0 && i < n ? range->at(i) : Value::undefined(fmt::format("range object has no element {}", index.integer()));
  }
  if (of.is_text() && index.is_integer()) {
    charge_look(of.str().size());
    const auto n = static_cast<std::int64_t>(count_characters(of.str()));
    const std::int64_t i = index.integer() < 0 ? index.integer() + n : index.integer();
    if (i < 0 || i >= n) return Value::undefined(fmt::format("the text has no character {}", index.integer()));
    std::size_t at = 0;
    for (std::int64_t k = 0; k < i; ++k) at += decode_utf8(of.str(), at).bytes;
    return Value::text(of.str().substr(at, decode_utf8(of.str(), at).bytes));
  }
  if (index.is_text()) {
    if (of.is<ObjectRef>()) return member(of, index.str());
    return method_of(of, index.str());
  }
  return Value::undefined(fmt::format("'{}' object has no element {}", type_name(of), to_text(index)));
}

Value Runtime::attribute_path(const Value& of, const Value& path, const Value& otherwise) {
  const auto step_to = [&](const Value& at, const Value& name) {
    Value found = item(at, name);
    return found.is_undefined() && !otherwise.is_none() ? otherwise : found;
  };
  if (path.is_none()) return of;
  if (!path.is_text()) return step_to(of, path);
  Value at = of;
  const std::string& text = path.str();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const bool number = !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == std::string::npos;
    at = step_to(at, number ? Value(static_cast<std::int64_t>(std::stoll(part))) : Value::text(part));
    begin = end + 1;
  }
  return at;
}

}  // namespace assay::jinja
