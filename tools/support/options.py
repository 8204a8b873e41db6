# Builds the library without what can be left out, and looks at what is left: the core stands on the
# headers of Boost and of xxHash alone, and no header is installed whose functions are not there.
#   options.py [--each] [--jobs N]
# One folder serves all: what two configurations have in common is compiled once. `--each` goes on
# with every part left out by itself.
import argparse
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.steps import jobs_default, say  # noqa: E402

FOLDER = os.path.join('build', 'options')
# Programs, which come with what they need or not at all; everything else is a part of the library.
PROGRAMS = ('tests', 'testing', 'examples')
# What a shared library of a compiler's own needs, whatever is in it.
_SYSTEM = re.compile(r'(?:libstdc\+\+|libgcc_s|libc|libm|ld-linux[\w-]*)\.so\.\d+')


class OptionError(Exception):
    pass


def run(*command, **more):
    done = subprocess.run(command, check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        raise OptionError(f"{' '.join(command)}:\n{done.stdout}")
    return done.stdout


def parts():
    """The options of meson_options.txt that leave out a part of the library."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, 'meson_options.txt')) as stream:
        features = re.findall(r"^option\('(\w+)', type: 'feature'", stream.read(), re.M)
    return [name for name in features if name not in PROGRAMS]


def foreign_headers(dependencies):
    """Headers that are neither of the project, the compiler, the system, Boost nor xxHash, out of
    what `ninja -t deps` says of all objects."""
    paths = {line.strip() for line in dependencies.splitlines() if line.startswith('    ')}
    ours = re.compile(r'^(?:\.\./\.\.|lib|storage|transports)/')
    system = re.compile(r'/c\+\+/\d|/gcc/|/clang/|^/usr/include/(?:[\w-]+-linux-gnu/)?'
                        r'(?:asm|asm-generic|bits|gnu|linux|sys|net|netinet|arpa|rpc)/|'
                        r'^/usr/include/[\w-]+\.h$|/boost/|/xxh(?:ash|3)\.h$')
    return sorted(path for path in paths if not ours.match(path) and not system.search(path))


def needed(library):
    """Names of the shared libraries that it needs, beside what every one does."""
    names = re.findall(r'\(NEEDED\).*\[(.+)\]', run('readelf', '-d', library))
    return [name for name in names if not _SYSTEM.fullmatch(name)]


def build(left_out, jobs):
    """The library without these parts; its installed headers promise what it has."""
    options = [f'-D{name}=disabled' for name in PROGRAMS]
    options += [f"-D{name}={'disabled' if name in left_out else 'auto'}" for name in parts()]
    again = ['--reconfigure'] if os.path.exists(os.path.join(FOLDER, 'build.ninja')) else []
    run('meson', 'setup', FOLDER, *again, '-Dwerror=true', '-Dbenches=false', *options)
    run('ninja', '-C', FOLDER, f'-j{jobs}')
    with tempfile.TemporaryDirectory() as root:
        run('meson', 'install', '-C', FOLDER, '--no-rebuild', '--destdir', root)
        [include] = [parent for parent, folders, _ in os.walk(root) if 'kommander' in folders
                     and os.path.basename(parent) == 'include']
        library = os.path.join(FOLDER, 'libkommander')
        run('python3', '-B', 'test/consumer/exports_test.py', '--installed', f'{library}.a',
            f'{library}.so', include)


def check_core():
    """What is built without any part needs nobody."""
    found = foreign_headers(run('ninja', '-C', FOLDER, '-t', 'deps'))
    found += needed(os.path.join(FOLDER, 'libkommander.so'))
    if found:
        raise OptionError(f"the core needs {', '.join(found)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--each', action='store_true', help='also each part by itself')
    parser.add_argument('--jobs', type=int, default=jobs_default())
    arguments = parser.parse_args()
    passed = failed = 0
    everything = parts()
    for left_out in [everything, *([name] for name in everything if arguments.each)]:
        label = 'without ' + ', '.join(left_out)
        say(label)
        try:
            build(left_out, arguments.jobs)
            if left_out is everything:
                check_core()
            passed += 1
        except OptionError as problem:
            failed += 1
            say(f'ERROR: {label}: {problem}')
    say(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
