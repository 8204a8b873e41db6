// A network interface by its name or one of its addresses. It may come and go as the program runs,
// so it is looked up again and again.
#pragma once

#include <string>

#include <kommander/errors.hpp>

namespace kommander::multicast {

// Its index. 0: `interface` is empty, the system chooses; or there is none, and `error` says why.
[[nodiscard]] unsigned FindInterface(const std::string& interface, error_code& error);

}  // namespace kommander::multicast
