# What the machine did to everybody meanwhile: a thread that appends to a small file and syncs it
# every 20 ms, beside the data of the nodes, and notes how late it woke and how long the sync took.
# It appends, as a log does: a sync of bytes overwritten in place need not wait for the journal.
import collections
import os
import threading
import time

from support.nodes import DemoError

PERIOD_NS = 20_000_000
KEPT = 1 << 14  # samples, more than five minutes of them
FILE_BYTES_MAX = 1 << 20
_RECORD = bytes(512)

# Due, awake and synced again: nanoseconds of the monotonic clock.
Sample = collections.namedtuple('Sample', 'due_ns woke_ns synced_ns')


class StallProbe:
    def __init__(self, path):
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        self._bytes = 0
        self._samples = collections.deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._due_ns = time.monotonic_ns() + PERIOD_NS
        self._woke_ns = None  # while a sync is under way
        self._error = None
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name='stall probe', daemon=True)
        self._thread.start()

    def close(self):
        self._is_closing.set()
        self._thread.join()
        os.close(self._file)

    def samples(self):
        """All that is kept, oldest first. The last one is still under way, and ends now."""
        with self._lock:
            if not self._thread.is_alive():  # it would look like a stall without an end
                raise DemoError(f'the disk is not watched any more: {self._error}')
            now_ns = time.monotonic_ns()
            woke_ns = self._woke_ns or max(now_ns, self._due_ns)
            return [*self._samples, Sample(self._due_ns, woke_ns, max(now_ns, woke_ns))]

    def _run(self):
        try:
            while not self._is_closing.wait(self._pause_s()):
                with self._lock:
                    self._woke_ns = time.monotonic_ns()
                self._append()
                with self._lock:
                    now_ns = time.monotonic_ns()
                    self._samples.append(Sample(self._due_ns, self._woke_ns, now_ns))
                    # Not before now: what the sync took is no lateness of the next one.
                    self._due_ns = max(self._due_ns + PERIOD_NS, now_ns)
                    self._woke_ns = None
        except Exception as error:
            self._error = error

    def _pause_s(self):
        return max(0, self._due_ns - time.monotonic_ns()) / 1e9

    def _append(self):
        if self._bytes >= FILE_BYTES_MAX:
            os.ftruncate(self._file, 0)
            self._bytes = 0
        self._bytes += os.pwrite(self._file, _RECORD, self._bytes)
        os.fdatasync(self._file)
