# The steps of tools/check, in order, for each of its three forms.
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import typing

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import clang_tidy  # noqa: E402
from support.build import CRASH_POINTS, Build  # noqa: E402
from support.faults import may_mount  # noqa: E402
from support.soak_parts import FAULTS_MIN, FAULTS_MIN_SEEDS, FAULTS_MIN_VIRTUAL_S  # noqa: E402
from support.steps import Report, jobs_default, say  # noqa: E402

CLANG_FORMAT_MAJOR = 14  # another version formats differently
SEEDS, VIRTUAL_SECONDS = FAULTS_MIN_SEEDS, FAULTS_MIN_VIRTUAL_S // FAULTS_MIN_SEEDS
SEEDS_SANITIZED = 40  # too few to demand anything of each kind of fault


class Form(typing.NamedTuple):
    """What one form of the check takes of that which could go on for ever."""
    bound_s: int = 0  # of the whole form
    # (nodes, transport) -> leaders to kill after half a minute of faults
    chaos: dict = {}
    kills: int = 0
    fuzz_s: int = 0  # per target
    mutants_every: int = 0  # of how many one; another one for each commit
    mutant_seeds: int = 0


FAST = Form()
DEFAULT = Form(bound_s=45 * 60, chaos={(3, 'tcp'): 4}, kills=40, fuzz_s=2, mutants_every=22,
               mutant_seeds=8)
FULL = Form(bound_s=90 * 60, chaos={(3, 'tcp'): 20, (5, 'tcp'): 20, (3, 'rest'): 20}, kills=120,
            fuzz_s=5, mutants_every=16, mutant_seeds=8)
# Named points where a process can die, and deliberate defects: one build, both at rest.
DEFECTS = ('defects', [*CRASH_POINTS[1], '-Dmutants=true'])
CPP_FOLDERS = ('include', 'lib', 'transports', 'discovery', 'storage', 'testing', 'test', 'bench',
               'examples')
SANITIZED = {'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1',
             'LSAN_OPTIONS': f'suppressions={os.getcwd()}/test/lsan.supp',
             'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
             'TSAN_OPTIONS': f'halt_on_error=1:suppressions={os.getcwd()}/test/tsan.supp'}
# Lines and inlined frames are all that reports and suppressions need of the debug information. Less
# optimization (g) is compiled faster and loses more than that when the programs run.
SANITIZER_SETUP = ['-Db_lundef=false', '-Ddebug=false', '-Dcpp_args=-g1', '-Doptimization=1']
ADDRESSES, THREADS = '-Db_sanitize=address,undefined', '-Db_sanitize=thread'


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
    report.step('chaos judgement', ['python3', '-B', 'test/tools/chaos_test.py'])
    report.step('check judgement', ['python3', '-B', 'test/tools/check_test.py'])
    report.step('mutants judgement', ['python3', '-B', 'test/tools/mutants_test.py'])


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
    """Passes of their own: no version of clang-tidy here knows all that is to be looked for."""
    shipped = ('lib', 'transports', 'discovery', 'storage')
    folders = shipped if everything else ('lib/raft', 'lib/codec')
    ours = set(sources(*shipped, suffixes=('.cpp',)))
    with open(os.path.join(build.folder, 'compile_commands.json')) as stream:
        compiled = [os.path.join(unit['directory'], unit['file']) for unit in json.load(stream)]
    # The mutants are not compiled, in this build.
    ours &= {os.path.relpath(path) for path in compiled}
    wanted = ours & (set(sources(*folders, suffixes=('.cpp',))) | changed_files())
    if any(one.tool() for one in clang_tidy.PASSES):
        report.step('clang-tidy self-test', ['python3', '-B', 'tools/support/clang_tidy.py'])
    for one in clang_tidy.PASSES:
        tool = one.tool()
        if not tool:
            report.skip(one.name, f'clang-tidy is not installed in a version of {one.versions}')
            continue
        files = report.log_path(f'{one.name} files')
        with open(files, 'w') as stream:
            stream.write('\n'.join(sorted(one.files(wanted, ours))) + '\n')
        # One process per core: xargs keeps them busy and fails when any of them fails.
        report.step(one.name, [
            'xargs', '-a', files, '-n', '4', '-P', str(build.jobs), tool, '-p', build.folder,
            *one.options(), '--extra-arg=-Wno-unknown-warning-option'])  # g++'s are not clang's


# Whoever speaks to the nodes without being asked.
UNASKED = (('stranger', '--stranger'), ('liar', '--liar'))
SPEED_MIN = 200  # virtual seconds per second of a core, of 5 nodes with 4 partitions


