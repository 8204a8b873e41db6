# Building and running the fuzz targets; see tools/fuzz.
import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.build import Build  # noqa: E402
from support.steps import Report, jobs_default, say  # noqa: E402

FOUND, FAILURES, KEPT = 'build/fuzz-corpus', 'build/fuzz-failures', 'test/fuzz/corpus'
INPUT_BYTES_MAX = 4096
NAME_WIDTH = 19
BOUNDS = ['-rss_limit_mb=256', '-malloc_limit_mb=32', '-timeout=10']
OPTIONS = ['-Dfuzz=true', '-Db_sanitize=address,undefined', '-Db_lundef=false',
           '-Dbuildtype=debugoptimized', '-Dbenches=false', '-Dexamples=enabled',
           '-Drocksdb=disabled', '-Dsqlite=disabled', '-Dtcp=enabled', '-Djson=enabled']
# What is freed waits in AddressSanitizer's quarantine, which must not count as the target's memory.
ENVIRONMENT = {'ASAN_OPTIONS': 'quarantine_size_mb=16:detect_stack_use_after_return=0',
               'UBSAN_OPTIONS': 'print_stacktrace=1'}


def parse_arguments():
    parser = argparse.ArgumentParser(prog='tools/fuzz', description='Runs the fuzz targets.')
    length = parser.add_mutually_exclusive_group()
    length.add_argument('--seconds', type=int, default=60, help='per target')
    length.add_argument('--executions', type=int, help='per target, instead of seconds')
    parser.add_argument('--target', action='append', help='only this one; may be repeated')
    parser.add_argument('--minimize', action='store_true', help=f'renews {KEPT}')
    parser.add_argument('--list', action='store_true', help='names the targets')
    parser.add_argument('--jobs', type=int, default=jobs_default(), help='compilers at a time')
    return parser.parse_args()


def build_programs(report, jobs):
    """(fuzzer, replay), or None."""
    build = Build(report, 'fuzz', OPTIONS, jobs, {'CXX': find_compiler()})
    if not build.configure() or not build.build(['test/fuzz/fuzz', 'test/fuzz/fuzz-replay']):
        return None
    return build.program('fuzz'), build.program('fuzz-replay')


def find_compiler():
    for name in ('clang++-16', 'clang++-19', 'clang++-18', 'clang++-17', 'clang++'):
        if shutil.which(name):
            return name
    sys.exit('tools/fuzz: no clang++ is installed')


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


@dataclass
class Ran:
    """What fuzzing one target came to."""
    target: str
    succeeded: bool
    executions: int
    edges: int
    corpus: int  # inputs
    fresh: int  # of them
    memory_mib: int

    def text(self):
        return (f'{self.target:<{NAME_WIDTH}} {self.executions:>11} {self.edges:>8}'
                f' {self.corpus:>7} {self.fresh:>7} {self.memory_mib:>8}')


class Fuzzer:
    def __init__(self, report, fuzzer, replay):
        self.report, self.fuzzer, self.replay = report, fuzzer, replay
        self.environment = dict(ENVIRONMENT)
        if symbolizer := shutil.which('llvm-symbolizer-16') or shutil.which('llvm-symbolizer'):
            self.environment['ASAN_SYMBOLIZER_PATH'] = symbolizer

    def targets(self):
        return subprocess.run([self.replay, '--list'], check=True, capture_output=True,
                              text=True).stdout.split()

    def run(self, target, arguments):
        """Fuzzes one target."""
        found = os.path.join(FOUND, target)
        failures = os.path.join(FAILURES, target)
        for folder in (found, failures):
            os.makedirs(folder, exist_ok=True)
        subprocess.run([self.replay, '--seeds', target, found], check=True)
        folders = [found] + [f'{KEPT}/{target}'] * os.path.isdir(f'{KEPT}/{target}')
        limit = (f'-runs={arguments.executions}' if arguments.executions
                 else f'-max_total_time={arguments.seconds}')
        command = [self.fuzzer, f'--target={target}', limit, f'-max_len={INPUT_BYTES_MAX}', *BOUNDS,
                   '-print_final_stats=1', f'-artifact_prefix={failures}/', *folders]
        before = len(os.listdir(found))
        succeeded, log = self.report.run(f'fuzz {target}', command, self.environment)
        with open(log, errors='replace') as stream:
            text = stream.read()
        if not succeeded:
            say(f'    the input is in {failures}; repeat:'
                f' {os.path.relpath(self.fuzzer)} --target={target} FILE')
        self.report.count(int(succeeded), [] if succeeded else [os.path.relpath(log)], target)
        corpus = len(os.listdir(found))
        return Ran(target, succeeded,
                   last_number(r'number_of_executed_units: *([0-9]+)', text),
                   last_number(r'cov: ([0-9]+)', text), corpus, corpus - before,
                   last_number(r'peak_rss_mb: *([0-9]+)', text))

    def minimize(self, target):
        """Keeps what reaches an edge that nothing else reaches; how often it does, is left out."""
        kept, fresh = f'{KEPT}/{target}', f'{FOUND}/.fresh-{target}'
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh)
        sources = [folder for folder in (kept, f'{FOUND}/{target}') if os.path.isdir(folder)]
        command = [self.fuzzer, f'--target={target}', '-set_cover_merge=1', '-use_counters=0',
                   f'-max_len={INPUT_BYTES_MAX}', *BOUNDS, fresh, *sources]
        if not self.report.step(f'minimize {target}', command, self.environment):
            return
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(fresh, kept)
        sizes = [entry.stat().st_size for entry in os.scandir(kept)]
        say(f'    {kept}: {len(sizes)} files, {sum(sizes)} bytes')


def main():
    arguments = parse_arguments()
    report = Report('build/logs')
    programs = build_programs(report, arguments.jobs)
    if programs is None:
        report.finish()
    fuzzer = Fuzzer(report, *programs)
    known = fuzzer.targets()
    if arguments.list:
        print('\n'.join(known))
        return 0
    wanted = arguments.target or known
    if unknown := [target for target in wanted if target not in known]:
        sys.exit(f"tools/fuzz: no such target: {' '.join(unknown)}; --list names them")
    table = [fuzzer.run(target, arguments) for target in wanted]
    if arguments.minimize:
        for target in wanted:
            fuzzer.minimize(target)
    say(f"{'target':<{NAME_WIDTH}} {'executions':>11} {'edges':>8} {'corpus':>7} {'new':>7}"
        f" {'MiB max':>8}")
    say('\n'.join(ran.text() for ran in table))
    report.finish()


if __name__ == '__main__':
    sys.exit(main())
