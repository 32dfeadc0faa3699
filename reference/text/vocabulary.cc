#include "reference/text/vocabulary.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>
#include <random>

#include "base/check.h"
#include "reference/text/refusal.h"

namespace assay {
namespace {

constexpr std::size_t kMaxTableBytes = std::numeric_limits<std::uint32_t>::max();

std::uint64_t load_tail(const char* at, std::size_t n) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, n);
  return word;
}

// Another one in every process, so that nobody can prepare a file whose keys collide. Nothing that is given out
// depends on it: the tables are never walked.
std::uint64_t hash_seed() {
  static const std::uint64_t kSeed = std::random_device{}() * 0x100000001ULL;
  return kSeed;
}

std::uint32_t hash_of(std::string_view key) {
  constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15ULL;
  std::uint64_t h = hash_seed() ^ key.size() * kMix;
  const char* at = key.data();
  std::size_t n = key.size();
  for (; n >= 8; n -= 8, at += 8) {
    h = (h ^ load_tail(at, 8)) * kMix;
    h ^= h >> 32U;
  }
  if (n > 0) {
    h = (h ^ load_tail(at, n)) * kMix;
    h ^= h >> 32U;
  }
  h *= kMix;
  return static_cast<std::uint32_t>(h >> 32U);
}

}  // namespace

void StringTable::grow(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& s : old) {
    if (s.value < 0) continue;
    std::size_t at = s.hash & mask;
    while (slots_[at].value >= 0) at = (at + 1) & mask;
    slots_[at] = s;
  }
}

void StringTable::reserve(std::size_t count) {
  const std::size_t wanted = std::bit_ceil(count * 2 + 2);
  if (wanted > slots_.size()) grow(wanted);
}

bool StringTable::insert(std::string_view key, int value) {
  ASSAY_CHECK(value >= 0 && keys_.size() + key.size() < kMaxTableBytes);
  if ((count_ + 1) * 2 > slots_.size()) grow(slots_.empty() ? 16 : slots_.size() * 2);
  const std::uint32_t hash = hash_of(key);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].value >= 0; at = (at + 1) & mask) {
    const Slot& s = slots_[at];
    if (s.hash == hash && std::string_view(keys_).substr(s.begin, s.length) == key) return false;
  }
  slots_[at] = {hash, static_cast<std::uint32_t>(keys_.size()), static_cast<std::uint32_t>(key.size()),
                value};
  keys_.append(key);
  ++count_;
  return true;
}

int StringTable::find(std::string_view key) const {
  if (slots_.empty()) return -1;
  const std::uint32_t hash = hash_of(key);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].value >= 0; at = (at + 1) & mask) {
    const Slot& s = slots_[at];
    if (s.hash != hash || s.length != key.size()) continue;
    if (std::memcmp(keys_.data() + s.begin, key.data(), key.size()) == 0) return s.value;
  }
  return -1;
}

Status Vocabulary::add(std::string_view token, std::int64_t id, bool searchable, const std::string& file,
                       const std::string& field) {
  const auto shown = [&] { return std::string(token.substr(0, 40)); };
  if (id < 0 || id > kMaxTokenId) {
    return refusal(Code::out_of_range, fmt::format("the id of token \"{}\" cannot be used", shown()), file,
                   field, fmt::format("an integer from 0 to {}", kMaxTokenId), std::to_string(id));
  }
  if (token.size() > kMaxTokenBytes || text_.size() + token.size() >= kMaxTableBytes) {
    return refusal(Code::too_large, "a token of the vocabulary is too long", file, field,
                   fmt::format("at most {} bytes", kMaxTokenBytes), std::to_string(token.size()));
  }
  const auto place = static_cast<std::size_t>(id);
  if (place >= entries_.size()) entries_.resize(place + 1);
  if (entries_[place].taken) {
    return refusal(
        Code::duplicate, "two tokens have the same id", file, field, "each id once",
        fmt::format("{} for \"{}\" and \"{}\"", id, token_of(static_cast<int>(id))->substr(0, 40), shown()));
  }
  if (searchable && !table_.insert(token, static_cast<int>(id))) {
    return refusal(Code::duplicate, "a token stands twice", file, field, "each token once",
                   fmt::format("\"{}\" with the ids {} and {}", shown(), table_.find(token), id));
  }
  entries_[place] = {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(token.size()), true,
                     searchable};
  text_.append(token);
  ++count_;
  return {};
}

std::optional<std::string_view> Vocabulary::token_of(int id) const {
  if (!has(id)) return std::nullopt;
  const Entry& e = entries_[static_cast<std::size_t>(id)];
  return std::string_view(text_).substr(e.begin, e.length);
}

}  // namespace assay
