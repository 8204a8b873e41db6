// Beast's own sources, compiled once for what speaks HTTP here.
#include <boost/beast/src.hpp>
