# The steps of tools/check, in order, for each of its three forms.
import argparse
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.build import CRASH_POINTS, Build  # noqa: E402
from support.steps import Report, jobs_default, say  # noqa: E402

CLANG_FORMAT_MAJOR = 14  # another version formats differently
SEEDS, VIRTUAL_SECONDS = '1..100', '120'
FAULTS_MIN = '50'  # of every kind; the rarest comes to about 90
FUZZ_S = '20'  # per target
KILLS = '400'  # enough to demand that every named point was reached
MUTANTS_EVERY = '3'  # all of them take too long; docs/testing.md says when they were run
CPP_FOLDERS = ('include', 'lib', 'transports', 'storage', 'test', 'bench', 'examples')
SANITIZED = {'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1',
             'LSAN_OPTIONS': f'suppressions={os.getcwd()}/test/lsan.supp',
             'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
             'TSAN_OPTIONS': f'halt_on_error=1:suppressions={os.getcwd()}/test/tsan.supp'}
SANITIZER_SETUP = ['-Db_lundef=false', '-Dbuildtype=debug', '-Doptimization=1']


def sources(*folders, suffixes=('.cpp', '.hpp')):
    for folder in folders:
        for parent, _, names in os.walk(folder):
            yield from sorted(os.path.join(parent, name) for name in names
                              if name.endswith(suffixes))


def find_tool(name, *versions):
    candidates = [f'{name}-{version}' for version in versions] + [name]
    return next((found for found in map(shutil.which, candidates) if found), None)


def check_format(report):
    tool = find_tool('clang-format', CLANG_FORMAT_MAJOR)
    version = ''
    if tool:
        version = subprocess.run([tool, '--version'], capture_output=True, text=True).stdout
    if f'version {CLANG_FORMAT_MAJOR}.' not in version:
        report.skip('format', f'clang-format {CLANG_FORMAT_MAJOR} is not installed')
        return
    command = [tool, '--dry-run', '-Werror', *sources(*CPP_FOLDERS)]
    succeeded, log = report.run('format', command, quiet=True)
    with open(log) as stream:
        files = sorted(set(re.findall(r'^(\S+?):\d+:\d+: error:', stream.read(), re.MULTILINE)))
    for path in files:
        say(f'    | {path}: tools/check --fix would change it')
    report.count(int(succeeded), [] if succeeded else [' '.join(files) or log], 'format')


def fix_format():
    tool = find_tool('clang-format', CLANG_FORMAT_MAJOR)
    return subprocess.run([tool or 'clang-format', '-i', *sources(*CPP_FOLDERS)]).returncode


def check_style(report):
    check_format(report)
    report.step('tidy', ['python3', '-B', 'tools/tidy'])
    report.step('tidy self-test', ['python3', '-B', 'tools/tidy', '--self-test'])
    report.step('tools', ['python3', '-B', 'test/tools/support_test.py'])
    report.step('soak ledger', ['python3', '-B', 'test/tools/soak_test.py'])
    report.step('demo judgement', ['python3', '-B', 'test/tools/demo_test.py'])


