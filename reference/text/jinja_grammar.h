// The parser behind jinja::parse: jinja_parser.cc has the statements, jinja_expressions.cc the expressions.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "reference/text/jinja_lexer.h"
#include "reference/text/jinja_parser.h"

namespace assay::jinja {

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) { ASSAY_CHECK(!tokens_.empty()); }

  Body run();

 private:
  using Kind = Expr::Kind;

  // --- tokens
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  [[noreturn]] void refuse(std::string message) const { throw Fault{std::move(message), now().line}; }
  static std::string described(const Token& t) {
    switch (t.kind) {
      case Lexeme::kEnd:
        return "the end of the template";
      case Lexeme::kBlockEnd:
        return "'%}'";
      case Lexeme::kVariableEnd:
        return "'}}'";
      default:
        return fmt::format("'{}'", t.text.substr(0, 40));
    }
  }
  bool skip(std::string_view op) {
    const bool hit = now().is(op);
    if (hit) take();
    return hit;
  }
  bool skip_name(std::string_view name) {
    const bool hit = now().names(name);
    if (hit) take();
    return hit;
  }
  void expect(std::string_view op) {
    if (!skip(op)) refuse(fmt::format("expected '{}', found {}", op, described(now())));
  }
  void expect(Lexeme kind, std::string_view what) {
    if (now().kind != kind) refuse(fmt::format("expected {}, found {}", what, described(now())));
    take();
  }
  std::string expect_name() {
    if (now().kind != Lexeme::kName) refuse(fmt::format("expected a name, found {}", described(now())));
    return take().text;
  }

  struct Level {
    explicit Level(Parser& p) : parser(p) {
      if (++parser.depth_ > kMaxNesting) parser.refuse("the template is nested too deeply");
    }
    ~Level() { --parser.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    Parser& parser;
  };

  ExprRef make(Kind kind) const {
    auto e = std::make_unique<Expr>();
    e->kind = kind;
    e->line = now().line;
    return e;
  }
  // Keeps the height of a tree, on which the depth of recursion depends; a null child is an absent part.
  void adopt(Expr& parent, ExprRef child) const {
    grow(parent, child);
    parent.parts.push_back(std::move(child));
  }
  void grow(Expr& parent, const ExprRef& child) const {
    if (child) parent.height = std::max(parent.height, child->height + 1);
    if (parent.height > kMaxHeight) refuse("an expression is nested too deeply");
  }
  ExprRef make(Kind kind, ExprRef a) const {
    auto e = make(kind);
    e->line = a->line;
    adopt(*e, std::move(a));
    return e;
  }
  ExprRef make(Kind kind, ExprRef a, ExprRef b) const {
    auto e = make(kind, std::move(a));
    adopt(*e, std::move(b));
    return e;
  }

  // --- expressions, from the loosest to the tightest
  ExprRef expression(bool conditional = true);
  ExprRef condition();
  ExprRef disjunction();
  ExprRef conjunction();
  ExprRef negation();
  ExprRef comparison();
  template <class Next>
  ExprRef binary(std::initializer_list<std::string_view> operators, Next next) {
    ExprRef left = next();
    for (;;) {
      const auto hit =
          std::find_if(operators.begin(), operators.end(), [&](std::string_view op) { return now().is(op); });
      if (hit == operators.end()) return left;
      take();
      left = make(Kind::kBinary, std::move(left), next());
      left->name = *hit;
    }
  }
  ExprRef sum();
  ExprRef concatenation();
  ExprRef product();
  ExprRef power();
  ExprRef unary(bool filters);
  ExprRef primary(bool namespaces = false);
  ExprRef string();
  ExprRef named_value(bool namespaces);
  bool tuple_ends(std::string_view end_name) const;
  // One expression, or several with commas. `parenthesised`: an empty tuple is allowed.
  ExprRef tuple(bool conditional, bool parenthesised, std::string_view end_name);
  template <class Next>
  ExprRef tuple_of(Next next, bool parenthesised, std::string_view end_name) {
    auto e = make(Kind::kTuple);
    bool commas = false;
    for (;;) {
      if (!e->parts.empty()) expect(",");
      if (tuple_ends(end_name)) break;
      adopt(*e, next());
      if (!now().is(",")) break;
      commas = true;
    }
    if (commas) return e;
    if (!e->parts.empty()) return std::move(e->parts[0]);
    if (!parenthesised) refuse(fmt::format("expected an expression, found {}", described(now())));
    return e;
  }
  ExprRef list();
  ExprRef dict();
  ExprRef postfix(ExprRef e);
  ExprRef filter_chain(ExprRef e);
  ExprRef subscript(ExprRef of);
  // a, a:b, a:b:c with each part optional; an absent part is a null pointer.
  ExprRef slice();
  ExprRef call(ExprRef callee);
  void arguments(Expr& e);
  void argument(Expr& e);
  std::string dotted_name();
  ExprRef filter(ExprRef value);
  ExprRef filter_call(ExprRef value);
  ExprRef test(ExprRef value);

  // --- assignment targets
  void check_target(const Expr& e) const;
  ExprRef target(bool namespaces, std::string_view end_name);
  std::string target_name();

  // --- statements
  using Ends = std::initializer_list<std::string_view>;

  std::unique_ptr<Stmt> make_stmt(Stmt::Kind kind) const;
  // Statements up to a block that begins with one of `ends` (whose name is then the current token) or the end.
  Body statements(Ends ends);
  // The body of a block: its opening tag's end up to one of `ends`, whose name is taken.
  Body block(Ends ends, std::string& end);
  Body block(std::string_view end);

  std::unique_ptr<Stmt> statement();
  std::unique_ptr<Stmt> tagged(const std::string& tag);
  std::unique_ptr<Stmt> if_statement();
  std::unique_ptr<Stmt> for_statement();
  std::unique_ptr<Stmt> set_statement();
  void signature(Signature& out);
  // Whether the body of a macro names what Jinja2 passes only where it is named.
  void note_uses(std::size_t from, Signature& out) const;
  std::unique_ptr<Stmt> macro_statement();
  std::unique_ptr<Stmt> call_statement();
  std::unique_ptr<Stmt> filter_statement();
  std::unique_ptr<Stmt> with_statement();
  std::unique_ptr<Stmt> print_statement();
  std::unique_ptr<Stmt> loop_control(const std::string& tag);
  std::unique_ptr<Stmt> scope(std::string_view end);
  std::unique_ptr<Stmt> named_block();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0, loops_ = 0;
};

}  // namespace assay::jinja
