# Running one step of a check: its output goes to a log file, a line of progress to the terminal,
# the tail of the log too when it fails.
import os
import re
import subprocess
import sys
import time

HEARTBEAT_S = 30
TAIL_LINES = 40


def say(text):
    print(text, flush=True)


def read_lines(path):
    with open(path, errors='replace') as stream:
        return stream.read().splitlines()


def telling_lines(lines):
    """The few lines of a failure's output that tell why: where a sanitizer begins to speak, what a
    compiler calls an error, else the end."""
    errors = []
    for number, line in enumerate(lines):
        if re.search(r'ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:', line):
            return lines[number:number + TAIL_LINES]
        if re.search(r'\b(error|ERROR): |undefined reference|multiple definition', line):
            errors += lines[number:number + 3]
        if ': FAILED:' in line:  # Catch2: the assertion and its expansion follow
            errors += lines[number:number + 6]
    return errors[:TAIL_LINES] or lines[-TAIL_LINES:]


def jobs_default():
    """One compiler per core, if there are 1.5 GiB for each: sanitized coroutines take that."""
    cores = len(os.sched_getaffinity(0))
    try:
        with open('/proc/meminfo') as stream:
            available = next(int(line.split()[1]) for line in stream if 'MemAvailable' in line)
    except (OSError, StopIteration):
        return cores
    return max(1, min(cores, available // (1536 * 1024)))


class Report:
    """Counts what passed and failed, and remembers what to repeat at the end. Where nothing may be
    left out, what is skipped has failed."""

    def __init__(self, log_folder, is_skip_a_failure=False):
        self.log_folder = log_folder
        self.is_skip_a_failure = is_skip_a_failure
        self.started_s = time.monotonic()
        self.took_s = []  # (step, seconds)
        self.passed = 0
        self.failures = []
        self.skipped = []
        os.makedirs(log_folder, exist_ok=True)

    def count(self, passed, failures, name):
        self.passed += passed
        self.failures += [f'{name}: {failure}' for failure in failures]

    def skip(self, name, reason):
        if self.is_skip_a_failure:
            self.failures.append(f'{name}: skipped, {reason}')
        else:
            self.skipped.append(f'{name}: {reason}')
        say(f'--- {name}: skipped, {reason}')

    def log_path(self, name):
        return os.path.join(self.log_folder, name.replace(' ', '-') + '.log')

    def run(self, name, command, environment=None, quiet=False):
        """Runs one command; (succeeded, log path). Does not count it: see `step` for that."""
        log = self.log_path(name)
        begin_s = time.monotonic()
        say(f'--- {name}')
        with open(log, 'wb') as stream:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream,
                                       stderr=subprocess.STDOUT,
                                       env={**os.environ, **(environment or {})})
            try:
                code = self._wait(process, name, log, begin_s)
            except BaseException:
                process.terminate()
                process.wait()
                raise
        took_s = time.monotonic() - begin_s
        self.took_s.append((name, took_s))
        verdict = 'ok' if code == 0 else f'FAILED (exit {code})'
        say(f'    {name}: {verdict}, {took_s:.1f} s')
        if code != 0 and not quiet:
            say('\n'.join('    | ' + line for line in telling_lines(read_lines(log))))
            say(f'    whole log: {os.path.relpath(log)}')
        return code == 0, log

    @staticmethod
    def _wait(process, name, log, begin_s):
        while True:
            try:
                return process.wait(timeout=HEARTBEAT_S)
            except subprocess.TimeoutExpired:
                last = (read_lines(log) or [''])[-1].strip()[:80]
                say(f'    {name}: {time.monotonic() - begin_s:.0f} s so far: {last}')

    def step(self, name, command, environment=None):
        """Runs one command that counts as one check."""
        succeeded, log = self.run(name, command, environment)
        self.count(int(succeeded), [] if succeeded else [os.path.relpath(log)], name)
        return succeeded

    def finish(self, bound_s=None):
        """Sums up and leaves. `bound_s`: what the smallest machine that is meant may take, for a
        look at where the time went; how fast this one is, proves nothing."""
        all_s = time.monotonic() - self.started_s
        bound = ''
        if bound_s:
            say(f"{'step':<28} {'seconds':>8} {'share':>7}")
            for name, took_s in self.took_s:
                say(f'{name:<28} {took_s:8.1f} {100 * took_s / all_s:5.1f} %')
            bound = f'; the bound is {bound_s} s on two cores, from a clean clone without ccache'
        for skipped in self.skipped:
            say(f'skipped: {skipped}')
        for failure in self.failures:
            say(f'FAILED: {failure}')
        say(f'took {all_s:.0f} s{bound}')
        say(f'{self.passed} passed, {len(self.failures)} failed')
        sys.exit(1 if self.failures else 0)
