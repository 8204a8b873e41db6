# Hours of everything that looks for defects by chance, in slices that may end at any moment; the
# sums go into a ledger that is committed. Started by tools/soak.
import argparse
import datetime
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.nodes import DemoError  # noqa: E402
from support.soak_ledger import Ledger, LedgerError, Row, State  # noqa: E402
from support.soak_parts import PARTS  # noqa: E402
from support.steps import Report, jobs_default, say  # noqa: E402

PAGE = 'docs/soak.md'
FOLDER = 'build/soak'
# What a node runs; the headers for tests of applications are not part of it.
SHIPPED = ('include', 'lib', 'storage', 'transports', 'discovery',
           ':!include/kommander/testing*')
# What a slice runs besides; it has to be what the commit says, too.
TESTING = ('examples', 'meson.build', 'meson_options.txt', 'test', 'testing', 'tools')


class Stopped(BaseException):
    """Somebody asked the soak to end while a slice or a build ran; a slice is lost."""


class Stop:
    """SIGINT, SIGTERM and SIGHUP: while a slice or a build runs they end it, else they are
    remembered."""

    def __init__(self):
        self.is_asked = False
        self._is_running = False

    def install(self):
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, self._ask)

    def _ask(self, *_):
        first, self.is_asked = not self.is_asked, True
        if first and self._is_running:
            raise Stopped()

    def run(self, function, *arguments):
        """What the function answers, or None when it was stopped."""
        self._is_running = True
        try:
            return function(*arguments)
        except Stopped:
            return None
        finally:
            self._is_running = False


def git(*arguments):
    if shutil.which('git') is None:
        raise DemoError('git is needed: a row names the commit that it speaks of')
    return subprocess.run(['git', *arguments], check=True, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL).stdout.strip()


def code_of_tree():
    """(commit, last change of what ships)."""
    return git('log', '-1', '--format=%h'), git('log', '-1', '--format=%h', '--', *SHIPPED)


def refuse_changes():
    changed = git('status', '--porcelain', '--untracked-files=no', '--', *SHIPPED, *TESTING)
    if changed:
        raise DemoError(f'commit first, the ledger names commits; changed are:\n{changed}')


def date():
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d')


class Soak:
    """The loop. `parts` run slices, `versions` is (commit, code), `clock_s` tells the time."""

    def __init__(self, parts, ledger, state, versions, stop, clock_s=time.monotonic):
        self.parts = parts
        self.ledger, self.state = ledger, state
        self.commit, self.code = versions
        self.stop = stop
        self.clock_s = clock_s

    def run(self, seconds):
        """One slice of each part in turn, until the time is over; false after a slice that was
        not good. What an earlier run left is settled first, for it may be in the ledger already."""
        self.state.settle(self.ledger)
        is_good = True
        end_s = self.clock_s() + seconds
        turn = 0
        while is_good and not self.stop.is_asked and self.clock_s() < end_s:
            is_good = self._slice(self.parts[turn % len(self.parts)])
            turn += 1
        self.state.settle(self.ledger)
        return is_good

    def _slice(self, part):
        begin_s = self.clock_s()
        number = self.state.next_number(part.name, self.ledger)
        tally = self.stop.run(part.run, number)
        if tally is None:
            say(f'{part.name} {number}: stopped, and not counted')
            return True
        tally.wall_hours = (self.clock_s() - begin_s) / 3600
        row = Row(self.commit, self.code, date(), part.name, part.options(), tally)
        say(f'    {row.text()}')
        if not tally.is_good:
            self._keep_log(part, number, tally)
        self.state.record(row)
        return tally.is_good

    @staticmethod
    def _keep_log(part, number, tally):
        folder = os.path.join(FOLDER, 'failures')
        os.makedirs(folder, exist_ok=True)
        kept = os.path.join(folder, f'{part.name}-{number}.log')
        shutil.copyfile(part.log_path(), kept)
        what = 'TOO FEW FAULTS' if tally.proved_too_little else 'VIOLATION'
        say(f'{what}: {part.name}; the log is {kept}')


def print_totals(ledger, code):
    say(f'since {code}, the last change of {", ".join(SHIPPED)}:')
    totals = ledger.totals(code)
    if not totals:
        say('  nothing yet')
    for (part, options), tally in totals.items():
        name = f'{part} {options}'.strip()
        say(f'  {name:<25} {tally.count:>7,} slices or seeds, {tally.virtual_hours:>9,.2f} virtual'
            f' hours, {tally.wall_hours:>7,.2f} wall hours, {tally.faults:>9,} faults,'
            f' {tally.operations:>13,} operations, {tally.violations} violations,'
            f' {tally.stuck} stuck' + (', too few faults' if tally.proved_too_little else ''))
    return all(tally.is_good for tally in totals.values())


def parse():
    def positive(text):
        if int(text) < 1:
            raise argparse.ArgumentTypeError('must be at least 1')
        return int(text)

    def parts(text):
        names = text.split(',')
        if unknown := [name for name in names if name not in PARTS]:
            raise argparse.ArgumentTypeError(f'{unknown[0]}: it is none of {", ".join(PARTS)}')
        return list(dict.fromkeys(names))
    parser = argparse.ArgumentParser(
        prog='tools/soak', formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description=f'Runs slices of each part in turn, and adds them up in {PAGE}. It may be'
        ' stopped at any moment, kill -9 included, and goes on where it was.')
    parser.add_argument('--hours', type=float, default=1.0,
                        help='the slice under way at the end is finished')
    parser.add_argument('--only', type=parts, default=','.join(PARTS), metavar='PART,...',
                        help='some of them')
    parser.add_argument('--jobs', type=positive, default=jobs_default(),
                        help='compilers, and simulations, at a time')
    parser.add_argument('--seeds-per-slice', type=positive, default=1000)
    parser.add_argument('--virtual-seconds', type=positive, default=60, help='per simulated seed')
    parser.add_argument('--chaos-seconds', type=positive, default=60, help='under faults')
    parser.add_argument('--fuzz-seconds', type=positive, default=30, help='per target')
    parser.add_argument('--fuzz-executions', type=positive, default=None, metavar='EXECUTIONS',
                        help='per target, instead of seconds')
    # So many that every named point has to be reached.
    parser.add_argument('--kills', type=positive, default=400, help='per slice of kill-matrix')
    parser.add_argument('--ledger', action='store_true',
                        help='only print the totals since the last change of what ships')
    return parser.parse_args()


def soak(arguments):
    stop = Stop()
    stop.install()
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, 'lock'), 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError('another soak runs in this tree') from None
        refuse_changes()
        versions = code_of_tree()
        report = Report(os.path.join(FOLDER, 'logs'))
        parts = [PARTS[name](report, arguments) for name in arguments.only]
        for part in parts:
            if not stop.is_asked:
                stop.run(part.prepare)
        ledger = Ledger(PAGE)
        state = State(os.path.join(FOLDER, 'state.json'))
        is_good = Soak(parts, ledger, state, versions, stop).run(arguments.hours * 3600)
        print_totals(ledger, versions[1])
        return 0 if is_good else 1


def main():
    arguments = parse()
    try:
        if arguments.ledger:
            return 0 if print_totals(Ledger(PAGE), code_of_tree()[1]) else 1
        return soak(arguments)
    except (DemoError, LedgerError, OSError, subprocess.CalledProcessError) as error:
        print(f'tools/soak: {error}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
