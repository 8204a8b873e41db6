// Beast's own sources, compiled once for the program.
#include <boost/beast/src.hpp>