def changed_files():
    """What the work tree, and its branch beyond the upstream, changed. Empty without git."""
    changed = set()
    if shutil.which('git') is None:
        return changed
    for against in ('HEAD', '@{upstream}'):
        listed = subprocess.run(['git', 'diff', '--name-only', '--diff-filter=d', against, '--'],
                                capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            changed.update(listed.stdout.split())
    return changed


def check_clang_tidy(report, build, everything):
    tool = find_tool('clang-tidy', 16, 19, 18, 17)
    if not tool:
        report.skip('clang-tidy', 'it is not installed')
        return
    folders = ('lib', 'transports', 'storage') if everything else ('lib/raft', 'lib/codec')
    wanted = set(sources(*folders, suffixes=('.cpp',)))
    ours = set(sources('lib', 'transports', 'storage', suffixes=('.cpp',)))
    wanted |= changed_files() & ours
    # One process per core: xargs keeps them busy and fails when any of them fails.
    command = ['xargs', '-a', report.log_path('clang-tidy files'), '-n', '4', '-P', str(build.jobs),
               tool, '-p', build.folder, '--quiet',
               '--extra-arg=-Wno-unknown-warning-option']  # g++'s options are not clang's
    with open(report.log_path('clang-tidy files'), 'w') as stream:
        stream.write('\n'.join(sorted(wanted)) + '\n')
    report.step('clang-tidy', command)


def check_simulation(report, build, label):
    program = build.program('kommander-sim')
    name = f'simulation {label}'
    if program is None or not os.path.exists(program):
        report.skip(name, 'there is no kommander-sim')
        return
    report.step(name, [program, '--seeds', SEEDS, '--virtual-seconds', VIRTUAL_SECONDS,
                       '--require-faults', FAULTS_MIN], build.environment)


def check_chaos(report, build):
    programs = [build.program(name) for name in ('kommander-kv', 'kommander-history')]
    if None in programs:
        report.skip('chaos', 'there is no kommander-kv or no kommander-history')
        return
    report.step('chaos', ['python3', '-B', 'tools/support/chaos.py', '--seconds', '30',
                          '--leader-kills', '4', '--program', programs[0], '--judge', programs[1]])


def check_fuzz(report, arguments):
    if not find_tool('clang++', 16, 19, 18, 17):
        report.skip('fuzz', 'clang++ is not installed')
        return
    report.step('fuzz', ['python3', '-B', 'tools/support/fuzz.py', '--seconds', FUZZ_S, '--jobs',
                         str(arguments.jobs)])


def check_crashes(report, release, arguments):
    """All of the crash matrix, and processes that die at every named point of the code."""
    matrix = release.program('crash_matrix')
    if matrix is None:
        report.skip('crash matrix', 'there is no crash_matrix')
    else:
        report.step('crash matrix', [matrix, '--all'])
    build = Build(report, *CRASH_POINTS, arguments.jobs)
    server = build.configure() and build.program('kommander-kv')
    if not server:
        report.skip('kill matrix', 'there is no kommander-kv')
    elif build.build([os.path.relpath(server, os.path.abspath(build.folder))]):
        report.step('kill matrix', ['python3', '-B', 'test/crash/kill_matrix.py', server,
                                    '--kills', KILLS])


def check_demo(report, build):
    """The demo as a newcomer sees it, on the server that was just built."""
    program = build.program('kommander-kv')
    if program is None or not os.path.exists(program):
        report.skip('demo', 'there is no kommander-kv')
        return
    report.step('demo', ['python3', '-B', 'tools/support/demo.py', '--program', program])


def release(report, arguments):
    build = Build(report, 'release', ['-Dwerror=true'], arguments.jobs)
    if not build.configure():
        return
    if arguments.fast:
        targets = [*build.targets_under('test/unit', 'test/headers'),
                   *(t for t in build.targets_under('test/sim') if t.endswith('kommander-sim'))]
        if build.build(targets):
            build.test(build.tests_under('test/unit'))
    elif build.build():
        build.test(time_factor=2)
    check_simulation(report, build, 'release')
    if not arguments.fast:
        check_demo(report, build)
        check_clang_tidy(report, build, everything=arguments.full)
    if arguments.full:
        check_chaos(report, build)
        check_crashes(report, build, arguments)
        check_fuzz(report, arguments)


# What most can go wrong in: the core, the codecs and the simulation, whole nodes on real threads,
# and the examples, whose calls users copy.
SANITIZED_FOLDERS = ('test/unit', 'test/scripts', 'test/sim', 'test/integration', 'examples')
# The crash matrix has one thread of ours; the storage library's own are not ThreadSanitizer's.
THREADED_FOLDERS = (*SANITIZED_FOLDERS, 'test/conformance', 'bench')


def sanitized(report, arguments, name, sanitizers, folders=None):
    """The tests below `folders` under sanitizers; none given: the whole tree."""
    build = Build(report, name, [f'-Db_sanitize={sanitizers}', *SANITIZER_SETUP], arguments.jobs,
                  SANITIZED)
    if not build.configure():
        return
    targets = () if folders is None else tuple(build.targets_under(*folders))
    if build.build(targets):
        build.test(None if folders is None else build.tests_under(*folders), time_factor=10)
        check_simulation(report, build, name)


def mutants(report, arguments):
    """A share of the deliberate defects: the tests still notice them."""
    build = Build(report, 'mutants', ['-Dwerror=true', '-Dmutants=true'], arguments.jobs)
    if not build.configure():
        return
    folders = ('test/unit', 'test/scripts', 'test/sim', 'test/integration', 'test/conformance',
               'test/crash')
    if build.build(tuple(build.targets_under(*folders))):
        report.step('mutants', ['python3', '-B', 'test/mutants/run.py', '--build', build.folder,
                                '--every', MUTANTS_EVERY, '--seeds', '32', '--repeats', '1',
                                '--jobs', str(arguments.jobs)])


def clang(report, arguments):
    compiler = find_tool('clang++', 16, 19, 18, 17)
    if not compiler:
        report.skip('clang', 'clang++ >= 16 is not installed')
        return
    build = Build(report, 'clang', ['-Dwerror=true'], arguments.jobs, {'CXX': compiler})
    if build.configure() and build.build():
        build.test()


def main():
    parser = argparse.ArgumentParser(prog='tools/check',
                                     description='Everything that a change must pass.')
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--fast', action='store_true', help='style, unit tests, simulation')
    form.add_argument('--full', action='store_true', help='also TSan, clang, clang-tidy everywhere')
    form.add_argument('--fix', action='store_true', help='only format the sources, in place')
    parser.add_argument('--jobs', type=int, default=jobs_default(), help='compilers at a time')
    arguments = parser.parse_args()
    if arguments.fix:
        return fix_format()
    report = Report('build/logs')
    check_style(report)
    release(report, arguments)
    if not arguments.fast:
        sanitized(report, arguments, 'asan', 'address,undefined',
                  None if arguments.full else SANITIZED_FOLDERS)
    if arguments.full:
        sanitized(report, arguments, 'tsan', 'thread', THREADED_FOLDERS)
        mutants(report, arguments)
        clang(report, arguments)
    report.finish()


if __name__ == '__main__':
    sys.exit(main())
