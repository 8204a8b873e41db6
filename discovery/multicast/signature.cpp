#include "multicast/signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <kommander/assert.hpp>

namespace kommander::multicast {

Signature Sign(const std::string& secret, ByteSpan bytes) noexcept {
  Signature signature;
  unsigned int count = 0;
  const auto* made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                          reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                          reinterpret_cast<unsigned char*>(signature.data()), &count);
  KOMMANDER_ASSERT(made != nullptr && count == signature.size(), "OpenSSL has HMAC-SHA256");
  return signature;
}

bool IsSignedWith(const std::vector<std::string>& secrets, ByteSpan bytes,
                  const Signature& signature) noexcept {
  bool is_signed = false;
  for (const std::string& secret : secrets) {
    const Signature expected = Sign(secret, bytes);
    if (CRYPTO_memcmp(expected.data(), signature.data(), expected.size()) == 0) is_signed = true;
  }
  return is_signed;
}

std::uint64_t DrawBoot() noexcept {
  std::uint64_t boot = 0;
  while (boot == 0) {
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&boot), sizeof boot) != 1) return 0;
  }
  return boot;
}

}  // namespace kommander::multicast
