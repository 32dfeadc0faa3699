// GGUF files built by hand for tests: as they should be, or with any part wrong.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

struct GgufBytes {
  template <class T>
  static std::string raw(T value) {
    std::string out(sizeof(T), '\0');
    std::memcpy(out.data(), &value, sizeof(T));
    return out;
  }
  static std::string text(const std::string& s) { return raw<std::uint64_t>(s.size()) + s; }

  std::uint32_t version = 3;
  std::string magic = "GGUF";
  std::string metadata, tensors, data;
  std::uint64_t n_metadata = 0, n_tensors = 0;
  std::uint64_t alignment = 32;

  GgufBytes& entry(const std::string& key, std::uint32_t type, const std::string& value) {
    metadata += text(key) + raw(type) + value;
    ++n_metadata;
    return *this;
  }
  GgufBytes& u32(const std::string& key, std::uint32_t value) { return entry(key, 4, raw(value)); }
  GgufBytes& f32(const std::string& key, float value) { return entry(key, 6, raw(value)); }
  GgufBytes& flag(const std::string& key, bool value) {
    return entry(key, 7, std::string(1, value ? '\1' : '\0'));
  }
  GgufBytes& str(const std::string& key, const std::string& value) { return entry(key, 8, text(value)); }
  GgufBytes& strings(const std::string& key, const std::vector<std::string>& values) {
    std::string all = raw<std::uint32_t>(8) + raw<std::uint64_t>(values.size());
    for (const std::string& value : values) all += text(value);
    return entry(key, 9, all);
  }
  template <class T>
  GgufBytes& numbers(const std::string& key, std::uint32_t type, const std::vector<T>& values) {
    std::string all = raw(type) + raw<std::uint64_t>(values.size());
    for (const T value : values) all += raw(value);
    return entry(key, 9, all);
  }

  // An entry of the list of tensors alone; `extents` as the file has them, the shortest stride first.
  GgufBytes& tensor_entry(const std::string& name, const std::vector<std::uint64_t>& extents,
                          std::uint32_t type, std::uint64_t offset) {
    tensors += text(name) + raw<std::uint32_t>(static_cast<std::uint32_t>(extents.size()));
    for (const std::uint64_t extent : extents) tensors += raw(extent);
    tensors += raw(type) + raw(offset);
    ++n_tensors;
    return *this;
  }
  // The same with bytes behind what is there already.
  GgufBytes& tensor(const std::string& name, const std::vector<std::uint64_t>& extents, std::uint32_t type,
                    const std::string& bytes) {
    data.resize((data.size() + alignment - 1) / alignment * alignment);
    tensor_entry(name, extents, type, data.size());
    data += bytes;
    return *this;
  }
  GgufBytes& f32_tensor(const std::string& name, const std::vector<std::uint64_t>& extents,
                        const std::vector<float>& values) {
    return tensor(name, extents, 0,
                  std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4));
  }

  std::string bytes() const {
    std::string out = magic + raw(version) + raw(n_tensors) + raw(n_metadata) + metadata + tensors;
    if (data.empty()) return out;
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data;
  }
};
