// Asio's own sources, compiled once for the whole library. Functions are inline, as in a program
// that includes them, and written out all the same: what is static in one is one object for the
// library and such a program, the categories of errors among them, which are compared by address.
// Visible, because the shared library and its program share one copy (meson.build). And with
// all that a program may call: its old hooks allocate, which the library itself does not use.
#undef BOOST_ASIO_NO_DEPRECATED
#if defined(__clang__)
// Clang takes a base's constructor and destructor for the complete object's where both are inline,
// and writes one alone, though callers that see neither name the other; not if they are weak.
#define BOOST_ASIO_DECL inline __attribute__((used, weak, visibility("default")))
#else
#define BOOST_ASIO_DECL inline __attribute__((used, visibility("default")))
#endif
#include <boost/asio/impl/src.hpp>