def check_simulation(report, build, label):
    program = build.program('kommander-sim')
    name = f'simulation {label}'
    if program is None or not os.path.exists(program):
        report.skip(name, 'there is no kommander-sim')
        return
    # Sanitizers see fewer of the same seeds.
    seeds, demand = SEEDS, ['--require-faults', str(FAULTS_MIN)]
    if build.environment:
        seeds, demand = SEEDS_SANITIZED, []
    report.step(name, [program, '--seeds', f'1..{seeds}', '--virtual-seconds',
                       str(VIRTUAL_SECONDS), *demand], build.environment)
    for who, how in UNASKED:
        report.step(f'simulation {label} {who}', [
            program, '--seeds', f'1..{seeds}', '--virtual-seconds', '60', how], build.environment)


def check_speed(report, build):
    program = build.program('kommander-sim')
    if program is None:
        report.skip('simulation speed', 'there is no kommander-sim')
        return
    report.step('simulation speed', [program, '--seeds', '1..20', '--virtual-seconds', '120',
                                     '--nodes', '5', '--partitions', '4', '--jobs', '1',
                                     '--require-speed', str(SPEED_MIN)])


def check_chaos(report, build, form):
    programs = [build.program(name) for name in ('kommander-kv', 'kommander-history')]
    if None in programs:
        report.skip('chaos', 'there is no kommander-kv or no kommander-history')
        return
    without = []
    if not may_mount():
        without = ['--no-disk-full']
        report.skip('chaos with a full disk', 'it takes a right to mount one')
    for (nodes, transport), leader_kills in form.chaos.items():
        report.step(f'chaos {nodes} nodes {transport}',
                    ['python3', '-B', 'tools/support/chaos.py', '--seconds', '30', '--nodes',
                     str(nodes), '--leader-kills', str(leader_kills), '--transport', transport,
                     *without, '--program', programs[0], '--judge', programs[1]])


def check_fuzz(report, form, arguments):
    if not find_tool('clang++', 16, 19, 18, 17):
        report.skip('fuzz', 'clang++ is not installed')
        return
    report.step('fuzz', ['python3', '-B', 'tools/support/fuzz.py', '--seconds', str(form.fuzz_s),
                         '--jobs', str(arguments.jobs)])


def number_of_commit():
    """Another one for each commit; 0 without git."""
    if shutil.which('git') is None:
        return 0
    told = subprocess.run(['git', 'rev-parse', '--short=8', 'HEAD'], capture_output=True, text=True,
                          check=False)
    return int(told.stdout, 16) if told.returncode == 0 else 0


def check_defects(report, form, arguments):
    """Processes that die at named points of the code; tests that notice deliberate defects."""
    build = Build(report, *DEFECTS, arguments.jobs)
    programs = build.configure() and [build.program(name)
                                      for name in ('kommander-kv', 'kommander-sim')]
    if not programs or None in programs:
        report.skip('kill matrix and mutants', 'there is no kommander-kv or no kommander-sim')
        return
    if not build.build([os.path.relpath(path, os.path.abspath(build.folder)) for path in programs]):
        return
    number = number_of_commit()
    report.step('kill matrix', ['python3', '-B', 'test/crash/kill_matrix.py', programs[0],
                                '--kills', str(form.kills), '--seed', str(number)])
    share = ['python3', '-B', 'test/mutants/run.py', '--build', build.folder, '--every',
             str(form.mutants_every), '--offset', str(number)]
    listed = subprocess.run([*share, '--list-programs'], check=True, capture_output=True, text=True)
    if build.build(listed.stdout.split()):
        report.step('mutants', [*share, '--seeds', str(form.mutant_seeds), '--repeats', '1',
                                '--jobs', str(arguments.jobs)])


def check_coverage(report, arguments):
    report.step('coverage', ['python3', '-B', 'tools/support/coverage.py', '--minimum-lines', '90',
                             '--minimum-branches', '80', '--jobs', str(arguments.jobs)])


def check_options(report, form, arguments):
    """The library without its parts: without all of them, in the long form without each too."""
    report.step('options', ['python3', '-B', 'tools/support/options.py', '--jobs',
                            str(arguments.jobs), *(['--each'] if form is FULL else [])])


def check_reference(report):
    if not find_tool('doxygen'):
        report.skip('API reference', 'doxygen is not installed')
        return
    report.step('API reference', ['python3', '-B', 'tools/support/api_reference.py'])


def check_demo(report, build):
    """The demo as a newcomer sees it, on the server that was just built."""
    program = build.program('kommander-kv')
    if program is None or not os.path.exists(program):
        report.skip('demo', 'there is no kommander-kv')
        return
    report.step('demo', ['python3', '-B', 'tools/support/demo.py', '--program', program])


