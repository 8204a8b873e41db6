// Which files make a store. The file `store` says how many shards it has, and that its creation is
// complete: while it is being made there is `store.new` instead, and whatever is beside that holds
// nothing yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <kommander/errors.hpp>

#include "codec/wal_record.hpp"
#include "common/store_directory.hpp"

namespace kommander::storage {

// What the file `store` says; none when there is no store yet. Refuses files of shards without it,
// and beside it files that are not of the store.
error_code ReadStoreFile(const StoreDirectory& directory, std::optional<codec::ShardRecord>& store,
                         std::string& detail);

// Of a creation, before the shards are made: notes that it began, removes what an earlier one left.
error_code BeginCreation(const StoreDirectory& directory, std::string& detail);
// And after they were: the store is there.
error_code FinishCreation(const StoreDirectory& directory, const codec::ShardRecord& store,
                          std::string& detail);

}  // namespace kommander::storage
