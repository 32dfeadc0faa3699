#include "suites/math/math_equal.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "suites/math/math_expand.h"
#include "suites/math/math_parse.h"
#include "suites/math/math_probe.h"
#include "suites/math/math_units.h"

namespace assay {
namespace {

constexpr std::size_t kMaxParts = 64;      // of a list that is compared in any order
constexpr int kMaxPlusMinus = 3;           // signs that are spread: 8 values

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// --- as text ---

// What says only how a text looks, in the order in which it is taken off.
constexpr std::pair<std::string_view, std::string_view> kTextLooks[] = {
    {"\\left", ""}, {"\\right", ""}, {"\\!", ""}, {"\\,", ""}, {"\\;", ""}, {"\\:", ""}, {"\\ ", ""}, {"~", ""}, {"$", ""}, {"\\dfrac", "\\frac"}, {"\\tfrac", "\\frac"},
    {"\\text", ""}, {"\\textbf", ""}, {"\\mathrm", ""}, {"\\mbox", ""}, {"\\displaystyle", ""}, {"\\boxed", ""}, {"\\(", ""}, {"\\)", ""}, {"\\[", ""}, {"\\]", ""},
};

// The look that begins at `at`, or nullptr.
const std::pair<std::string_view, std::string_view>* look_at(std::string_view text, std::size_t at) {
  const auto* found = std::find_if(std::begin(kTextLooks), std::end(kTextLooks), [&](const auto& look) {
    const std::size_t end = at + look.first.size();
    const bool whole = end >= text.size() || !is_letter(text[end]) || !is_letter(look.first.back());
    return text.substr(at).starts_with(look.first) && whole;
  });
  return found == std::end(kTextLooks) ? nullptr : found;
}

// Braces stay, but for those of \text and its like: \frac{1}{23} is not \frac{12}{3}. A blank stays between digits.
std::string plain_text(std::string_view text) {
  std::string out;
  std::vector<bool> shown;  // for every open brace whether it is
  bool wrapper = false;     // the last thing seen was \text or its like
  bool blank = false;
  for (std::size_t i = 0; i < text.size();) {
    if (const auto* look = look_at(text, i)) {
      out += look->second;
      i += look->first.size();
      wrapper = look->first.size() > 2 && look->second.empty();
      continue;
    }
    const char c = text[i++];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '*') {
      blank = true;
      continue;
    }
    bool show = true;
    if (c == '{') shown.push_back(show = !wrapper);
    if (c == '}' && !shown.empty()) {
      show = shown.back();
      shown.pop_back();
    }
    if (show && blank && is_digit(c) && !out.empty() && is_digit(out.back())) out += ' ';
    if (show) out += c;
    blank = wrapper = false;
  }
  while (!out.empty() && (out.back() == '.' || out.back() == ',')) out.pop_back();
  return out;
}

// Case means nothing in words and everything in formulas: a word has three letters side by side.
bool is_wordy(std::string_view text) {
  int run = 0, longest = 0;
  for (const char c : text) longest = std::max(longest, run = is_letter(c) ? run + 1 : 0);
  return longest >= 3 && std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == ',' || c == ':' || c == '\'' || c == '-' || c < 0; });
}

std::string folded_word(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '.' && c != ',' && c != '(' && c != ')') out += lower(c);
  }
  return out;
}

bool same_plain(std::string_view a, std::string_view b) {
  const std::string x = plain_text(a), y = plain_text(b);
  if (x.empty() || y.empty()) return false;
  return x == y || (is_wordy(x) && is_wordy(y) && folded_word(x) == folded_word(y));
}

// --- trees ---

bool is_constant_name(std::string_view name) { return name == "pi" || name == "e" || name == "i" || name == "inf"; }
bool is_variable(const MathTree& tree) { return tree.op == MathOp::symbol && !is_constant_name(tree.text); }
bool is_collection(const MathTree& tree) { return tree.op == MathOp::list || tree.op == MathOp::set || tree.op == MathOp::join; }

bool any_of_tree(const MathTree& tree, bool (*holds)(const MathTree&)) {
  return holds(tree) || std::any_of(tree.kids.begin(), tree.kids.end(), [&](const MathTree& kid) { return any_of_tree(kid, holds); });
}

MathTree make(MathOp op, std::vector<MathTree> kids, std::string text = {}) { return {op, std::move(text), std::move(kids)}; }
MathTree infinity(bool minus) {
  MathTree out{MathOp::symbol, "inf", {}};
  return minus ? make(MathOp::negative, {std::move(out)}) : out;
}

