// The template as a tree: Jinja2's grammar without what needs other templates (extends, include, import).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reference/text/jinja_lexer.h"
#include "reference/text/jinja_value.h"

namespace assay::jinja {

inline constexpr int kMaxHeight = 400;   // of an expression's tree: chains of operators, filters, subscripts
inline constexpr int kMaxNesting = 120;  // of expressions and blocks; published templates stay below 30

struct Expr;
using ExprRef = std::unique_ptr<Expr>;

struct Expr {
  enum class Kind : std::uint8_t {
    kConstant, kName, kMember /* a.b */, kItem /* a[b] */, kSlice, kCall, kFilter, kTest, kNot, kAnd, kOr, kNegative, kPositive,
    kBinary, kCompare, kConcat, kIf, kList, kTuple, kDict /* key, value, key, … */, kNamespaceMember
  };
  Kind kind = Kind::kConstant;
  int line = 1, height = 1;
  std::string name;                                  // name, member, filter, test, operator
  Value constant;
  std::vector<ExprRef> parts;                        // operands in order; positional arguments after the callee
  std::vector<std::string> operators;                // of a comparison chain
  std::vector<std::pair<std::string, ExprRef>> named;  // keyword arguments
  ExprRef spread, spread_named;                      // *args, **kwargs
};

struct Stmt;
using Body = std::vector<std::unique_ptr<Stmt>>;

struct Signature {
  std::vector<std::string> names;
  std::vector<ExprRef> defaults;  // of the last names
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;  // by name in the body
};

struct Stmt {
  enum class Kind : std::uint8_t {
    kText, kPrint, kIf, kFor, kSet, kSetBlock, kMacro, kCallBlock, kFilterBlock, kWith, kScope, kBlock, kBreak, kContinue
  };
  Kind kind = Kind::kText;
  int line = 1;
  std::string text;              // text; the name of a macro or block
  ExprRef target;                // for, set
  std::vector<ExprRef> values;   // printed values; condition; iterated; assigned; call; filter chain on null
  std::vector<ExprRef> targets;  // with
  ExprRef test;                  // for … if
  bool recursive = false;
  Signature signature;           // macro, call
  std::vector<Body> branches;    // if: one body for each of `values`
  Body body, otherwise;
};

Body parse(std::string_view source, Blocks blocks = Blocks::trimmed);  // throws Fault, also what `check` refuses
void check(const Body& body);         // jinja_check.cc

}  // namespace assay::jinja
