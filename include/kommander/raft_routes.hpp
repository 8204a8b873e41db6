// A node over HTTP: what it knows of its cluster, of its partitions and of its own health, as JSON,
// and its metrics. The routes belong to no server: an application mounts them into the one that it
// has, or gives them to RestServer. Names, fields and answers: docs/rest.md, docs/openapi.json.
//
//   kommander::RaftRoutes routes(raft);
//   ...
//   http::response<http::string_body> response;
//   if (!co_await routes.TryHandle(request, response)) response = ...;  // none of these routes
//
// They only read, but for those of a mounted RestTransport, by which peers speak to this node. None
// asks who is there: whoever may reach them may read all of it, the cluster's settings among it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/detail/export.hpp>
#include <kommander/raft_manager.hpp>

namespace kommander {

class RestTransport;
namespace rest {
class Router;
}

// What a route needs of a request. `target` as it came: path and query, nothing decoded.
class RestRequest {
 public:
  RestRequest() = default;
  RestRequest(std::string request_method, std::string request_target, std::string request_body = {})
      : method(std::move(request_method)),
        target(std::move(request_target)),
        body(std::move(request_body)) {}
  std::string method;
  std::string target;
  std::string body;
  std::string session;  // the field Kommander-Session; empty: none
};

// To HEAD, `body` is what GET would have been told, for its length alone: see is_head.
class RestAnswer {
 public:
  RestAnswer() = default;
  RestAnswer(unsigned answer_status, std::string answer_type, std::string answer_body)
      : status(answer_status), content_type(std::move(answer_type)), body(std::move(answer_body)) {}
  unsigned status = 200;
  std::string content_type;
  std::string body;
  std::string allow;     // of a 405: the methods that there are; else empty
  bool is_head = false;  // only the length of the body is sent
};

// Thread-safe, and cheap to copy.
class KOMMANDER_EXPORT RaftRoutes {
 public:
  // `raft` outlives the routes, their copies, and every request that they handle.
  explicit RaftRoutes(const RaftManager& raft);
  // With what peers say to `transport`, which is Mounted(): the server is where they find this
  // node. Give it bodies of 22 MiB.
  RaftRoutes(const RaftManager& raft, const RestTransport& transport);

  // void(error_code, bool). False, and `response` is as it was: another route. True: `response` is
  // to be written, errors among it. For Beast's http::request and http::response of string_body,
  // or what has the same members. `response` lives until the completion. There is no error, and
  // cancellation is ignored: the answer comes at once.
  template <class Request, class Response,
            TokenFor<void(error_code, bool)> Token = boost::asio::use_awaitable_t<>>
  auto TryHandle(const Request& request, Response& response, Token&& token = {}) const {
    const std::string_view method(request.method_string().data(), request.method_string().size());
    const std::string_view target(request.target().data(), request.target().size());
    RestRequest asked;
    if (Owns(target)) {
      const auto session = request["Kommander-Session"];
      asked = RestRequest(std::string(method), std::string(target), request.body());
      asked.session.assign(session.data(), session.size());
    }
    return detail::Initiate<bool>(
        executor_, {}, std::forward<Token>(token),
        [routes = *this, asked = std::move(asked), &response, version = request.version(),
         keep_alive = request.keep_alive()](detail::BoolOperation operation) mutable {
          routes.Start(std::move(asked), std::move(operation),
                       [&response, version, keep_alive](RestAnswer answer) {
                         Fill(std::move(answer), version, keep_alive, response);
                       });
        });
  }

  // The same without Beast's types. Whether the path of `target` is one of these routes.
  [[nodiscard]] bool Owns(std::string_view target) const noexcept;
  // Calls `done` once, here or later, on any thread; it does not throw. A target that is not owned
  // is answered 404.
  void Handle(RestRequest request, std::function<void(RestAnswer)> done) const;
  // What the body of a request may have at most, before it has come; a server refuses more before
  // it reads it.
  [[nodiscard]] std::size_t BodyBytesMax(const RestRequest& request) const noexcept;

 private:
  template <class Response>
  static void Fill(RestAnswer answer, unsigned version, bool keep_alive, Response& response) {
    response.version(version);
    response.result(answer.status);
    response.set("Content-Type", answer.content_type);
    response.set("Cache-Control", "no-store");
    if (!answer.allow.empty()) response.set("Allow", answer.allow);
    response.keep_alive(keep_alive);
    response.content_length(std::uint64_t{answer.body.size()});
    response.body() = answer.is_head ? std::string() : std::move(answer.body);
  }
  void Start(RestRequest request, detail::BoolOperation operation,
             std::function<void(RestAnswer)> fill) const;

  boost::asio::any_io_executor executor_;
  const RaftManager* raft_;
  std::shared_ptr<rest::Router> peers_;  // none: no transport is mounted
};

}  // namespace kommander
