#!/usr/bin/env python3
"""How much the tests see: every mutant of lib/mutants/list.inc is run against the suites, cheapest
first, until one catches it, and against the simulation alone, until a seed does.

Needs a build of its own:

    meson setup build/mutants -Dmutants=true && ninja -C build/mutants
    python3 -B test/mutants/run.py --build build/mutants [--write]

The last line is "N passed, N failed": mutants that were caught, and mutants that were not."""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import textwrap
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from measure import (SEED_BASES, SEEDS_MAX, BrokenBuild, Control, list_mutants,  # noqa: E402
                     suites_of, try_simulation, try_suites)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, 'docs', 'testing.md')
BEGIN, END = '<!-- mutants: begin -->', '<!-- mutants: end -->'


def judge(mutant, known, control, arguments):
    """`known` with the parts that it lacks."""
    began = time.monotonic()
    result = dict(known)
    if 'suites' in arguments.parts and 'suite' not in result:
        result['suite'] = try_suites(mutant, control)
    if 'simulation' in arguments.parts and 'simulation' not in result:
        result['simulation'] = try_simulation(mutant, control, arguments)
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


def suite_text(suite):
    return (suite['suite'] or '–') + (' (never ends)' if suite.get('hangs') else '')


def seeds_text(simulation):
    if not simulation['seeds']:
        return '–'
    if simulation['missed']:
        return f"{min(simulation['seeds']):g} (not always)"
    return f"{statistics.median(simulation['seeds']):g}"


def told_results(lines):
    """Name -> what the rows of a table say of it: as much as it takes to write them again."""
    results = {}
    for line in lines:
        cells = re.split(r'(?<!\\) *\| *', line.strip())
        name = re.fullmatch('`(\\w+)`', cells[1]) if len(cells) == 8 else None
        if not name:
            continue
        suite, seeds, why = cells[4:7]
        seed = re.match('[0-9.]+', seeds)
        results[name[1]] = {
            'suite': {'suite': None if suite == '–' else suite.removesuffix(' (never ends)'),
                      'why': '', 'hangs': suite.endswith(' (never ends)')},
            'simulation': {'seeds': [float(seed[0])] if seed else [],
                           'missed': int('not always' in seeds),
                           'why': '' if why == '–' else why.replace('\\|', '|')}}
    return results


def commit_text():
    """Of what the table speaks."""
    if shutil.which('git') is None:
        return ''
    told = subprocess.run(['git', '-C', ROOT, 'log', '-1', '--format=%h'], capture_output=True,
                          text=True, check=False).stdout.strip()
    return f' The newest measured at {told}.' if told else ''


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
                     f" {suite_text(suite_of(result))} | {seeds_text(simulation)} | {why} |")
    told = [results[mutant.name] for mutant in known]
    alone = [simulation_of(result) for result in told if is_caught_by_simulation(result)]
    hangs = sum(bool(suite_of(result).get('hangs')) for result in told)
    median = statistics.median(statistics.median(one['seeds']) for one in alone) if alone else 0
    head = (f'{len(known)} mutants of {len({mutant.failure for mutant in known})} classes of'
            f' failure, {sum(map(is_caught, told))} caught:'
            f" {sum(suite_of(result)['suite'] is not None for result in told)} by unit tests,"
            f' scripts, nodes and the crash matrix,'
            f' {hangs} of them because a test never ended; {len(alone)} by the simulation alone,'
            f' the median of those after {median:g} seeds.')
    return head, textwrap.wrap(head + commit_text(), 100) + lines


def write_page(mutants, judged):
    """Rows of what was not measured this time stay. Names those that have none."""
    with open(PAGE) as stream:
        text = stream.read()
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    results = told_results(table.splitlines()) | judged
    _, lines = describe(mutants, results)
    with open(PAGE, 'w') as stream:
        stream.write(before + BEGIN + '\n' + '\n'.join(lines) + '\n' + END + after)
    return [mutant.name for mutant in mutants if mutant.name not in results]


def load(path):
    if path and os.path.exists(path):
        with open(path) as stream:
            return json.load(stream)
    return {}


def lacks(result, parts):
    keys = {'suites': 'suite', 'simulation': 'simulation'}
    return any(keys[part] not in result for part in parts)


def run(mutants, results, arguments):
    wanted = [mutant for mutant in mutants
              if lacks(results.get(mutant.name, {}), arguments.parts)]
    control = Control(arguments.build, arguments.virtual_seconds)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        judged = pool.map(lambda mutant: judge(mutant, results.get(mutant.name, {}), control,
                                               arguments), wanted)
        for mutant, result in zip(wanted, judged):
            results[mutant.name] = result
            suite, simulation = suite_of(result), simulation_of(result)
            print(f"{'caught' if is_caught(result) else 'MISSED'} {mutant.name}:"
                  f" {suite_text(suite)} ({suite['why']}); seeds {simulation['seeds']}"
                  f" ({simulation['why']}); {result['seconds']:.0f} s", flush=True)
            if arguments.results:
                with open(arguments.results, 'w') as stream:
                    json.dump(results, stream, indent=1)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default='build/mutants', help='a build with -Dmutants=true')
    parser.add_argument('--only', default='', help='names, with commas between them')
    parser.add_argument('--every', type=int, default=1, help='only every n-th of the list')
    parser.add_argument('--offset', type=int, default=0, help='any number; where to begin then')
    parser.add_argument('--seeds', type=int, default=SEEDS_MAX, help='the most per seed base')
    parser.add_argument('--repeats', type=int, default=len(SEED_BASES), help='seed bases, 1..3')
    parser.add_argument('--virtual-seconds', type=int, default=60, help='per seed')
    parser.add_argument('--jobs', type=int, default=1, help='mutants at a time')
    parser.add_argument('--parts', default='suites,simulation', help='the two, or one of them')
    parser.add_argument('--results', help='a file of results to go on from and to write')
    parser.add_argument('--write', action='store_true',
                        help='into the table of docs/testing.md, which keeps its other rows')
    parser.add_argument('--list-programs', action='store_true',
                        help='only names what has to be built, beside the simulation')
    return parser, parser.parse_args()


def chosen_names(names, arguments):
    """The named ones, or every n-th of all, from an offset on that only counts modulo n."""
    if arguments.only:
        return arguments.only.split(',')
    return names[arguments.offset % arguments.every::arguments.every]


def main():
    parser, arguments = parse()
    arguments.parts = arguments.parts.split(',')
    mutants = list_mutants(arguments.build)
    names = [mutant.name for mutant in mutants]
    wanted = chosen_names(names, arguments)
    if unknown := set(wanted) - set(names) | set(arguments.parts) - {'suites', 'simulation'}:
        parser.error(f'unknown: {", ".join(sorted(unknown))}')
    results = load(arguments.results)
    chosen = [mutant for mutant in mutants if mutant.name in wanted]
    if arguments.list_programs:
        print('\n'.join(sorted({program for mutant in chosen
                                for program in suites_of(mutant).values()})))
        return 0
    try:
        run(chosen, results, arguments)
    except BrokenBuild as broken:
        print(f'mutants: {broken}', file=sys.stderr)
        return 2
    judged = {name: results[name] for name in wanted}
    head, _ = describe(mutants, judged)
    if arguments.write and (rowless := write_page(mutants, judged)):
        print(f'not in the table yet: {", ".join(rowless)}')
    caught = sum(map(is_caught, judged.values()))
    print(head)
    print(f'{caught} passed, {len(judged) - caught} failed')
    return 0 if caught == len(judged) else 1


if __name__ == '__main__':
    sys.exit(main())
