// Errors for malformed input, and the last frame of a refused connection.
#include "tcp/refusal.hpp"

#include "codec/handshake.hpp"

namespace kommander::tcp {

error_code ToErrorCode(codec::FrameError error) noexcept {
  namespace errc = boost::system::errc;
  switch (error) {
    case codec::FrameError::kNone: break;
    case codec::FrameError::kTruncated: return boost::asio::error::eof;
    case codec::FrameError::kOversize: return make_error_code(errc::message_size);
    case codec::FrameError::kCorrupt: return make_error_code(errc::bad_message);
    case codec::FrameError::kOutOfOrder: return make_error_code(errc::protocol_error);
    case codec::FrameError::kForeign: return RaftErrc::UnexpectedPeer;
  }
  return {};
}

void TellRejection(Socket& socket, codec::FrameEncoder& encoder, error_code reason) {
  encoder.Clear();
  encoder.AddControl(codec::FrameKind::kReject, codec::EncodeReject(reason).bytes());
  encoder.Finish();
  Gather gather;
  gather.Assign(encoder.parts());
  error_code ignored;
  socket.non_blocking(true, ignored);
  if (!ignored) socket.write_some(gather.Window(), ignored);
}

}  // namespace kommander::tcp
