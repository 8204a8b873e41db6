#!/usr/bin/env python3
# An outside program builds from what `meson install` leaves behind, and works: with a compiler and
# pkg-config alone, by CMake, and by Meson; with Asio's sources compiled by the program itself, or
# left to the library; and in a project of which the library is a part. Exits with 77, skipped, when
# all went well but there is no CMake.
#   consumer_test.py BUILD SOURCE
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

PROGRAMS = {'memory_network': 'kommander', 'parts': 'kommander', 'faulty_wal': 'kommander-testing'}
OPTIONAL_HEADERS = ('configuration_file.hpp', 'rocksdb_wal.hpp', 'sqlite_wal.hpp',
                    'tcp_transport.hpp')


def run(*command, **more):
    command = [str(word) for word in command]
    print(*command, flush=True)
    return subprocess.run(command, check=True, timeout=250, **more)


def run_programs(folder, names=tuple(PROGRAMS)):
    for name in names:
        run(folder / name, *([folder / 'log'] if name == 'parts' else []))


class Installed:
    """What was installed below `root`, its prefix moved there."""

    def __init__(self, root):
        [include] = root.rglob('include')
        [package] = {path.parent for path in root.rglob('kommander*.pc')}
        self.prefix = include.parent
        self.is_whole = all((include / 'kommander' / name).exists() for name in OPTIONAL_HEADERS)
        self.pkg_config = f'pkg-config --define-variable=prefix={shlex.quote(str(self.prefix))}'
        self.environment = {**os.environ, 'PKG_CONFIG_PATH': str(package),
                            'PKG_CONFIG': self.pkg_config}

    def flags(self, package):
        done = run(*shlex.split(self.pkg_config), '--cflags', '--libs', package,
                   env=self.environment, stdout=subprocess.PIPE, text=True)
        return shlex.split(done.stdout)


def by_pkg_config(installed, source, outside, folder):
    for example, package, arguments in (
            ('02_counter', 'kommander', ()),
            ('07_tested_counter', 'kommander-testing', ('--seeds', '1..2'))):
        run('g++', '-std=c++20', source / 'examples' / example / 'main.cpp', '-o', folder / example,
            *installed.flags(package))
        run(folder / example, *arguments)
    names = ('parts', 'faulty_wal')  # memory_network: see with_asio_compiled_once
    for name in names:
        run('g++', '-std=c++20', outside / f'{name}.cpp', '-o', folder / name,
            *installed.flags(PROGRAMS[name]))
    run_programs(folder, names)


def with_asio_compiled_once(installed, outside, folder):
    """The program has its own copy of Asio, of which nothing may be defined twice, or relies on the
    one of the library."""
    flags = ['-std=c++20', '-DBOOST_ASIO_SEPARATE_COMPILATION', *installed.flags('kommander')]
    run('g++', '-c', outside / 'memory_network.cpp', '-o', folder / 'program.o', *flags)
    run('g++', '-c', '-x', 'c++', '-include', 'boost/asio/impl/src.hpp', os.devnull,
        '-o', folder / 'asio.o', *flags)
    for name, objects in (('its_own', ['program.o', 'asio.o']), ('the_library_s', ['program.o'])):
        run('g++', *(folder / file for file in objects), '-o', folder / name, *flags)
        run(folder / name)


def by_cmake(installed, outside, folder):
    def configure(*options, **more):
        return run('cmake', '-S', outside, '-B', folder, '-G', 'Ninja', '--log-level=WARNING',
                   f'-DCMAKE_PREFIX_PATH={installed.prefix}', *options, **more)

    configure()
    run('cmake', '--build', folder, '--parallel', 1)
    run_programs(folder)
    # Without pkg-config the same libraries are found and linked.
    configure('-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON')
    run('cmake', '--build', folder, '--parallel', 1)
    # What is not there is named, all of it at once.
    hidden = [f'-DCMAKE_FIND_USE_{places}=OFF'
              for places in ('CMAKE_SYSTEM_PATH', 'SYSTEM_ENVIRONMENT_PATH')]
    try:
        configure('-UBoost*', '-Ukommander_*', *hidden, stderr=subprocess.PIPE, text=True)
    except subprocess.CalledProcessError as refused:
        for name in ('Boost 1.', 'libxxhash'):
            if name not in refused.stderr:
                sys.exit(f'{name!r} cannot be found, and is not named:\n{refused.stderr}')
    else:
        sys.exit('CMake found what was hidden')


