// SHA-256 (FIPS 180-4) through OpenSSL: every digest in the database is one, in lower-case hexadecimal.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& add(const void* data, std::size_t bytes);
  Sha256& add(std::string_view text) { return add(text.data(), text.size()); }
  // Length, then bytes: two different lists of fields never give the same digest.
  Sha256& add_field(std::string_view text);
  std::string hex();  // ends the digest; nothing may be added after

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace assay
