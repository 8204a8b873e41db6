# One Meson build directory: configured, built in part or whole, its tests run and counted.
import json
import os
import re
import subprocess

from support.nodes import DemoError
from support.steps import Report, say, telling_lines

# Named places where a test can kill the process: a build of its own.
CRASH_POINTS = ('crash', ['-Dwerror=true', '-Dcrash_points=true'])
PROGRAMS = ('executable', 'shared module')
_CASES = re.compile(r'^test cases:\s*(\d+)(.*)$', re.MULTILINE)
_ALL_PASSED = re.compile(r'^All tests passed \(\d+ assertions? in (\d+) test', re.MULTILINE)
_COUNTED = re.compile(r'^(\d+) passed, (\d+) failed$', re.MULTILINE)


def count_cases(output, succeeded):
    """(passed, failed) of one test program: Catch2's cases, a line `N passed, N failed`, or one."""
    passed = failed = 0
    for match in _ALL_PASSED.finditer(output):
        passed += int(match.group(1))
    for match in _CASES.finditer(output):
        bad = re.search(r'(\d+) failed(?! as expected)', match.group(2))
        good = re.search(r'(\d+) passed', match.group(2))
        failed += int(bad.group(1)) if bad else 0
        passed += int(good.group(1)) if good else 0
    for match in _COUNTED.finditer(output):
        passed += int(match.group(1))
        failed += int(match.group(2))
    if succeeded and passed + failed == 0:
        return 1, 0
    # A program that ended badly failed, whatever it printed before.
    return passed, failed if succeeded else max(failed, 1)


class Build:
    def __init__(self, report, name, options, jobs, environment=None):
        self.report = report
        self.name = name
        self.folder = os.path.join('build', name)
        self.options = options
        self.jobs = jobs
        self.environment = environment or {}

    def configure(self):
        command = ['meson', 'setup', self.folder, *self.options]
        if os.path.exists(os.path.join(self.folder, 'build.ninja')):
            command.append('--reconfigure')
        return self.report.step(f'configure {self.name}', command, self.environment)

    def introspect(self, what):
        output = subprocess.run(['meson', 'introspect', f'--{what}', self.folder], check=True,
                                capture_output=True, stdin=subprocess.DEVNULL).stdout
        return json.loads(output)

    def build(self, targets=()):
        """Builds everything, or the named files; goes on after an error to show them all."""
        succeeded = self.report.step(
            f'build {self.name}',
            ['ninja', '-C', self.folder, '-k', '0', f'-j{self.jobs}', *targets], self.environment)
        if not succeeded:
            self.report.skip(f'test {self.name}', 'it was not built')
        return succeeded

    def targets_under(self, *prefixes):
        """Paths, relative to the build directory, of all programs defined below these folders."""
        here, root = os.path.abspath(self.folder), os.getcwd()
        for target in self.introspect('targets'):
            defined = os.path.relpath(target['defined_in'], root)
            if target['type'] in PROGRAMS and defined.startswith(prefixes):
                yield from (os.path.relpath(name, here) for name in target['filename'])

    def tests_under(self, *prefixes):
        """Names of the tests of programs that are defined below these folders, whoever runs them:
        the command of some is an interpreter. Without style, which check runs itself."""
        defined = {target['id']: os.path.relpath(target['defined_in'], os.getcwd())
                   for target in self.introspect('targets')}
        return [test['name'] for test in self.introspect('tests')
                if not any(suite.endswith(':style') for suite in test['suite'])
                and any(defined[target].startswith(prefixes) for target in test['depends'])]

    def program(self, name):
        for target in self.introspect('targets'):
            if target['name'] == name and target['type'] == 'executable':
                return target['filename'][0]
        return None

    def test(self, names=None, time_factor=1):
        """Runs the named tests (None: all but style, which check runs itself) and counts them."""
        label = f'test {self.name}'
        if names is not None and not names:
            self.report.skip(label, 'there are no such tests yet')
            return
        command = ['meson', 'test', '-C', self.folder, '--no-rebuild', '--print-errorlogs',
                   '--num-processes', str(self.jobs), '--timeout-multiplier', str(time_factor)]
        command += ['--no-suite', 'style'] if names is None else names
        results = os.path.join(self.folder, 'meson-logs', 'testlog.json')
        if os.path.exists(results):
            os.remove(results)
        succeeded, _ = self.report.run(label, command, self.environment, quiet=True)
        if not os.path.exists(results):
            if not succeeded:
                self.report.count(0, ['no test could be run'], label)
            else:
                self.report.skip(label, 'there are no such tests yet')
            return
        with open(results) as stream:
            self._count([json.loads(line) for line in stream], label)

    def _count(self, results, label):
        before = self.report.passed
        for result in results:
            good = result['result'] in ('OK', 'EXPECTEDFAIL')
            if result['result'] == 'SKIP':
                self.report.skip(f"{label}: {result['name']}", 'it skipped itself')
                continue
            output = result.get('stdout', '') or ''
            name = result['name'].split(' / ')[-1]
            passed, failed = count_cases(output, good)
            self.report.count(passed, [name] * failed, label)
            if not good or failed:
                say(f"    {name}: {result['result']}")
                lines = (output + (result.get('stderr') or '')).splitlines()
                say('\n'.join('    | ' + line for line in telling_lines(lines)))
        say(f'    {label}: {len(results)} programs, {self.report.passed - before} cases passed')


def build_program(name, jobs):
    """A program out of build/release, which tools/check uses too."""
    build = Build(Report('build/logs'), 'release', [], jobs)
    configured = os.path.exists(os.path.join(build.folder, 'build.ninja'))
    if not configured and not build.configure():
        raise DemoError('meson could not configure build/release')
    path = build.program(name)
    if path is None:
        # The directory may be older than the program, or was made before its packages came.
        path = build.configure() and build.program(name)
    if not path:
        raise DemoError(f'the build has no {name}; is the option -Dexamples off?')
    if not build.build([os.path.relpath(path, os.path.abspath(build.folder))]):
        raise DemoError(f'{name} could not be built')
    return path
