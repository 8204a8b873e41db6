// A SQLite log's files from outside, and what an open of them says.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "../../conformance/wal_conformance.hpp"
#include "../../conformance/wal_model.hpp"
#include "catch.hpp"
#include "file_bytes.hpp"
#include "sqlite/sqlite_wal.hpp"

namespace kommander::storage {

inline constexpr std::uint32_t kTestShards = 2;

inline SqliteWalOptions SmallOptions(const std::string& directory) {
  return SqliteWalOptions(directory).Shards(kTestShards);
}

// What an open says; the log is closed again.
inline error_code TryOpen(const SqliteWalOptions& options, std::string& detail,
                          const std::function<void(Wal&)>& check = nullptr,
                          const SchemaSteps& steps = ReleasedSteps()) {
  SqliteWal wal(options, steps);
  std::optional<StoreIdentity> identity;
  const error_code error = wal.Open(identity, detail);
  if (!error && check) check(wal);
  return error;
}

// Every file of a directory with its bytes.
inline std::map<std::string, std::string> AllFiles(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    files[entry.path().filename().string()] = ReadFile(entry.path().string());
  }
  return files;
}

// Refused, again when asked again, in one line with `word` in it, and nothing changes.
inline void CheckRefused(const SqliteWalOptions& options, RaftErrc errc, const std::string& word,
                         const SchemaSteps& steps = ReleasedSteps()) {
  const auto before = AllFiles(options.directory());
  for (int i = 0; i < 2; ++i) {
    std::string detail;
    CHECK(TryOpen(options, detail, nullptr, steps) == errc);
    INFO(detail);
    CHECK(detail.find(word) != std::string::npos);
    CHECK(detail.find('\n') == std::string::npos);
  }
  const bool is_untouched = AllFiles(options.directory()) == before;
  CHECK(is_untouched);
}

inline void CheckOpensWith(const SqliteWalOptions& options, const conformance::WalModel& model,
                           const SchemaSteps& steps = ReleasedSteps()) {
  for (int i = 0; i < 2; ++i) {
    std::string detail;
    std::string difference;
    const error_code error = TryOpen(
        options, detail, [&](Wal& wal) { difference = conformance::FirstDifference(wal, model); },
        steps);
    INFO(detail);
    CHECK(error == error_code());
    CHECK(difference == "");
  }
}

}  // namespace kommander::storage
