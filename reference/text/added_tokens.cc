#include "reference/text/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

// The character that ends before `at` > 0.
char32_t character_before(std::string_view text, std::size_t at) {
  std::size_t begin = at - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) --begin;
  return decode_utf8(text, begin).code;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool left = begin == 0 || !is_word(character_before(text, begin));
  const bool right = end == text.size() || !is_word(decode_utf8(text, end).code);
  return left && right;
}

std::size_t spaces_before(std::string_view text, std::size_t at) {
  while (at > 0) {
    const char32_t c = character_before(text, at);
    if (!is_space(c)) break;
    std::string bytes;
    append_utf8(bytes, c);
    at -= bytes.size();
  }
  return at;
}

std::size_t spaces_after(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const Utf8Char c = decode_utf8(text, at);
    if (!is_space(c.code)) break;
    at += c.bytes;
  }
  return at;
}

bool same(const AddedToken& a, const AddedToken& b) {
  return a.content == b.content && a.single_word == b.single_word && a.lstrip == b.lstrip &&
         a.rstrip == b.rstrip && a.normalized == b.normalized && a.special == b.special;
}

}  // namespace

Result<AddedToken> read_added_token(const Json& json, const std::string& file, const std::string& field) {
  AddedToken token;
  const auto at_field = [&](Error e) {
    e.field = field + "." + e.field;
    return e;
  };
  auto content = json_string(json, "content", file);
  if (!content.ok()) return at_field(content.error());
  token.content = *content;
  if (token.content.size() > kMaxAddedTokenBytes) {
    return Error{.code = Code::too_large,
                 .message = "an added token is too long",
                 .file = file,
                 .field = field,
                 .expected = fmt::format("at most {} bytes", kMaxAddedTokenBytes),
                 .got = std::to_string(token.content.size())};
  }
  if (json.contains("id")) {
    auto id = json_int(json, "id", file);
    if (!id.ok()) return at_field(id.error());
    if (*id < 0 || *id > kMaxTokenId) {
      return Error{.code = Code::out_of_range,
                   .message = "the id of an added token cannot be used",
                   .file = file,
                   .field = field,
                   .expected = fmt::format("0 to {}", kMaxTokenId),
                   .got = std::to_string(*id)};
    }
    token.id = static_cast<int>(*id);
  }
  const auto flag = [&](const char* name, bool otherwise) {
    const auto it = json.find(name);
    return it != json.end() && it->is_boolean() ? it->get<bool>() : otherwise;
  };
  token.special = flag("special", false);
  token.normalized = flag("normalized", !token.special);
  token.single_word = flag("single_word", false);
  token.lstrip = flag("lstrip", false);
  token.rstrip = flag("rstrip", false);
  return token;
}

void TokenFinder::add(std::string_view content, std::size_t index) {
  if (content.empty()) return;
  first_[static_cast<unsigned char>(content[0])] = true;
  std::uint32_t at = 0;
  for (const char c : content) {
    const auto fresh = static_cast<std::uint32_t>(nodes_.size());
    const auto [it, made] = nodes_[at].next.try_emplace(static_cast<unsigned char>(c), fresh);
    at = it->second;
    if (made) nodes_.emplace_back();
  }
  if (nodes_[at].index < 0) nodes_[at].index = static_cast<std::int64_t>(index);
}

bool TokenFinder::longest_at(std::string_view text, std::size_t at, std::size_t& index,
                             std::size_t& end) const {
  bool found = false;
  std::uint32_t node = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    const auto it = nodes_[node].next.find(static_cast<unsigned char>(text[i]));
    if (it == nodes_[node].next.end()) break;
    node = it->second;
    if (nodes_[node].index < 0) continue;
    found = true;
    index = static_cast<std::size_t>(nodes_[node].index);
    end = i + 1;
  }
  return found;
}

std::size_t TokenFinder::candidate(std::string_view text, std::size_t from) const {
  while (from < text.size() && !first_[static_cast<unsigned char>(text[from])]) ++from;
  return from;
}

