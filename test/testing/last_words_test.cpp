// A seed that ends the process tells how it is repeated before it does, and the process ends as it
// would have without that.
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>

#include <kommander/assert.hpp>
#include <kommander/testing.hpp>

#include "catch.hpp"

namespace kommander {
namespace {

using namespace std::chrono_literals;

struct Idler {};

using End = void (*)();
End end_of_second_seed = nullptr;

class Deadly : public testing::Scenario<Idler> {
 public:
  Deadly() { ++made_; }
  std::unique_ptr<Idler> MakeApplication(testing::Node) override {
    return std::make_unique<Idler>();
  }
  boost::asio::awaitable<void> RunClient(testing::Client<Idler> client) override {
    co_await client.Sleep(1s);
  }
  void Check() override {
    if (made_ == 2 && Now() > Instant(3s)) end_of_second_seed();
  }

 private:
  static inline int made_ = 0;
};

class Doomed : public Deadly {
 public:
  void Check() override { Violate("doomed", "from the beginning"); }
  ~Doomed() override {
    if (++ended_ == 2) std::abort();
  }

 private:
  static inline int ended_ = 0;
};

void Fault() {
  void* page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile char*>(page) = 1;
}

struct Ending {
  int status = 0;
  std::string said;
};

// How a process ends that does this, and what it says on its way.
Ending EndOf(const std::function<void()>& act) {
  int files[2];
  REQUIRE(::pipe(files) == 0);
  const pid_t process = ::fork();
  REQUIRE(process >= 0);
  if (process == 0) {
    const rlimit nothing{0, 0};
    ::setrlimit(RLIMIT_CORE, &nothing);
    ::dup2(files[1], STDERR_FILENO);
    ::close(files[0]);
    ::close(files[1]);
    ::close(STDOUT_FILENO);
    act();
    ::_exit(0);
  }
  ::close(files[1]);
  Ending ending;
  char bytes[4096];
  for (ssize_t count = 0; (count = ::read(files[0], bytes, sizeof bytes)) > 0;) {
    ending.said.append(bytes, static_cast<std::size_t>(count));
  }
  ::close(files[0]);
  REQUIRE(::waitpid(process, &ending.status, 0) == process);
  return ending;
}

Ending EndInSimulation(End end) {
  return EndOf([end] {
    end_of_second_seed = end;
    static_cast<void>(
        testing::Run<Deadly>(testing::Options().Seeds(4, 6).Nodes(3).VirtualSeconds(5)));
  });
}

constexpr char kWords[] =
    "seed 5 FAILED: it has ended the process\n"
    "  replay: --seeds 5..5 --virtual-seconds 5 --nodes 3 --partitions 1 --clients 4\n";

TEST_CASE("the seed and its line are said before the process ends as it does without them") {
  for (const End end : {End([] { std::abort(); }), End([] { std::raise(SIGSEGV); }),
                        End([] { std::raise(SIGFPE); }), End(&Fault)}) {
    const Ending alone = EndOf(end);
    const Ending simulated = EndInSimulation(end);
    INFO(simulated.said);
    CHECK(alone.status != 0);
    CHECK(simulated.status == alone.status);
    CHECK(simulated.said.rfind(kWords, 0) == 0);
  }
}

TEST_CASE("a broken assertion says the seed first") {
  const End end = [] { KOMMANDER_ASSERT(false, "a rule of the library"); };
  const Ending simulated = EndInSimulation(end);
  INFO(simulated.said);
  CHECK(simulated.status == EndOf(end).status);
  CHECK(simulated.said.rfind(std::string(kWords) + "kommander: broken invariant: a rule", 0) == 0);
  CHECK(simulated.said.find("seed 5", 1) == std::string::npos);
}

TEST_CASE("an assertion handler of one's own is asked after the words") {
  const Ending ending = EndOf([] {
    SetAssertHandler([](const AssertFailure&) { ::_exit(42); });
    end_of_second_seed = [] { KOMMANDER_ASSERT(false, "a rule of the library"); };
    static_cast<void>(
        testing::Run<Deadly>(testing::Options().Seeds(4, 6).Nodes(3).VirtualSeconds(5)));
  });
  CHECK(ending.said == kWords);
  REQUIRE(WIFEXITED(ending.status));
  CHECK(WEXITSTATUS(ending.status) == 42);
}

TEST_CASE("what a seed had shown is said when fewer of its faults end the process") {
  const Ending ending = EndOf([] {
    static_cast<void>(
        testing::Run<Doomed>(testing::Options().Seeds(4, 6).Nodes(3).VirtualSeconds(5)));
  });
  CHECK(ending.said.rfind("seed 4 FAILED\n  doomed: from the beginning\n  fewer of its faults have "
                          "ended the process\n  replay: --seeds 4..4 ",
                          0) == 0);
}

TEST_CASE("handlers are what they were once the seeds are run") {
  struct sigaction before {};
  struct sigaction after {};
  REQUIRE(::sigaction(SIGSEGV, nullptr, &before) == 0);
  const AssertHandler own = [](const AssertFailure&) {};
  const AssertHandler handler = SetAssertHandler(own);
  end_of_second_seed = [] {};
  CHECK(testing::Run<Deadly>(testing::Options().Seeds(4, 5).Nodes(3).VirtualSeconds(5)).IsGood());
  CHECK(SetAssertHandler(handler) == own);
  REQUIRE(::sigaction(SIGSEGV, nullptr, &after) == 0);
  CHECK(after.sa_sigaction == before.sa_sigaction);
}

}  // namespace
}  // namespace kommander
