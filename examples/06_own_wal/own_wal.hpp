// A write-ahead log of one's own, in one file: all that kommander::Wal asks of a store, in as
// little as it takes, written with the public headers of the library alone. log_file.hpp has the
// file, contents.hpp what the records in it say, own_wal.cpp the calls.
#pragma once

#include <memory>
#include <string>

#include <kommander/wal.hpp>

namespace own {

// Not yet open. The file is made when it is missing, in a directory that exists; beside it there is
// PATH.lock, and for a while PATH.new.
[[nodiscard]] std::shared_ptr<kommander::Wal> MakeOwnWal(std::string path);

}  // namespace own
