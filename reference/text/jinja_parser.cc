#include "reference/text/jinja_parser.h"

#include <array>
#include <optional>
#include <set>

#include "reference/text/jinja_grammar.h"

namespace assay::jinja {

Body Parser::run() {
  Body body = statements({});
  if (now().kind != Lexeme::kEnd) refuse("unexpected end of a block");
  return body;
}

void Parser::check_target(const Expr& e) const {
  if (e.kind == Kind::kTuple) {
    for (const auto& part : e.parts) check_target(*part);
    return;
  }
  if (e.kind != Kind::kName && e.kind != Kind::kNamespaceMember) refuse("this cannot be assigned to");
}

ExprRef Parser::target(bool namespaces, std::string_view end_name) {
  ExprRef e = tuple_of([&] { return primary(namespaces); }, false, end_name);
  check_target(*e);
  return e;
}

std::string Parser::target_name() {
  static const std::set<std::string, std::less<>> kConstants = {"true", "false", "none",
                                                                "True", "False", "None"};
  if (now().kind == Lexeme::kName && kConstants.contains(now().text))
    refuse(fmt::format("'{}' cannot be assigned to", now().text));
  return expect_name();
}

std::unique_ptr<Stmt> Parser::make_stmt(Stmt::Kind kind) const {
  auto s = std::make_unique<Stmt>();
  s->kind = kind;
  s->line = now().line;
  return s;
}

Body Parser::statements(Ends ends) {
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
      if (std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return now().names(end); }))
        return body;
      body.push_back(statement());
      expect(Lexeme::kBlockEnd, "'%}'");
    } else {
      return body;
    }
  }
}

Body Parser::block(Ends ends, std::string& end) {
  skip(":");
  expect(Lexeme::kBlockEnd, "'%}'");
  Body body = statements(ends);
  if (now().kind != Lexeme::kName) refuse(fmt::format("the template ends before '{}'", *(ends.end() - 1)));
  end = take().text;
  return body;
}

Body Parser::block(std::string_view end) {
  std::string ignored;
  return block({end}, ignored);
}

std::unique_ptr<Stmt> Parser::statement() {
  const int line = now().line;
  const std::string tag = expect_name();
  auto s = tagged(tag);
  s->line = line;
  return s;
}

std::unique_ptr<Stmt> Parser::tagged(const std::string& tag) {
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

std::unique_ptr<Stmt> Parser::if_statement() {
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

std::unique_ptr<Stmt> Parser::for_statement() {
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

std::unique_ptr<Stmt> Parser::set_statement() {
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

void Parser::signature(Signature& out) {
  expect("(");
  bool first = true;
  while (!now().is(")")) {
    if (!first) expect(",");
    first = false;
    out.names.push_back(target_name());
    if (skip("="))
      out.defaults.push_back(expression());
    else if (!out.defaults.empty())
      refuse("an argument without a default follows one with a default");
  }
  expect(")");
}

void Parser::note_uses(std::size_t from, Signature& out) const {
  for (std::size_t i = from; i < at_; ++i) {
    out.uses_varargs |= tokens_[i].names("varargs");
    out.uses_kwargs |= tokens_[i].names("kwargs");
    out.uses_caller |= tokens_[i].names("caller");
  }
}

std::unique_ptr<Stmt> Parser::macro_statement() {
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

std::unique_ptr<Stmt> Parser::call_statement() {
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

std::unique_ptr<Stmt> Parser::filter_statement() {
  auto s = make_stmt(Stmt::Kind::kFilterBlock);
  ExprRef chain = filter_call(nullptr);
  while (now().is("|")) chain = filter(std::move(chain));
  s->values.push_back(std::move(chain));
  s->body = block("endfilter");
  return s;
}

std::unique_ptr<Stmt> Parser::with_statement() {
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

std::unique_ptr<Stmt> Parser::print_statement() {
  auto s = make_stmt(Stmt::Kind::kPrint);
  while (now().kind != Lexeme::kBlockEnd) {
    if (!s->values.empty()) expect(",");
    s->values.push_back(expression());
  }
  return s;
}

std::unique_ptr<Stmt> Parser::loop_control(const std::string& tag) {
  if (loops_ == 0) refuse(fmt::format("'{}' outside of a loop", tag));
  return make_stmt(tag == "break" ? Stmt::Kind::kBreak : Stmt::Kind::kContinue);
}

std::unique_ptr<Stmt> Parser::scope(std::string_view end) {
  auto s = make_stmt(Stmt::Kind::kScope);
  const int outer = std::exchange(loops_, 0);  // Jinja2 makes a function of it
  s->body = block(end);
  loops_ = outer;
  return s;
}

std::unique_ptr<Stmt> Parser::named_block() {
  const std::string name = expect_name();
  skip_name("scoped");
  skip_name("required");
  auto s = scope("endblock");
  s->kind = Stmt::Kind::kBlock;
  s->text = name;
  skip_name(name);
  return s;
}

Body parse(std::string_view source, Blocks blocks) {
  Body body = Parser(lex(source, blocks)).run();
  check(body);
  return body;
}

}  // namespace assay::jinja
