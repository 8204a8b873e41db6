// The one connection to one SQLite file. Set up so that a committed transaction is on the disk,
// that nothing is shared with another process, and that closing changes nothing. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <kommander/errors.hpp>

#include "sqlite/checked_files.hpp"

namespace kommander::storage {

// What a failed read or look means: damage, or a disk that said no, which is `otherwise`.
[[nodiscard]] RaftErrc Classify(int result, RaftErrc otherwise) noexcept;

class Connection {
 public:
  Connection() = default;
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Of an existing file; an empty one becomes a new database. What is answered, here and below, are
  // result codes of SQLite. Writing fails until it is allowed.
  [[nodiscard]] int Open(const std::string& path, std::size_t cache_bytes);
  void AllowWriting() noexcept { files_->AllowWriting(); }
  // Makes an empty file a database with a journal.
  [[nodiscard]] int MakeDatabase();
  void Close() noexcept;

  // Statements without results; of a statement with one, `number` receives it.
  [[nodiscard]] int Execute(const std::string& sql);
  [[nodiscard]] int Query(const std::string& sql, std::int64_t& number);

  // Writes the journal once more, in place, and syncs it. After a failed sync and a restart it may
  // be readable and not on the disk, and no other sync would bring it there. SQLite takes what it
  // reads of it for durable: it would put newer pages into the file than a loss of power leaves in
  // the journal, and the journal goes over the file.
  [[nodiscard]] int RewriteJournal();
  // All pages of the journal to the file, synced. Then the journal is written from its beginning.
  [[nodiscard]] int Checkpoint();
  // And emptied.
  [[nodiscard]] int CheckpointAndTruncate();
  [[nodiscard]] std::size_t journal_bytes() const noexcept { return journal_bytes_; }

  [[nodiscard]] bool is_open() const noexcept { return db_ != nullptr; }
  [[nodiscard]] sqlite3* db() const noexcept { return db_; }
  [[nodiscard]] CheckedFiles& files() const noexcept { return *files_; }
  [[nodiscard]] std::string Message() const;

 private:
  [[nodiscard]] int SetUp(std::size_t cache_bytes);

  std::unique_ptr<CheckedFiles> files_ = std::make_unique<CheckedFiles>();
  sqlite3* db_ = nullptr;
  std::size_t journal_bytes_ = 0;
};

}  // namespace kommander::storage
