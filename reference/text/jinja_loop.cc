// {% for %}: the loop object and the statement. As in Jinja2 an element is fetched when its turn comes (or loop.last, nextitem, length ask for it).
#include <fmt/format.h>

#include <deque>

#include "base/check.h"
#include "reference/text/jinja_iterate.h"
#include "reference/text/jinja_run.h"

namespace assay::jinja {
namespace {

struct Loop : Object, std::enable_shared_from_this<Loop> {
  Generator::Pull pull;
  std::deque<Value> ahead;  // fetched, not yet run
  Value before, current, over;
  std::int64_t index = -1, n = -1;
  int level = 0;
  const Stmt* stmt = nullptr;
  FrameRef scope;
  std::optional<Value> last_changed;

  bool fetch() {
    Value value;
    if (!pull || !pull(value)) return false;
    charge_bytes(sizeof(Value));
    ahead.push_back(std::move(value));
    return true;
  }
  bool advance() {
    if (ahead.empty() && !fetch()) return false;
    before = std::exchange(current, std::move(ahead.front()));
    ahead.pop_front();
    ++index;
    return true;
  }
  bool has_next() { return !ahead.empty() || fetch(); }
  // A loop that was kept beyond its end holds nothing: chains of them would be taken down by recursion.
  void finish() {
    pull = nullptr;
    ahead.clear();
    before = current = over = Value();
    last_changed.reset();
    scope.reset();
  }

  std::string type_name() const override { return "LoopContext"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Arguments& arguments) override {
    if (!stmt->recursive) fail("the loop must be marked 'recursive' to be called");
    return runtime.run_loop(*stmt, Bound("loop", arguments, {"iterable"}).need(0), scope, level + 1);
  }
  std::int64_t length() override {
    if (n < 0 && !stmt->test && !object_of<Generator>(over)) n = length_of(over);
    if (n < 0) {
      while (fetch()) {
      }
      n = index + 1 + static_cast<std::int64_t>(ahead.size());
    }
    return n;
  }
  Value attribute(const std::string& name) override;
  std::string shown(int) override { return fmt::format("<LoopContext {}/{}>", index + 1, length()); }
};

struct LoopMethod : Object {
  LoopMethod(std::shared_ptr<Loop> l, bool c) : loop(std::move(l)), cycle(c) {}
  std::shared_ptr<Loop> loop;
  bool cycle;
  std::string type_name() const override { return "method"; }
  bool callable() const override { return true; }
  Value call(Runtime&, const Arguments& arguments) override {
    if (!arguments.named.empty()) fail("loop.cycle and loop.changed take no keyword arguments");
    if (cycle) {
      if (arguments.positional.empty()) fail("no items for cycling given");
      return arguments.positional[static_cast<std::size_t>(loop->index) % arguments.positional.size()];
    }
    const Value now = Value::list(arguments.positional, true);
    const bool changed = !loop->last_changed || !equal(*loop->last_changed, now);
    loop->last_changed = now;
    return Value(changed);
  }
};

Value Loop::attribute(const std::string& name) {
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(length() - index);
  if (name == "revindex0") return Value(length() - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(!has_next());
  if (name == "length") return Value(length());
  if (name == "depth") return Value(std::int64_t{level} + 1);
  if (name == "depth0") return Value(std::int64_t{level});
  if (name == "previtem") return index > 0 ? before : Value::undefined("there is no previous item");
  if (name == "nextitem") return has_next() ? ahead.front() : Value::undefined("there is no next item");
  if (name == "cycle" || name == "changed") return Value(ObjectRef(std::make_shared<LoopMethod>(shared_from_this(), name == "cycle")));
  return Object::attribute(name);
}

}  // namespace

void Runtime::run_for(const Stmt& s, const Value& over, const FrameRef& frame, int depth, std::string& out) {
  const auto loop = std::make_shared<Loop>();
  loop->level = depth;
  loop->stmt = &s;
  loop->scope = frame;
  loop->over = over;
  loop->pull = [this, &s, frame, cursor = Cursor(over)](Value& value) mutable {
    while (cursor.next(value)) {
      if (!s.test) return true;
      const FrameRef trial = inner(frame);
      assign(*s.target, value, trial);
      if (truth(eval(*s.test, trial))) return true;
    }
    return false;
  };
  bool otherwise = true;
  while (loop->advance()) {
    const FrameRef body = inner(frame);
    body->names["loop"] = Value(ObjectRef(loop));
    assign(*s.target, loop->current, body);
    const Flow flow = run(s.body, body, out);
    if (flow == Flow::kBreak) break;
    otherwise = otherwise && flow == Flow::kContinue;  // as Jinja2 compiles it: 'else' runs unless the end of the body was reached once
  }
  loop->finish();
  if (otherwise) run(s.otherwise, inner(frame), out);
}

Value Runtime::run_loop(const Stmt& loop, const Value& over, const FrameRef& scope, int depth) {
  const Deeper deeper(*this);
  std::string out;
  run_for(loop, over, scope, depth, out);
  return Value::text(std::move(out));
}

}  // namespace assay::jinja
