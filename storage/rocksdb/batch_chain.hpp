// Watches a recovery read the WAL and checks that no batch is missing from the middle. RocksDB
// skips a zeroed block of its WAL without a word and goes on behind it, so the newest batch alone
// proves nothing. Every batch of a store begins with its number, and numbers grow by one.
#pragma once

#include <cstdint>
#include <string>

#include <rocksdb/db.h>
#include <rocksdb/wal_filter.h>

namespace kommander::storage {

class BatchChain final : public rocksdb::WalFilter {
 public:
  // Column families are known by their numbers while a WAL is read.
  void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& log_numbers,
                                const std::map<std::string, std::uint32_t>& ids) override;
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_name,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* has_changed) override;
  [[nodiscard]] const char* Name() const override { return "kommander.BatchChain"; }

  // Given the newest number in the sorted files: one line about what is missing, empty when
  // nothing is.
  [[nodiscard]] std::string Judge(std::uint64_t number_in_files) const;

 private:
  std::uint32_t state_family_ = 0;
  std::uint64_t first_ = 0;  // 0: no batch was read
  std::uint64_t last_ = 0;
  std::string problem_;
};

// The newest batch number in the sorted files of the family `state`; 0 when there is none.
rocksdb::Status FindNumberInFiles(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* state,
                                  std::uint64_t& number);

}  // namespace kommander::storage
