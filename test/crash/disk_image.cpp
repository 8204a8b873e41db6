#include "disk_image.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <xxhash.h>

namespace kommander::crash {
namespace {

constexpr std::uint64_t kSectorBytes = 512;

void WriteFile(const std::string& path, const std::string& contents) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool is_whole = file >= 0;
  for (std::size_t at = 0; is_whole && at < contents.size();) {
    const ssize_t written = ::write(file, contents.data() + at, contents.size() - at);
    is_whole = written > 0;
    if (is_whole) at += static_cast<std::size_t>(written);
  }
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!is_whole) throw std::system_error(error, std::generic_category(), path);
}

}  // namespace

std::uint64_t Survivors::Hash() const {
  std::uint64_t hash = 0;
  const auto add = [&](const std::string& text) {
    hash = XXH3_64bits_withSeed(text.data(), text.size(), hash + text.size());
  };
  for (const std::string& directory : directories) add(directory);
  for (const auto& [path, contents] : files) {
    add(path);
    add(contents);
  }
  return hash;
}

void Survivors::WriteTo(const std::string& root) const {
  for (const std::string& directory : directories) {
    std::filesystem::create_directory(root + "/" + directory);
    std::filesystem::permissions(root + "/" + directory, std::filesystem::perms::owner_all);
  }
  for (const auto& [path, contents] : files) WriteFile(root + "/" + path, contents);
}

DiskImage::DiskImage(const Survivors& survivors, std::map<std::string, FileId>& paths) {
  paths = {{"", kRootDirectory}};
  FileId next = kRootDirectory + 1;
  const auto place = [&](const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const bool is_nested = slash != std::string::npos;
    const FileId directory = paths.at(is_nested ? path.substr(0, slash) : "");
    names_[directory][is_nested ? path.substr(slash + 1) : path] = next;
    return paths[path] = next++;
  };
  for (const std::string& path : survivors.directories) directories_.insert(place(path));
  for (const auto& [path, contents] : survivors.files) files_[place(path)].synced = contents;
}

void DiskImage::Apply(const Operation& operation) {
  newest_write_bytes_ = operation.kind == OperationKind::kWrite ? operation.data.size() : 0;
  switch (operation.kind) {
    case OperationKind::kMakeDirectory: directories_.insert(operation.file); [[fallthrough]];
    case OperationKind::kCreateFile:
    case OperationKind::kRename:
    case OperationKind::kUnlink: name_changes_.push_back(operation); return;
    case OperationKind::kWrite:
    case OperationKind::kTruncate: {
      Change change;
      change.number = ++newest_change_;
      change.offset = operation.offset;
      change.data = operation.data;
      change.is_truncation = operation.kind == OperationKind::kTruncate;
      files_[operation.file].changes.push_back(std::move(change));
      return;
    }
    case OperationKind::kSync: {
      File& file = files_[operation.file];
      for (const Change& change : file.changes) {
        if (!change.is_lost) ApplyChange(file.synced, change);
      }
      std::erase_if(file.changes, [](const Change& change) { return !change.is_lost; });
      return;
    }
    case OperationKind::kFailedSync:
      for (Change& change : files_[operation.file].changes) change.is_lost = true;
      return;
    case OperationKind::kSyncDirectory:
      for (const Operation& change : name_changes_) {
        if (change.directory == operation.file) ApplyName(names_, change);
      }
      std::erase_if(name_changes_,
                    [&](const Operation& change) { return change.directory == operation.file; });
      return;
  }
}

void DiskImage::ApplyName(Names& names, const Operation& operation) {
  if (operation.kind == OperationKind::kCreateFile ||
      operation.kind == OperationKind::kMakeDirectory) {
    names[operation.directory][operation.name] = operation.file;
    return;
  }
  names[operation.directory].erase(operation.name);
  if (operation.kind == OperationKind::kRename) {
    names[operation.to_directory][operation.to_name] = operation.file;
  }
}

void DiskImage::ApplyChange(std::string& contents, const Change& change) {
  if (change.is_truncation) {
    contents.resize(change.offset, '\0');
    return;
  }
  const std::uint64_t end = change.offset + change.data.size();
  if (contents.size() < end) contents.resize(end, '\0');
  contents.replace(change.offset, change.data.size(), change.data);
}

void DiskImage::ApplySectors(std::string& contents, const Change& change, std::mt19937_64& random) {
  const std::uint64_t end = change.offset + change.data.size();
  // The new length may be known while the bytes are not there.
  if (random() % 2 == 0 && contents.size() < end) contents.resize(end, '\0');
  for (std::uint64_t at = change.offset; at < end;) {
    const std::uint64_t next = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
    if (random() % 2 == 0) {
      Change sector;
      sector.offset = at;
      sector.data = change.data.substr(at - change.offset, next - at);
      ApplyChange(contents, sector);
    }
    at = next;
  }
}

std::string DiskImage::ContentsOf(FileId id, const Loss& loss, std::mt19937_64& random) const {
  const auto found = files_.find(id);
  if (found == files_.end()) return {};
  std::string contents = found->second.synced;
  if (loss.contents == Loss::Contents::kNone) return contents;
  for (const Change& change : found->second.changes) {
    if (change.is_lost) continue;
    const bool is_newest = change.number == newest_change_ && !change.is_truncation;
    const bool is_torn = loss.contents == Loss::Contents::kTornLast && is_newest;
    const bool is_holed = loss.contents == Loss::Contents::kHoledLast && is_newest;
    if (loss.contents == Loss::Contents::kSomeWrites && random() % 2 == 0) continue;
    const bool has_some = loss.contents == Loss::Contents::kSomeSectors && !change.is_truncation;
    if (has_some || is_holed) {
      ApplySectors(contents, change, random);
    } else if (is_torn) {
      // A cut behind a whole unit of the file, before the last byte of the write.
      const std::uint64_t first = change.offset / loss.tear_bytes;
      const std::uint64_t last = (change.offset + change.data.size() - 1) / loss.tear_bytes;
      const std::uint64_t cut = (first + random() % (last - first + 1)) * loss.tear_bytes;
      if (cut <= change.offset) continue;
      Change part = change;
      part.data.resize(cut - change.offset);
      ApplyChange(contents, part);
    } else {
      ApplyChange(contents, change);
    }
  }
  return contents;
}

void DiskImage::Gather(const Names& names, FileId directory, const std::string& path,
                       const Loss& loss, std::mt19937_64& random, Survivors& survivors) const {
  const auto found = names.find(directory);
  if (found == names.end()) return;
  for (const auto& [name, id] : found->second) {
    if (directories_.contains(id)) {
      survivors.directories.insert(path + name);
      Gather(names, id, path + name + "/", loss, random, survivors);
    } else {
      survivors.files[path + name] = ContentsOf(id, loss, random);
    }
  }
}

Survivors DiskImage::LosePower(const Loss& loss, std::mt19937_64& random) const {
  std::size_t surviving = 0;
  if (loss.names == Loss::Names::kAll) surviving = name_changes_.size();
  if (loss.names == Loss::Names::kSome) surviving = random() % (name_changes_.size() + 1);
  Names names = names_;
  for (std::size_t i = 0; i < surviving; ++i) ApplyName(names, name_changes_[i]);
  Survivors survivors;
  Gather(names, kRootDirectory, "", loss, random, survivors);
  return survivors;
}

}  // namespace kommander::crash
