# The server processes of the demo: free ports, start, kill, restart, an orderly end. No process
# survives the demo, however it ends.
import ctypes
import os
import random
import signal
import socket
import subprocess

HOST = '127.0.0.1'
STOP_S = 5.0  # what the server promises for SIGTERM, plus nothing
_PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    """Ends the demo with one line."""


def free_ports(count):
    """Below the ephemeral range, so that no outgoing connection takes one between two starts."""
    try:
        with open('/proc/sys/net/ipv4/ip_local_port_range') as stream:
            ephemeral_begin = int(stream.read().split()[0])
    except (OSError, ValueError):
        ephemeral_begin = 32768
    candidates = list(range(10_000, ephemeral_begin)) or list(range(61_000, 65_536))
    random.shuffle(candidates)
    found = []
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise DemoError(f'there are no {count} free ports on {HOST}')


def die_with_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Node:
    def __init__(self, number, program, folder, cluster, http_port, options=()):
        self.number = number
        self.http_port = http_port
        self.log_path = os.path.join(folder, f'node-{number}.log')
        self.data_path = os.path.join(folder, f'node-{number}')
        self._command = [program, '--id', str(number), '--cluster', cluster,
                         '--data-dir', self.data_path,
                         '--partitions', '4', '--wal', 'rocksdb', *options]
        self._process = None
        self._is_asked = False

    def start(self, environment=None):
        with open(self.log_path, 'ab') as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, preexec_fn=die_with_parent,
                                             env={**os.environ, **(environment or {})})

    def is_started(self):
        return self._process is not None

    def exit_code(self):
        """None while it runs; minus the signal that ended it."""
        return self._process.poll()

    @property
    def pid(self):
        return self._process.pid

    def runs(self):
        return self._process is not None and self._process.poll() is None

    def pause(self):
        """SIGSTOP: every thread stands still, the sockets stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def check_alive(self):
        code = self._process.poll()
        if code is not None:
            raise DemoError(f'node {self.number} ended by itself (exit {code}):'
                            f' {self.last_words()}')

    def has_ended(self):
        return self._process.poll() is not None

    def last_words(self):
        try:
            with open(self.log_path, errors='replace') as stream:
                return (stream.read().strip().splitlines() or ['it said nothing'])[-1][:300]
        except OSError:
            return 'it left no log'

    def kill(self, allowed=()):
        """SIGKILL, to this process and no other. It is a problem when the process had ended before,
        unless with one of the codes that are `allowed`."""
        self._process.kill()
        code = self._process.wait()
        if code != -signal.SIGKILL and code not in allowed:
            raise DemoError(f'node {self.number} ended by itself (exit {code}), before it was'
                            f' killed: {self.last_words()}')

    def ask_to_stop(self):
        """SIGTERM, if it runs."""
        if self.runs():
            self._process.terminate()
            self._is_asked = True

    def await_stop(self):
        """None when it ended with 0 in time, else one line that says what happened."""
        if not self._is_asked:
            return None
        try:
            code = self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return f'node {self.number} did not stop within {STOP_S:g} s of SIGTERM'
        if code != 0:
            return f'node {self.number} ended with {code} after SIGTERM'
        if 'was cut short' in self.last_words():
            return f'node {self.number} hung in its stop: {self.last_words()}'
        return None


def make_nodes(program, folder, count=3, options=()):
    ports = free_ports(2 * count)
    cluster = ','.join(f'{i + 1}={HOST}:{ports[i]}/{HOST}:{ports[count + i]}' for i in range(count))
    return [Node(i + 1, program, folder, cluster, ports[count + i], options) for i in range(count)]
