// Settings, and the few things that are asked of SQLite as text.
#include "sqlite/connection.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "sqlite/statement.hpp"

namespace kommander::storage {
namespace {

constexpr std::size_t kFrameBytes = kPageBytes + 24;  // of a page in a journal

constexpr std::size_t kCopiedBytes = std::size_t{64} << 10;

// Called after a commit with the length of the journal.
int NoteFrames(void* journal_bytes, sqlite3*, const char*, int frames) noexcept {
  *static_cast<std::size_t*>(journal_bytes) = static_cast<std::size_t>(frames) * kFrameBytes;
  return SQLITE_OK;
}

}  // namespace

RaftErrc Classify(int result, RaftErrc otherwise) noexcept {
  if (result == SQLITE_IOERR_DATA || result == SQLITE_IOERR_CORRUPTFS) {
    return RaftErrc::WalCorrupted;
  }
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a table is not there
    case SQLITE_MISMATCH:
    case SQLITE_FORMAT: return RaftErrc::WalCorrupted;
    default: return otherwise;
  }
}

int Connection::Open(const std::string& path, std::size_t cache_bytes) {
  if (sqlite3_threadsafe() == 0) return SQLITE_MISUSE;
  files_ = std::make_unique<CheckedFiles>();
  journal_bytes_ = 0;
  // Absolute: no name is taken for a URI.
  const std::string absolute = std::filesystem::absolute(path).string();
  int result = sqlite3_open_v2(absolute.c_str(), &db_,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                               files_->name());
  if (result == SQLITE_OK) result = SetUp(cache_bytes);
  // The file may have been opened for reading only, without a word.
  if (result == SQLITE_OK && sqlite3_db_readonly(db_, "main") != 0) result = SQLITE_READONLY;
  return result;
}

int Connection::SetUp(std::size_t cache_bytes) {
  int reserved = kPageChecksumBytes;
  int keep_journal = 1;
  int result = sqlite3_file_control(db_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  if (result == SQLITE_OK) {
    result = sqlite3_file_control(db_, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_journal);
  }
  for (const int setting : {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, SQLITE_DBCONFIG_DEFENSIVE}) {
    if (result == SQLITE_OK) result = sqlite3_db_config(db_, setting, 1, nullptr);
  }
  if (result != SQLITE_OK) return result;
  sqlite3_wal_hook(db_, NoteFrames, &journal_bytes_);  // in place of checkpoints on its own
  // The lock mode comes before the first read: then no memory is shared with other processes.
  return Execute(
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=4096; PRAGMA synchronous=FULL;"
      "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=OFF; PRAGMA mmap_size=0;"
      "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-" +
      std::to_string(cache_bytes / 1024));
}

int Connection::MakeDatabase() {
  // Without a file of its own for the rollback of what is not there yet.
  int result = Execute("PRAGMA journal_mode=MEMORY; PRAGMA auto_vacuum=NONE;");
  if (result == SQLITE_OK) result = Execute("PRAGMA journal_mode=WAL");
  return result;
}

void Connection::Close() noexcept {
  // There are no statements left, so this cannot be refused.
  if (db_ != nullptr) sqlite3_close(db_);
  db_ = nullptr;
}

int Connection::Execute(const std::string& sql) {
  return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
}

int Connection::Query(const std::string& sql, std::int64_t& number) {
  Statement statement;
  if (const int result = statement.Prepare(*this, sql)) return result;
  const Run run(statement);
  if (!run.Next()) return run.result() == SQLITE_DONE ? SQLITE_ERROR : run.result();
  number = run.Integer(0);
  return SQLITE_OK;
}

int Connection::RewriteJournal() {
  sqlite3_file* journal = nullptr;
  sqlite3_int64 size = 0;
  int result = sqlite3_file_control(db_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal);
  if (result != SQLITE_OK || journal->pMethods == nullptr) return result;
  result = journal->pMethods->xFileSize(journal, &size);
  if (result != SQLITE_OK || size == 0) return result;
  std::vector<std::byte> bytes(kCopiedBytes);
  for (sqlite3_int64 at = 0; at < size && result == SQLITE_OK;) {
    const auto count = static_cast<int>(std::min<sqlite3_int64>(kCopiedBytes, size - at));
    result = journal->pMethods->xRead(journal, bytes.data(), count, at);
    if (result == SQLITE_OK) {
      result = journal->pMethods->xWrite(journal, bytes.data(), count, at);
    }
    at += count;
  }
  return result == SQLITE_OK ? journal->pMethods->xSync(journal, SQLITE_SYNC_NORMAL) : result;
}

int Connection::Checkpoint() {
  const int result =
      sqlite3_wal_checkpoint_v2(db_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (result == SQLITE_OK) journal_bytes_ = 0;
  return result;
}

int Connection::CheckpointAndTruncate() {
  const int result =
      sqlite3_wal_checkpoint_v2(db_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (result == SQLITE_OK) journal_bytes_ = 0;
  return result;
}

std::string Connection::Message() const {
  return db_ == nullptr ? "SQLite cannot be used" : sqlite3_errmsg(db_);
}

}  // namespace kommander::storage
