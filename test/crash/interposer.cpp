// The names of libc that this program takes over, in itself and in every shared library that it
// loads: the dynamic linker looks for a name in the program first. Assembler names, since headers
// give `open` and its kind other meanings.
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "file_trace.hpp"

namespace kommander::crash {
namespace {

FileTrace& Trace() { return FileTrace::Instance(); }

}  // namespace

// Seen by the storage libraries, in which libc calls them.
#pragma GCC visibility push(default)
extern "C" {

int Open(const char* path, int flags, unsigned mode) asm("open");
int Open64(const char* path, int flags, unsigned mode) asm("open64");
int Close(int descriptor) asm("close");
std::ptrdiff_t Write(int descriptor, const void* bytes, std::size_t size) asm("write");
std::ptrdiff_t WriteAt(int descriptor, const void* bytes, std::size_t size,
                       std::int64_t offset) asm("pwrite");
std::ptrdiff_t WriteAt64(int descriptor, const void* bytes, std::size_t size,
                         std::int64_t offset) asm("pwrite64");
int Sync(int descriptor) asm("fsync");
int SyncData(int descriptor) asm("fdatasync");
int Truncate(int descriptor, std::int64_t size) asm("ftruncate");
int Truncate64(int descriptor, std::int64_t size) asm("ftruncate64");
int TruncatePath(const char* path, std::int64_t size) asm("truncate");
int TruncatePath64(const char* path, std::int64_t size) asm("truncate64");
int Allocate(int descriptor, int mode, std::int64_t offset, std::int64_t size) asm("fallocate");
int Allocate64(int descriptor, int mode, std::int64_t offset, std::int64_t size) asm("fallocate64");
int AllocatePosix(int descriptor, std::int64_t offset, std::int64_t size) asm("posix_fallocate");
int AllocatePosix64(int descriptor, std::int64_t offset,
                    std::int64_t size) asm("posix_fallocate64");
int Rename(const char* from, const char* to) asm("rename");
int Unlink(const char* path) asm("unlink");
int MakeDirectory(const char* path, unsigned mode) asm("mkdir");

int Open(const char* path, int flags, unsigned mode) { return Trace().Open(path, flags, mode); }
int Open64(const char* path, int flags, unsigned mode) { return Trace().Open(path, flags, mode); }
int Close(int descriptor) { return Trace().Close(descriptor); }
std::ptrdiff_t Write(int descriptor, const void* bytes, std::size_t size) {
  return Trace().Write(descriptor, bytes, size);
}
std::ptrdiff_t WriteAt(int descriptor, const void* bytes, std::size_t size, std::int64_t offset) {
  return Trace().WriteAt(descriptor, bytes, size, offset);
}
std::ptrdiff_t WriteAt64(int descriptor, const void* bytes, std::size_t size, std::int64_t offset) {
  return Trace().WriteAt(descriptor, bytes, size, offset);
}
int Sync(int descriptor) { return Trace().Sync(descriptor, false); }
int SyncData(int descriptor) { return Trace().Sync(descriptor, true); }
int Truncate(int descriptor, std::int64_t size) { return Trace().Truncate(descriptor, size); }
int Truncate64(int descriptor, std::int64_t size) { return Trace().Truncate(descriptor, size); }
int TruncatePath(const char* path, std::int64_t size) { return Trace().TruncatePath(path, size); }
int TruncatePath64(const char* path, std::int64_t size) { return Trace().TruncatePath(path, size); }
int Allocate(int descriptor, int mode, std::int64_t offset, std::int64_t size) {
  return Trace().Allocate(descriptor, mode, offset, size);
}
int Allocate64(int descriptor, int mode, std::int64_t offset, std::int64_t size) {
  return Trace().Allocate(descriptor, mode, offset, size);
}
int AllocatePosix(int descriptor, std::int64_t offset, std::int64_t size) {
  return Trace().Allocate(descriptor, 0, offset, size) == 0 ? 0 : errno;
}
int AllocatePosix64(int descriptor, std::int64_t offset, std::int64_t size) {
  return Trace().Allocate(descriptor, 0, offset, size) == 0 ? 0 : errno;
}
int Rename(const char* from, const char* to) { return Trace().Rename(from, to); }
int Unlink(const char* path) { return Trace().Unlink(path); }
int MakeDirectory(const char* path, unsigned mode) { return Trace().MakeDirectory(path, mode); }

}  // extern "C"
#pragma GCC visibility pop

}  // namespace kommander::crash
