#!/usr/bin/env python3
"""How much the tests see: every mutant of lib/mutants/list.inc is run against the suites, cheapest
first, until one catches it, and against the simulation alone, until a seed does.

Needs a build of its own:

    meson setup build/mutants -Dmutants=true && ninja -C build/mutants
    python3 -B test/mutants/run.py --build build/mutants [--write]

The last line is "N passed, N failed": mutants that were caught, and mutants that were not."""
import argparse
import concurrent.futures
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import textwrap
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, 'docs', 'testing.md')
BEGIN, END = '<!-- mutants: begin -->', '<!-- mutants: end -->'

# A suite that takes so many times as long as without a mutant never ends. That counts as caught,
# because every way of running the tests has a limit too, and is told apart in the table.
HANG_FACTOR, HANG_S_MIN = 8, 60
CONTROL_S = 600
SIMULATION_S = 120
SEEDS_MAX = 500
SEED_BASES = (1, 10_001, 20_001)
# Where a range of seeds ends, counted from its base: most mutants need few.
RANGE_ENDS = (2, 8, 32, 128, SEEDS_MAX)

SCRIPTS = os.path.join(ROOT, 'test', 'scripts')
STORAGE = 'storage'  # the part of lib/mutants/list.inc that is below the scheduler


class Mutant(typing.NamedTuple):
    name: str
    breaks: str
    failure: str
    what: str


# Commands of a suite at a time: the cases about nodes wait more than they work.
SIDE_BY_SIDE = 6


def nodes_commands(build):
    program = os.path.join(build, 'test/integration/raft_manager_test')
    listed = subprocess.run([program, '--list-test-names-only'], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, 'KOMMANDER_MUTANT': ''}, check=False)
    names = [name.strip() for name in listed.stdout.splitlines() if name.strip()]
    for shard in range(SIDE_BY_SIDE):
        chosen = [re.sub(r'([,\[\]*\\])', r'\\\1', name) for name in names[shard::SIDE_BY_SIDE]]
        yield [program, ','.join(chosen)]


@functools.cache
def suites(build, is_storage):
    """[(name, commands to run side by side)], cheapest first. A defect of the log on disk is not in
    the others, nor in the simulation, which has a disk of its own."""
    def program(path):
        return os.path.join(build, path)
    if is_storage:
        return [('storage', [[program('test/unit/storage/rocksdb_wal_test')]]),
                ('log conformance', [[program('test/conformance/rocksdb_wal_conformance')]]),
                ('crash matrix', [[program('test/crash/crash_matrix')]])]
    # One file per run: an assertion ends a run.
    scripts = [[program('test/scripts/script_test'), os.path.join(SCRIPTS, name)]
               for name in sorted(os.listdir(SCRIPTS)) if name.endswith('.txt')]
    return [('core', [[program('test/unit/raft/raft_test'), '--durations', 'no']]),
            ('scripts', scripts),
            ('chaos of cores', [[program('test/unit/raft/raft_chaos'), '1..200', '5']]),
            ('cluster', [[program('test/unit/cluster/cluster_test')]]),
            ('runtime', [[program('test/unit/runtime/runtime_test')]]),
            ('scheduler', [[program('test/unit/runtime/io_scheduler_test')]]),
            ('nodes', list(nodes_commands(build)))]


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


def run_suite(commands, mutant, limit_s):
    """What noticed it, or None."""
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for code, output in pool.map(lambda command: execute(command, mutant, limit_s), commands):
            if code != 0:
                return reason(code, output)
    return None


def try_suites(build, mutant, limits):
    for name, commands in suites(build, mutant.breaks == STORAGE):
        if why := run_suite(commands, mutant.name, limits[name]):
            return {'suite': name, 'why': why}
    return {'suite': None, 'why': ''}


def simulate(build, mutant, first, last, seconds):
    """[(seed, what noticed it)] of the seeds that fail, ascending."""
    program = os.path.join(build, 'test/sim/kommander-sim')
    code, output = execute([program, '--seeds', f'{first}..{last}', '--virtual-seconds',
                            str(seconds), '--jobs', '1', '--no-shrink'], mutant, SIMULATION_S)
    failures = []
    for failed in re.finditer(r'^seed (\d+) FAILED(?:: )?(.*)\n(.*)', output, re.MULTILINE):
        # A worker that was ended has said why on its error stream.
        assertion = re.search(r'^kommander: broken invariant: (.*) \(', output, re.MULTILINE)
        if failed.group(2):
            why = f'assertion: {assertion.group(1)}' if assertion else failed.group(2)
        else:
            why = failed.group(3).strip().split(':')[0]
        failures.append((int(failed.group(1)), why))
    if code is None and not failures:
        failures.append((first, 'virtual time stands still'))
    return sorted(failures)


