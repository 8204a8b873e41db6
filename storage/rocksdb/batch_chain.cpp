// Batch numbers in the WAL and in sorted files.
#include "rocksdb/batch_chain.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include <rocksdb/metadata.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>

#include "codec/wal_record.hpp"
#include "rocksdb/keys.hpp"

namespace kommander::storage {
namespace {

// Looks at the first operation of a batch only.
class FirstOperation final : public rocksdb::WriteBatch::Handler {
 public:
  explicit FirstOperation(std::uint32_t state_family) : state_family_(state_family) {}
  rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    has_seen_ = true;
    if (family == state_family_ && key == kBatchNumberKey) {
      number_ = codec::DecodeBatchNumberRecord(AsSpan(value));
    }
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t, const rocksdb::Slice&) override { return Other(); }
  rocksdb::Status DeleteRangeCF(std::uint32_t, const rocksdb::Slice&,
                                const rocksdb::Slice&) override {
    return Other();
  }
  bool Continue() override { return !has_seen_; }
  [[nodiscard]] std::optional<std::uint64_t> number() const { return number_; }

 private:
  rocksdb::Status Other() {
    has_seen_ = true;
    return rocksdb::Status::OK();
  }
  std::uint32_t state_family_;
  bool has_seen_ = false;
  std::optional<std::uint64_t> number_;
};

}  // namespace

void BatchChain::ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>&,
                                          const std::map<std::string, std::uint32_t>& ids) {
  const auto found = ids.find(kStateColumnFamily);
  if (found != ids.end()) state_family_ = found->second;
}

rocksdb::WalFilter::WalProcessingOption BatchChain::LogRecordFound(unsigned long long,
                                                                   const std::string& log_name,
                                                                   const rocksdb::WriteBatch& batch,
                                                                   rocksdb::WriteBatch*, bool*) {
  // RocksDB begins a WAL with an empty batch after a recovery that ended at a torn one.
  if (!problem_.empty() || batch.Count() == 0) return WalProcessingOption::kContinueProcessing;
  FirstOperation first(state_family_);
  const rocksdb::Status status = batch.Iterate(&first);
  const auto number = first.number();
  if (!status.ok() || !number) {
    problem_ = log_name + " holds a batch without a number";
  } else if (first_ == 0) {
    first_ = last_ = *number;
  } else if (*number == last_ + 1) {
    last_ = *number;
  } else {
    problem_ = "acknowledged data is gone: batch " + std::to_string(*number) + " follows batch " +
               std::to_string(last_) + " in " + log_name;
  }
  return WalProcessingOption::kContinueProcessing;
}

std::string BatchChain::Judge(std::uint64_t number_in_files) const {
  if (!problem_.empty() || first_ <= number_in_files + 1) return problem_;
  return "acknowledged data is gone: the WAL begins with batch " + std::to_string(first_) +
         ", the sorted files end with " + std::to_string(number_in_files);
}

rocksdb::Status FindNumberInFiles(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* state,
                                  std::uint64_t& number) {
  number = 0;
  rocksdb::ColumnFamilyMetaData families;
  db.GetColumnFamilyMetaData(state, &families);
  rocksdb::Options options = db.GetOptions(state);
  for (const rocksdb::LevelMetaData& level : families.levels) {
    for (const rocksdb::SstFileMetaData& file : level.files) {
      rocksdb::SstFileReader reader(options);
      rocksdb::Status status = reader.Open(file.db_path + file.name);
      if (!status.ok()) return status;
      const std::unique_ptr<rocksdb::Iterator> iterator(reader.NewIterator({}));
      iterator->Seek(kBatchNumberKey);
      if (!iterator->status().ok()) return iterator->status();
      if (!iterator->Valid() || iterator->key() != kBatchNumberKey) continue;
      const auto found = codec::DecodeBatchNumberRecord(AsSpan(iterator->value()));
      if (!found) return rocksdb::Status::Corruption("the batch number");
      number = std::max(number, *found);
    }
  }
  return rocksdb::Status::OK();
}

}  // namespace kommander::storage
