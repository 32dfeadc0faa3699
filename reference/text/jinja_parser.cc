#include "reference/text/jinja_parser.h"

#include <optional>
#include <array>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "reference/text/jinja_lexer.h"

namespace assay::jinja {
namespace {

using Kind = Expr::Kind;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) { ASSAY_CHECK(!tokens_.empty()); }

  Body run() {
    Body body = statements({});
    if (now().kind != Lexeme::kEnd) refuse("unexpected end of a block");
    return body;
  }

 private:
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
      case Lexeme::kEnd: return "the end of the template";
      case Lexeme::kBlockEnd: return "'%}'";
      case Lexeme::kVariableEnd: return "'}}'";
      default: return fmt::format("'{}'", t.text.substr(0, 40));
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
  ExprRef expression(bool conditional = true) {
    const Level level(*this);
    return conditional ? condition() : disjunction();
  }
  ExprRef condition() {
    ExprRef value = disjunction();
    while (skip_name("if")) {
      auto e = make(Kind::kIf, disjunction(), std::move(value));
      if (skip_name("else")) adopt(*e, expression());
      value = std::move(e);
    }
    return value;
  }
  ExprRef disjunction() {
    ExprRef left = conjunction();
    while (skip_name("or")) left = make(Kind::kOr, std::move(left), conjunction());
    return left;
  }
  ExprRef conjunction() {
    ExprRef left = negation();
    while (skip_name("and")) left = make(Kind::kAnd, std::move(left), negation());
    return left;
  }
  ExprRef negation() {
    if (!skip_name("not")) return comparison();
    const Level level(*this);
    return make(Kind::kNot, negation());
  }
  ExprRef comparison() {
    static const std::set<std::string, std::less<>> kOperators = {"==", "!=", ">", ">=", "<", "<="};
    ExprRef first = sum();
    auto e = make(Kind::kCompare, std::move(first));
    for (;;) {
      std::string op;
      if (now().kind == Lexeme::kOperator && kOperators.contains(now().text)) op = take().text;
      else if (skip_name("in")) op = "in";
      else if (now().names("not") && ahead().names("in")) {
        take();
        take();
        op = "not in";
      } else {
        break;
      }
      e->operators.push_back(op);
      adopt(*e, sum());
    }
    return e->operators.empty() ? std::move(e->parts[0]) : std::move(e);
  }
  template <class Next>
  ExprRef binary(std::initializer_list<std::string_view> operators, Next next) {
    ExprRef left = next();
    for (;;) {
      const auto hit = std::find_if(operators.begin(), operators.end(), [&](std::string_view op) { return now().is(op); });
      if (hit == operators.end()) return left;
      take();
      left = make(Kind::kBinary, std::move(left), next());
      left->name = *hit;
    }
  }
  ExprRef sum() {
    return binary({"+", "-"}, [this] { return concatenation(); });
  }
  ExprRef concatenation() {
    ExprRef first = product();
    if (!now().is("~")) return first;
    auto e = make(Kind::kConcat, std::move(first));
    while (skip("~")) adopt(*e, product());
    return e;
  }
  ExprRef product() {
    return binary({"*", "/", "//", "%"}, [this] { return power(); });
  }
  ExprRef power() {
    return binary({"**"}, [this] { return unary(true); });
  }
  ExprRef unary(bool filters) {
    const Level level(*this);
    ExprRef e;
    if (skip("-")) e = make(Kind::kNegative, unary(false));
    else if (skip("+")) e = make(Kind::kPositive, unary(false));
    else e = primary();
    e = postfix(std::move(e));
    return filters ? filter_chain(std::move(e)) : std::move(e);
  }
  ExprRef primary(bool namespaces = false) {
    const Level level(*this);
    const Token& token = now();
    switch (token.kind) {
      case Lexeme::kName: return named_value(namespaces);
      case Lexeme::kString: return string();
      case Lexeme::kNumber: {
        auto e = make(Kind::kConstant);
        e->constant = take().number;
        return e;
      }
      default: break;
    }
    if (skip("(")) {
      ExprRef e = tuple(true, true, {});
      expect(")");
      return e;
    }
    if (token.is("[")) return list();
    if (token.is("{")) return dict();
    refuse(fmt::format("expected an expression, found {}", described(token)));
  }
  ExprRef string() {
    auto e = make(Kind::kConstant);
    std::string text;
    while (now().kind == Lexeme::kString) text += take().text;
    e->constant = Value::text(std::move(text));
    return e;
  }
  ExprRef named_value(bool namespaces) {
    auto e = make(Kind::kConstant);
    const std::string name = take().text;
    if (name == "true" || name == "True") e->constant = Value(true);
    else if (name == "false" || name == "False") e->constant = Value(false);
    else if (name == "none" || name == "None") e->constant = Value();
    else {
      e->kind = Kind::kName;
      e->name = name;
      if (namespaces && skip(".")) {
        e->kind = Kind::kNamespaceMember;
        e->operators.push_back(expect_name());
      }
    }
    return e;
  }
  bool tuple_ends(std::string_view end_name) const {
    return now().kind == Lexeme::kVariableEnd || now().kind == Lexeme::kBlockEnd || now().is(")") || (!end_name.empty() && now().names(end_name));
  }
  // One expression, or several with commas. `parenthesised`: an empty tuple is allowed.
  ExprRef tuple(bool conditional, bool parenthesised, std::string_view end_name) {
    return tuple_of([&] { return expression(conditional); }, parenthesised, end_name);
  }
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
  ExprRef list() {
    auto e = make(Kind::kList);
    expect("[");
    while (!now().is("]")) {
      if (!e->parts.empty()) expect(",");
      if (now().is("]")) break;
      adopt(*e, expression());
    }
    expect("]");
    return e;
  }
  ExprRef dict() {
    auto e = make(Kind::kDict);
    expect("{");
    while (!now().is("}")) {
      if (!e->parts.empty()) expect(",");
      if (now().is("}")) break;
      adopt(*e, expression());
      expect(":");
      adopt(*e, expression());
    }
    expect("}");
    return e;
  }
  ExprRef postfix(ExprRef e) {
    for (;;) {
      if (now().is(".") || now().is("[")) e = subscript(std::move(e));
      else if (now().is("(")) e = call(std::move(e));
      else return e;
    }
  }
  ExprRef filter_chain(ExprRef e) {
    for (;;) {
      if (now().is("|")) e = filter(std::move(e));
      else if (now().names("is")) e = test(std::move(e));
      else if (now().is("(")) e = call(std::move(e));
      else return e;
    }
  }
  ExprRef subscript(ExprRef of) {
    if (skip(".")) {
      if (now().kind == Lexeme::kName) {
        auto e = make(Kind::kMember, std::move(of));
        e->name = take().text;
        return e;
      }
      if (now().kind != Lexeme::kNumber || !now().number.is<std::int64_t>()) refuse("expected a name or number after '.'");
      auto index = make(Kind::kConstant);
      index->constant = take().number;
      return make(Kind::kItem, std::move(of), std::move(index));
    }
    expect("[");
    auto index = make(Kind::kTuple);
    while (!now().is("]")) {
      if (!index->parts.empty()) expect(",");
      adopt(*index, slice());
    }
    expect("]");
    ExprRef one = index->parts.size() == 1 ? std::move(index->parts[0]) : std::move(index);
    return make(Kind::kItem, std::move(of), std::move(one));
  }
  // a, a:b, a:b:c with each part optional; an absent part is a null pointer.
  ExprRef slice() {
    auto e = make(Kind::kSlice);
    e->parts.resize(3);
    if (!now().is(":")) {
      ExprRef first = expression();
      if (!now().is(":")) return first;
      e->parts[0] = std::move(first);
      grow(*e, e->parts[0]);
    }
    take();
    if (!now().is(":") && !now().is("]") && !now().is(",")) grow(*e, e->parts[1] = expression());
    if (skip(":") && !now().is("]") && !now().is(",")) grow(*e, e->parts[2] = expression());
    return e;
  }
  ExprRef call(ExprRef callee) {
    auto e = make(Kind::kCall, std::move(callee));
    arguments(*e);
    return e;
  }
  void arguments(Expr& e) {
    expect("(");
    bool first = true;
    while (!now().is(")")) {
      if (!first) expect(",");
      first = false;
      if (now().is(")")) break;
      argument(e);
    }
    expect(")");
  }
  void argument(Expr& e) {
    const auto ensure = [&](bool ok) { if (!ok) refuse("the arguments of a call are in a wrong order"); };
    if (skip("*")) {
      ensure(!e.spread && !e.spread_named);
      e.spread = expression();
      grow(e, e.spread);
    } else if (skip("**")) {
      ensure(!e.spread_named);
      e.spread_named = expression();
      grow(e, e.spread_named);
    } else if (now().kind == Lexeme::kName && ahead().is("=")) {
      ensure(!e.spread_named);
      std::string name = take().text;
      take();
      e.named.emplace_back(std::move(name), expression());
      grow(e, e.named.back().second);
    } else {
      ensure(!e.spread && !e.spread_named && e.named.empty());
      adopt(e, expression());
    }
  }
  std::string dotted_name() {
    std::string name = expect_name();
    while (skip(".")) name += "." + expect_name();
    return name;
  }
  ExprRef filter(ExprRef value) {
    take();  // '|'
    return filter_call(std::move(value));
  }
  ExprRef filter_call(ExprRef value) {
    auto e = make(Kind::kFilter);
    adopt(*e, std::move(value));
    e->name = dotted_name();
    if (now().is("(")) arguments(*e);
    return e;
  }
  ExprRef test(ExprRef value) {
    take();  // 'is'
    const bool negated = skip_name("not");
    auto e = make(Kind::kTest, std::move(value));
    e->name = dotted_name();
    const Token& next = now();
    const bool operand = next.kind == Lexeme::kName || next.kind == Lexeme::kString || next.kind == Lexeme::kNumber || next.is("[") || next.is("{");
    if (next.is("(")) {
      arguments(*e);
    } else if (operand && !next.names("else") && !next.names("or") && !next.names("and")) {
      if (next.names("is")) refuse("tests with 'is' cannot be chained");
      adopt(*e, postfix(primary()));
    }
    return negated ? make(Kind::kNot, std::move(e)) : std::move(e);
  }

