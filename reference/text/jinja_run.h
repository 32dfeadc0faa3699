// Runs a parsed template: scopes, expressions, statements, calls. Filters, tests and methods are in their own files.
#pragma once
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "reference/text/jinja_parser.h"
#include "reference/text/jinja_value.h"

namespace assay::jinja {

inline constexpr std::size_t kMaxOutputBytes = std::size_t{64} << 20;
inline constexpr std::int64_t kMaxRange = 100'000;  // Jinja2's sandbox has the same

struct Frame {
  std::unordered_map<std::string, Value> names;
  std::shared_ptr<Frame> outer;
};
using FrameRef = std::shared_ptr<Frame>;

// Values of a call by name or place; refuses what the callee does not take.
class Bound {
 public:
  Bound(const char* callee, const Arguments& given, std::initializer_list<const char*> names);
  bool has(std::size_t i) const { return values_[i].has_value(); }
  Value get(std::size_t i, Value otherwise = {}) const { return has(i) ? *values_[i] : std::move(otherwise); }
  const Value& need(std::size_t i) const;
  bool flag(std::size_t i, bool otherwise) const { return has(i) ? truth(*values_[i]) : otherwise; }
  std::int64_t integer(std::size_t i, std::int64_t otherwise) const;
  std::string text(std::size_t i, const std::string& otherwise) const;

 private:
  const char* callee_;
  std::vector<const char*> names_;
  std::vector<std::optional<Value>> values_;
};

class Runtime {
 public:
  Runtime(Budget& budget, const std::tm& now) : budget_(budget), now_(now) {}
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  std::string render(const Body& body, const Value& context);

  Value member(const Value& of, const std::string& name);       // a.b
  Value item(const Value& of, const Value& index);              // a[b]
  // "a.b.0", as filters take it; what is undefined on the way becomes `otherwise`, unless that is none.
  Value attribute_path(const Value& of, const Value& path, const Value& otherwise = {});
  Value call(const Value& callee, const Arguments& arguments);
  Value filter(const std::string& name, const Value& value, const Arguments& arguments);
  bool test(const std::string& name, const Value& value, const Arguments& arguments);
  Value binary(const std::string& op, const Value& a, const Value& b);
  bool compared(const std::string& op, const Value& a, const Value& b);

  // For macros and recursive loops.
  Value call_macro(const Stmt& macro, const FrameRef& scope, const Arguments& arguments);
  Value run_loop(const Stmt& loop, const Value& over, const FrameRef& scope, int depth);
  void keep(const std::shared_ptr<Namespace>& space) { spaces_.push_back(space); }
  void keep(const FrameRef& frame);
  // Counts a step, and a level of the machine's stack while it lives.
  struct Deeper {
    explicit Deeper(Runtime& r);
    ~Deeper() { ++runtime.budget_.depth; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    Runtime& runtime;
  };
  void step();
  const std::tm& now() const { return now_; }

 private:
  enum class Flow : std::uint8_t { kNormal, kBreak, kContinue };

  Flow run(const Body& body, const FrameRef& frame, std::string& out);
  Flow run(const Stmt& stmt, const FrameRef& frame, std::string& out);
  Flow run_if(const Stmt& stmt, const FrameRef& frame, std::string& out);
  void run_for(const Stmt& stmt, const Value& over, const FrameRef& frame, int depth, std::string& out);
  Flow run_set_block(const Stmt& stmt, const FrameRef& frame);
  Flow run_filter_block(const Stmt& stmt, const FrameRef& frame, std::string& out);
  void run_macro(const Stmt& stmt, const FrameRef& frame);
  void run_call_block(const Stmt& stmt, const FrameRef& frame, std::string& out);
  Flow run_with(const Stmt& stmt, const FrameRef& frame, std::string& out);
  void assign(const Expr& target, const Value& value, const FrameRef& frame);
  void print(const Value& value, std::string& out);
  FrameRef inner(const FrameRef& frame);

  Value eval(const Expr& e, const FrameRef& frame);
  Value eval_name(const Expr& e, const FrameRef& frame) const;
  Value eval_item(const Expr& e, const FrameRef& frame);
  Value eval_slice(const Value& of, const Expr& slice, const FrameRef& frame);
  Value eval_compare(const Expr& e, const FrameRef& frame);
  Value eval_sequence(const Expr& e, const FrameRef& frame);
  Value eval_dict(const Expr& e, const FrameRef& frame);
  Value eval_concat(const Expr& e, const FrameRef& frame);
  Value eval_condition(const Expr& e, const FrameRef& frame);
  Value filter_chain(const Expr& e, const Value& value, const FrameRef& frame);
  Arguments eval_arguments(const Expr& e, std::size_t from, const FrameRef& frame);
  Value negative(const Value& value, bool minus) const;

  Budget& budget_;
  std::tm now_;
  Value context_;
  FrameRef root_;
  std::vector<std::shared_ptr<Namespace>> spaces_;
  std::vector<FrameRef> frames_;  // those with macros: emptied at the end, because macros and frames hold each other
};

// jinja_methods.cc
Value method_of(const Value& of, const std::string& name);  // a bound method, or undefined
Value repeat_text(const Value& text, std::int64_t times);
// jinja_format.cc: format % argument, format.format(…). `safe`: Markup, which escapes what is put into it.
std::string printf_text(const std::string& format, const Value& argument, bool safe);
std::string brace_format(Runtime& runtime, const std::string& format, const Arguments& arguments, bool safe);
std::vector<std::string> split_lines(const std::string& text, bool keep_ends = false);
std::string strip(const std::string& text, const std::string* characters, bool left, bool right);
std::string replace_text(const std::string& text, const std::string& old, const std::string& fresh, std::int64_t count);
std::string join_texts(const std::string& separator, const std::vector<std::string>& parts);
// jinja_case.cc
std::u32string codes(const std::string& text);
std::string upper(const std::string& text);
std::string lower(const std::string& text);
std::string title_text(const std::string& text);
std::string capitalized(const std::string& text);
std::string swapped(const std::string& text);
std::string casefolded(const std::string& text);
bool all_cased(const std::string& text, bool upper_case);  // and one cased letter at least
bool titled(const std::string& text);
// jinja_globals.cc
Value global_of(const std::string& name);  // undefined where there is none
bool is_global(const std::string& name);

[[noreturn]] void use_of_undefined(const Value& value);  // as Jinja2 words it

}  // namespace assay::jinja
