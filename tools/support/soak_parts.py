# What a soak consists of: each part runs one bounded slice at a time, chosen by a number that only
# grows, and says what the slice came to.
import os
import re
import shutil
import types

from support.build import CRASH_POINTS, Build, build_program
from support.faults import may_mount
from support.fuzz import Fuzzer, build_programs
from support.nodes import DemoError
from support.soak_ledger import TOO_FEW, Tally
from support.steps import read_lines

KEPT_PROGRAMS = 'build/soak/programs'
# Every kind of fault takes effect so often in so many seeds of 120 s; the rarest comes to 90.
FAULTS_MIN, FAULTS_MIN_SEEDS, FAULTS_MIN_VIRTUAL_S = 50, 100, 12_000


def keep(path):
    """A copy: whoever builds the tree during the soak must not change what it runs."""
    os.makedirs(KEPT_PROGRAMS, exist_ok=True)
    kept = os.path.join(KEPT_PROGRAMS, os.path.basename(path))
    shutil.copy2(path, kept + '.new')
    os.replace(kept + '.new', kept)
    return os.path.abspath(kept)


def number_after(name, text):
    found = re.findall(rf'{name}=([0-9.]+)', text)
    return float(found[-1]) if found else 0


def first_match(pattern, lines):
    return next((match.group(1) for match in map(re.compile(pattern).search, lines) if match), '')