  // --- assignment targets
  void check_target(const Expr& e) const {
    if (e.kind == Kind::kTuple) {
      for (const auto& part : e.parts) check_target(*part);
      return;
    }
    if (e.kind != Kind::kName && e.kind != Kind::kNamespaceMember) refuse("this cannot be assigned to");
  }
  ExprRef target(bool namespaces, std::string_view end_name) {
    ExprRef e = tuple_of([&] { return primary(namespaces); }, false, end_name);
    check_target(*e);
    return e;
  }
  std::string target_name() {
    static const std::set<std::string, std::less<>> kConstants = {"true", "false", "none", "True", "False", "None"};
    if (now().kind == Lexeme::kName && kConstants.contains(now().text)) refuse(fmt::format("'{}' cannot be assigned to", now().text));
    return expect_name();
  }

  // --- statements
  using Ends = std::initializer_list<std::string_view>;

  std::unique_ptr<Stmt> make_stmt(Stmt::Kind kind) const {
    auto s = std::make_unique<Stmt>();
    s->kind = kind;
    s->line = now().line;
    return s;
  }
  // Statements up to a block that begins with one of `ends` (whose name is then the current token) or the end.
  Body statements(Ends ends) {
    const Level level(*this);
    Body body;
    for (;;) {
      if (now().kind == Lexeme::kText) {
        body.push_back(make_stmt(Stmt::Kind::kText));
        body.back()->text = take().text;
      } else if (now().kind == Lexeme::kVariableBegin) {
        take();
        body.push_back(make_stmt(Stmt::Kind::kPrint));
        body.back()->values.push_back(tuple(true, false, {}));
        expect(Lexeme::kVariableEnd, "'}}'");
      } else if (now().kind == Lexeme::kBlockBegin) {
        take();
        if (std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return now().names(end); })) return body;
        body.push_back(statement());
        expect(Lexeme::kBlockEnd, "'%}'");
      } else {
        return body;
      }
    }
  }
  // The body of a block: its opening tag's end up to one of `ends`, whose name is taken.
  Body block(Ends ends, std::string& end) {
    skip(":");
    expect(Lexeme::kBlockEnd, "'%}'");
    Body body = statements(ends);
    if (now().kind != Lexeme::kName) refuse(fmt::format("the template ends before '{}'", *(ends.end() - 1)));
    end = take().text;
    return body;
  }
  Body block(std::string_view end) {
    std::string ignored;
    return block({end}, ignored);
  }

  std::unique_ptr<Stmt> statement() {
    const int line = now().line;
    const std::string tag = expect_name();
    auto s = tagged(tag);
    s->line = line;
    return s;
  }
  std::unique_ptr<Stmt> tagged(const std::string& tag) {
    if (tag == "if") return if_statement();
    if (tag == "for") return for_statement();
    if (tag == "set") return set_statement();
    if (tag == "macro") return macro_statement();
    if (tag == "call") return call_statement();
    if (tag == "filter") return filter_statement();
    if (tag == "with") return with_statement();
    if (tag == "print") return print_statement();
    if (tag == "break" || tag == "continue") return loop_control(tag);
    if (tag == "generation") return scope("endgeneration");
    if (tag == "block") return named_block();
    static const std::set<std::string> kOthers = {"extends", "include", "import", "from", "autoescape"};
    if (kOthers.contains(tag)) refuse(fmt::format("'{}' is not supported: a chat template stands alone", tag));
    refuse(fmt::format("unknown tag '{}'", tag));
  }
  std::unique_ptr<Stmt> if_statement() {
    auto s = make_stmt(Stmt::Kind::kIf);
    for (;;) {
      s->values.push_back(tuple(false, false, {}));
      std::string end;
      s->branches.push_back(block({"elif", "else", "endif"}, end));
      if (end == "endif") return s;
      if (end == "elif") continue;
      s->otherwise = block("endif");
      return s;
    }
  }
  std::unique_ptr<Stmt> for_statement() {
    auto s = make_stmt(Stmt::Kind::kFor);
    s->target = target(false, "in");
    if (!skip_name("in")) refuse("a 'for' has no 'in'");
    s->values.push_back(tuple(false, false, "recursive"));
    if (skip_name("if")) s->test = expression();
    s->recursive = skip_name("recursive");
    std::string end;
    ++loops_;
    s->body = block({"else", "endfor"}, end);
    --loops_;
    if (end == "else") s->otherwise = block("endfor");
    return s;
  }
  std::unique_ptr<Stmt> set_statement() {
    auto s = make_stmt(Stmt::Kind::kSet);
    s->target = target(true, {});
    if (skip("=")) {
      s->values.push_back(tuple(true, false, {}));
      return s;
    }
    s->kind = Stmt::Kind::kSetBlock;
    ExprRef chain;
    while (now().is("|")) chain = filter(std::move(chain));
    s->values.push_back(std::move(chain));
    s->body = block("endset");
    return s;
  }
  void signature(Signature& out) {
    expect("(");
    bool first = true;
    while (!now().is(")")) {
      if (!first) expect(",");
      first = false;
      out.names.push_back(target_name());
      if (skip("=")) out.defaults.push_back(expression());
      else if (!out.defaults.empty()) refuse("an argument without a default follows one with a default");
    }
    expect(")");
  }
  // Whether the body of a macro names what Jinja2 passes only where it is named.
  void note_uses(std::size_t from, Signature& out) const {
    for (std::size_t i = from; i < at_; ++i) {
      out.uses_varargs |= tokens_[i].names("varargs");
      out.uses_kwargs |= tokens_[i].names("kwargs");
      out.uses_caller |= tokens_[i].names("caller");
    }
  }
  std::unique_ptr<Stmt> macro_statement() {
    auto s = make_stmt(Stmt::Kind::kMacro);
    s->text = target_name();
    signature(s->signature);
    const std::size_t from = at_;
    const int outer = std::exchange(loops_, 0);
    s->body = block("endmacro");
    loops_ = outer;
    note_uses(from, s->signature);
    return s;
  }
  std::unique_ptr<Stmt> call_statement() {
    auto s = make_stmt(Stmt::Kind::kCallBlock);
    if (now().is("(")) signature(s->signature);
    s->values.push_back(expression());
    if (s->values[0]->kind != Kind::kCall) refuse("'call' needs a call");
    const std::size_t from = at_;
    const int outer = std::exchange(loops_, 0);
    s->body = block("endcall");
    loops_ = outer;
    note_uses(from, s->signature);
    return s;
  }
  std::unique_ptr<Stmt> filter_statement() {
    auto s = make_stmt(Stmt::Kind::kFilterBlock);
    ExprRef chain = filter_call(nullptr);
    while (now().is("|")) chain = filter(std::move(chain));
    s->values.push_back(std::move(chain));
    s->body = block("endfilter");
    return s;
  }
  std::unique_ptr<Stmt> with_statement() {
    auto s = make_stmt(Stmt::Kind::kWith);
    while (now().kind != Lexeme::kBlockEnd && !now().is(":")) {
      if (!s->targets.empty()) expect(",");
      s->targets.push_back(target(false, {}));
      expect("=");
      s->values.push_back(expression());
    }
    s->body = block("endwith");
    return s;
  }
  std::unique_ptr<Stmt> print_statement() {
    auto s = make_stmt(Stmt::Kind::kPrint);
    while (now().kind != Lexeme::kBlockEnd) {
      if (!s->values.empty()) expect(",");
      s->values.push_back(expression());
    }
    return s;
  }
  std::unique_ptr<Stmt> loop_control(const std::string& tag) {
    if (loops_ == 0) refuse(fmt::format("'{}' outside of a loop", tag));
    return make_stmt(tag == "break" ? Stmt::Kind::kBreak : Stmt::Kind::kContinue);
  }
  std::unique_ptr<Stmt> scope(std::string_view end) {
    auto s = make_stmt(Stmt::Kind::kScope);
    const int outer = std::exchange(loops_, 0);  // Jinja2 makes a function of it
    s->body = block(end);
    loops_ = outer;
    return s;
  }
  std::unique_ptr<Stmt> named_block() {
    const std::string name = expect_name();
    skip_name("scoped");
    skip_name("required");
    auto s = scope("endblock");
    s->kind = Stmt::Kind::kBlock;
    s->text = name;
    skip_name(name);
    return s;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0, loops_ = 0;
};

}  // namespace

Body parse(std::string_view source, Blocks blocks) {
  Body body = Parser(lex(source, blocks)).run();
  check(body);
  return body;
}

}  // namespace assay::jinja
