// A log that fails when it is told to, as users have it in their tests.
#include <optional>
#include <string>

#include <kommander/testing/faulty_wal.hpp>

using namespace kommander;

int main() {
  testing::FaultyWal wal;
  std::optional<StoreIdentity> identity;
  std::string detail;
  if (wal.Open(identity, detail)) return 1;
  wal.FailWrite(2);
  const bool is_good = !wal.PutMetadata("key", Payload("first")) &&
                       wal.PutMetadata("key", Payload("second")) == RaftErrc::StorageFailed;
  std::optional<Payload> value;
  return is_good && !wal.GetMetadata("key", value) && value->text() == "first" ? 0 : 1;
}
