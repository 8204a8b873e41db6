#include "recording.hpp"

#include <filesystem>
#include <utility>

namespace kommander::crash {

namespace fs = std::filesystem;

std::string FastDirectory() {
  std::error_code error;
  const fs::path memory = "/dev/shm";
  return (fs::is_directory(memory, error) ? memory : fs::temp_directory_path()).string();
}

std::string Refill(const std::string& root) {
  fs::remove_all(root);
  fs::create_directory(root);
  return root;
}

namespace {

// A recovered log is one that takes writes again.
std::string WriteOne(Wal& wal) {
  WriteUnit unit;
  unit.partition = PartitionId(77);
  unit.boundary.emplace();
  const WriteUnit* pointer = &unit;
  const error_code error = wal.Write({&pointer, 1});
  return error ? "a write after the restart: " + error.message() : "";
}

}  // namespace

Workshop::Workshop(const Backend& backend) : backend_(backend), directory_(FastDirectory()) {}

Progress Workshop::Record(const std::vector<Step>& script, std::uint64_t nth, const Fault& fault) {
  FileTrace& trace = FileTrace::Instance();
  Close();
  const std::string root = Refill(recorded_root());
  trace.Start(root);
  if (nth != 0) trace.FailAt(nth, fault);
  Progress progress;
  std::optional<StoreIdentity> identity;
  std::string detail;
  const auto open = [&] {
    wal_ = backend_.make(root + "/wal");
    progress.is_open = !wal_->Open(identity, detail);
    return progress.is_open;
  };
  if (!open()) return progress;
  for (const Step& step : script) {
    if (step.kind == Step::Kind::kReopen) {
      Close();
      if (!open()) return progress;
    } else if (Run(*wal_, step)) {
      return progress;
    }
    progress.answered_at.push_back(trace.size());
  }
  progress.is_done = true;
  return progress;
}

void Workshop::Close() {
  if (wal_) wal_->Close();
  wal_.reset();
}

Outcome Workshop::Open(const std::string& root, const Contents& before, const Contents& after) {
  Close();
  Outcome outcome;
  std::optional<StoreIdentity> identity;
  wal_ = backend_.make(root + "/wal");
  outcome.error = wal_->Open(identity, outcome.detail);
  if (outcome.error) {
    wal_.reset();
  } else {
    outcome.read = Compare(*wal_, identity, before, after);
  }
  return outcome;
}

Outcome Workshop::ReopenRecorded(const Contents& before, const Contents& after) {
  Outcome outcome = Open(recorded_root(), before, after);
  Close();
  return outcome;
}

Outcome Workshop::Restart(const Survivors& survivors, const Contents& before,
                          const Contents& after) {
  const std::string root = Refill(directory_.PathOf("image"));
  survivors.WriteTo(root);
  Outcome outcome = Open(root, before, after);
  if (outcome.is_well()) outcome.write = WriteOne(*wal_);
  Close();
  return outcome;
}

Outcome Workshop::RestartRecorded(const Survivors& survivors, const Contents& before,
                                  const Contents& after, DiskImage& disk,
                                  std::vector<Operation>& operations, std::size_t& opened_at) {
  FileTrace& trace = FileTrace::Instance();
  const std::string root = Refill(directory_.PathOf("image"));
  survivors.WriteTo(root);
  std::map<std::string, FileId> paths;
  disk = DiskImage(survivors, paths);
  trace.Start(root, std::move(paths));
  Outcome outcome = Open(root, before, after);
  opened_at = trace.size();
  Close();
  trace.Stop();
  operations = trace.operations();
  return outcome;
}

}  // namespace kommander::crash
