#include "post_mortem.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "die_with_parent.hpp"

namespace kommander::sim {
namespace {

bool IsSameEnd(int a, int b) {
  if (WIFSIGNALED(a) && WIFSIGNALED(b)) return WTERMSIG(a) == WTERMSIG(b);
  return WIFEXITED(a) && WIFEXITED(b) && WEXITSTATUS(a) == WEXITSTATUS(b);
}

// The first one has said all that there is to say, and has left its core.
void BeSilent() {
  const rlimit nothing{0, 0};
  ::setrlimit(RLIMIT_CORE, &nothing);
  const int file = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
}

// How the process ended in which the plan was run; that of a good run when there was none.
int StatusOf(const std::vector<Fault>& plan, const PostMortemLimits& limits,
             const std::function<void(const std::vector<Fault>&)>& run) {
  std::fflush(nullptr);
  const pid_t self = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) return 0;
  if (process == 0) {
    DieWithParent(self);
    BeSilent();
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(static_cast<unsigned>(limits.run_max.count()));
    run(plan);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

PostMortem ShrinkDeadly(std::vector<Fault> plan, int status, const PostMortemLimits& limits,
                        const std::function<void(const std::vector<Fault>&)>& run) {
  PostMortem found;
  found.is_repeated = IsSameEnd(StatusOf(plan, limits, run), status);
  if (!found.is_repeated) return found;
  bool has_run_late = false;
  found.shrunk =
      ShrinkPlan(std::move(plan), limits.runs_max, [&](const std::vector<Fault>& candidate) {
        const int end = StatusOf(candidate, limits, run);
        has_run_late = has_run_late || (WIFSIGNALED(end) && WTERMSIG(end) == SIGALRM);
        return IsSameEnd(end, status);
      });
  if (has_run_late) found.shrunk.is_minimal = false;
  return found;
}

}  // namespace kommander::sim
