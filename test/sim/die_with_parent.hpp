// Whoever ends a simulation, with SIGKILL too, ends its worker processes with it.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

namespace kommander::sim {

// In a child just forked: ends when its parent does, at once if that has ended already. (prctl(2),
// PR_SET_PDEATHSIG)
inline void DieWithParent(pid_t parent) noexcept {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
}

}  // namespace kommander::sim