// One sign for every plus_minus of the tree.
MathTree with_signs(const MathTree& tree, bool upper) {
  MathTree out = tree;
  for (MathTree& kid : out.kids) kid = with_signs(kid, upper);
  if (tree.op != MathOp::plus_minus) return out;
  const bool minus = (tree.text == "+-") != upper;
  return minus ? make(MathOp::negative, std::move(out.kids)) : std::move(out.kids[0]);
}

// A name that a value is given to: x, f(x), AB, \text{Area}.
bool is_name(const MathTree& tree) {
  if (tree.op == MathOp::product) return is_variable(tree.kids[0]) && std::all_of(tree.kids.begin(), tree.kids.end(), [](const MathTree& k) { return k.op == MathOp::symbol || k.op == MathOp::group; });
  return is_variable(tree) || (tree.op == MathOp::unit && is_name(tree.kids[0]));
}

bool is_assignment(const MathTree& tree) { return tree.op == MathOp::relation && tree.text == "=" && is_name(tree.kids[0]); }

// x > 5, 5 < x, -2 <= x < 1 as an interval; others stay.
MathTree as_interval(MathTree tree) {
  const auto known = [](const MathTree& t) { return !any_of_tree(t, is_variable); };
  auto& kids = tree.kids;
  std::string signs = tree.text;
  const auto reverse = [&] {
    std::reverse(kids.begin(), kids.end());
    std::reverse(signs.begin(), signs.end());
    for (char& c : signs) c = c == '<' ? '>' : c == '>' ? '<' : c == 'l' ? 'g' : 'l';
  };
  if (signs.find_first_not_of("<>lg") != std::string::npos || kids.size() > 3) return tree;
  if (kids.size() == 2 && known(kids[0]) && is_variable(kids[1])) {
    reverse();
    tree.text = signs;
  }
  if (kids.size() == 2 && is_variable(kids[0]) && known(kids[1])) {
    const bool below = signs[0] == '<' || signs[0] == 'l', closed = signs[0] == 'l' || signs[0] == 'g';
    if (below) return make(MathOp::group, {infinity(true), std::move(kids[1])}, closed ? "(]" : "()");
    return make(MathOp::group, {std::move(kids[1]), infinity(false)}, closed ? "[)" : "()");
  }
  if (kids.size() != 3 || !known(kids[0]) || !is_variable(kids[1]) || !known(kids[2])) return tree;
  if (signs[0] == '>' || signs[0] == 'g') {
    reverse();
    tree.text = signs;
  }
  if (signs.find_first_of(">g") != std::string::npos) return tree;
  const std::string ends = std::string(signs[0] == 'l' ? "[" : "(") + (signs[1] == 'l' ? "]" : ")");
  return make(MathOp::group, {std::move(kids[0]), std::move(kids[2])}, ends);
}

MathTree settled(MathTree tree);

// The parts of collections in collections of the same kind are parts of the whole.
void append_part(std::vector<MathTree>& parts, MathTree part, MathOp whole) {
  const bool spread = part.op == MathOp::list || (part.op == MathOp::join && whole != MathOp::set);
  if (!spread) return parts.push_back(std::move(part));
  for (MathTree& kid : part.kids) parts.push_back(std::move(kid));
}

// "x = 1, x = 2" and "x = 1, 2" are the values; names that differ stay.
void drop_common_name(std::vector<MathTree>& parts) {
  if (parts.size() < 2 || !is_assignment(parts[0])) return;
  const MathTree name = parts[0].kids[0];
  const bool one_name = std::all_of(parts.begin(), parts.end(), [&](const MathTree& p) {
    return p.op != MathOp::relation || (is_assignment(p) && same_expanded(p.kids[0], name) == MathSame::equal);
  });
  if (!one_name) return;
  for (MathTree& part : parts) {
    if (part.op == MathOp::relation) part = settled(std::move(part.kids[1]));
  }
}

