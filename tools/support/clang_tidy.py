# clang-tidy in passes: what .clang-tidy names, and one check that only newer ones know. A name that
# is not known is ignored in silence, so each pass is asked first whether it knows its own.
# Started by itself it proves that, and that each pass refuses and accepts what it is to.
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing

CONFIGURATION = '.clang-tidy'
_TASK = '''#include <coroutine>
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};
'''


def _text(path):
    with open(path) as stream:
        return stream.read()


class Pass(typing.NamedTuple):
    name: str
    versions: tuple  # of clang-tidy, the first one that is installed
    checks: str = ''  # instead of those that the configuration names
    bad: str = ''  # a sample that it must refuse
    good: str = ''  # and one like it that it must accept
    only: str = ''  # what a file must have, for this pass to find anything in it

    def tool(self):
        candidates = [f'clang-tidy-{version}' for version in self.versions]
        return next((found for found in map(shutil.which, candidates) if found), None)

    def options(self):
        if not self.checks:
            return ['--quiet']
        # What a newer compiler would warn of is not what is asked here.
        return ['--quiet', f'--checks=-*,{self.checks}', '--extra-arg=-Wno-error']

    def files(self, wanted, ours):
        """Of `wanted` all, or of `ours` those that can have what only this pass looks for."""
        if not self.only:
            return wanted
        return {path for path in ours if re.search(self.only, _text(path))}

    def plain_names(self, configuration):
        """Those without a `*`. What the compiler warns of is in no list of checks."""
        text = self.checks or re.search(r'^Checks:(.*?)^\w', configuration, re.M | re.S).group(1)
        names = re.findall(r'[\w.*-]+', text)
        return [name for name in names
                if name[0] != '-' and '*' not in name and not name.startswith('clang-diagnostic-')]

    def unknown_names(self, configuration, listed):
        """`listed` is what the tool says to --list-checks."""
        return sorted(set(self.plain_names(configuration)) - set(listed.split()))


PASSES = (
    Pass('clang-tidy', (16, 19, 18, 17),
         bad='#include <utility>\n#include <vector>\n'
             'int F(std::vector<int> a) {\n  auto b = std::move(a);\n  return a.at(0);\n}\n',
         good='#include <utility>\n#include <vector>\n'
              'int F(std::vector<int> a) {\n  auto b = std::move(a);\n  return b.at(0);\n}\n'),
    Pass('clang-tidy coroutines', (19, 18, 17),
         'cppcoreguidelines-avoid-capturing-lambda-coroutines',
         bad=_TASK + 'void F(int x) {\n  auto f = [x]() -> Task { co_return (void)x; };\n'
             '  f();\n}\n',
         good=_TASK + 'void F(int x) {\n  auto f = [](int y) -> Task { co_return (void)y; };\n'
              '  f(x);\n}\n',
         only=r'\bco_(await|return|yield)\b'))


def _accepts(tool, options, text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'sample.cpp')
        with open(path, 'w') as stream:
            stream.write(text)
        command = [tool, *options, f'--config-file={CONFIGURATION}', path, '--', '-std=c++20']
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              check=False).returncode == 0


def problems_of(one, tool):
    """Why a pass would not see what it is to see."""
    configuration = _text(CONFIGURATION)
    listed = subprocess.run([tool, '--list-checks', '--checks=*'], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, check=True).stdout
    for name in one.unknown_names(configuration, listed):
        yield f'{one.name}: {tool} does not know {name}'
    if _accepts(tool, one.options(), one.bad):
        yield f'{one.name}: {tool} accepts what it is to refuse'
    if not _accepts(tool, one.options(), one.good):
        yield f'{one.name}: {tool} refuses what it is to accept'


def main():
    cases, problems = 0, []
    for one in PASSES:
        tool = one.tool()
        if tool is not None:
            cases += 1
            problems += problems_of(one, tool)
    for problem in problems:
        print(problem)
    print(f'{cases} passes, {len(problems)} problems')
    return 1 if problems or not cases else 0


if __name__ == '__main__':
    sys.exit(main())
