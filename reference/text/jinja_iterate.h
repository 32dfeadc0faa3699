// What Python walks through: one Cursor over any value, and the objects that are walked lazily (generators) or hold no
// list of their own (ranges, views of a dictionary). As in Python a filter such as `map` computes an element when it is asked for.
#pragma once
#include <functional>
#include <vector>

#include "reference/text/jinja_value.h"

namespace assay::jinja {

// iter(value) and next(): elements of a list, keys of a dict, characters of a text, nothing of undefined; fails for others.
class Cursor {
 public:
  explicit Cursor(Value value);
  bool next(Value& out);  // false at the end; may run filters and tests, and so may fail

 private:
  Value value_;
  std::size_t at_ = 0;
};

// One pass over what `pull` makes. `source`: what it reads from, for the depth of generators in generators.
class Generator : public Object {
 public:
  using Pull = std::function<bool(Value& out)>;
  static Value make(const Value& source, Pull pull);
  static Value of(std::vector<Value> items);
  Generator(Pull pull, int depth) : pull_(std::move(pull)), depth_(depth) {}
  std::string type_name() const override { return "generator"; }
  bool iterable() const override { return true; }
  int depth() const override { return depth_; }
  std::string shown(int depth) override;
  bool next(Value& out);

 private:
  Pull pull_;  // empty once the end was reached
  int depth_;
  bool running_ = false;
};

// dict.items(), keys() and values(): read as often as wanted.
struct View : Object {
  View(std::string called, std::vector<Value> values);
  std::string type_name() const override { return type; }
  bool iterable() const override { return true; }
  int depth() const override { return deepest; }
  std::int64_t length() override { return static_cast<std::int64_t>(items.size()); }
  std::string shown(int depth) override;
  std::string type;
  std::vector<Value> items;
  int deepest;
};

struct Range : Object {
  Range(std::int64_t from, std::int64_t to, std::int64_t by) : start(from), stop(to), step(by) {}
  std::string type_name() const override { return "range"; }
  bool iterable() const override { return true; }
  std::int64_t length() override { return count(); }
  std::int64_t count() const;
  Value at(std::int64_t i) const { return Value(start + i * step); }  // 0 <= i < count()
  Value attribute(const std::string& name) override;
  std::string shown(int depth) override;
  std::int64_t start, stop, step;
};

template <class T>
T* object_of(const Value& value) {
  return value.is<ObjectRef>() ? dynamic_cast<T*>(value.as<ObjectRef>().get()) : nullptr;
}

}  // namespace assay::jinja
