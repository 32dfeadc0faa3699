#include <array>
#include <optional>
#include <set>

#include "reference/text/jinja_grammar.h"

namespace assay::jinja {

ExprRef Parser::expression(bool conditional) {
  const Level level(*this);
  return conditional ? condition() : disjunction();
}

ExprRef Parser::condition() {
  ExprRef value = disjunction();
  while (skip_name("if")) {
    auto e = make(Kind::kIf, disjunction(), std::move(value));
    if (skip_name("else")) adopt(*e, expression());
    value = std::move(e);
  }
  return value;
}

ExprRef Parser::disjunction() {
  ExprRef left = conjunction();
  while (skip_name("or")) left = make(Kind::kOr, std::move(left), conjunction());
  return left;
}

ExprRef Parser::conjunction() {
  ExprRef left = negation();
  while (skip_name("and")) left = make(Kind::kAnd, std::move(left), negation());
  return left;
}

ExprRef Parser::negation() {
  if (!skip_name("not")) return comparison();
  const Level level(*this);
  return make(Kind::kNot, negation());
}

ExprRef Parser::comparison() {
  static const std::set<std::string, std::less<>> kOperators = {"==", "!=", ">", ">=", "<", "<="};
  ExprRef first = sum();
  auto e = make(Kind::kCompare, std::move(first));
  for (;;) {
    std::string op;
    if (now().kind == Lexeme::kOperator && kOperators.contains(now().text))
      op = take().text;
    else if (skip_name("in"))
      op = "in";
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

ExprRef Parser::sum() {
  return binary({"+", "-"}, [this] { return concatenation(); });
}

ExprRef Parser::concatenation() {
  ExprRef first = product();
  if (!now().is("~")) return first;
  auto e = make(Kind::kConcat, std::move(first));
  while (skip("~")) adopt(*e, product());
  return e;
}

ExprRef Parser::product() {
  return binary({"*", "/", "//", "%"}, [this] { return power(); });
}

ExprRef Parser::power() {
  return binary({"**"}, [this] { return unary(true); });
}

ExprRef Parser::unary(bool filters) {
  const Level level(*this);
  ExprRef e;
  if (skip("-"))
    e = make(Kind::kNegative, unary(false));
  else if (skip("+"))
    e = make(Kind::kPositive, unary(false));
  else
    e = primary();
  e = postfix(std::move(e));
  return filters ? filter_chain(std::move(e)) : std::move(e);
}

ExprRef Parser::primary(bool namespaces) {
  const Level level(*this);
  const Token& token = now();
  switch (token.kind) {
    case Lexeme::kName:
      return named_value(namespaces);
    case Lexeme::kString:
      return string();
    case Lexeme::kNumber: {
      auto e = make(Kind::kConstant);
      e->constant = take().number;
      return e;
    }
    default:
      break;
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

ExprRef Parser::string() {
  auto e = make(Kind::kConstant);
  std::string text;
  while (now().kind == Lexeme::kString) text += take().text;
  e->constant = Value::text(std::move(text));
  return e;
}

ExprRef Parser::named_value(bool namespaces) {
  auto e = make(Kind::kConstant);
  const std::string name = take().text;
  if (name == "true" || name == "True")
    e->constant = Value(true);
  else if (name == "false" || name == "False")
    e->constant = Value(false);
  else if (name == "none" || name == "None")
    e->constant = Value();
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

bool Parser::tuple_ends(std::string_view end_name) const {
  return now().kind == Lexeme::kVariableEnd || now().kind == Lexeme::kBlockEnd || now().is(")") ||
         (!end_name.empty() && now().names(end_name));
}

ExprRef Parser::tuple(bool conditional, bool parenthesised, std::string_view end_name) {
  return tuple_of([&] { return expression(conditional); }, parenthesised, end_name);
}

ExprRef Parser::list() {
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

ExprRef Parser::dict() {
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

ExprRef Parser::postfix(ExprRef e) {
  for (;;) {
    if (now().is(".") || now().is("["))
      e = subscript(std::move(e));
    else if (now().is("("))
      e = call(std::move(e));
    else
      return e;
  }
}

ExprRef Parser::filter_chain(ExprRef e) {
  for (;;) {
    if (now().is("|"))
      e = filter(std::move(e));
    else if (now().names("is"))
      e = test(std::move(e));
    else if (now().is("("))
      e = call(std::move(e));
    else
      return e;
  }
}

ExprRef Parser::subscript(ExprRef of) {
  if (skip(".")) {
    if (now().kind == Lexeme::kName) {
      auto e = make(Kind::kMember, std::move(of));
      e->name = take().text;
      return e;
    }
    if (now().kind != Lexeme::kNumber || !now().number.is<std::int64_t>())
      refuse("expected a name or number after '.'");
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

ExprRef Parser::slice() {
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

ExprRef Parser::call(ExprRef callee) {
  auto e = make(Kind::kCall, std::move(callee));
  arguments(*e);
  return e;
}

void Parser::arguments(Expr& e) {
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

void Parser::argument(Expr& e) {
  const auto ensure = [&](bool ok) {
    if (!ok) refuse("the arguments of a call are in a wrong order");
  };
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

std::string Parser::dotted_name() {
  std::string name = expect_name();
  while (skip(".")) name += "." + expect_name();
  return name;
}

ExprRef Parser::filter(ExprRef value) {
  take();  // '|'
  return filter_call(std::move(value));
}

ExprRef Parser::filter_call(ExprRef value) {
  auto e = make(Kind::kFilter);
  adopt(*e, std::move(value));
  e->name = dotted_name();
  if (now().is("(")) arguments(*e);
  return e;
}

ExprRef Parser::test(ExprRef value) {
  take();  // 'is'
  const bool negated = skip_name("not");
  auto e = make(Kind::kTest, std::move(value));
  e->name = dotted_name();
  const Token& next = now();
  const bool operand = next.kind == Lexeme::kName || next.kind == Lexeme::kString ||
                       next.kind == Lexeme::kNumber || next.is("[") || next.is("{");
  if (next.is("(")) {
    arguments(*e);
  } else if (operand && !next.names("else") && !next.names("or") && !next.names("and")) {
    if (next.names("is")) refuse("tests with 'is' cannot be chained");
    adopt(*e, postfix(primary()));
  }
  return negated ? make(Kind::kNot, std::move(e)) : std::move(e);
}

}  // namespace assay::jinja
