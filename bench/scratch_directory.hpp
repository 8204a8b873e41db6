// A new directory that is removed at the end.
#pragma once

#include <cerrno>
#include <filesystem>
#include <stdlib.h>
#include <string>
#include <system_error>

namespace kommander::bench {

class ScratchDirectory {
 public:
  // In `parent`; its name begins with `name`. Throws std::system_error.
  ScratchDirectory(const std::string& parent, const std::string& name)
      : path_(parent + "/" + name + ".XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(),
                              "cannot make a directory in " + parent);
    }
  }
  ~ScratchDirectory() {
    std::error_code ignored;  // what cannot be removed stays
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace kommander::bench