// Into the forms that are compared: signs spread, inequalities as intervals, collections flat.
MathTree settled(MathTree tree) {
  const auto has_signs = [](const MathTree& t) { return t.op == MathOp::plus_minus; };
  const bool spread = !is_collection(tree) && any_of_tree(tree, has_signs);
  if (spread) {
    std::vector<MathTree> both = {with_signs(tree, true), with_signs(tree, false)};
    tree = make(MathOp::list, std::move(both));
  }
  if (tree.op == MathOp::set && tree.text == "|") {
    MathTree condition = settled(std::move(tree.kids[1]));
    if (condition.op == MathOp::group || is_collection(condition)) return condition;
    return make(MathOp::set, {std::move(tree.kids[0]), std::move(condition)}, "|");
  }
  if (tree.op == MathOp::relation) {
    if (tree.text == "e" && is_name(tree.kids[0])) return settled(std::move(tree.kids[1]));
    if (tree.text == "=" && is_name(tree.kids[1]) && !is_name(tree.kids[0])) std::swap(tree.kids[0], tree.kids[1]);
    return as_interval(std::move(tree));
  }
  if (tree.op == MathOp::symbol && tree.text.size() > 1 && !is_constant_name(tree.text) && tree.text.find_first_of("_:") == std::string::npos) {
    const std::string word = folded_word(tree.text);
    const bool choice = word.size() == 1 && tree.text.front() == '(';
    tree.text = choice ? tree.text.substr(1, 1) : word;
    return tree;
  }
  if (!is_collection(tree)) return tree;
  std::vector<MathTree> parts;
  for (MathTree& kid : tree.kids) append_part(parts, settled(std::move(kid)), tree.op);
  drop_common_name(parts);
  tree.kids = std::move(parts);
  return tree;
}

// --- comparison ---

bool same_tree(const MathTree& a, const MathTree& b);

bool same_value(const MathTree& a, const MathTree& b) {
  const MathSame exact = same_expanded(a, b);
  if (exact != MathSame::unknown) return exact == MathSame::equal;
  return same_probed(a, b) == MathSame::equal;
}

MathTree scaled(const MathTree& value, const MathUnit& unit) {
  std::vector<MathTree> factors = {value};
  for (const auto& [factor, power] : unit.factors) {
    MathTree base{MathOp::number, std::string(factor), {}}, size{MathOp::number, std::to_string(std::abs(power)), {}};
    if (power < 0) size = make(MathOp::negative, {std::move(size)});
    factors.push_back(make(MathOp::power, {std::move(base), std::move(size)}));
  }
  return make(MathOp::product, std::move(factors));
}

bool same_with_units(const MathTree& a, const MathTree& b) {
  const bool left = a.op == MathOp::unit, right = b.op == MathOp::unit;
  if (!left && !right) return same_value(a, b);
  const MathTree& x = left ? a.kids[0] : a;
  const MathTree& y = right ? b.kids[0] : b;
  if (x.op == MathOp::unit || y.op == MathOp::unit) return same_with_units(x, y);  // 50\% \text{ more}
  if (!left || !right) {
    const std::string& unit = left ? a.text : b.text;
    return same_value(x, y) || ((unit == "%" || unit == "deg") && same_value(a, b));
  }
  const auto u = known_unit(a.text), v = known_unit(b.text);
  if (!u || !v) return same_value(x, y);
  return u->dimension == v->dimension && same_value(scaled(x, *u), scaled(y, *v));
}

bool same_in_order(const std::vector<MathTree>& a, const std::vector<MathTree>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same_tree);
}

std::vector<const MathTree*> distinct(const std::vector<MathTree>& parts) {
  std::vector<const MathTree*> out;
  for (const MathTree& part : parts) {
    if (std::none_of(out.begin(), out.end(), [&](const MathTree* known) { return same_tree(*known, part); })) out.push_back(&part);
  }
  return out;
}

std::vector<const MathTree*> all_of(const std::vector<MathTree>& parts) {
  std::vector<const MathTree*> out;
  for (const MathTree& part : parts) out.push_back(&part);
  return out;
}

// Each part of one has its own equal in the other.
bool same_in_any_order(const MathTree& a, const MathTree& b) {
  if (a.kids.size() > kMaxParts || b.kids.size() > kMaxParts) return same_in_order(a.kids, b.kids);
  const bool sets = a.op == MathOp::set && b.op == MathOp::set && a.text == b.text;
  auto x = sets ? distinct(a.kids) : all_of(a.kids), y = sets ? distinct(b.kids) : all_of(b.kids);
  if (x.size() != y.size()) return false;
  for (const MathTree* part : x) {
    const auto at = std::find_if(y.begin(), y.end(), [&](const MathTree* other) { return same_tree(*part, *other); });
    if (at == y.end()) return false;
    y.erase(at);
  }
  return true;
}

bool same_collection(const MathTree& a, const MathTree& b) {
  if (a.text == "|" || b.text == "|") return a.text == b.text && same_in_order(a.kids, b.kids);
  if (is_collection(a) && is_collection(b)) return same_in_any_order(a, b);
  const MathTree& whole = is_collection(a) ? a : b;
  return whole.kids.size() == 1 && same_tree(whole.kids[0], is_collection(a) ? b : a);
}

