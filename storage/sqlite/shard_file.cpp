// Opening in steps, and committing: batch, sync, number noted, in that order.
#include "sqlite/shard_file.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace kommander::storage {
namespace {

ByteSpan NameSpan(const char& name) noexcept { return AsBytes(std::string_view(&name, 1)); }

std::uint32_t LoadBigEndian(const std::byte* bytes) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < sizeof(value); ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  }
  return value;
}

}  // namespace

std::string DatabaseName(std::uint32_t shard) { return "shard-" + std::to_string(shard) + ".db"; }
std::string JournalName(std::uint32_t shard) { return DatabaseName(shard) + "-wal"; }
std::string SyncedName(std::uint32_t shard) { return "shard-" + std::to_string(shard) + ".synced"; }

error_code ShardFile::Refuse(RaftErrc errc, std::string& detail, const std::string& why) const {
  detail = "the log in " + directory_.path() + ", " + DatabaseName(shard_) + ": " + why;
  return errc;
}

error_code ShardFile::RefuseFor(int result, std::string& detail) const {
  const bool is_busy = (result & 0xff) == SQLITE_BUSY;
  const RaftErrc errc = is_busy ? RaftErrc::WalLocked : RaftErrc::WalUnavailable;
  std::string why = connection_.Message();
  if (result == SQLITE_IOERR_DATA) why = "the checksum of a page is wrong";
  if (is_busy) why = "another program has it open";
  return Refuse(Classify(result, errc), detail, why);
}

// The side file first: while it is missing there was no database.
error_code ShardFile::Make(const codec::ShardRecord& record, std::string& detail) {
  shard_ = record.shard;
  if (const error_code error = synced_.Create(directory_.PathOf(SyncedName(shard_)), 0, detail)) {
    return error;
  }
  const std::string path = directory_.PathOf(DatabaseName(shard_));
  // Closed before SQLite opens it: the close of a file gives up all locks that the process has on
  // it.
  FileDescriptor file(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) {
    return Refuse(RaftErrc::WalUnavailable, detail,
                  "cannot be created: " + std::generic_category().message(errno));
  }
  file.Reset();
  int result = connection_.Open(path, limits_.cache_bytes);
  connection_.AllowWriting();
  if (result == SQLITE_OK) result = connection_.MakeDatabase();
  if (result == SQLITE_OK) result = MakeTables(record);
  return result == SQLITE_OK ? error_code() : RefuseFor(result, detail);
}

int ShardFile::MakeTables(const codec::ShardRecord& record) {
  int result = connection_.Execute("BEGIN IMMEDIATE; PRAGMA application_id=" +
                                   std::to_string(kApplicationId));
  for (const std::string& step : steps_) {
    if (result == SQLITE_OK) result = connection_.Execute(step);
  }
  version_ = static_cast<std::int64_t>(steps_.size());
  if (result == SQLITE_OK) {
    result = connection_.Execute("PRAGMA user_version=" + std::to_string(version_));
  }
  if (result == SQLITE_OK) result = WriteRecord(kShardName, codec::EncodeShardRecord(record));
  number_ = 1;
  if (result == SQLITE_OK) result = PutNumber(number_);
  if (result == SQLITE_OK) result = connection_.Execute("COMMIT");
  return result;
}

error_code ShardFile::Look(const codec::ShardRecord& record, std::string& detail) {
  shard_ = record.shard;
  if (const error_code error = LookAtFiles(detail)) return error;
  const std::string path = directory_.PathOf(DatabaseName(shard_));
  const int result = connection_.Open(path, limits_.cache_bytes);
  if (result != SQLITE_OK) return RefuseFor(result, detail);
  if (const error_code error = LookAtVersion(detail)) return error;
  return LookAtRecords(record, detail);
}

