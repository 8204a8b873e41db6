// The suite over the log that examples/06_own_wal brings, and what the suite leaves to a store that
// has a file: torn tails, damage, a disk that fails.
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

#include "../../examples/06_own_wal/log_file.hpp"
#include "../../examples/06_own_wal/own_wal.hpp"
#include "catch.hpp"
#include "temporary_directory.hpp"
#include "wal_conformance.hpp"

namespace kommander::conformance {
namespace {

class OwnStore final : public WalStore {
 public:
  std::shared_ptr<Wal> Attach() override { return own::MakeOwnWal(path()); }
  bool IsPersistent() const override { return true; }
  bool MakeNewer() override {
    return Overwrite(own::LogFile::kVersionOffset, std::byte{own::LogFile::kVersion + 1});
  }

  [[nodiscard]] std::string path() const { return directory_.PathOf("log"); }
  [[nodiscard]] std::uint64_t size() const { return std::filesystem::file_size(path()); }
  [[nodiscard]] std::string Contents() const {
    std::ostringstream text;
    text << std::ifstream(path(), std::ios::binary).rdbuf();
    return std::move(text).str();
  }
  bool Overwrite(std::uint64_t offset, std::byte byte) const {
    const own::Descriptor file(::open(path().c_str(), O_WRONLY));
    return ::pwrite(file.get(), &byte, 1, static_cast<off_t>(offset)) == 1;
  }
  bool Flip(std::uint64_t offset) const {
    const own::Descriptor file(::open(path().c_str(), O_RDONLY));
    std::byte byte{};
    return ::pread(file.get(), &byte, 1, static_cast<off_t>(offset)) == 1 &&
           Overwrite(offset, byte ^ std::byte{16});
  }

 private:
  TemporaryDirectory directory_;
};

// A closed store with a partition of ten entries, written one by one.
std::unique_ptr<OwnStore> MakeFilledStore() {
  auto store = std::make_unique<OwnStore>();
  const std::shared_ptr<Wal> wal = store->Attach();
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE(wal->Open(identity, detail) == error_code());
  WriteOne(*wal, MakeCreation(1));
  for (std::uint64_t i = 1; i <= 10; ++i) WriteOne(*wal, MakeUnit(1, MakeEntries(i, i, 1)));
  wal->Close();
  return store;
}

error_code OpenAndClose(OwnStore& store) {
  const std::shared_ptr<Wal> wal = store.Attach();
  std::optional<StoreIdentity> identity;
  std::string detail;
  const error_code error = wal->Open(identity, detail);
  CHECK(detail.empty() == !error);
  wal->Close();
  return error;
}

TEST_CASE("own wal: a torn tail is left out") {
  auto store = MakeFilledStore();
  const std::uint64_t size = store->size();
  // What the system has of a record that it was given and nobody was promised.
  std::filesystem::resize_file(store->path(), size + GENERATE(1u, 23u, 24u, 500u, 9000u));
  if (GENERATE(false, true)) REQUIRE(store->Flip(store->size() - 1));
  OpenStore wal(std::move(store));
  CHECK(RecoverOne(*wal, 1).last_index == LogIndex(10));
  WriteOne(*wal, MakeUnit(1, MakeEntries(11, 11, 1)));
  wal.Restart();
  CHECK(ReadAll(*wal, 1, 1, 99) == MakeEntries(1, 11, 1));
}

TEST_CASE("own wal: damage of what was promised is refused, and nothing is touched") {
  const auto store = MakeFilledStore();
  const std::uint64_t first = own::LogFile::kRecordsOffset, size = store->size();
  SECTION("a wrong bit") {
    const std::uint64_t offset = GENERATE(0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u) * (size - first);
    REQUIRE(store->Flip(first + offset / 10));
  }
  SECTION("a wrong bit at the end") { REQUIRE(store->Flip(size - 1)); }
  SECTION("the end is missing") { std::filesystem::resize_file(store->path(), size - 1); }
  SECTION("all is missing") { std::filesystem::resize_file(store->path(), first); }
  SECTION("the beginning is wrong") { REQUIRE(store->Flip(0)); }
  SECTION("both promises are wrong") {
    REQUIRE(store->Flip(4096));
    REQUIRE(store->Flip(8192));
  }
  const std::string damaged = store->Contents();
  for (int i = 0; i < 2; ++i) CHECK(OpenAndClose(*store) == RaftErrc::WalCorrupted);
  CHECK(store->Contents() == damaged);
}

TEST_CASE("own wal: one of the two promises is enough") {
  const auto store = MakeFilledStore();
  REQUIRE(store->Flip(GENERATE(4096u, 8200u)));
  CHECK(OpenAndClose(*store) == error_code());
}

TEST_CASE("own wal: an open leaves out what was overwritten") {
  const auto store = MakeFilledStore();
  const std::uint64_t before = store->size();
  REQUIRE(OpenAndClose(*store) == error_code());
  const std::uint64_t after = store->size();
  CHECK(after < before);
  REQUIRE(OpenAndClose(*store) == error_code());
  CHECK(store->size() == after);
}

TEST_CASE("own wal: after a failed write nothing is written until a restart") {
  auto filled = MakeFilledStore();
  const std::uint64_t size = filled->size();
  OpenStore wal(std::move(filled));
  std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit before;
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  struct rlimit small = before;
  small.rlim_cur = size;
  const WriteUnit large = MakeUnit(1, MakeEntries(11, 1000, 1));
  const WriteUnit* const units[] = {&large};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const error_code error = wal->Write(units);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(error == RaftErrc::StorageFailed);
  CHECK(wal->Write(units) == RaftErrc::StorageFailed);
  CHECK(wal->PutMetadata("key", "value") == RaftErrc::StorageFailed);
  CHECK(wal->Create(MakeIdentity()) == RaftErrc::StorageFailed);
  CHECK(wal->DeletePartition(1) == RaftErrc::StorageFailed);
  CHECK(ReadAll(*wal, 1, 1, 9999) == MakeEntries(1, 10, 1));
  wal.Restart();
  CHECK(ReadAll(*wal, 1, 1, 9999) == MakeEntries(1, 10, 1));
  WriteOne(*wal, large);
}

}  // namespace

std::unique_ptr<WalStore> MakeWalStore() { return std::make_unique<OwnStore>(); }

}  // namespace kommander::conformance
