#include "runtime/snapshot_streams.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "codec/little_endian.hpp"
#include "codec/wal_record.hpp"

namespace kommander::runtime {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kLengthBytes = 4;
// Open tickets alone may have 64 MiB.
constexpr std::size_t kHeadBytesMax = 128u << 20;

}  // namespace

std::vector<std::byte> EncodeSnapshotHead(PartitionId partition, const BoundaryRecord& boundary) {
  const codec::RecordBytes record = codec::EncodeBoundaryRecord(partition, boundary);
  std::vector<std::byte> head(kLengthBytes + record.size());
  codec::ByteWriter writer(head.data());
  writer.Put(static_cast<std::uint32_t>(record.size()));
  writer.PutBytes(record);
  return head;
}

std::optional<std::size_t> SnapshotHeadBytes(ByteSpan start) noexcept {
  codec::ByteReader reader(start);
  const std::size_t record = reader.Get<std::uint32_t>();
  if (!reader.ok() || record > kHeadBytesMax) return std::nullopt;
  return kLengthBytes + record;
}

std::optional<BoundaryRecord> DecodeSnapshotHead(PartitionId partition, ByteSpan head) {
  if (SnapshotHeadBytes(head) != head.size()) return std::nullopt;
  return codec::DecodeBoundaryRecord(partition, head.subspan(kLengthBytes));
}

// The handler is held by the task; both are let go with the scheduler, unanswered, when the context
// goes first.
asio::awaitable<error_code> RunFileTask(std::shared_ptr<NodeServices> services,
                                        std::function<error_code()> task) {
  const auto start = [services, &task](auto handler) {
    // The coroutine's own: it is resumed where it runs, which is a strand.
    const asio::any_io_executor executor = asio::get_associated_executor(handler);
    auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
    const auto answer = [executor, waiting](error_code error) {
      asio::post(executor, [waiting, error] { std::move (*waiting)(error_code(), error); });
    };
    const error_code refused =
        services->io->SubmitFileTask([answer, task = std::move(task)](bool cancelled) {
          answer(cancelled ? error_code(RaftErrc::NodeStopped) : task());
        });
    if (refused) answer(refused);
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                          void(error_code, error_code)>(start, asio::use_awaitable);
}

error_code CheckRoom(const SnapshotStore& store, std::uint64_t free_bytes_min) {
  const std::optional<std::uint64_t> free_bytes = store.FreeBytes();
  const bool is_full = free_bytes && *free_bytes < free_bytes_min / 2;
  return is_full ? error_code(RaftErrc::DiskFull) : error_code();
}

asio::awaitable<void> DraftSink::Write(Payload bytes) {
  ByteSpan rest = bytes.bytes();
  while (!rest.empty()) {
    const std::size_t part = std::min(rest.size(), kBlockBytes - block_.size());
    block_.insert(block_.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(part));
    rest = rest.subspan(part);
    if (block_.size() == kBlockBytes) co_await Flush();
  }
}

asio::awaitable<void> DraftSink::Flush() {
  if (block_.empty()) co_return;
  std::vector<std::byte> block = std::exchange(block_, {});
  block_.reserve(kBlockBytes);
  auto task = [store = services_->snapshots, partition = partition_,
               free_bytes_min = services_->configuration.free_bytes_min(),
               block = std::make_shared<const std::vector<std::byte>>(std::move(block))] {
    if (const error_code error = CheckRoom(*store, free_bytes_min)) return error;
    return store->Append(partition, SnapshotStore::Draft::kTaken, *block);
  };
  const error_code error = co_await RunFileTask(services_, std::move(task));
  if (error) throw boost::system::system_error(error);
}

asio::awaitable<Payload> StoredSource::Read() {
  const auto read = std::make_shared<Payload>();
  auto task = [store = services_->snapshots, partition = partition_, index = index_,
               offset = offset_,
               read] { return store->Read(partition, index, offset, kBlockBytes, *read); };
  const error_code error = co_await RunFileTask(services_, std::move(task));
  if (error) throw boost::system::system_error(error);
  offset_ += read->size();
  co_return *read;
}

SnapshotHead ReadSnapshotHead(SnapshotStore& store, PartitionId partition, LogIndex index) {
  SnapshotHead head;
  Payload bytes;
  head.error = store.Read(partition, index, 0, kLengthBytes, bytes);
  if (head.error) return head;
  const auto size = SnapshotHeadBytes(bytes.bytes());
  if (size) head.error = store.Read(partition, index, 0, *size, bytes);
  if (head.error) return head;
  auto boundary = size ? DecodeSnapshotHead(partition, bytes.bytes()) : std::nullopt;
  if (!boundary || boundary->index != index) {
    head.error = RaftErrc::SnapshotCorrupted;
    return head;
  }
  head.boundary = *std::move(boundary);
  head.bytes = *size;
  return head;
}

}  // namespace kommander::runtime
