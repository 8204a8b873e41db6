// The side file `synced`: the number of the newest batch whose sync has returned. After a restart,
// a store whose newest readable batch is older has lost acknowledged data: no recovery mode of the
// storage libraries tells that from a torn tail. The file itself is never synced after its
// creation, so it may lag behind after a loss of power but never runs ahead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <kommander/errors.hpp>

#include "common/store_directory.hpp"

namespace kommander::storage {

class SyncedFile {
 public:
  enum class Content {
    kMissing,
    kInvalid,  // neither slot can be read
    kValid,
  };

  // Opens the file if there is one.
  error_code Open(const std::string& path, std::string& detail);
  [[nodiscard]] Content content() const noexcept { return content_; }
  // With kValid: the newest number of the two slots.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  // Replaces whatever is there by a file that says `number`, synced, in its directory too.
  error_code Create(const std::string& path, std::uint64_t number, std::string& detail);

  // Puts `number` into both slots, synced, never touching the only readable one first.
  error_code Refresh(std::uint64_t number, std::string& detail);

  // Notes a number, in the slot that does not hold the previous one. False: the disk failed.
  [[nodiscard]] bool Store(std::uint64_t number) noexcept;

  void Close() noexcept { file_.Reset(); }

 private:
  FileDescriptor file_;
  Content content_ = Content::kMissing;
  std::uint64_t number_ = 0;
  std::size_t newest_slot_ = 0;
};

}  // namespace kommander::storage