Status AddedTokens::add(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary,
                        const std::string& file) {
  for (const AddedToken& given : tokens) {
    if (given.content.empty()) continue;
    const int in_vocabulary = vocabulary.id_of(given.content);
    const int next = std::max(static_cast<int>(vocabulary.size()), max_id() + 1);
    const int known = id_of(given.content);
    const int id = known >= 0 ? known : in_vocabulary >= 0 ? in_vocabulary : next;
    if (given.id >= 0 && given.id != id) {
      return Error{.code = Code::out_of_range,
                   .message = fmt::format("the id of the added token \"{}\" does not fit",
                                          given.content.substr(0, 40)),
                   .file = file,
                   .field = "added_tokens",
                   .expected = std::to_string(id),
                   .got = std::to_string(given.id)};
    }
    const auto it = by_id_.find(id);
    if (it != by_id_.end() && same(it->second, given)) continue;
    if (it == by_id_.end()) order_.push_back(id);
    AddedToken token = given;
    token.id = id;
    ids_[token.content] = id;
    by_id_[id] = std::move(token);
    if (by_id_.size() > kMaxAddedTokens) {
      return Error{.code = Code::too_large,
                   .message = "the tokenizer has too many added tokens",
                   .file = file,
                   .field = "added_tokens",
                   .expected = fmt::format("at most {}", kMaxAddedTokens)};
    }
  }
  return {};
}

Status AddedTokens::add_at(AddedToken token, const std::string& file) {
  ASSAY_CHECK(token.id >= 0 && !token.content.empty());
  const bool fits = token.content.size() <= kMaxAddedTokenBytes && by_id_.size() < kMaxAddedTokens;
  if (!fits || by_id_.contains(token.id) || ids_.contains(token.content)) {
    return Error{.code = fits ? Code::duplicate : Code::too_large,
                 .message = "a special token cannot be used",
                 .file = file,
                 .field = fmt::format("tokens[{}]", token.id),
                 .expected = fits ? "each special token once"
                                  : fmt::format("at most {} special tokens of {} bytes", kMaxAddedTokens,
                                                kMaxAddedTokenBytes),
                 .got = token.content.substr(0, 80)};
  }
  order_.push_back(token.id);
  ids_[token.content] = token.id;
  const int id = token.id;
  by_id_[id] = std::move(token);
  return {};
}

// The library tries special tokens first where two contents are equal; after normalization that can happen.
void AddedTokens::finish(const Normalizer& normalizer) {
  for (const bool special : {true, false}) {
    for (const int id : order_) {
      const AddedToken& token = by_id_.at(id);
      if (token.special != special) continue;
      if (!token.normalized) {
        raw_.add(token.content, raw_ids_.size());
        raw_ids_.push_back(id);
        continue;
      }
      std::string content = token.content;
      normalizer.apply(content);
      normalized_.add(content, normalized_ids_.size());
      normalized_ids_.push_back(id);
    }
  }
}

const AddedToken* AddedTokens::by_id(int id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &it->second;
}

int AddedTokens::id_of(std::string_view content) const {
  const auto it = ids_.find(content);
  return it == ids_.end() ? -1 : it->second;
}

void AddedTokens::find(std::string_view text, bool normalized, std::vector<TextSegment>& out,
                       bool specials) const {
  out.clear();
  const TokenFinder& finder = normalized ? normalized_ : raw_;
  const std::vector<int>& ids = normalized ? normalized_ids_ : raw_ids_;
  std::size_t done = 0;
  for (std::size_t at = finder.candidate(text, 0); at < text.size();) {
    std::size_t index = 0, end = 0;
    if (!finder.longest_at(text, at, index, end)) {
      at = finder.candidate(text, at + 1);
      continue;
    }
    ASSAY_CHECK(index < ids.size() && end > at);
    const AddedToken& token = by_id_.at(ids[index]);
    const std::size_t hit = at;
    if (token.special && !specials) {
      at = finder.candidate(text, hit + 1);
      continue;
    }
    at = finder.candidate(text, end);
    if (token.single_word && !stands_alone(text, hit, end)) continue;
    const std::size_t begin = token.lstrip ? std::max(spaces_before(text, hit), done) : hit;
    const std::size_t stop = token.rstrip ? spaces_after(text, end) : end;
    if (done < begin) out.push_back({-1, done, begin});
    out.push_back({token.id, begin, stop});
    done = stop;
  }
  if (done < text.size()) out.push_back({-1, done, text.size()});
}

}  // namespace assay