error_code ShardFile::LookAtFiles(std::string& detail) {
  struct stat status;
  const std::string path = directory_.PathOf(DatabaseName(shard_));
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return Refuse(RaftErrc::WalCorrupted, detail, "the file is missing");
    return Refuse(RaftErrc::WalUnavailable, detail, std::generic_category().message(errno));
  }
  if (!S_ISREG(status.st_mode)) return Refuse(RaftErrc::WalCorrupted, detail, "it is no file");
  // SQLite would remove the journal of an empty file.
  if (status.st_size < static_cast<off_t>(kPageBytes)) {
    return Refuse(RaftErrc::WalCorrupted, detail, "the file is cut");
  }
  if (const error_code error = synced_.Open(directory_.PathOf(SyncedName(shard_)), detail)) {
    return error;
  }
  if (synced_.content() == SyncedFile::Content::kValid) return {};
  const bool is_missing = synced_.content() == SyncedFile::Content::kMissing;
  return Refuse(RaftErrc::WalCorrupted, detail,
                "its file " + SyncedName(shard_) + " is " + (is_missing ? "missing" : "damaged"));
}

error_code ShardFile::LookAtVersion(std::string& detail) {
  std::int64_t application = 0;
  int result = connection_.Query("PRAGMA application_id", application);
  if (result == SQLITE_OK) result = connection_.Query("PRAGMA user_version", version_);
  if (result != SQLITE_OK) return RefuseFor(result, detail);
  if (application != kApplicationId || version_ < 1) {
    return Refuse(RaftErrc::WalCorrupted, detail, "a database of something else");
  }
  if (version_ <= static_cast<std::int64_t>(steps_.size())) return {};
  return Refuse(RaftErrc::WalNewerFormat, detail,
                "its tables have version " + std::to_string(version_) + ", this program knows " +
                    std::to_string(steps_.size()));
}

error_code ShardFile::LookAtRecords(const codec::ShardRecord& record, std::string& detail) {
  codec::RecordBytes bytes;
  int result = ReadRecord(kShardName, bytes);
  const auto found = codec::DecodeShardRecord(bytes);
  if (result == SQLITE_OK) result = ReadRecord(kBatchNumberName, bytes);
  if (result != SQLITE_OK) return RefuseFor(result, detail);
  const auto number = codec::DecodeBatchNumberRecord(bytes);
  if (!found || !number) {
    return Refuse(
        RaftErrc::WalCorrupted, detail,
        std::string(found ? "its batch number" : "its record of itself") + " cannot be read");
  }
  if (found->store != record.store) {
    return Refuse(RaftErrc::WalForeign, detail, "the file belongs to another store");
  }
  if (*found != record) {
    return Refuse(RaftErrc::WalCorrupted, detail,
                  "the file is shard " + std::to_string(found->shard) + " of " +
                      std::to_string(found->shards) + " and stands where shard " +
                      std::to_string(record.shard) + " of " + std::to_string(record.shards) +
                      " should");
  }
  number_ = *number;
  if (number_ >= synced_.number()) return {};
  return Refuse(RaftErrc::WalCorrupted, detail,
                "acknowledged data is gone: batch " + std::to_string(synced_.number()) +
                    " was synced, the newest that can be read is " + std::to_string(number_));
}

error_code ShardFile::OpenForWriting(std::string& detail) {
  connection_.AllowWriting();
  // What was read may be in memory only: the journal is written and synced anew, then all that is
  // in it to the file.
  int result = connection_.RewriteJournal();
  if (result == SQLITE_OK) result = BringUpToDate();
  if (result == SQLITE_OK) result = connection_.CheckpointAndTruncate();
  if (result != SQLITE_OK) return RefuseFor(result, detail);
  codec::RecordBytes bytes;
  result = ReadRecord(kBatchNumberName, bytes);
  if (result != SQLITE_OK) return RefuseFor(result, detail);
  if (codec::DecodeBatchNumberRecord(bytes) != number_) {
    return Refuse(RaftErrc::WalCorrupted, detail, "opened with less than a look had found");
  }
  if (const error_code error = LookAtFreePages(detail)) return error;
  for (const auto& [statement, sql] :
       {std::pair<Statement*, const char*>{&begin_, "BEGIN IMMEDIATE"},
        {&commit_, "COMMIT"},
        {&put_number_, "INSERT OR REPLACE INTO store VALUES(?, ?)"}}) {
    result = statement->Prepare(connection_, sql);
    if (result != SQLITE_OK) return RefuseFor(result, detail);
  }
  connection_.files().ResetCounters();
  return synced_.Refresh(number_, detail);
}