def release(report, form, arguments):
    build = Build(report, 'release', ['-Dwerror=true'], arguments.jobs)
    if not build.configure():
        return
    if form is FAST:
        targets = [*build.targets_under('test/unit', 'test/headers'),
                   *(t for t in build.targets_under('test/sim') if t.endswith('kommander-sim'))]
        if build.build(targets):
            build.test(build.tests_under('test/unit'))
    elif build.build():
        build.test(time_factor=2)
    check_simulation(report, build, 'release')
    if form is not FAST:
        check_demo(report, build)
        check_clang_tidy(report, build, everything=form is FULL)
        check_chaos(report, build, form)
    if form is FULL:
        check_speed(report, build)


# What most can go wrong in: the core, the codecs and the simulation, whole nodes on real threads
# and in processes of their own, and the examples, whose calls users copy.
SANITIZED_FOLDERS = ('test/unit', 'test/scripts', 'test/sim', 'test/testing', 'test/checkers',
                     'test/integration', 'examples')
# What has one thread of ours is left out; a storage library's own are not ThreadSanitizer's.
THREADED_FOLDERS = ('test/unit', 'test/sim', 'test/testing', 'test/integration',
                    'test/conformance', 'test/protocol', 'examples', 'tools/server')
# Everything but the consumer of what is installed, which is built anew without a sanitizer.
TESTED_FOLDERS = (*SANITIZED_FOLDERS, 'test/conformance', 'test/crash', 'test/fuzz', 'test/mutants',
                  'test/protocol', 'bench', 'tools/server')


def sanitized(report, arguments, name, setup, folders, environment=None, builds_all=False):
    """Builds what is below `folders`, or the whole tree, and tests what is below them."""
    build = Build(report, name, [*SANITIZER_SETUP, *setup], arguments.jobs,
                  SANITIZED | (environment or {}))
    if not build.configure():
        return
    targets = () if builds_all else tuple(build.targets_under(*folders))
    if build.build(targets):
        build.test(build.tests_under(*folders), time_factor=10)
        # A world has one thread; that worlds share nothing is shown by the tests of test/sim.
        if THREADS not in setup:
            check_simulation(report, build, name)


def sanitized_by_clang(report, arguments):
    """The whole tree by the other compiler, without a warning, and under its sanitizers."""
    compiler = find_tool('clang++', 16, 19, 18, 17)
    symbolizer = find_tool('llvm-symbolizer', 16, 19, 18, 17)
    if not compiler or not symbolizer:
        report.skip('clang', 'clang++ or llvm-symbolizer >= 16 is not installed')
        return
    # The check of vptr opens a pipe to look at memory, and takes a failure to open one for a wrong
    # vptr: tests without a free descriptor cannot bear it. g++'s keeps them.
    setup = [ADDRESSES, '-Dwerror=true', '-Dcpp_args=-g1 -fno-sanitize=vptr']
    # A build folder keeps its compiler, so this one has a name of its own.
    sanitized(report, arguments, 'clang', setup, TESTED_FOLDERS,
              {'CXX': compiler, 'ASAN_SYMBOLIZER_PATH': symbolizer}, builds_all=True)


def run_form(report, form, arguments):
    """All but the style."""
    release(report, form, arguments)
    if form is DEFAULT:
        sanitized(report, arguments, 'asan', [ADDRESSES], SANITIZED_FOLDERS)
    if form is FULL:
        sanitized_by_clang(report, arguments)
    if form is not FAST:
        check_options(report, form, arguments)
        check_reference(report)
        check_defects(report, form, arguments)
        check_fuzz(report, form, arguments)
    if form is FULL:
        sanitized(report, arguments, 'tsan', [THREADS], THREADED_FOLDERS)
        check_coverage(report, arguments)


def parse():
    parser = argparse.ArgumentParser(prog='tools/check',
                                     description='Everything that a change must pass.')
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--fast', action='store_true', help='style, unit tests, simulation')
    form.add_argument('--full', action='store_true', help='also TSan, clang, clang-tidy everywhere;'
                      ' what is skipped has failed')
    form.add_argument('--fix', action='store_true', help='only format the sources, in place')
    parser.add_argument('--jobs', type=int, default=jobs_default(), help='compilers at a time')
    return parser.parse_args()


def main():
    arguments = parse()
    if arguments.fix:
        return fix_format()
    form = FAST if arguments.fast else FULL if arguments.full else DEFAULT
    report = Report('build/logs', is_skip_a_failure=form is FULL)
    check_style(report)
    run_form(report, form, arguments)
    report.finish(form.bound_s)


if __name__ == '__main__':
    sys.exit(main())
