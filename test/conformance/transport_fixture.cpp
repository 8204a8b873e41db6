// Threads, recording hosts and waits for the suite of transports.
#include "transport_fixture.hpp"

#include <algorithm>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <kommander/steady_clock.hpp>

#include "catch.hpp"

namespace kommander::conformance {
namespace {

constexpr std::uint64_t kProbe = 0x70726f6265;

class ContextRunner final : public Runner {
 public:
  explicit ContextRunner(int threads)
      : context_(threads), work_(boost::asio::make_work_guard(context_)) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { context_.run(); });
  }
  ~ContextRunner() override {
    work_.reset();
    for (auto& thread : threads_) thread.join();
  }
  boost::asio::any_io_executor executor() override { return context_.get_executor(); }

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
};

class PoolRunner final : public Runner {
 public:
  ~PoolRunner() override { pool_.join(); }
  boost::asio::any_io_executor executor() override { return pool_.get_executor(); }

 private:
  boost::asio::thread_pool pool_{3};
};

bool IsProbe(const Message& message) {
  const auto* read = std::get_if<ReadIndexRequest>(&message.body);
  return read != nullptr && read->request == kProbe;
}

}  // namespace

const char* Name(Threads threads) {
  switch (threads) {
    case Threads::kContext1: return "io_context, 1 thread";
    case Threads::kContext4: return "io_context, 4 threads";
    case Threads::kPool: return "thread_pool";
  }
  return "";
}

std::unique_ptr<Runner> MakeRunner(Threads threads) {
  if (threads == Threads::kPool) return std::make_unique<PoolRunner>();
  return std::make_unique<ContextRunner>(threads == Threads::kContext1 ? 1 : 4);
}

// --- RecordingHost ---

void RecordingHost::Note() const {
  if (silence_) ++calls_in_silence_;
  changed_.notify_all();
}

void RecordingHost::Change(const std::function<void(Hello&)>& change) {
  const std::lock_guard lock(mutex_);
  change(hello_);
}

void RecordingHost::SetPolicy(Policy policy) {
  const std::lock_guard lock(mutex_);
  policy_ = std::move(policy);
}

void RecordingHost::HoldVerdicts() {
  const std::lock_guard lock(mutex_);
  hold_ = true;
}

void RecordingHost::ReleaseVerdicts() {
  std::vector<Verdict> held;
  {
    const std::lock_guard lock(mutex_);
    hold_ = false;
    held.swap(held_);
  }
  for (const auto& verdict : held) verdict({});
}

void RecordingHost::ExpectSilence() {
  const std::lock_guard lock(mutex_);
  silence_ = true;
}

Hello RecordingHost::LocalHello(NodeId) const {
  const std::lock_guard lock(mutex_);
  Note();
  return hello_;
}

void RecordingHost::Judge(Hello hello, NodeId dialled, Verdict verdict) {
  error_code error;
  {
    const std::lock_guard lock(mutex_);
    ++judged_;
    Note();
    if (hold_) {
      held_.push_back(std::move(verdict));
      return;
    }
    if (policy_) error = policy_(hello, dialled);
  }
  verdict(error);
}

void RecordingHost::OnMessages(NodeId from, std::vector<Message> messages) {
  const std::lock_guard lock(mutex_);
  ++batches_;
  for (auto& message : messages) {
    if (message.from != from || message.to != hello_.node) ++calls_in_silence_;
    if (IsProbe(message)) {
      ++probes_;
    } else {
      messages_.push_back(std::move(message));
    }
  }
  Note();
}

void RecordingHost::OnPeerDown(NodeId peer, error_code reason) {
  const std::lock_guard lock(mutex_);
  downs_.emplace_back(peer, reason);
  Note();
}

void RecordingHost::OnRefused(NodeId peer, error_code reason) {
  const std::lock_guard lock(mutex_);
  refusals_.emplace_back(peer, reason);
  Note();
}

