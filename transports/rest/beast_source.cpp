// Beast's own sources, compiled once for this library, as lib/platform/asio_source.cpp does Asio's.
// A program that links the archive may compile them too, or include them: what it has is then taken
// for both, and an error is the same one wherever it is compared. For that every function is called
// and none inlined, since its category of errors would be.
#if defined(__clang__)
#define BOOST_BEAST_DECL inline __attribute__((used, weak, visibility("default")))
#else
#define BOOST_BEAST_DECL inline __attribute__((used, noinline, visibility("default")))
#endif
#include <boost/beast/src.hpp>
