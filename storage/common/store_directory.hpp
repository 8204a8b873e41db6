// A store's directory: created private, locked against a second process and a second store of this
// one, measured. Shared by the backends that have one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <kommander/errors.hpp>

namespace kommander::storage {

// Closes the descriptor it owns.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  ~FileDescriptor() { Reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Reset();
      descriptor_ = other.Release();
    }
    return *this;
  }
  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  void Reset() noexcept;

 private:
  int Release() noexcept {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    return descriptor;
  }
  int descriptor_ = -1;
};

class StoreDirectory {
 public:
  // Creates what is missing, parents too, all of it synced, and takes the lock. `detail` receives
  // one line when it fails: WalUnavailable, or WalLocked.
  error_code Open(const std::string& path, std::string& detail);
  // A directory inside, mode 0700, synced.
  error_code MakeSubdirectory(const std::string& name, std::string& detail) const;
  [[nodiscard]] bool HasEntries(const std::string& subdirectory) const;
  [[nodiscard]] bool HasFile(const std::string& name) const;
  [[nodiscard]] std::string PathOf(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::optional<std::uint64_t> FreeBytes() const noexcept;
  // Gives the lock up.
  void Close() noexcept;

 private:
  std::string path_;
  FileDescriptor lock_;
};

// Makes the names inside a directory survive the loss of power. False with errno set when it fails.
[[nodiscard]] bool SyncDirectory(const std::string& path) noexcept;

}  // namespace kommander::storage