std::vector<Message> RecordingHost::messages() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}
std::size_t RecordingHost::batches() const {
  const std::lock_guard lock(mutex_);
  return batches_;
}
std::size_t RecordingHost::probes() const {
  const std::lock_guard lock(mutex_);
  return probes_;
}
std::size_t RecordingHost::held_verdicts() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}
std::size_t RecordingHost::judged() const {
  const std::lock_guard lock(mutex_);
  return judged_;
}
std::vector<std::pair<NodeId, error_code>> RecordingHost::downs() const {
  const std::lock_guard lock(mutex_);
  return downs_;
}
bool RecordingHost::WasDown(NodeId peer, error_code reason) const {
  const std::lock_guard lock(mutex_);
  return std::find(downs_.begin(), downs_.end(), std::pair(peer, reason)) != downs_.end();
}
std::vector<std::pair<NodeId, error_code>> RecordingHost::refusals() const {
  const std::lock_guard lock(mutex_);
  return refusals_;
}
bool RecordingHost::WasRefused(NodeId peer, error_code reason) const {
  const auto known = refusals();
  return std::find(known.begin(), known.end(), std::pair(peer, reason)) != known.end();
}
std::size_t RecordingHost::calls_in_silence() const {
  const std::lock_guard lock(mutex_);
  return calls_in_silence_;
}
void RecordingHost::Forget() {
  const std::lock_guard lock(mutex_);
  messages_.clear();
  downs_.clear();
  refusals_.clear();
  batches_ = probes_ = judged_ = 0;
}

bool RecordingHost::Wait(const std::function<bool()>& predicate, Duration limit) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, predicate);
}

// --- TestNode ---

TestNode::TestNode(TransportBackend& backend, Threads threads, NodeId id,
                   std::shared_ptr<Clock> clock)
    : backend_(backend),
      id_(id),
      clock_(clock ? std::move(clock) : MakeSteadyClock()),
      runner_(MakeRunner(threads)),
      host_(std::make_shared<RecordingHost>(MakeHello(id, Incarnation(id.value() * 1000u)))),
      transport_(backend.Create(clock_)) {}

TestNode::~TestNode() {
  if (transport_) Stop();
}

void TestNode::Start() {
  if (!has_endpoint_) endpoint_ = backend_.FreshEndpoint();
  std::string detail;
  const error_code error = transport_->Start(runner_->executor(), endpoint_, host_, detail);
  INFO(detail);
  REQUIRE(!error);
  endpoint_ = backend_.Bound(*transport_, endpoint_);
  has_endpoint_ = true;
}

void TestNode::Stop() {
  std::mutex mutex;
  std::condition_variable stopped;
  int calls = 0;
  transport_->Stop([&] {
    host_->ExpectSilence();
    const std::lock_guard lock(mutex);
    ++calls;
    stopped.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    REQUIRE(stopped.wait_for(lock, std::chrono::seconds(30), [&] { return calls != 0; }));
  }
  runner_.reset();  // everything that was still posted has run now
  CHECK(calls == 1);
  CHECK(host_->calls_in_silence() == 0);
  transport_.reset();
}

void TestNode::Drop() {
  transport_.reset();
  runner_.reset();
}

void TestNode::Restart(Incarnation incarnation) {
  if (transport_) Stop();
  runner_ = MakeRunner(Threads::kContext1);
  host_ = std::make_shared<RecordingHost>(MakeHello(id_, incarnation));
  transport_ = backend_.Create(clock_);
  Start();
}

bool TestNode::Reach(TestNode& peer, Duration limit) {
  const std::size_t before = peer.host().probes();
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    transport_->Send(MakeProbe(id_, peer.id()));
    const auto arrived = [&] { return peer.host().probes() > before; };
    if (peer.host().Wait(arrived, std::chrono::milliseconds(3))) return true;
  }
  return false;
}

Hello MakeHello(NodeId node, Incarnation incarnation) {
  Hello hello;
  hello.cluster_id = "conformance";
  hello.node = node;
  hello.incarnation = incarnation;
  hello.nonce = incarnation.value() * 7919 + 1;
  return hello;
}

Message MakeProbe(NodeId from, NodeId to) {
  ReadIndexRequest probe;
  probe.request = kProbe;
  return Message(PartitionId(0), from, to, Term(1), probe);
}

Message MakeHeartbeat(NodeId from, NodeId to, PartitionId partition, std::uint64_t round) {
  Heartbeat beat;
  beat.commit = LogIndex(round);
  beat.round = round;
  return Message(partition, from, to, Term(1), beat);
}

Message MakeAppend(NodeId from, NodeId to, PartitionId partition, std::uint64_t index,
                   std::size_t body_bytes) {
  AppendRequest append;
  append.previous_index = LogIndex(index - 1);
  append.previous_term = Term(1);
  std::string body(body_bytes, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 + index);
  append.entries.emplace_back(Term(1), LogIndex(index), EntryKind::kApplication,
                              Ticket(index, 1, from), Payload(body));
  return Message(partition, from, to, Term(1), append);
}

}  // namespace kommander::conformance
