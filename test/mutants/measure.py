# Whether a mutant is noticed: the suites and the simulation with one mutant on, what they do
# without any, and what of it counts.
import concurrent.futures
import functools
import os
import re
import shlex
import subprocess
import sys
import threading
import time
import typing

SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'scripts')

# What takes so many times as long as without a mutant never ends. That counts as caught, because
# every way of running the tests has a limit too, and is told apart in the table.
HANG_FACTOR, HANG_S_MIN = 8, 60
CONTROL_S = 600
SEEDS_MAX = 500
SEED_BASES = (1, 10_001, 20_001)
# Where a range of seeds ends, counted from its base: most mutants need few.
RANGE_ENDS = (2, 8, 32, 128, SEEDS_MAX)
CONTROL_SEEDS = 32

# Commands of a suite at a time: the cases about nodes wait more than they work.
SIDE_BY_SIDE = 6

# Programs below the build directory, cheapest first.
SIMULATION = 'test/sim/kommander-sim'
SUITES = {'core': 'test/unit/raft/raft_test',
          'scripts': 'test/scripts/script_test',
          'chaos of cores': 'test/unit/raft/raft_chaos',
          'cluster': 'test/unit/cluster/cluster_test',
          'runtime': 'test/unit/runtime/runtime_test',
          'scheduler': 'test/unit/runtime/io_scheduler_test',
          'nodes': 'test/integration/raft_manager_test'}
# Parts of lib/mutants/list.inc that are not in every program, nor in the simulation: it has a disk,
# a scheduler and a network of its own.
BELOW = {'storage': {'storage': 'test/unit/storage/rocksdb_wal_test',
                     'log conformance': 'test/conformance/rocksdb_wal_conformance',
                     'crash matrix': 'test/crash/crash_matrix'},
         'snapshot store': {'snapshot conformance': 'test/conformance/file_snapshots_conformance',
                            'crash matrix': 'test/crash/crash_matrix'},
         'scheduler': {'scheduler': SUITES['scheduler'], 'nodes': SUITES['nodes']},
         'transport': {'TCP': 'test/unit/transports/tcp_test',
                       'transport conformance': 'test/conformance/tcp_transport_conformance'}}
PROGRAMS = {name: path for suites in (SUITES, *BELOW.values()) for name, path in suites.items()}
# Their threads run as they like: a failure alone does not prove that the mutant is its cause.
THREADED = ('runtime', *(name for suites in BELOW.values() for name in suites))


class Mutant(typing.NamedTuple):
    name: str
    breaks: str
    failure: str
    what: str


def list_mutants(build):
    program = os.path.join(build, SIMULATION)
    listed = subprocess.run([program, '--list-mutants'], stdout=subprocess.PIPE, text=True,
                            check=True)
    return [Mutant(*line.split('\t')) for line in listed.stdout.splitlines()]


class BrokenBuild(Exception):
    """Something fails without any mutant: nothing that is caught would mean anything."""


def suites_of(mutant):
    return BELOW.get(mutant.breaks, SUITES)


def nodes_commands(program):
    listed = subprocess.run([program, '--list-test-names-only'], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, 'KOMMANDER_MUTANT': ''}, check=False)
    names = [name.strip() for name in listed.stdout.splitlines() if name.strip()]
    for shard in range(SIDE_BY_SIDE):
        chosen = [re.sub(r'([,\[\]*\\])', r'\\\1', name) for name in names[shard::SIDE_BY_SIDE]]
        yield [program, ','.join(chosen)]


@functools.cache
def commands_of(build, suite):
    """What to run side by side."""
    program = os.path.join(build, PROGRAMS[suite])
    if suite == 'core':
        return [[program, '--durations', 'no']]
    if suite == 'scripts':
        # One file per run: an assertion ends a run.
        return [[program, os.path.join(SCRIPTS, name)] for name in sorted(os.listdir(SCRIPTS))
                if name.endswith('.txt')]
    if suite == 'chaos of cores':
        return [[program, '1..200', '5']]
    return list(nodes_commands(program)) if suite == 'nodes' else [[program]]


def execute(command, mutant, limit_s):
    """(exit code, or None for a hang; output)."""
    environment = {**os.environ, 'KOMMANDER_MUTANT': mutant}
    try:
        result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.STDOUT, errors='replace', timeout=limit_s)
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b'').decode(errors='replace')
    return result.returncode, result.stdout


def reason(code, output):
    """The few words that say what noticed it."""
    if code is None:
        return 'it never ends'
    case = re.search(r'^-{20,}\n(.+?)\n', output, re.MULTILINE)
    script = re.search(r'(\w+\.txt:\d+: .+)$', output, re.MULTILINE)
    for found in (case, script):
        if found:
            return found.group(1).strip()
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip()[:100] if lines else f'exit code {code}'


def failures_of(commands, mutant, limit_s):
    """[(command, exit code or None for a hang, output)] of those that do not succeed."""
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        ran = pool.map(lambda command: execute(command, mutant, limit_s), commands)
        return [(command, *how) for command, how in zip(commands, ran) if how[0] != 0]