def faults_wanted(seeds, seconds):
    """Of every kind, for so many seeds of so many virtual seconds. Some come with time, others,
    like what is lost while a store is made, with each seed. In a short one chance decides."""
    virtual_s = min(seeds * seconds, seeds * FAULTS_MIN_VIRTUAL_S // FAULTS_MIN_SEEDS)
    if virtual_s < FAULTS_MIN_VIRTUAL_S:
        return 0
    return virtual_s * FAULTS_MIN // FAULTS_MIN_VIRTUAL_S


class Part:
    """`arguments` are those of the soak, `report` runs the commands and keeps their output."""
    name = ''

    def __init__(self, report, arguments):
        self.report = report
        self.arguments = arguments

    def prepare(self):
        """Builds what the slices run."""

    def options(self):
        """What rows of the ledger must have in common to be one."""
        return ''

    def run(self, number):
        raise NotImplementedError

    def log_path(self):
        return self.report.log_path(f'soak {self.name}')

    def execute(self, command, environment=None):
        """(succeeded, the lines that it said)."""
        succeeded, log = self.report.run(f'soak {self.name}', command, environment, quiet=True)
        return succeeded, read_lines(log)

    @staticmethod
    def verdict(tally, succeeded, is_whole, replay, lacks=''):
        """A slice that failed, or ended without its last line, is never a good one. One that came
        to its end and `lacks` faults is neither good nor a violation."""
        if is_whole and lacks and tally.is_good:
            tally.replay = f'{TOO_FEW}{lacks}: {replay}'
            return tally
        if (not succeeded or not is_whole) and tally.is_good:
            tally.violations = 1
        if not tally.is_good:
            tally.replay = replay
        return tally


class Simulation(Part):
    name = 'simulation'
    FAULTS_SHARE = 1.0  # of what is demanded of a run without anybody else in it

    def prepare(self):
        self.program = keep(build_program('kommander-sim', self.arguments.jobs))

    def options(self):
        return f'{self.arguments.virtual_seconds} s'

    def modes(self):
        return []

    def run(self, number):
        last = number + self.arguments.seeds_per_slice - 1
        seconds = self.arguments.virtual_seconds
        wanted = int(faults_wanted(self.arguments.seeds_per_slice, seconds) * self.FAULTS_SHARE)
        how = ['--seeds', f'{number}..{last}', '--virtual-seconds', str(seconds),
               '--require-faults', str(wanted), *self.modes()]
        succeeded, lines = self.execute(
            [self.program, *how, '--jobs', str(self.arguments.jobs)])
        end = lines[-1] if lines and lines[-1].startswith('sim: ') else ''
        tally = Tally(number, last, int(number_after('seeds', end)),
                      virtual_hours=number_after('virtual_hours', end),
                      faults=int(number_after('faults', end)),
                      operations=int(number_after('operations', end)),
                      violations=int(number_after('violations', end)),
                      stuck=int(number_after('stuck', end)))
        replay = first_match(r'^  replay: (.*)$', lines) or ' '.join(['kommander-sim', *how])
        return self.verdict(tally, succeeded, tally.count == last - number + 1, replay,
                            self.lacks(lines))

    @staticmethod
    def lacks(lines):
        found = re.findall(r'^(?:fault )?(.+?)(?: took effect|:) (\d+)(?: times)?, and (\d+) were'
                           r' required$', '\n'.join(lines), re.MULTILINE)
        return ', '.join(f'{kind} {count} of {wanted}' for kind, count, wanted in found)


class Unasked(Simulation):
    """Beside the faults, a stranger and now and then a member that lies: transfers and changes of
    members succeed less often then, and only those that do are counted."""
    name = 'liar'
    FAULTS_SHARE = 0.4

    def modes(self):
        return ['--stranger', '--liar']


class Chaos(Part):
    name = 'chaos'
    LEADER_KILLS = 30

    def prepare(self):
        self.server = keep(build_program('kommander-kv', self.arguments.jobs))
        self.judge = keep(build_program('kommander-history', self.arguments.jobs))

    def options(self):
        return (f'{self.arguments.chaos_seconds} s and {self.LEADER_KILLS} leaders, 3 and 5 nodes'
                + ('' if may_mount() else ', no full disk'))

    def run(self, number):
        how = ['--seconds', str(self.arguments.chaos_seconds), '--seed', str(number), '--nodes',
               '3' if number % 2 else '5', '--leader-kills', str(self.LEADER_KILLS),
               *([] if may_mount() else ['--no-disk-full'])]
        succeeded, lines = self.execute(
            ['python3', '-B', 'tools/support/chaos.py', *how, '--program', self.server, '--judge',
             self.judge])
        end = first_match('^(chaos: .*)$', lines)
        faults = number_after('faults', end) + number_after('failovers', end)
        tally = Tally(number, number, 1, faults=int(faults),
                      operations=int(number_after('operations', end)),
                      violations=int(number_after('violations', end)))
        lacks = ', '.join(re.findall(r'^tools/chaos: too little: (.*)$', '\n'.join(lines), re.M))
        return self.verdict(tally, succeeded, bool(end), ' '.join(['tools/chaos', *how]), lacks)


class Fuzz(Part):
    """One target per slice, one after the other; what it finds it keeps for its next turn. Each
    has rows of its own, since each is judged by its own executions."""
    name = 'fuzz'

    def prepare(self):
        programs = build_programs(self.report, self.arguments.jobs)
        if programs is None:
            raise DemoError('the fuzz targets could not be built')
        self.fuzzer = Fuzzer(self.report, *map(keep, programs))
        self.targets = self.fuzzer.targets()

    def options(self):
        return self.target

    def log_path(self):
        return self.report.log_path(f'fuzz {self.target}')

    def run(self, number):
        self.target = self.targets[number % len(self.targets)]
        ran = self.fuzzer.run(self.target, types.SimpleNamespace(
            executions=self.arguments.fuzz_executions, seconds=self.arguments.fuzz_seconds))
        tally = Tally(number, number, 1, operations=ran.executions)
        return self.verdict(tally, ran.succeeded, ran.executions > 0,
                            f'tools/fuzz --target {self.target}')


class CrashMatrix(Part):
    """The durable log of the library on disks that lose power, fail and flip bits; by the seed. An
    example's passes it too, but does not ship."""
    name = 'crash-matrix'
    BACKEND = 'rocksdb'

    def prepare(self):
        self.program = keep(build_program('crash_matrix', self.arguments.jobs))

    def options(self):
        return f'{self.BACKEND}, all of it'

    def run(self, number):
        how = ['--all', '--backend', self.BACKEND, '--seed', str(number)]
        succeeded, lines = self.execute([self.program, *how])
        end = first_match('^(crash matrix: .*)$', lines)
        tally = Tally(number, number, 1, faults=int(number_after('cases', end)),
                      violations=int(number_after('violations', end)))
        is_whole = tally.faults > 0 and lines[-1:] == ['passed']
        return self.verdict(tally, succeeded, is_whole, ' '.join(['crash_matrix', *how]))


class KillMatrix(Part):
    """Processes that die at named points of the code; a build of its own."""
    name = 'kill-matrix'

    def prepare(self):
        name, options = CRASH_POINTS
        build = Build(self.report, name, options, self.arguments.jobs)
        if not build.configure():
            raise DemoError(f'meson could not configure {build.folder}')
        path = build.program('kommander-kv')
        if not path or not build.build([os.path.relpath(path, os.path.abspath(build.folder))]):
            raise DemoError('kommander-kv with crash points could not be built')
        os.makedirs(os.path.join(KEPT_PROGRAMS, name), exist_ok=True)
        self.program = os.path.abspath(os.path.join(KEPT_PROGRAMS, name, 'kommander-kv'))
        os.replace(keep(path), self.program)

    def options(self):
        return f'{self.arguments.kills} kills'

    def run(self, number):
        how = ['--kills', str(self.arguments.kills), '--seed', str(number)]
        succeeded, lines = self.execute(
            ['python3', '-B', 'test/crash/kill_matrix.py', self.program, *how])
        end = lines[-1] if lines else ''

        def count(pattern):
            return int(first_match(pattern, [end]).replace(',', '') or 0)
        tally = Tally(number, number, 1,
                      faults=count(r'^(\d+) kills at') + count(r', (\d+) anywhere else'),
                      operations=count(r'; ([\d,]+) writes acknowledged') +
                      count(r', ([\d,]+) reads'), violations=count(r', (\d+) problems'))
        return self.verdict(tally, succeeded, ' problems, ' in end,
                            ' '.join(['test/crash/kill_matrix.py kommander-kv', *how]))


PARTS = {part.name: part for part in (Simulation, Unasked, Chaos, Fuzz, CrashMatrix, KillMatrix)}
