// Values of the template language: Python's None, bool, int, float, str, list, tuple and dict with Python's rules for
// truth, equality, order, text and JSON. Values never change once made (the sandbox forbids it), except namespaces.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"

namespace assay::jinja {

// What stops a rendering or parsing. Thrown inside this folder's jinja_ files only; ChatTemplate catches it.
struct Fault {
  std::string message;
  int line = 0;  // of the template, 0: not known
};
[[noreturn]] void fail(std::string message);

// What one rendering may use, counted: a template cannot hang, whatever it does.
struct Budget {
  std::int64_t steps = 5'000'000;               // evaluated expressions and statements
  std::int64_t bytes = std::int64_t{1} << 28;   // of all texts and lists made (freed ones included) or looked through
  int depth = 1200;                             // of nested evaluation: bounds the machine's stack
};
// Charges the rendering that runs on this thread; fails where the budget ends. Outside of one nothing is counted.
void charge_bytes(std::uint64_t n);
void charge_look(std::uint64_t n_bytes, std::uint64_t n_needle = 0);  // looking through a text, for another in it: half, more for a long one
void check_text_size(std::uint64_t n);  // fails beyond kMaxTextBytes, before the text is made
class BudgetScope {
 public:
  explicit BudgetScope(Budget& budget);
  ~BudgetScope();
  BudgetScope(const BudgetScope&) = delete;
  BudgetScope& operator=(const BudgetScope&) = delete;

 private:
  Budget* outer_;
};

inline constexpr std::uint64_t kMaxTextBytes = std::uint64_t{64} << 20;  // of one text
inline constexpr int kMaxValueDepth = 100;  // of lists in lists; Python's own limit on recursion is 1000 calls

struct Value;
struct ListData;
struct DictData;
struct Object;
class Runtime;

struct Undefined {
  std::string what;  // for the message when it is used
};
struct None {};
struct Text {
  std::shared_ptr<const std::string> text;
  bool safe = false;  // Markup: adding plain text escapes that
};
// An integer beyond 64 bits: shown, compared and written as JSON (schemas hold such limits), not computed with.
struct Big {
  std::shared_ptr<const std::string> digits;  // "-" and decimal digits
};
using List = std::shared_ptr<const ListData>;
using Dict = std::shared_ptr<const DictData>;
using ObjectRef = std::shared_ptr<Object>;

struct Value {
  std::variant<Undefined, None, bool, std::int64_t, double, Text, List, Dict, ObjectRef, Big> v;

  Value() : v(None{}) {}
  Value(bool b) : v(b) {}                 // NOLINT: values are made everywhere
  Value(std::int64_t i) : v(i) {}         // NOLINT
  Value(double d) : v(d) {}               // NOLINT
  Value(List l) : v(std::move(l)) {}      // NOLINT
  Value(Dict d) : v(std::move(d)) {}      // NOLINT
  Value(ObjectRef o) : v(std::move(o)) {} // NOLINT
  static Value text(std::string s, bool safe = false);
  static Value decimal(std::string digits);  // an integer of any size from "-" and digits
  static Value undefined(std::string what);
  static Value list(std::vector<Value> items, bool tuple = false, bool group = false);
  static Value dict(std::vector<std::pair<Value, Value>> items);  // the last of equal keys wins, at the first's place

  template <class T> bool is() const { return std::holds_alternative<T>(v); }
  template <class T> const T& as() const { return std::get<T>(v); }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_text() const { return is<Text>(); }
  bool is_number() const { return is<bool>() || is<std::int64_t>() || is<double>(); }
  bool is_integer() const { return is<bool>() || is<std::int64_t>(); }  // as Python: True is an int
  const std::string& str() const;  // is_text()
  std::int64_t integer() const;    // is_integer()
  double number() const;           // is_number()
};

struct ListData {
  std::vector<Value> items;
  bool tuple = false;
  bool group = false;  // a tuple that groupby made: its members are also called grouper and list
  int depth = 1;
};

struct DictData {
  std::vector<std::pair<Value, Value>> items;           // in the order of insertion
  std::unordered_map<std::string, std::size_t> places;  // canonical key -> index in items
  int depth = 1;

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Anything with behaviour: functions, macros, bound methods, namespaces, loop.
struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  virtual std::string type_name() const = 0;
  virtual Value attribute(const std::string& name);                // undefined where there is none
  virtual Value call(Runtime& runtime, const Arguments& arguments);  // fails where it is no function
  virtual bool callable() const { return false; }
  virtual bool iterable() const { return false; }  // those of jinja_iterate.h
  virtual int depth() const { return 0; }          // of values in values, as lists have it
  virtual std::int64_t length() { return -1; }     // -1: has none
  virtual std::string shown(int depth);  // str(); fails where Python shows an address
};

struct Namespace : Object {
  std::map<std::string, Value> members;
  std::vector<std::string> order;
  std::string type_name() const override { return "Namespace"; }
  Value attribute(const std::string& name) override;
  void set(const std::string& name, Value value);
  std::string shown(int depth) override;
};

std::string type_name(const Value& value);  // Python's: "str", "NoneType"
bool truth(const Value& value);
bool equal(const Value& a, const Value& b, int depth = 0);
int compare(const Value& a, const Value& b, int depth = 0);  // -1, 0, 1; fails where Python has no order; NaN: 2
bool contains(const Value& container, const Value& item);    // `item in container`
std::string to_text(const Value& value, int depth = 0);      // str()
std::string repr(const Value& value, int depth = 0);         // repr()
std::string float_text(double d);                            // repr(float)
std::string canonical_key(const Value& value);               // equal keys, equal text; fails for unhashable values
// Elements: of a list, keys of a dict, characters of a text, nothing of undefined; fails for others.
std::vector<Value> elements(const Value& value);  // jinja_iterate.cc
int deeper_than(const Value& value);              // the depth of what holds this value; fails beyond kMaxValueDepth
std::int64_t length_of(const Value& value);
Value from_json(const Json& json, int depth = 0);
bool printable(char32_t code);                               // str.isprintable of one character
std::string escape_html(std::string_view text);

struct JsonStyle {
  bool ensure_ascii = false, sort_keys = false;
  bool indented = false;
  std::string indent;                  // one level
  std::string item_separator = ", ", key_separator = ": ";
};
std::string to_json(const Value& value, const JsonStyle& style, int depth = 0);  // Python's json.dumps

}  // namespace assay::jinja
