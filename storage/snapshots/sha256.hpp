// SHA-256 (FIPS 180-4) of bytes that come in parts; OpenSSL's.
#pragma once

#include <memory>

#include <kommander/payload.hpp>
#include <kommander/snapshot_store.hpp>

struct evp_md_ctx_st;

namespace kommander::storage {

class Sha256Hasher {
 public:
  Sha256Hasher();
  void Add(ByteSpan bytes) noexcept;
  // Of all bytes so far; then it begins anew.
  [[nodiscard]] Sha256 Finish() noexcept;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace kommander::storage
