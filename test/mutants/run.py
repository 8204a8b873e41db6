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
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, 'docs', 'testing.md')
BEGIN, END = '<!-- mutants: begin -->', '<!-- mutants: end -->'

# Far beyond what a suite takes: one that has not ended by then never will. A hang counts as caught,
# because every way of running the tests has a limit too, and is told apart in the table.
HANG_S = 120
SEEDS_MAX = 500
SEED_BASES = (1, 10_001, 20_001)
# Where a range of seeds ends, counted from its base: most mutants need few.
RANGE_ENDS = (2, 8, 32, 128, SEEDS_MAX)

SCRIPTS = os.path.join(ROOT, 'test', 'scripts')


def suites(build):
    """(name, command), cheapest first."""
    def program(path):
        return os.path.join(build, path)
    yield 'core', [program('test/unit/raft/raft_test'), '--durations', 'no']
    # One file per run: an assertion ends a run.
    for name in sorted(os.listdir(SCRIPTS)):
        if name.endswith('.txt'):
            yield 'scripts', [program('test/scripts/script_test'), os.path.join(SCRIPTS, name)]
    yield 'chaos of cores', [program('test/unit/raft/raft_chaos'), '1..200', '5']
    yield 'cluster', [program('test/unit/cluster/cluster_test')]
    yield 'runtime', [program('test/unit/runtime/runtime_test')]
    yield 'scheduler', [program('test/unit/runtime/io_scheduler_test')]
    yield 'nodes', [program('test/integration/raft_manager_test')]


def execute(command, mutant):
    """(exit code, or None for a hang; output)."""
    environment = {**os.environ, 'KOMMANDER_MUTANT': mutant}
    try:
        result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.STDOUT, errors='replace', timeout=HANG_S)
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


def try_suites(build, mutant):
    for name, command in suites(build):
        code, output = execute(command, mutant)
        if code != 0:
            return {'suite': name, 'why': reason(code, output)}
    return None


def simulate(build, mutant, first, last, seconds):
    """[(seed, what noticed it)] of the seeds that fail, ascending."""
    program = os.path.join(build, 'test/sim/kommander-sim')
    code, output = execute([program, '--seeds', f'{first}..{last}', '--virtual-seconds',
                            str(seconds), '--jobs', '1', '--no-shrink'], mutant)
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
        found.append(first_bad_seed(build, mutant, base, arguments.virtual_seconds,
                                    arguments.seeds))
        if found[-1] is None:
            break  # not caught in as many seeds as are allowed: further ones would not change that
    seeds = [result[0] for result in found if result is not None]
    whys = [result[1] for result in found if result is not None]
    return {'seeds': seeds, 'missed': len(found) - len(seeds), 'why': whys[0] if whys else ''}


def judge(build, mutant, arguments):
    began = time.monotonic()
    suite = None if arguments.simulation_only else try_suites(build, mutant)
    simulation = try_simulation(build, mutant, arguments)
    return {'suite': suite, 'simulation': simulation, 'seconds': time.monotonic() - began}


def is_caught(result):
    return result['suite'] is not None or bool(result['simulation']['seeds'])


def is_caught_by_simulation(result):
    return bool(result['simulation']['seeds']) and not result['simulation']['missed']


def seeds_text(simulation):
    if not simulation['seeds']:
        return '–'
    if simulation['missed']:
        return f"{min(simulation['seeds'])} (not always)"
    return f"{statistics.median(simulation['seeds']):g}"


def describe(mutants, results):
    """The table of docs/testing.md and what it comes to."""
    known = [(name, breaks, what) for name, breaks, what in mutants if name in results]
    lines = []
    group = None
    for name, breaks, what in known:
        result = results[name]
        if breaks != group:
            group = breaks
            lines += ['', f'**{breaks.capitalize()}**', '',
                      '| mutant | what it does | first suite | seeds | what the simulation says |',
                      '|---|---|---|---|---|']
        suite = result['suite']['suite'] if result['suite'] else '–'
        simulation = result['simulation']
        why = simulation['why'].replace('|', '\\|') or '–'
        lines.append(f'| `{name}` | {what} | {suite} | {seeds_text(simulation)} | {why} |')
    caught = sum(is_caught(results[name]) for name, _, _ in known)
    by_suites = sum(results[name]['suite'] is not None for name, _, _ in known)
    alone = [results[name]['simulation'] for name, _, _ in known
             if is_caught_by_simulation(results[name])]
    median = statistics.median(statistics.median(one['seeds']) for one in alone) if alone else 0
    head = (f'{len(known)} mutants, {caught} caught: {by_suites} by unit tests, scripts and nodes, '
            f'{len(alone)} by the simulation alone, the median of those after {median:g} seeds.')
    return head, [head, *lines]


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
    return [tuple(line.split('\t')) for line in listed.stdout.splitlines()]


def control(build, arguments):
    """Nothing is caught when no mutant is on, or the table would mean nothing."""
    caught = None if arguments.simulation_only else try_suites(build, '')
    if caught:
        print(f'mutants: the tests fail without any mutant: {caught}', file=sys.stderr)
    last = SEED_BASES[0] + RANGE_ENDS[2] - 1
    bad = simulate(build, '', SEED_BASES[0], last, arguments.virtual_seconds)
    for seed, why in bad:
        print(f'mutants: seed {seed} fails without any mutant ({why}) and will not count')
    # A few may be findings of their own; with many the simulation is broken.
    return not caught and len(bad) < 3


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
    parser.add_argument('--simulation-only', action='store_true', help='without the other suites')
    parser.add_argument('--results', help='a file of results to go on from and to write')
    parser.add_argument('--write', action='store_true', help='put the table into docs/testing.md')
    arguments = parser.parse_args()
    mutants = list_mutants(arguments.build)
    names = [name for name, _, _ in mutants]
    wanted = arguments.only.split(',') if arguments.only else names[::arguments.every]
    if unknown := set(wanted) - set(names):
        parser.error(f'unknown: {", ".join(sorted(unknown))}')
    if arguments.write and wanted != names:
        parser.error('--write wants all mutants')
    results = {}
    if arguments.results and os.path.exists(arguments.results):
        with open(arguments.results) as stream:
            results = json.load(stream)
    open_names = [name for name in wanted if name not in results]
    if open_names and not results and not control(arguments.build, arguments):
        return 2
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for name, result in zip(open_names, pool.map(
                lambda name: judge(arguments.build, name, arguments), open_names)):
            results[name] = result
            suite = result['suite'] or {'suite': '-', 'why': ''}
            print(f"{'caught' if is_caught(result) else 'MISSED'} {name}: {suite['suite']}"
                  f" ({suite['why']}); seeds {result['simulation']['seeds']}"
                  f" ({result['simulation']['why']}); {result['seconds']:.0f} s", flush=True)
            if arguments.results:
                with open(arguments.results, 'w') as stream:
                    json.dump(results, stream, indent=1)
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
