#include "snapshots/sha256.hpp"

#include <new>
#include <openssl/evp.h>

#include <kommander/assert.hpp>

namespace kommander::storage {

void Sha256Hasher::Free::operator()(evp_md_ctx_st* context) const noexcept {
  EVP_MD_CTX_free(context);
}

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr) throw std::bad_alloc();
  KOMMANDER_ASSERT(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
                   "OpenSSL has SHA-256");
}

void Sha256Hasher::Add(ByteSpan bytes) noexcept {
  KOMMANDER_ASSERT(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1,
                   "a digest takes bytes");
}

Sha256 Sha256Hasher::Finish() noexcept {
  Sha256 digest;
  KOMMANDER_ASSERT(
      EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()),
                         nullptr) == 1 &&
          EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
      "a digest ends and begins anew");
  return digest;
}

}  // namespace kommander::storage