class Control:
    """What the suites do without a mutant, measured when the first mutant comes to them."""

    def __init__(self, build, virtual_seconds):
        self.build, self.virtual_seconds = build, virtual_seconds
        self._lock = threading.Lock()
        self._limits_s = {}
        self._seed_s = 0.0

    def limit_s(self, suite):
        """How long a run of it may take."""
        with self._lock:
            if suite not in self._limits_s:
                began = time.monotonic()
                for _, code, output in failures_of(commands_of(self.build, suite), '', CONTROL_S):
                    raise BrokenBuild(f'{suite} fails without any mutant: {reason(code, output)}')
                took_s = time.monotonic() - began
                self._limits_s[suite] = max(HANG_S_MIN, HANG_FACTOR * took_s)
            return self._limits_s[suite]

    def simulation_limit_s(self, seeds):
        with self._lock:
            if not self._seed_s:
                self._measure_simulation()
            return max(HANG_S_MIN, HANG_FACTOR * self._seed_s * seeds)

    def _measure_simulation(self):
        first = SEED_BASES[0]
        began = time.monotonic()
        bad, is_ended = simulate(self.build, '', first, first + CONTROL_SEEDS - 1,
                                 self.virtual_seconds, CONTROL_S)
        for seed, why in bad:
            print(f'mutants: seed {seed} fails without any mutant ({why}) and will not count')
        # A few may be findings of their own.
        if len(bad) >= 3 or not is_ended:
            raise BrokenBuild('the simulation fails without any mutant')
        self._seed_s = (time.monotonic() - began) / CONTROL_SEEDS


def notice(suite, mutant, control):
    """What noticed it, or None. What could have another cause does not count."""
    limit_s = control.limit_s(suite)
    for command, code, output in failures_of(commands_of(control.build, suite), mutant, limit_s):
        needs_proof = code is None or suite in THREADED
        if needs_proof and execute(command, '', limit_s)[0] != 0:
            print(f'mutants: {suite} fails without {mutant} too, which does not count:'
                  f' {shlex.join(command)}', file=sys.stderr)
            continue
        return {'suite': suite, 'why': reason(code, output), 'hangs': code is None}
    return None


def try_suites(mutant, control):
    for suite in suites_of(mutant):
        if noticed := notice(suite, mutant.name, control):
            return noticed
    return {'suite': None, 'why': '', 'hangs': False}


def simulate(build, mutant, first, last, seconds, limit_s):
    """([(seed, what noticed it)] of the seeds that fail, ascending; whether it came to its end)."""
    code, output = execute([os.path.join(build, SIMULATION), '--seeds', f'{first}..{last}',
                            '--virtual-seconds', str(seconds), '--jobs', '1', '--no-shrink'],
                           mutant, limit_s)
    failures = []
    for failed in re.finditer(r'^seed (\d+) FAILED(?:: )?(.*)\n(.*)', output, re.MULTILINE):
        # A worker that was ended has said why on its error stream.
        assertion = re.search(r'^kommander: broken invariant: (.*) \(', output, re.MULTILINE)
        if failed.group(2):
            why = f'assertion: {assertion.group(1)}' if assertion else failed.group(2)
        else:
            why = failed.group(3).strip().split(':')[0]
        failures.append((int(failed.group(1)), why))
    return sorted(failures), code is not None


def bad_seeds(control, mutant, first, last):
    """The failures of a range of seeds. One that did not end is a slow one, unless a seed of it
    does not end by itself."""
    def run(begin, end):
        return simulate(control.build, mutant, begin, end, control.virtual_seconds,
                        control.simulation_limit_s(end - begin + 1))
    failures, is_ended = run(first, last)
    if is_ended or failures:
        return failures
    for seed in range(first, last + 1):
        failures, is_ended = run(seed, seed)
        if not is_ended:
            return [(seed, 'virtual time stands still')]
        if failures:
            return failures
    return []


@functools.cache
def is_bad_anyway(control, seed):
    """Whether a seed fails without any mutant: then it proves nothing."""
    return bool(bad_seeds(control, '', seed, seed))


def first_bad_seed(control, mutant, base, seeds_max):
    """(how many seeds it took, what noticed it), or None."""
    begin = base
    for end in RANGE_ENDS:
        last = base + min(end, seeds_max) - 1
        if begin > last:
            break
        for seed, why in bad_seeds(control, mutant, begin, last):
            if not is_bad_anyway(control, seed):
                return seed - base + 1, why
        begin = last + 1
    return None


def try_simulation(mutant, control, arguments):
    found = []
    for base in SEED_BASES[:arguments.repeats]:
        if mutant.breaks in BELOW:
            break
        found.append(first_bad_seed(control, mutant.name, base, arguments.seeds))
        if found[-1] is None:
            break  # not caught in as many seeds as are allowed: further ones would not change that
    seeds = [result[0] for result in found if result is not None]
    whys = [result[1] for result in found if result is not None]
    return {'seeds': seeds, 'missed': len(found) - len(seeds), 'why': whys[0] if whys else ''}
