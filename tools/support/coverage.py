# Building with coverage, running the core's tests and reading what gcovr makes of it; see
# tools/coverage.
import argparse
import glob
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.build import Build  # noqa: E402
from support.steps import Report, jobs_default, say  # noqa: E402

FOLDER = 'lib/raft/'
OPTIONS = ['-Db_coverage=true', '-Dbuildtype=debug', '-Doptimization=0', '-Dbenches=false',
           '-Drocksdb=disabled', '-Dsqlite=disabled', '-Dtcp=disabled']
# What no test can take: the branches of exceptions, which the core does not throw, those of an
# assertion that holds, and those of lines without code.
EXCLUDED = ['--exclude-throw-branches', '--exclude-unreachable-branches',
            '--exclude-branches-by-pattern', r'.*\bKOMMANDER_ASSERT\b.*']


def parse_arguments():
    parser = argparse.ArgumentParser(prog='tools/coverage',
                                     description='Lines and branches of the core under its tests.')
    parser.add_argument('--minimum-lines', type=float, default=0, metavar='PERCENT')
    parser.add_argument('--minimum-branches', type=float, default=0, metavar='PERCENT')
    parser.add_argument('--uncovered', action='store_true', help='names what is missed')
    parser.add_argument('--chaos-seeds', default='1..40', metavar='A..B')
    parser.add_argument('--jobs', type=int, default=jobs_default(), help='compilers at a time')
    return parser.parse_args()


def build_programs(report, jobs):
    build = Build(report, 'coverage', OPTIONS, jobs)
    if not build.configure():
        return None
    names = ('raft_test', 'script_test', 'raft_chaos', 'sim_test')
    programs = {name: build.program(name) for name in names}
    targets = [os.path.relpath(path, build.folder) for path in programs.values()]
    return programs if build.build(targets) else None


def run_tests(report, programs, arguments):
    # Counts of an earlier run would add up.
    for path in glob.glob('build/coverage/**/*.gcda', recursive=True):
        os.remove(path)
    scripts = sorted(glob.glob('test/scripts/*.txt'))
    runs = [
        # Random nonsense reaches much and judges little: it would flatter the figures.
        ('unit tests', [programs['raft_test'], '~random nonsense*']),
        ('golden scripts', [programs['script_test'], *scripts]),
        ('chaos', [programs['raft_chaos'], arguments.chaos_seeds, '5']),
        # Not kommander-sim: its workers leave without writing their counts.
        ('simulation', [programs['sim_test'], 'twenty seeds*,nodes do not hear*']),
    ]
    return all([report.step(f'coverage {name}', command) for name, command in runs])


def measure(report):
    """(summary, details) as gcovr writes them, or None."""
    summary, details = 'build/coverage/summary.json', 'build/coverage/details.json'
    command = ['gcovr', '--root', '.', '--filter', FOLDER, *EXCLUDED, '--json-summary', summary,
               '--json', details, 'build/coverage/lib/raft', 'build/coverage/test']
    if not report.step('gcovr', command):
        return None
    with open(summary) as first, open(details) as second:
        return json.load(first), json.load(second)


def percent(covered, total):
    return 100.0 * covered / total if total else 100.0


def table_line(name, entry):
    lines = f"{entry['line_covered']}/{entry['line_total']}"
    branches = f"{entry['branch_covered']}/{entry['branch_total']}"
    return (f"{name:<28} {lines:>10}"
            f" {percent(entry['line_covered'], entry['line_total']):6.1f} % {branches:>10}"
            f" {percent(entry['branch_covered'], entry['branch_total']):6.1f} %")


def print_uncovered(details):
    for file in details['files']:
        with open(file['file']) as stream:
            source = stream.read().split('\n')
        for line in file['lines']:
            if line.get('gcovr/noncode'):
                continue
            missed = sum(branch['count'] == 0 for branch in line['branches'])
            if line['count'] == 0:
                reason = 'never run'
            elif missed:
                reason = f"{missed} of {len(line['branches'])} branches never taken"
            else:
                continue
            text = source[line['line_number'] - 1].strip()
            say(f"{file['file']}:{line['line_number']}: {reason}: {text}")


def judge(report, summary, arguments):
    for name, kind, minimum in (('lines', 'line', arguments.minimum_lines),
                                ('branches', 'branch', arguments.minimum_branches)):
        reached = percent(summary[f'{kind}_covered'], summary[f'{kind}_total'])
        good = reached >= minimum
        failure = f'{reached:.1f} % are reached, {minimum:g} % are wanted'
        report.count(int(good), [] if good else [failure], name)


def main():
    arguments = parse_arguments()
    if not shutil.which('gcovr'):
        sys.exit('tools/coverage: gcovr is not installed')
    report = Report('build/logs')
    programs = build_programs(report, arguments.jobs)
    measured = run_tests(report, programs, arguments) and measure(report) if programs else None
    if measured:
        summary, details = measured
        if arguments.uncovered:
            print_uncovered(details)
        say(f"{'file':<28} {'lines':>10} {'':>8} {'branches':>10}")
        for file in summary['files']:
            say(table_line(file['filename'], file))
        say(table_line('all', summary))
        judge(report, summary, arguments)
    report.finish()


if __name__ == '__main__':
    sys.exit(main())