// In a batch with a number of its own: after it a program that knows less refuses the file.
int ShardFile::BringUpToDate() {
  const auto newest = static_cast<std::int64_t>(steps_.size());
  if (version_ == newest) return SQLITE_OK;
  int result = connection_.Execute("BEGIN IMMEDIATE");
  for (; version_ < newest && result == SQLITE_OK; ++version_) {
    result = connection_.Execute(steps_[static_cast<std::size_t>(version_)]);
  }
  if (result == SQLITE_OK) {
    result = connection_.Execute("PRAGMA user_version=" + std::to_string(newest));
  }
  if (result == SQLITE_OK) result = PutNumber(++number_);
  if (result == SQLITE_OK) result = connection_.Execute("COMMIT");
  return result;
}

// The list of pages without contents is read by writes alone. A damaged one is found here, and not
// by the write that would have to end the shard.
error_code ShardFile::LookAtFreePages(std::string& detail) {
  // Through SQLite's own file, for its locks, and with the checksum verified.
  sqlite3_file* file = nullptr;
  std::int64_t pages = 0;
  int result = sqlite3_file_control(connection_.db(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (result == SQLITE_OK) result = connection_.Query("PRAGMA page_count", pages);
  constexpr std::size_t kFirstFreeOffset = 32;
  std::array<std::byte, kPageBytes> page;
  std::uint32_t next = 1;
  for (std::int64_t seen = 0; result == SQLITE_OK && next != 0; ++seen) {
    if (seen > pages) {
      return Refuse(RaftErrc::WalCorrupted, detail, "its list of free pages has no end");
    }
    const auto offset = static_cast<sqlite3_int64>((next - 1) * std::uint64_t{kPageBytes});
    result = file->pMethods->xRead(file, page.data(), static_cast<int>(page.size()), offset);
    next = LoadBigEndian(page.data() + (seen == 0 ? kFirstFreeOffset : 0));
  }
  return result == SQLITE_OK ? error_code() : RefuseFor(result, detail);
}

int ShardFile::ReadRecord(char name, codec::RecordBytes& record) {
  record.clear();
  Statement statement;
  const int result = statement.Prepare(connection_, "SELECT record FROM store WHERE name=?");
  if (result != SQLITE_OK) return result;
  const Run run(statement, NameSpan(name));
  if (run.Next()) {
    const ByteSpan bytes = run.Bytes(0);
    record.assign(bytes.begin(), bytes.end());
  }
  return run.Finish();
}

int ShardFile::WriteRecord(char name, ByteSpan record) {
  Statement statement;
  const int result = statement.Prepare(connection_, "INSERT OR REPLACE INTO store VALUES(?, ?)");
  return result != SQLITE_OK ? result : Run(statement, NameSpan(name), record).Finish();
}

int ShardFile::PutNumber(std::uint64_t number) {
  return WriteRecord(kBatchNumberName, codec::EncodeBatchNumberRecord(number));
}

error_code ShardFile::Begin() noexcept {
  if (has_failed_) return RaftErrc::StorageFailed;
  return Run(begin_).Finish() == SQLITE_OK ? error_code() : Fail();
}

error_code ShardFile::Commit() noexcept {
  if (has_failed_) return RaftErrc::StorageFailed;
  const codec::BatchNumberRecord record = codec::EncodeBatchNumberRecord(number_ + 1);
  int result = Run(put_number_, NameSpan(kBatchNumberName), ByteSpan(record)).Finish();
  if (result == SQLITE_OK) result = Run(commit_).Finish();
  if (result != SQLITE_OK || !synced_.Store(number_ + 1)) return Fail();
  ++number_;
  ++notes_;
  if (connection_.journal_bytes() < limits_.checkpoint_bytes) return {};
  return connection_.Checkpoint() == SQLITE_OK ? error_code() : Fail();
}

error_code ShardFile::Fail() noexcept {
  has_failed_ = true;
  connection_.files().Fail();
  // What was not committed is forgotten, so that reads see none of it.
  if (sqlite3_get_autocommit(connection_.db()) == 0) (void)connection_.Execute("ROLLBACK");
  return RaftErrc::StorageFailed;
}

std::uint64_t ShardFile::BytesWritten() const noexcept {
  return connection_.files().bytes_written() + notes_ * codec::kSyncedSlotBytes;
}

void ShardFile::Close() noexcept {
  begin_.Finalize();
  commit_.Finalize();
  put_number_.Finalize();
  connection_.Close();
  synced_.Close();
}

}  // namespace kommander::storage
