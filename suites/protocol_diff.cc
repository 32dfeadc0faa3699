#include "suites/protocol_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/json.h"
#include "suites/render.h"

namespace assay {
namespace {

// Objects are gone into, everything else is a value.
void flatten(const Json& value, const std::string& path, std::map<std::string, std::string>& out) {
  if (!value.is_object()) {
    out[path] = dump_json(value);
    return;
  }
  for (const auto& [key, member] : value.items()) flatten(member, path.empty() ? key : path + "." + key, out);
}

Result<std::map<std::string, std::string>> fields_of(const Protocol& protocol) {
  ASSAY_TRY(const Json definition, parse_json(protocol.definition_json, protocol.name));
  std::map<std::string, std::string> fields;
  flatten(definition, "", fields);
  fields.erase("name");
  fields.erase("main");
  return fields;
}

std::vector<FieldDifference> compare_fields(const std::map<std::string, std::string>& a, const std::map<std::string, std::string>& b) {
  std::map<std::string, FieldDifference> found;
  for (const auto& [field, value] : a) found[field] = {.field = field, .a = value, .b = {}};
  for (const auto& [field, value] : b) {
    found[field].field = field;
    found[field].b = value;
  }
  std::vector<FieldDifference> differences;
  for (auto& [field, one] : found) {
    if (one.a != one.b) differences.push_back(std::move(one));
  }
  return differences;
}

Result<std::string> plain_turns(const std::vector<ChatTurn>& turns, const std::string& options) {
  std::string text = options.empty() ? "" : fmt::format("<options>\n{}</options>\n", options);
  for (const ChatTurn& turn : turns) text += fmt::format("<{}>\n{}</{}>\n", turn.role, turn.content, turn.role);
  return text;
}

// A request as named texts, in the order in which a difference is looked for.
std::vector<std::pair<std::string, std::string>> parts_of(const RenderedRequest& request) {
  std::vector<std::pair<std::string, std::string>> parts = {{"prompt", request.prompt}};
  for (std::size_t i = 0; i < request.contexts.size(); ++i) parts.emplace_back(fmt::format("context {}", i), request.contexts[i]);
  for (std::size_t i = 0; i < request.continuations.size(); ++i) {
    parts.emplace_back(fmt::format("continuation {}", i), request.continuations[i]);
  }
  if (request.unconditional) parts.emplace_back("unconditional", "given: " + *request.unconditional);
  return parts;
}

std::optional<PromptDifference> first_difference(const Item& item, const RenderedRequest& a, const RenderedRequest& b) {
  const auto parts_a = parts_of(a), parts_b = parts_of(b);
  for (std::size_t i = 0; i < std::max(parts_a.size(), parts_b.size()); ++i) {
    const auto& name = i < parts_a.size() ? parts_a[i].first : parts_b[i].first;
    const bool both = i < parts_a.size() && i < parts_b.size() && parts_a[i].first == parts_b[i].first;
    const std::string& text_a = i < parts_a.size() ? parts_a[i].second : std::string();
    const std::string text_b = both ? parts_b[i].second : std::string();
    if (auto found = text_difference(text_a, text_b)) return PromptDifference{item.id, name, std::move(*found)};
  }
  return std::nullopt;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::string around(const std::string& text, std::size_t at) {
  std::size_t begin = at > kDiffContext ? at - kDiffContext : 0, end = std::min(text.size(), at + kDiffContext);
  while (begin > 0 && begin < text.size() && continues(text[begin])) --begin;
  while (end < text.size() && continues(text[end])) ++end;
  return begin < end ? text.substr(begin, end - begin) : std::string();
}

// The item of `b` that asks the same.
const Item* counterpart(const Suite& b, const Item& item, const std::unordered_map<std::string, const Item*>& by_digest) {
  const auto place = static_cast<std::size_t>(item.ordinal);
  if (place < b.items.size() && b.items[place].id == item.id && b.items[place].digest() == item.digest()) return &b.items[place];
  const auto at = by_digest.find(item.digest());
  return at == by_digest.end() ? nullptr : at->second;
}

Status compare_prompts(const Suite& a, const Protocol& pa, const Suite& b, const Protocol& pb, ProtocolDifference& out) {
  std::unordered_map<std::string, const Item*> by_digest;
  for (const Item& item : b.items) by_digest.emplace(item.digest(), &item);
  for (const Item& item : a.items) {
    const Item* other = counterpart(b, item, by_digest);
    if (other == nullptr) continue;
    ASSAY_TRY(const RenderedRequest asked_a, render_request(a, pa, item, plain_turns));
    ASSAY_TRY(const RenderedRequest asked_b, render_request(b, pb, *other, plain_turns));
    ++out.items_compared;
    auto found = first_difference(item, asked_a, asked_b);
    out.items_differing += found ? 1 : 0;
    if (found && !out.first) out.first = std::move(found);
  }
  ASSAY_CHECK(out.items_differing <= out.items_compared);
  return {};
}

}  // namespace

std::optional<TextDifference> text_difference(const std::string& a, const std::string& b) {
  if (a == b) return std::nullopt;
  const auto [at, unused] = std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
  std::size_t offset = static_cast<std::size_t>(at - a.begin());
  while (offset > 0 && ((offset < a.size() && continues(a[offset])) || (offset < b.size() && continues(b[offset])))) --offset;
  return TextDifference{.offset = offset, .a = around(a, offset), .b = around(b, offset)};
}

Result<ProtocolDifference> compare_protocols(const Suite& a, const Protocol& pa, const Suite& b, const Protocol& pb) {
  ASSAY_TRY(const auto fields_a, fields_of(pa));
  ASSAY_TRY(const auto fields_b, fields_of(pb));
  ProtocolDifference out{.fields = compare_fields(fields_a, fields_b), .first = std::nullopt};
  if (a.items_loaded && b.items_loaded) ASSAY_OK(compare_prompts(a, pa, b, pb, out));
  return out;
}

}  // namespace assay
