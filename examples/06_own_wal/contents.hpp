// What the records of a log say, and what they come to. A record is one Change; each is carried out
// whole or not at all. The contents of a store, all but the bodies of its entries, are in memory:
// rebuilt when the file is opened, and kept up to date by replaying each record that is added.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <kommander/wal.hpp>

#include "log_file.hpp"

namespace own {

struct Metadata {
  std::string key;
  Payload value;
};
struct Change {
  std::optional<StoreIdentity> identity;
  std::vector<Metadata> metadata;
  std::vector<PartitionId> deleted;
  std::vector<WriteUnit> units;
};

// A codec meets the fields of a value one by one, and writes or reads each: numbers with 8 bytes,
// texts and lists led by their length, what may be missing led by whether it is there.
class Writer {
 public:
  explicit Writer(Bytes& bytes) : bytes_(bytes) {}
  void Number(std::uint64_t number) {
    bytes_.resize(bytes_.size() + 8);
    StoreNumber(&bytes_[bytes_.size() - 8], number);
  }
  template <class Strong>
  void Id(const Strong& id) {
    Number(id.value());
  }
  void Text(const std::string& text) { Text(AsBytes(text)); }
  void Text(const Payload& bytes) { Text(bytes.bytes()); }
  template <class List, class Field>
  void Each(const List& list, Field field) {
    Number(list.size());
    for (const auto& item : list) field(item);
  }
  template <class Value, class Field>
  void Maybe(const std::optional<Value>& value, Field field) {
    Number(value.has_value());
    if (value) field(*value);
  }

 private:
  void Text(ByteSpan text) {
    Number(text.size());
    bytes_.insert(bytes_.end(), text.begin(), text.end());
  }
  Bytes& bytes_;
};

// Past the end of its bytes it reads zeros, and is not good any more.
class Reader {
 public:
  explicit Reader(ByteSpan bytes) : bytes_(bytes) {}
  // All was there, and nothing else was.
  [[nodiscard]] bool IsDone() const { return is_good_ && bytes_.empty(); }
  template <class Value>
  void Number(Value& number) {
    const ByteSpan taken = Take(8);
    number = static_cast<Value>(is_good_ ? LoadNumber(taken.data()) : 0);
  }
  template <class Strong>
  void Id(Strong& id) {
    decltype(id.value()) number{};
    Number(number);
    id = Strong(number);
  }
  void Text(std::string& text) { text = AsText(Take()); }
  void Text(Payload& bytes) { bytes = Payload(nullptr, Take()); }  // as long as the record lives
  template <class List, class Field>
  void Each(List& list, Field field) {
    std::uint64_t left = 0;
    for (Number(left); left > 0 && is_good_; --left) field(list.emplace_back());
  }
  template <class Value, class Field>
  void Maybe(std::optional<Value>& value, Field field) {
    bool has_value = false;
    Number(has_value);
    if (has_value) field(value.emplace());
  }

 private:
  ByteSpan Take() {
    std::uint64_t count = 0;
    Number(count);
    return Take(count);
  }
  ByteSpan Take(std::uint64_t count) {
    is_good_ = is_good_ && count <= bytes_.size();
    const ByteSpan taken = bytes_.first(is_good_ ? count : 0);
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  ByteSpan bytes_;
  bool is_good_ = true;
};

// The format: these fields in this order, for ever; another order is another LogFile::kVersion.
template <class Codec, class Value>  // Configuration
void MemberFields(Codec& codec, Value& members) {
  const auto node = [&](auto& id) { codec.Id(id); };
  codec.Each(members.voters, node);
  codec.Each(members.outgoing_voters, node);
  codec.Each(members.learners, node);
}
template <class Codec, class Value>  // Entry
void EntryFields(Codec& codec, Value& entry) {
  codec.Id(entry.index);
  codec.Id(entry.term);
  std::uint64_t physical_ms = entry.ticket.physical_ms();
  std::uint32_t counter = entry.ticket.counter();
  NodeId node = entry.ticket.node();
  codec.Number(physical_ms);
  codec.Number(counter);
  codec.Id(node);
  if constexpr (!std::is_const_v<Value>) entry.ticket = Ticket(physical_ms, counter, node);
  auto kind = static_cast<std::uint8_t>(entry.kind);
  codec.Number(kind);
  if constexpr (!std::is_const_v<Value>) entry.kind = static_cast<EntryKind>(kind);
  codec.Text(entry.body);
}
template <class Codec, class Value>  // WriteUnit
void UnitFields(Codec& codec, Value& unit) {
  codec.Id(unit.partition);
  codec.Maybe(unit.boundary, [&](auto& boundary) {
    codec.Id(boundary.index);
    codec.Id(boundary.term);
    MemberFields(codec, boundary.configuration);
    codec.Number(boundary.digest);
    codec.Text(boundary.ledger);
    codec.Text(boundary.system);
  });
  codec.Number(unit.drop_log);
  codec.Maybe(unit.truncate_from, [&](auto& index) { codec.Id(index); });
  codec.Maybe(unit.hard_state, [&](auto& state) {
    codec.Id(state.term);
    codec.Id(state.vote);
  });
  codec.Maybe(unit.commit_hint, [&](auto& index) { codec.Id(index); });
  codec.Maybe(unit.application, [&](auto& application) {
    codec.Id(application.floor);
    codec.Id(application.import_pending);
  });
  codec.Each(unit.entries, [&](auto& entry) { EntryFields(codec, entry); });
}
template <class Codec, class Value>  // Change
void ChangeFields(Codec& codec, Value& change) {
  codec.Maybe(change.identity, [&](auto& identity) {
    codec.Text(identity.cluster_id);
    codec.Id(identity.node);
    codec.Id(identity.incarnation);
    MemberFields(codec, identity.system_configuration);
  });
  codec.Each(change.metadata, [&](auto& item) {
    codec.Text(item.key);
    codec.Text(item.value);
  });
  codec.Each(change.deleted, [&](auto& id) { codec.Id(id); });
  codec.Each(change.units, [&](auto& unit) { UnitFields(codec, unit); });
}

[[nodiscard]] inline Bytes MakeRecord(const Change& change) {
  Bytes record(LogFile::kHeaderBytes);
  Writer writer(record);
  ChangeFields(writer, change);
  return record;
}

// An entry whose body is in the file.
struct Row {
  Entry entry;
  std::uint64_t offset = 0;
  std::size_t bytes = 0;
  std::uint64_t checksum = 0;
};

struct Partition {
  BoundaryRecord boundary;
  HardState hard_state;
  LogIndex commit_hint;
  ApplicationRecord application;
  std::deque<Row> rows;  // without a hole, the first at boundary.index + 1