def by_version(installed, folder):
    """Which versions CMake may ask for. The file that decides is the installed one."""
    [file] = installed.prefix.rglob('kommanderConfigVersion.cmake')
    shutil.copy(file, folder)
    (folder / 'kommanderConfig.cmake').touch()
    version = run(*shlex.split(installed.pkg_config), '--modversion', 'kommander',
                  env=installed.environment, stdout=subprocess.PIPE, text=True).stdout.strip()
    major, minor, patch = map(int, version.split('.'))
    wanted = {'': True, f'{major}.{minor}': True, f'{version} EXACT': True,
              f'{major}.{minor}...{major + 1}': True, f'{major}.{minor}...<{major + 1}': True,
              f'{major}.{minor}.{patch + 1}': False, f'{major}.{minor + 1}': False,
              f'{major}.{minor + 1} EXACT': False, f'{major}.{minor}0': False,
              f'{major + 1}': False}
    if major == 0 < minor:
        wanted |= {f'0.{minor - 1}': False, f'0.{minor - 1}...1': False}
    script = folder / 'trial.cmake'
    script.write_text(''.join(f"""
unset(kommander_DIR CACHE)
find_package(kommander {asked} QUIET CONFIG PATHS "{folder}" NO_DEFAULT_PATH)
if(NOT kommander_FOUND EQUAL {int(expected)})
  message(SEND_ERROR "asked for '{asked}', version {version} is found: ${{kommander_FOUND}}")
endif()
""" for asked, expected in wanted.items()))
    run('cmake', '-P', script)


def by_meson(installed, outside, folder):
    run('meson', 'setup', folder, outside, '-Dbuildtype=plain', env=installed.environment)
    run('ninja', '-C', folder, '-j1')
    run_programs(folder)


def as_a_part(installed, source, outside, folder):
    """The library as a part of a project of Meson's. It is not compiled once more: the programs are
    linked by the project's own commands, with the installed archives where the part's would be."""
    def introspect(kind):
        return json.loads(run('meson', 'introspect', build, kind, stdout=subprocess.PIPE).stdout)

    project, build = folder / 'project', folder / 'build'
    shutil.copytree(outside, project)
    (project / 'subprojects').mkdir()
    (project / 'subprojects' / 'kommander').symlink_to(source)
    run('meson', 'setup', build, project, '-Dbuildtype=plain', '-Dkommander:testing=enabled',
        '--force-fallback-for=kommander,kommander-testing')
    programs = {one['name'] for one in introspect('--targets') if one['type'] == 'executable'}
    if introspect('--tests') or programs != set(PROGRAMS):
        sys.exit('the part brings programs or tests of its own')
    part = build / 'subprojects' / 'kommander'
    for archive, place in (('libkommander.a', part), ('libkommander-testing.a', part / 'testing')):
        [file] = installed.prefix.rglob(archive)
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    # All headers are there; what was left out of the archive is not.
    names = ['faulty_wal', *(['parts'] if installed.is_whole else [])]
    for name in names:
        run('ninja', '-C', build, f'{name}.p/{name}.cpp.o')
        link = run('ninja', '-C', build, '-t', 'commands', '-s', name, stdout=subprocess.PIPE,
                   text=True).stdout.splitlines()[-1]
        for word in shlex.split(link):
            if word.endswith('.a') and not (build / word).exists():
                (build / word).parent.mkdir(parents=True, exist_ok=True)
                (build / word).write_bytes(b'!<arch>\n')  # what the archives hold already
        run('sh', '-c', link, cwd=build)
    run_programs(build, names)


def main():
    build, source = (pathlib.Path(path).resolve() for path in sys.argv[1:])
    outside = source / 'test' / 'consumer' / 'outside'
    with tempfile.TemporaryDirectory() as root:
        def folder(name):
            made = pathlib.Path(root) / name
            made.mkdir()
            return made

        run('meson', 'install', '-C', build, '--destdir', folder('installed'), '--no-rebuild',
            stdout=subprocess.DEVNULL)
        installed = Installed(pathlib.Path(root) / 'installed')
        by_pkg_config(installed, source, outside, folder('pkg_config'))
        with_asio_compiled_once(installed, outside, folder('asio'))
        by_meson(installed, outside, folder('meson'))
        as_a_part(installed, source, outside, folder('part'))
        if not shutil.which('cmake'):
            print('left out: CMake, which is not installed')
            sys.exit(77)
        by_version(installed, folder('version'))
        by_cmake(installed, outside, folder('cmake'))


if __name__ == '__main__':
    main()
