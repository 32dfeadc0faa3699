#include "suites/math/math_parse.h"

#include "suites/math/math_parser.h"

namespace assay {

std::optional<MathTree> MathParser::run() {
  auto tree = list();
  while (sees("!") || sees(".") || sees(",") || sees(";")) ++at_;  // what ends a sentence
  if (!tree || at_ != tokens_.size()) return std::nullopt;
  return tree;
}

bool MathParser::takes_separator() {
  if (sees(",") && (word(1).kind == MathWord::command && (word(1).text == "and" || word(1).text == "or")))
    ++at_;
  return take(",") || take(";") || take_command("and") || take_command("or");
}

MathParser::Tree MathParser::list() {
  const Deeper deeper(depth_);
  if (depth_ > kMaxMathDepth) return std::nullopt;
  std::vector<MathTree> parts;
  do {
    auto part = statement();
    if (!part) return std::nullopt;
    parts.push_back(std::move(*part));
  } while (takes_separator() && !done() && !closes());
  return parts.size() == 1 ? std::move(parts[0]) : math_node(MathOp::list, std::move(parts));
}

char MathParser::relation_sign() {
  static constexpr std::pair<std::string_view, char> kCommands[] = {
      {"leq", 'l'}, {"geq", 'g'}, {"neq", 'n'}, {"in", 'e'}, {"equiv", '='}};
  for (const auto& [name, sign] : kCommands) {
    if (take_command(name)) return sign;
  }
  if (word().kind == MathWord::word && word().text == "is" && ++at_) return '=';
  for (const char* sign : {"=", "<", ">"}) {
    if (take(sign)) return *sign;
  }
  return '\0';
}

MathParser::Tree MathParser::statement() {
  auto first = join();
  if (!first) return std::nullopt;
  std::vector<MathTree> parts;
  std::string signs;
  parts.push_back(std::move(*first));
  while (const char sign = relation_sign()) {
    auto next = join();
    if (!next) return std::nullopt;
    signs += sign;
    parts.push_back(std::move(*next));
  }
  return parts.size() == 1 ? std::move(parts[0]) : math_node(MathOp::relation, std::move(parts), signs);
}

MathParser::Tree MathParser::join() {
  std::vector<MathTree> parts;
  do {
    auto part = sum();
    if (!part) return std::nullopt;
    parts.push_back(std::move(*part));
  } while (take_command("cup"));
  return parts.size() == 1 ? std::move(parts[0]) : math_node(MathOp::join, std::move(parts));
}

MathParser::Tree MathParser::bracket() {
  if (sees("{")) return braced();
  if (take("\\{")) return set();
  if (take("|")) return bars();
  const bool square = sees("[");
  if (!square && !sees("(")) return std::nullopt;
  ++at_;
  if (!square && sees(")")) return std::nullopt;
  const int bars = std::exchange(bars_, 0);
  auto inner = list();
  bars_ = bars;
  if (!inner || (!sees(")") && !sees("]"))) return std::nullopt;
  const std::string ends = std::string(square ? "[" : "(") + word().text;
  ++at_;
  if (inner->op == MathOp::list) return math_node(MathOp::group, std::move(inner->kids), ends);
  if (ends == "()" && inner->op == MathOp::symbol && inner->text.size() == 1 && inner->text[0] >= 'A' &&
      inner->text[0] <= 'Z')
    return inner;  // (B)
  if (ends == "()" || ends == "[]") return inner;
  return std::nullopt;
}

MathParser::Tree MathParser::set() {
  if (take("\\}")) return math_node(MathOp::set, {});
  const int bars = std::exchange(bars_, 1);  // a bar ends the element
  auto inner = list();
  bars_ = bars;
  if (!inner) return std::nullopt;
  if (take("|") || take(":")) {
    auto condition = list();
    if (!condition || !take("\\}")) return std::nullopt;
    return math_node(MathOp::set, {std::move(*inner), std::move(*condition)}, "|");
  }
  if (!take("\\}")) return std::nullopt;
  if (inner->op == MathOp::list) return math_node(MathOp::set, std::move(inner->kids));
  return math_node(MathOp::set, {std::move(*inner)});
}

MathParser::Tree MathParser::bars() {
  const int bars = std::exchange(bars_, 1);
  auto inner = sum();
  bars_ = bars;
  if (!inner || !take("|")) return std::nullopt;
  return math_node(MathOp::function, {std::move(*inner)}, "abs");
}

namespace {

// Levels of a tree, counted without recursion: a chain of quotients or of % may be as long as the text.
int depth_of(const MathTree& tree) {
  int deepest = 0;
  std::vector<std::pair<const MathTree*, int>> open = {{&tree, 1}};
  while (!open.empty()) {
    const auto [at, depth] = open.back();
    open.pop_back();
    deepest = std::max(deepest, depth);
    for (const MathTree& kid : at->kids) open.emplace_back(&kid, depth + 1);
  }
  return deepest;
}

}  // namespace

std::optional<ParsedMath> parse_math(std::string_view text, bool commas_separate) {
  auto tokens = lex_math(text, commas_separate);
  if (!tokens || tokens->list.empty()) return std::nullopt;
  const bool ambiguous = tokens->ambiguous_commas;
  auto tree = MathParser(std::move(tokens->list)).run();
  if (!tree || depth_of(*tree) > kMaxMathLevels) return std::nullopt;
  return ParsedMath{std::move(*tree), ambiguous};
}

}  // namespace assay
