// Prepared statements, and one run of one: bound, stepped, and reset at the end of its scope.
#pragma once

#include <cstdint>
#include <sqlite3.h>
#include <string>
#include <utility>

#include <kommander/payload.hpp>

namespace kommander::storage {

class Connection;

class Statement {
 public:
  Statement() = default;
  ~Statement() { Finalize(); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  [[nodiscard]] int Prepare(const Connection& connection, const std::string& sql);
  // Before its connection is closed.
  void Finalize() noexcept;

 private:
  friend class Run;
  sqlite3_stmt* statement_ = nullptr;
};

// Parameters are bound in the order of the constructor's arguments. Bytes have to live as long as
// the run; what is read of a row lives until the next step.
class Run {
 public:
  template <class... Values>
  explicit Run(Statement& statement, Values... values) noexcept : statement_(statement.statement_) {
    int at = 0;
    (Bind(++at, values), ...);
  }
  ~Run() { sqlite3_reset(statement_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Whether there is a row, or another one. After the last: result() is SQLITE_DONE.
  [[nodiscard]] bool Next() const noexcept;
  // Of a statement without rows: SQLITE_OK, or what went wrong.
  [[nodiscard]] int Finish() const noexcept;
  [[nodiscard]] int result() const noexcept { return result_; }

  [[nodiscard]] std::int64_t Integer(int column) const noexcept;
  [[nodiscard]] ByteSpan Bytes(int column) const noexcept;

 private:
  void Bind(int at, std::int64_t value) noexcept;
  void Bind(int at, ByteSpan value) noexcept;

  sqlite3_stmt* statement_;
  mutable int result_ = SQLITE_OK;
};

}  // namespace kommander::storage
