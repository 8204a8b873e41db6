// SQLite's calls for statements.
#include "sqlite/statement.hpp"

#include "sqlite/connection.hpp"

namespace kommander::storage {

int Statement::Prepare(const Connection& connection, const std::string& sql) {
  Finalize();
  return sqlite3_prepare_v3(connection.db(), sql.data(), static_cast<int>(sql.size()),
                            SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
}

void Statement::Finalize() noexcept {
  sqlite3_finalize(statement_);
  statement_ = nullptr;
}

bool Run::Next() const noexcept {
  if (result_ == SQLITE_OK || result_ == SQLITE_ROW) result_ = sqlite3_step(statement_);
  return result_ == SQLITE_ROW;
}

int Run::Finish() const noexcept {
  while (Next()) continue;
  return result_ == SQLITE_DONE ? SQLITE_OK : result_;
}

std::int64_t Run::Integer(int column) const noexcept {
  return sqlite3_column_int64(statement_, column);
}

ByteSpan Run::Bytes(int column) const noexcept {
  const void* const bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return {static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)};
}

void Run::Bind(int at, std::int64_t value) noexcept {
  const int result = sqlite3_bind_int64(statement_, at, value);
  if (result_ == SQLITE_OK) result_ = result;
}

void Run::Bind(int at, ByteSpan value) noexcept {
  // A null pointer would be a NULL, not an empty blob.
  const void* const bytes = value.empty() ? static_cast<const void*>("") : value.data();
  const int result = sqlite3_bind_blob64(statement_, at, bytes, value.size(), SQLITE_STATIC);
  if (result_ == SQLITE_OK) result_ = result;
}

}  // namespace kommander::storage
