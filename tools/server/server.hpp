// The life of the program between its options and its end.
#pragma once

#include "options.hpp"

namespace kommander::server {

// Serves until SIGTERM or SIGINT, then ends in order: no new writes, leaderships handed over, the
// rest drained. A second signal ends it at once. Throws what keeps it from serving.
void Serve(const Options& options);

}  // namespace kommander::server
