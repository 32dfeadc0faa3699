#include "reference/text/jinja_iterate.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay::jinja {

Cursor::Cursor(Value value) : value_(std::move(value)) {
  const bool walks = value_.is<List>() || value_.is<Dict>() || value_.is_text() || value_.is_undefined() ||
                     (value_.is<ObjectRef>() && value_.as<ObjectRef>()->iterable());
  if (!walks) fail(fmt::format("'{}' object is not iterable", type_name(value_)));
}

bool Cursor::next(Value& out) {
  if (value_.is_undefined()) return false;
  if (auto* generator = object_of<Generator>(value_)) return generator->next(out);
  if (value_.is_text()) {
    const std::string& text = value_.str();
    if (at_ >= text.size()) return false;
    const std::size_t bytes = decode_utf8(text, at_).bytes;
    out = Value::text(text.substr(at_, bytes));
    at_ += bytes;
    return true;
  }
  if (value_.is<Dict>()) {
    const auto& items = value_.as<Dict>()->items;
    if (at_ >= items.size()) return false;
    out = items[at_++].first;
    return true;
  }
  if (const auto* range = object_of<Range>(value_)) {
    if (static_cast<std::int64_t>(at_) >= range->count()) return false;
    out = range->at(static_cast<std::int64_t>(at_++));
    return true;
  }
  const auto* view = object_of<View>(value_);
  ASSAY_CHECK(view || value_.is<List>());
  const std::vector<Value>& items = view ? view->items : value_.as<List>()->items;
  if (at_ >= items.size()) return false;
  out = items[at_++];
  return true;
}

Value Generator::make(const Value& source, Pull pull) {
  charge_bytes(256);
  return Value(ObjectRef(std::make_shared<Generator>(std::move(pull), deeper_than(source))));
}

Value Generator::of(std::vector<Value> items) {
  const Value list = Value::list(std::move(items));
  return make(list, [cursor = Cursor(list)](Value& out) mutable { return cursor.next(out); });
}

bool Generator::next(Value& out) {
  if (!pull_) return false;
  if (running_) fail("generator already executing");
  running_ = true;
  const bool more = pull_(out);
  running_ = false;
  if (!more) pull_ = nullptr;
  return more;
}

// Python's text holds an address, which is not the same twice.
std::string Generator::shown(int) { fail("a generator has no text; use '| list'"); }

View::View(std::string called, std::vector<Value> values) : type(std::move(called)), items(std::move(values)), deepest(1) {
  for (const Value& v : items) deepest = std::max(deepest, deeper_than(v));
}

std::string View::shown(int depth) { return type + "(" + repr(Value::list(items), depth + 1) + ")"; }

std::int64_t Range::count() const {
  ASSAY_CHECK(step != 0);
  if (step > 0 ? start >= stop : start <= stop) return 0;
  const auto low = static_cast<std::uint64_t>(std::min(start, stop)), high = static_cast<std::uint64_t>(std::max(start, stop));
  const std::uint64_t by = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  return static_cast<std::int64_t>(std::min<std::uint64_t>((high - low - 1) / by + 1, INT64_MAX));
}

Value Range::attribute(const std::string& name) {
  if (name == "start") return Value(start);
  if (name == "stop") return Value(stop);
  if (name == "step") return Value(step);
  return Object::attribute(name);
}

std::string Range::shown(int) {
  return step == 1 ? fmt::format("range({}, {})", start, stop) : fmt::format("range({}, {}, {})", start, stop, step);
}

std::vector<Value> elements(const Value& value) {
  std::vector<Value> out;
  Cursor cursor(value);
  for (Value item; cursor.next(item);) {
    charge_bytes(sizeof(Value));
    out.push_back(item);
  }
  return out;
}

}  // namespace assay::jinja
