#include "base/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>

#include "base/check.h"

namespace assay {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  bool ended = false;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  ASSAY_CHECK(state_->context != nullptr);
  ASSAY_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(state_->context); }

Sha256& Sha256::add(const void* data, std::size_t bytes) {
  ASSAY_CHECK(!state_->ended);
  ASSAY_CHECK(EVP_DigestUpdate(state_->context, data, bytes) == 1);
  return *this;
}

Sha256& Sha256::add_field(std::string_view text) {
  std::array<unsigned char, 8> length{};
  for (std::size_t i = 0; i < length.size(); ++i)
    length[i] = static_cast<unsigned char>(std::uint64_t{text.size()} >> (8 * i));
  return add(length.data(), length.size()).add(text);
}

std::string Sha256::hex() {
  ASSAY_CHECK(!state_->ended);
  state_->ended = true;
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int n = 0;
  ASSAY_CHECK(EVP_DigestFinal_ex(state_->context, bytes.data(), &n) == 1 && n == 32);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < n; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) { return Sha256().add(bytes).hex(); }

}  // namespace assay