@functools.cache
def is_bad_anyway(build, seed, seconds):
    """Whether a seed fails without any mutant: then it proves nothing."""
    return bool(simulate(build, '', seed, seed, seconds))


def first_bad_seed(build, mutant, base, seconds, seeds_max):
    """(how many seeds it took, what noticed it), or None."""
    begin = base
    for end in RANGE_ENDS:
        last = base + min(end, seeds_max) - 1
        if begin > last:
            break
        for seed, why in simulate(build, mutant, begin, last, seconds):
            if not is_bad_anyway(build, seed, seconds):
                return seed - base + 1, why
        begin = last + 1
    return None


def try_simulation(build, mutant, arguments):
    found = []
    for base in SEED_BASES[:arguments.repeats]:
        if mutant.breaks == STORAGE:
            break
        found.append(first_bad_seed(build, mutant.name, base, arguments.virtual_seconds,
                                    arguments.seeds))
        if found[-1] is None:
            break  # not caught in as many seeds as are allowed: further ones would not change that
    seeds = [result[0] for result in found if result is not None]
    whys = [result[1] for result in found if result is not None]
    return {'seeds': seeds, 'missed': len(found) - len(seeds), 'why': whys[0] if whys else ''}


def judge(mutant, known, limits, arguments):
    """`known` with the parts that it lacks."""
    began = time.monotonic()
    result = dict(known)
    if 'suites' in arguments.parts and 'suite' not in result:
        result['suite'] = try_suites(arguments.build, mutant, limits)
    if 'simulation' in arguments.parts and 'simulation' not in result:
        result['simulation'] = try_simulation(arguments.build, mutant, arguments)
    result['seconds'] = time.monotonic() - began
    return result


def suite_of(result):
    return result.get('suite', {'suite': None, 'why': ''})


def simulation_of(result):
    return result.get('simulation', {'seeds': [], 'missed': 0, 'why': ''})


def is_caught(result):
    return suite_of(result)['suite'] is not None or bool(simulation_of(result)['seeds'])


def is_caught_by_simulation(result):
    return bool(simulation_of(result)['seeds']) and not simulation_of(result)['missed']


def seeds_text(simulation):
    if not simulation['seeds']:
        return '–'
    if simulation['missed']:
        return f"{min(simulation['seeds'])} (not always)"
    return f"{statistics.median(simulation['seeds']):g}"


def describe(mutants, results):
    """The table of docs/testing.md and what it comes to."""
    known = [mutant for mutant in mutants if mutant.name in results]
    lines = []
    group = None
    for mutant in known:
        result = results[mutant.name]
        if mutant.breaks != group:
            group = mutant.breaks
            lines += ['', f'**{group.capitalize()}**', '',
                      '| mutant | what it does | class of failure | first suite | seeds |'
                      ' what the simulation says |', '|---|---|---|---|---|---|']
        simulation = simulation_of(result)
        why = simulation['why'].replace('|', '\\|') or '–'
        lines.append(f"| `{mutant.name}` | {mutant.what} | {mutant.failure} |"
                     f" {suite_of(result)['suite'] or '–'} | {seeds_text(simulation)} | {why} |")
    told = [results[mutant.name] for mutant in known]
    alone = [simulation_of(result) for result in told if is_caught_by_simulation(result)]
    median = statistics.median(statistics.median(one['seeds']) for one in alone) if alone else 0
    head = (f'{len(known)} mutants of {len({mutant.failure for mutant in known})} classes of'
            f' failure, {sum(map(is_caught, told))} caught:'
            f" {sum(suite_of(result)['suite'] is not None for result in told)} by unit tests,"
            f' scripts, nodes and the crash matrix, {len(alone)} by the simulation alone, the'
            f' median of those after {median:g} seeds.')
    return head, textwrap.wrap(head, 100) + lines


def write_page(lines):
    with open(PAGE) as stream:
        text = stream.read()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    with open(PAGE, 'w') as stream:
        stream.write(before + BEGIN + '\n' + '\n'.join(lines) + '\n' + END + after)