MathTree flipped(const MathTree& relation) {
  MathTree out = relation;
  std::reverse(out.kids.begin(), out.kids.end());
  std::reverse(out.text.begin(), out.text.end());
  for (char& c : out.text) c = c == '<' ? '>' : c == '>' ? '<' : c == 'l' ? 'g' : c == 'g' ? 'l' : c;
  return out;
}

bool same_relation(const MathTree& a, const MathTree& b) {
  const MathTree mirrored = flipped(b);
  if (a.text == b.text && same_in_order(a.kids, b.kids)) return true;
  if (a.text == mirrored.text && same_in_order(a.kids, mirrored.kids)) return true;
  if (a.kids.size() != 2 || b.kids.size() != 2 || a.text == "e" || b.text == "e") return false;
  const auto alike = [&](const MathTree& other) {
    const bool either_sign = a.text == "=" || a.text == "n";
    return a.text == other.text && same_up_to_factor(a.kids[0], a.kids[1], other.kids[0], other.kids[1], !either_sign) == MathSame::equal;
  };
  return alike(b) || alike(mirrored);
}

// An equation against an answer without one: the value that the name gets, or every part of 2 + 3 = 5.
bool same_as_value(const MathTree& equation, const MathTree& value) {
  if (equation.text.find_first_not_of('=') != std::string::npos) return false;
  const bool named = is_name(equation.kids[0]);
  return std::all_of(equation.kids.begin() + (named ? 1 : 0), equation.kids.end(), [&](const MathTree& part) { return same_tree(settled(part), value); });
}

bool same_matrix(const MathTree& a, const MathTree& b) {
  const auto in_order = [](const MathTree& x, const MathTree& y) { return same_in_order(x.kids, y.kids); };
  if (a.op == MathOp::matrix && b.op == MathOp::matrix) return a.kids.size() == b.kids.size() && std::equal(a.kids.begin(), a.kids.end(), b.kids.begin(), in_order);
  const MathTree& matrix = a.op == MathOp::matrix ? a : b;
  const MathTree& group = a.op == MathOp::matrix ? b : a;
  if (group.op != MathOp::group || (group.text != "()" && group.text != "[]")) return false;
  if (matrix.kids.size() == 1) return same_in_order(matrix.kids[0].kids, group.kids);
  std::vector<MathTree> column;
  for (const MathTree& row : matrix.kids) {
    if (row.kids.size() != 1) return false;
    column.push_back(row.kids[0]);
  }
  return same_in_order(column, group.kids);
}

bool same_tree(const MathTree& a, const MathTree& b) {
  const auto either = [&](MathOp op) { return a.op == op || b.op == op; };
  if (a.op == MathOp::relation && b.op == MathOp::relation) return same_relation(a, b);
  if (either(MathOp::relation)) return a.op == MathOp::relation ? same_as_value(a, b) : same_as_value(b, a);
  if (is_collection(a) || is_collection(b)) return same_collection(a, b);
  if (either(MathOp::matrix)) return same_matrix(a, b);
  if (either(MathOp::group)) return a.op == b.op && a.text == b.text && same_in_order(a.kids, b.kids);
  return same_with_units(a, b);
}

// The ways in which a text can be read: with a comma between digits as part of a number, and without.
std::vector<MathTree> readings(std::string_view text) {
  std::vector<MathTree> out;
  auto first = parse_math(text, false);
  const bool ambiguous = first && first->ambiguous_commas;
  if (first) out.push_back(settled(std::move(first->tree)));
  if (ambiguous || !first) {
    if (auto second = parse_math(text, true)) out.push_back(settled(std::move(second->tree)));
  }
  return out;
}

// Blanks, emphasis and an "=" before, full stops after.
std::string_view bare(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n*=");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n*") - begin + 1);
}

bool too_many_signs(std::string_view text) {
  int n = 0;
  for (std::size_t at = text.find("pm"); at != std::string_view::npos; at = text.find("pm", at + 2)) ++n;
  return n > kMaxPlusMinus * 8;
}

}  // namespace

bool same_math(std::string_view answer, std::string_view gold) {
  const std::string_view a = bare(answer), b = bare(gold);
  if (a.empty() || b.empty()) return false;
  if (same_plain(a, b)) return true;
  if (too_many_signs(a) || too_many_signs(b)) return false;
  const auto left = readings(a), right = readings(b);
  return std::any_of(left.begin(), left.end(), [&](const MathTree& x) { return std::any_of(right.begin(), right.end(), [&](const MathTree& y) { return same_tree(x, y); }); });
}

bool reads_as_math(std::string_view text) { return !readings(bare(text)).empty(); }

}  // namespace assay
