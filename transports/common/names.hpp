// From host names to addresses. A seam, so that a test can give the answers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include <kommander/errors.hpp>

#include "common/acceptor.hpp"

namespace kommander::transports {

class Names {
 public:
  using Addresses = std::vector<boost::asio::ip::address>;
  using Answer = std::function<void(error_code, Addresses)>;

  virtual ~Names() = default;
  // Asks anew each time; keeps nothing. `answer` is called once, on the strand, never inside this
  // call, and perhaps very late: nothing can interrupt the system's resolver.
  virtual void Find(Strand strand, std::string host, Answer answer) = 0;
};

// The system's resolver, which Asio runs on a thread of its own.
[[nodiscard]] std::shared_ptr<Names> MakeSystemNames();

}  // namespace kommander::transports
