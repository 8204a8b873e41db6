// Opening in steps: lock, look without writing, compare with `synced`, open for writing, write and
// sync anew what was recovered. And committing: batch, sync, number noted, in that order.
#include "rocksdb/database.hpp"

#include <algorithm>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/statistics.h>
#include <rocksdb/write_batch.h>

#include <kommander/detail/crash_point.hpp>

#include "codec/wal_record.hpp"
#include "mutants/mutants.hpp"
#include "rocksdb/batch_chain.hpp"
#include "rocksdb/keys.hpp"
#include "rocksdb/log_file_system.hpp"
#include "rocksdb/tuning.hpp"

namespace kommander::storage {
namespace {

constexpr const char* kDatabaseName = "db";
constexpr const char* kSyncedName = "synced";

// The value of kFormatKey: one byte.
rocksdb::Slice FormatValue() noexcept {
  static constexpr char kVersion = static_cast<char>(codec::kWalFormatVersion);
  return {&kVersion, 1};
}

std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

error_code Refuse(RaftErrc errc, std::string& detail, const std::string& path,
                  const std::string& why) {
  detail = "the log in " + path + ": " + OneLine(why);
  return errc;
}

// What an open that failed means. Missing files are damage: there was a database.
RaftErrc Classify(const rocksdb::Status& status) {
  if (status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound() ||
      status.IsInvalidArgument()) {
    return RaftErrc::WalCorrupted;
  }
  return status.IsNotSupported() ? RaftErrc::WalNewerFormat : RaftErrc::WalUnavailable;
}

}  // namespace

Database::Database(const RocksDbWalOptions& options, RocksDbMemory lent,
                   std::shared_ptr<rocksdb::FileSystem> file_system)
    : options_(options),
      lent_(std::move(lent)),
      file_system_(std::make_shared<LogFileSystem>(file_system ? std::move(file_system)
                                                               : rocksdb::FileSystem::Default())),
      env_(rocksdb::NewCompositeEnv(file_system_)),
      statistics_(rocksdb::CreateDBStatistics()) {
  statistics_->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
}

Database::~Database() { Close(); }

error_code Database::Open(std::string& detail) {
  failed_ = std::make_shared<std::atomic<bool>>(false);
  number_ = 0;
  syncs_ = 0;
  statistics_->Reset().PermitUncheckedError();
  if (const error_code error = directory_.Open(options_.directory(), detail)) return error;
  const error_code error = OpenLocked(detail);
  if (error) Release();
  return error;
}

error_code Database::OpenLocked(std::string& detail) {
  const std::string synced_path = directory_.PathOf(kSyncedName);
  if (const error_code error = synced_.Open(synced_path, detail)) return error;
  Contents contents;
  if (const error_code error = Prepare(contents, detail)) return error;
  if (const error_code error = CheckSynced(contents, detail)) return error;
  KOMMANDER_CRASH_POINT("wal.looked");
  if (const error_code error = OpenForWriting(contents, detail)) return error;
  KOMMANDER_CRASH_POINT("wal.opened");
  if (const error_code error = SyncAnew(detail)) return error;
  KOMMANDER_CRASH_POINT("wal.synced_anew");
  if (synced_.content() == SyncedFile::Content::kValid) return synced_.Refresh(number_, detail);
  return synced_.Create(synced_path, number_, detail);
}

// Learns what is there, or makes room for a new database.
error_code Database::Prepare(Contents& contents, std::string& detail) {
  if (directory_.HasFile(std::string(kDatabaseName) + "/CURRENT")) return Look(contents, detail);
  // `synced` is there before the first file of the database.
  if (synced_.content() != SyncedFile::Content::kValid && directory_.HasEntries(kDatabaseName)) {
    return Refuse(RaftErrc::WalCorrupted, detail, directory_.path(),
                  "files of a database, but neither its file CURRENT nor `synced`");
  }
  if (synced_.content() != SyncedFile::Content::kValid) {
    const std::string path = directory_.PathOf(kSyncedName);
    if (const error_code error = synced_.Create(path, 0, detail)) return error;
  }
  return directory_.MakeSubdirectory(kDatabaseName, detail);
}

error_code Database::Look(Contents& contents, std::string& detail) {
  BatchChain chain;
  rocksdb::DBOptions options = MakeReadOnlyOptions(options_);
  options.env = env_.get();
  options.wal_filter = &chain;
  const std::string path = directory_.PathOf(kDatabaseName);
  std::vector<std::string> names;
  rocksdb::Status status = rocksdb::DB::ListColumnFamilies(options, path, &names);
  if (status.ok() && std::find(names.begin(), names.end(), kStateColumnFamily) == names.end()) {
    return {};  // the creation was interrupted: nothing was ever written
  }
  Handles handles;
  rocksdb::DB* db = nullptr;
  if (status.ok()) {
    status = rocksdb::DB::OpenForReadOnly(options, path, MakeColumnFamilies(options_, {}),
                                          &handles.families, &db);
  }
  if (!status.ok()) {
    return Refuse(Classify(status), detail, directory_.path(), status.ToString());
  }
  handles.db.reset(db);
  const error_code error = Inspect(handles, chain, contents, detail);
  CloseHandles(handles);
  return error;
}

error_code Database::Inspect(const Handles& handles, const BatchChain& chain, Contents& contents,
                             std::string& detail) const {
  rocksdb::ColumnFamilyHandle* state = handles.families[1];
  std::string value;
  rocksdb::Status status = handles.db->Get({}, state, kFormatKey, &value);
  if (status.IsNotFound()) return {};  // the creation was interrupted
  if (status.ok() && value != FormatValue().ToStringView()) {
    const bool is_newer = value.size() != 1 || value[0] > FormatValue()[0];
    return Refuse(is_newer ? RaftErrc::WalNewerFormat : RaftErrc::WalCorrupted, detail,
                  directory_.path(), "written in a format that this version does not know");
  }
  if (status.ok()) {
    status = handles.db->Get({}, state, kBatchNumberKey, &value);
    const auto number = codec::DecodeBatchNumberRecord(AsSpan(value));
    if (status.ok() && !number) status = rocksdb::Status::Corruption("the batch number");
    contents.number = number.value_or(0);
  }
  if (status.ok()) {
    status = handles.db->Get({}, state, kIdentityKey, &value);
    contents.has_identity = status.ok();
    if (status.IsNotFound()) status = rocksdb::Status::OK();
  }
  std::uint64_t number_in_files = 0;
  if (status.ok()) status = FindNumberInFiles(*handles.db, state, number_in_files);
  const std::string problem = status.ok() ? chain.Judge(number_in_files) : status.ToString();
  if (problem.empty()) return {};
  return Refuse(RaftErrc::WalCorrupted, detail, directory_.path(), problem);
}

error_code Database::CheckSynced(const Contents& contents, std::string& detail) {
  if (synced_.content() != SyncedFile::Content::kValid) {
    if (!contents.has_identity) return {};
    const bool is_missing = synced_.content() == SyncedFile::Content::kMissing;
    return Refuse(RaftErrc::WalCorrupted, detail, directory_.path(),
                  std::string("its file `synced` is ") + (is_missing ? "missing" : "damaged"));
  }
  if (KOMMANDER_MUTANT(lost_batches_unnoticed) || contents.number >= synced_.number()) return {};
  return Refuse(RaftErrc::WalCorrupted, detail, directory_.path(),
                "acknowledged data is gone: batch " + std::to_string(synced_.number()) +
                    " was synced, the newest that can be read is " +
                    std::to_string(contents.number));
}

error_code Database::OpenForWriting(const Contents& contents, std::string& detail) {
  rocksdb::DBOptions options = MakeDatabaseOptions(options_, lent_, failed_);
  options.env = env_.get();
  options.statistics = statistics_;
  options.create_if_missing = contents.number == 0;
  options.create_missing_column_families = contents.number == 0;
  Handles handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status =
      rocksdb::DB::Open(options, directory_.PathOf(kDatabaseName),
                        MakeColumnFamilies(options_, lent_), &handles.families, &db);
  if (!status.ok()) {
    return Refuse(Classify(status), detail, directory_.path(), status.ToString());
  }
  db_.reset(db);
  log_ = handles.families[0];
  state_ = handles.families[1];
  number_ = contents.number;
  if (number_ != 0) {
    std::string value;
    status = db_->Get({}, state_, kBatchNumberKey, &value);
    const auto number = codec::DecodeBatchNumberRecord(AsSpan(value));
    if (status.ok() && number == contents.number) return {};
    return Refuse(RaftErrc::WalCorrupted, detail, directory_.path(),
                  "opened with less than a look without writing had found");
  }
  rocksdb::WriteBatch batch;
  batch.Put(state_, kBatchNumberKey, AsSlice(codec::EncodeBatchNumberRecord(1)))
      .PermitUncheckedError();
  batch.Put(state_, kFormatKey, FormatValue()).PermitUncheckedError();
  rocksdb::WriteOptions write;
  write.sync = true;
  status = db_->Write(write, &batch);
  if (!status.ok()) {
    return Refuse(RaftErrc::WalUnavailable, detail, directory_.path(), status.ToString());
  }
  number_ = 1;
  return {};
}

// Recovery flushes what it read from the WAL, whose pages may be in memory only. Nothing may be
// left in memory tables then; should it be, it is flushed here.
error_code Database::SyncAnew(std::string& detail) {
  if (KOMMANDER_MUTANT(recovery_unsynced)) return {};
  rocksdb::FlushOptions options;
  options.wait = true;
  const rocksdb::Status status = db_->Flush(options, {log_, state_});
  if (status.ok() && !has_failed()) return {};
  return Refuse(RaftErrc::WalUnavailable, detail, directory_.path(), status.ToString());
}

void Database::Begin(rocksdb::WriteBatch& batch) const noexcept {
  batch.Clear();
  const codec::BatchNumberRecord number = codec::EncodeBatchNumberRecord(number_ + 1);
  batch.Put(state_, kBatchNumberKey, AsSlice(number)).PermitUncheckedError();
}

error_code Database::Commit(rocksdb::WriteBatch& batch) noexcept {
  if (has_failed()) return RaftErrc::StorageFailed;
  rocksdb::WriteOptions options;
  options.sync = true;
  KOMMANDER_CRASH_POINT("wal.before_write");
  if (KOMMANDER_MUTANT(number_before_batch)) (void)synced_.Store(number_ + 1);
  const rocksdb::Status status = db_->Write(options, &batch);
  KOMMANDER_CRASH_POINT("wal.after_sync");
  if (!status.ok() || has_failed() || !synced_.Store(number_ + 1)) {
    failed_->store(true);
    if (KOMMANDER_MUTANT(failed_store_writes_on)) failed_->store(!db_->Resume().ok());
    return RaftErrc::StorageFailed;
  }
  ++number_;
  ++syncs_;
  return {};
}

std::uint64_t Database::BytesWritten() const noexcept {
  return statistics_->getTickerCount(rocksdb::WAL_FILE_BYTES) +
         statistics_->getTickerCount(rocksdb::FLUSH_WRITE_BYTES) +
         statistics_->getTickerCount(rocksdb::COMPACT_WRITE_BYTES) +
         syncs_.load() * codec::kSyncedSlotBytes;
}

void Database::CloseHandles(Handles& handles) noexcept {
  for (rocksdb::ColumnFamilyHandle* family : handles.families) {
    handles.db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  }
  handles.families.clear();
  handles.db->Close().PermitUncheckedError();
  handles.db.reset();
}

void Database::Release() noexcept {
  if (db_) {
    Handles handles{std::move(db_), {log_, state_}};
    CloseHandles(handles);
    log_ = state_ = nullptr;
  }
  synced_.Close();
  directory_.Close();
}

void Database::Close() noexcept { Release(); }

}  // namespace kommander::storage