  [[nodiscard]] LogIndex Last() const noexcept { return boundary.index + rows.size(); }

  // What Wal::Read asks for.
  [[nodiscard]] std::vector<Row> Select(LogIndex first, LogIndex last,
                                        std::size_t bytes_max) const {
    std::vector<Row> selected;
    std::size_t bytes = 0;
    for (LogIndex at = first; at > boundary.index && at <= std::min(last, Last()); at = at.Next()) {
      selected.push_back(rows[LogIndex::Distance(boundary.index, at) - 1]);
      bytes += kEntryOverheadBytes + selected.back().bytes;
      if (bytes >= bytes_max) break;
    }
    return selected;
  }
};

struct Contents {
  std::optional<StoreIdentity> identity;
  std::map<std::string, Payload, std::less<>> metadata;
  std::map<PartitionId, Partition> partitions;

  [[nodiscard]] const Partition* Find(PartitionId id) const {
    const auto found = partitions.find(id);
    return found == partitions.end() ? nullptr : &found->second;
  }

  // Does the unit leave no hole after what is here, and move no boundary back?
  [[nodiscard]] bool CanFollow(const WriteUnit& unit) const {
    const Partition* const before = Find(unit.partition);
    if (!before && !unit.boundary) return false;
    LogIndex low = before ? before->boundary.index : LogIndex();
    LogIndex last = before ? before->Last() : LogIndex();
    if (unit.boundary) {
      if (unit.boundary->index < low) return false;
      low = unit.boundary->index;
      last = unit.drop_log ? low : std::max(low, last);
    }
    if (unit.truncate_from) last = std::min(last, std::max(low, unit.truncate_from->Previous()));
    return std::ranges::all_of(unit.entries, [&](const Entry& entry) {
      last = last.Next();
      return entry.index == last;
    });
  }

  // `offset`: where in the file the record's contents begin. False: they make no sense.
  [[nodiscard]] bool Replay(ByteSpan contents, std::uint64_t offset) {
    Change change;
    Reader reader(contents);
    ChangeFields(reader, change);
    if (!reader.IsDone()) return false;
    if (change.identity) identity = std::move(change.identity);
    for (const Metadata& item : change.metadata) metadata[item.key] = Payload(item.value.bytes());
    for (const PartitionId id : change.deleted) partitions.erase(id);
    for (const WriteUnit& unit : change.units) {
      if (!CanFollow(unit)) return false;
      Apply(unit, contents.data(), offset);
    }
    return true;
  }

 private:
  void Apply(const WriteUnit& unit, const std::byte* contents, std::uint64_t offset) {
    auto& [boundary, hard_state, commit_hint, application, rows] = partitions[unit.partition];
    if (unit.boundary) {
      const std::uint64_t gone = LogIndex::Distance(boundary.index, unit.boundary->index);
      const std::uint64_t count =
          unit.drop_log ? rows.size() : std::min<std::uint64_t>(gone, rows.size());
      rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count));
      boundary = *unit.boundary;
      boundary.ledger = Payload(boundary.ledger.bytes());
      boundary.system = Payload(boundary.system.bytes());
    }
    if (unit.truncate_from) {
      const LogIndex last = unit.truncate_from->Previous();
      rows.resize(std::min<std::uint64_t>(rows.size(), LogIndex::Distance(boundary.index, last)));
    }
    for (const Entry& entry : unit.entries) {
      Row& row = rows.emplace_back();
      row.entry = Entry(entry.term, entry.index, entry.kind, entry.ticket, Payload());
      row.offset = offset + static_cast<std::uint64_t>(entry.body.data() - contents);
      row.bytes = entry.body.size();
      row.checksum = ChecksumOf(entry.body.bytes());
    }
    if (unit.hard_state) hard_state = *unit.hard_state;
    if (unit.commit_hint) commit_hint = *unit.commit_hint;
    if (unit.application) application = *unit.application;
  }
};

}  // namespace own
