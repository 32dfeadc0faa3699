// What Jinja2 refuses when it compiles a template, although it parses: filters and tests that do not exist (except directly under an
// {% if %} or in a conditional expression, where only their use fails), names given twice, assignments to loop inside a loop.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reference/text/jinja_parser.h"

namespace assay::jinja {

bool is_filter(const std::string& name);
bool is_test(const std::string& name);

namespace {

[[noreturn]] void refuse(std::string message, int line) { throw Fault{std::move(message), line}; }

class Checker {
 public:
  void body(const Body& statements, bool soft) {
    for (const auto& s : statements) statement(*s, soft);
  }

 private:
  void expression(const Expr* e, bool soft) const {
    if (!e) return;
    if (e->kind == Expr::Kind::kFilter && !soft && !is_filter(e->name)) refuse(fmt::format("there is no filter named '{}'", e->name), e->line);
    if (e->kind == Expr::Kind::kTest && !soft && !is_test(e->name)) refuse(fmt::format("there is no test named '{}'", e->name), e->line);
    soft = soft || e->kind == Expr::Kind::kIf;
    for (const auto& part : e->parts) expression(part.get(), soft);
    std::set<std::string_view> names;
    for (const auto& [name, value] : e->named) {
      if (!names.insert(name).second) refuse(fmt::format("the argument '{}' is given twice", name), e->line);
      expression(value.get(), soft);
    }
    expression(e->spread.get(), soft);
    expression(e->spread_named.get(), soft);
  }
  void expressions(const std::vector<ExprRef>& all, bool soft) const {
    for (const auto& e : all) expression(e.get(), soft);
  }
  void target(const Expr* e) const {
    if (!e) return;
    if (e->kind == Expr::Kind::kName && e->name == "loop" && loops_ > 0) refuse("'loop' cannot be assigned to inside a loop", e->line);
    for (const auto& part : e->parts) target(part.get());
  }
  void signature(const Signature& s, int line) const {
    std::set<std::string_view> names(s.names.begin(), s.names.end());
    if (names.size() != s.names.size()) refuse("a macro has two arguments of one name", line);
    const auto caller = std::find(s.names.begin(), s.names.end(), "caller");
    const bool bare = caller != s.names.end() && static_cast<std::size_t>(s.names.end() - caller) > s.defaults.size();
    if (bare && s.uses_caller) refuse("the argument 'caller' needs a default", line);
    expressions(s.defaults, false);
  }
  void statement(const Stmt& s, bool soft) {
    using Kind = Stmt::Kind;
    const bool loop = s.kind == Kind::kFor, branch = s.kind == Kind::kIf;
    if (s.kind == Kind::kBlock && !blocks_.insert(s.text).second) refuse(fmt::format("block '{}' is defined twice", s.text), s.line);
    loops_ += loop;
    target(s.target.get());
    for (const auto& t : s.targets) target(t.get());
    expressions(s.values, soft || branch);
    expression(s.test.get(), false);
    signature(s.signature, s.line);
    for (const Body& b : s.branches) body(b, true);
    body(s.body, false);
    body(s.otherwise, branch);
    loops_ -= loop;
  }

  int loops_ = 0;
  std::set<std::string> blocks_;
};

}  // namespace

void check(const Body& body) { Checker().body(body, false); }

}  // namespace assay::jinja