def list_mutants(build):
    program = os.path.join(build, 'test/sim/kommander-sim')
    listed = subprocess.run([program, '--list-mutants'], stdout=subprocess.PIPE, text=True,
                            check=True)
    return [Mutant(*line.split('\t')) for line in listed.stdout.splitlines()]


def control(mutants, arguments):
    """Nothing is caught when no mutant is on, or the table would mean nothing. By suite, how long
    it may take; None when a test fails anyway."""
    limits = {}
    groups = {mutant.breaks == STORAGE for mutant in mutants} if 'suites' in arguments.parts else ()
    for is_storage in groups:
        for name, commands in suites(arguments.build, is_storage):
            began = time.monotonic()
            if why := run_suite(commands, '', CONTROL_S):
                print(f'mutants: {name} fails without any mutant: {why}', file=sys.stderr)
                return None
            limits[name] = max(HANG_S_MIN, HANG_FACTOR * (time.monotonic() - began))
    last = SEED_BASES[0] + RANGE_ENDS[2] - 1
    bad = simulate(arguments.build, '', SEED_BASES[0], last, arguments.virtual_seconds)
    for seed, why in bad:
        print(f'mutants: seed {seed} fails without any mutant ({why}) and will not count')
    # A few may be findings of their own; with many the simulation is broken.
    return limits if len(bad) < 3 else None


def load(path):
    if path and os.path.exists(path):
        with open(path) as stream:
            return json.load(stream)
    return {}


def lacks(result, parts):
    keys = {'suites': 'suite', 'simulation': 'simulation'}
    return any(keys[part] not in result for part in parts)


def run(mutants, results, arguments):
    """False when even without a mutant something fails."""
    wanted = [mutant for mutant in mutants
              if lacks(results.get(mutant.name, {}), arguments.parts)]
    if not wanted:
        return True
    limits = control(wanted, arguments)
    if limits is None:
        return False
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        judged = pool.map(lambda mutant: judge(mutant, results.get(mutant.name, {}), limits,
                                               arguments), wanted)
        for mutant, result in zip(wanted, judged):
            results[mutant.name] = result
            suite, simulation = suite_of(result), simulation_of(result)
            print(f"{'caught' if is_caught(result) else 'MISSED'} {mutant.name}: {suite['suite']}"
                  f" ({suite['why']}); seeds {simulation['seeds']} ({simulation['why']});"
                  f" {result['seconds']:.0f} s", flush=True)
            if arguments.results:
                with open(arguments.results, 'w') as stream:
                    json.dump(results, stream, indent=1)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default='build/mutants', help='a build with -Dmutants=true')
    parser.add_argument('--only', default='', help='names, with commas between them')
    parser.add_argument('--every', type=int, default=1, help='only every n-th of the list')
    parser.add_argument('--seeds', type=int, default=SEEDS_MAX, help='the most per seed base')
    parser.add_argument('--repeats', type=int, default=len(SEED_BASES), help='seed bases, 1..3')
    parser.add_argument('--virtual-seconds', type=int, default=60, help='per seed')
    parser.add_argument('--jobs', type=int, default=1, help='mutants at a time')
    parser.add_argument('--parts', default='suites,simulation', help='the two, or one of them')
    parser.add_argument('--results', help='a file of results to go on from and to write')
    parser.add_argument('--write', action='store_true', help='put the table into docs/testing.md')
    arguments = parser.parse_args()
    arguments.parts = arguments.parts.split(',')
    mutants = list_mutants(arguments.build)
    names = [mutant.name for mutant in mutants]
    wanted = arguments.only.split(',') if arguments.only else names[::arguments.every]
    if unknown := set(wanted) - set(names) | set(arguments.parts) - {'suites', 'simulation'}:
        parser.error(f'unknown: {", ".join(sorted(unknown))}')
    if arguments.write and wanted != names:
        parser.error('--write wants all mutants')
    results = load(arguments.results)
    chosen = [mutant for mutant in mutants if mutant.name in wanted]
    if not run(chosen, results, arguments):
        return 2
    judged = {name: results[name] for name in wanted}
    head, lines = describe(mutants, judged)
    if arguments.write:
        write_page(lines)
    caught = sum(map(is_caught, judged.values()))
    print(head)
    print(f'{caught} passed, {len(judged) - caught} failed')
    return 0 if caught == len(judged) else 1


if __name__ == '__main__':
    sys.exit(main())
