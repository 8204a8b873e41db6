#!/usr/bin/env python3
# An outside program builds from what `meson install` leaves behind, wherever that was moved, and
# works with the shared library and with the archive: with a compiler and pkg-config alone, by
# CMake, and by Meson; with Asio included, with its sources compiled by the program itself, or left
# to the library; and in a project of which the library is a part. Exits with 77, skipped, when all
# went well but there is no CMake.
#   consumer_test.py BUILD SOURCE
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

TESTING = 'kommander-testing'
LIBRARIES = ('kommander', 'kommander-static')  # for pkg-config: the shared one, and the archive
PROGRAMS = ('memory_network', 'one_asio', 'parts', 'faulty_wal')
OPTIONAL_HEADERS = ('configuration_file.hpp', 'multicast_discovery.hpp', 'rocksdb_wal.hpp',
                    'sqlite_wal.hpp', 'tcp_transport.hpp')
ASIO_APART = '-DBOOST_ASIO_SEPARATE_COMPILATION'




def run(*command, **more):
    command = [str(word) for word in command]
    print(*command, flush=True)
    return subprocess.run(command, check=True, timeout=250, **more)


def run_programs(folder, names=PROGRAMS):
    for name in names:
        run(folder / name, *([folder / 'log'] if name == 'parts' else []))


def needed(program):
    """Names of the shared libraries that a program names."""
    told = run('readelf', '-d', program, stdout=subprocess.PIPE, text=True).stdout
    return re.findall(r'\(NEEDED\).*\[(.+)\]', told)


def expect_kind(program, is_shared):
    if any(name.startswith('libkommander.so.') for name in needed(program)) != is_shared:
        sys.exit(f'{program} has the wrong library: it needs {needed(program)}')


class Installed:
    """What was installed below `root`, to be found where it is now."""

    def __init__(self, root):
        [include] = root.rglob('include')
        [package] = {path.parent for path in root.rglob('kommander*.pc')}
        self.prefix = include.parent
        self.libdir = package.parent
        self.is_whole = all((include / 'kommander' / name).exists() for name in OPTIONAL_HEADERS)
        self.has_rest = (include / 'kommander' / 'rest_server.hpp').exists()
        self.environment = {**os.environ, 'PKG_CONFIG_PATH': str(package)}

    def pkg_config(self, *options):
        return shlex.split(run('pkg-config', *options, env=self.environment, text=True,
                               stdout=subprocess.PIPE).stdout)

    def compile(self, source, made, *flags):
        run('g++', '-std=c++20', '-c', *flags, *self.pkg_config('--cflags', 'kommander'), source,
            '-o', made)

    def link(self, package, program, *objects):
        run('g++', *objects, '-o', program, *self.pkg_config('--libs', package),
            f'-Wl,-rpath,{self.libdir}')
        expect_kind(program, package == 'kommander')


def by_pkg_config(installed, source, outside, folder):
    for name, code, packages, arguments in (
            ('counter', source / 'examples/02_counter/main.cpp', LIBRARIES, ()),
            ('parts', outside / 'parts.cpp', LIBRARIES, (folder / 'log',)),
            ('faulty_wal', outside / 'faulty_wal.cpp', (TESTING,), ()),
            ('tested', source / 'examples/07_tested_counter/main.cpp', (TESTING,),
             ('--seeds', '1..2'))):
        installed.compile(code, folder / f'{name}.o')
        for package in packages:
            installed.link(package, folder / f'{name}-{package}', folder / f'{name}.o')
            run(folder / f'{name}-{package}', *arguments)
    # What the parts need is told to whoever links everything statically, and to nobody else.
    for options in ((), ('--static',)):
        told = installed.pkg_config('--libs', *options, 'kommander')
        for library, is_needed in (('rocksdb', installed.is_whole),
                                   ('boost_json', installed.has_rest)):
            if (f'-l{library}' in told) != (is_needed and '--static' in options):
                sys.exit(f'pkg-config {options} is wrong about {library}: {told}')


def with_any_asio(installed, outside, folder):
    """The program includes Asio, has its own copy, of which nothing may be defined twice, or relies
    on the one of the library. It and the library mean the same one."""
    code = outside / 'one_asio.cpp'
    installed.compile(code, folder / 'including.o')
    installed.compile(code, folder / 'program.o', ASIO_APART)
    (folder / 'asio.cpp').write_text('#include <boost/asio/impl/src.hpp>\n')
    installed.compile(folder / 'asio.cpp', folder / 'asio.o', ASIO_APART)
    for package in LIBRARIES:
        for name, objects in (('included', ['including.o']), ('its_own', ['program.o', 'asio.o']),
                              ('the_library_s', ['program.o'])):
            program = folder / f'{name}-{package}'
            installed.link(package, program, *(folder / file for file in objects))
            run(program)


def by_cmake(installed, outside, folder):
    def configure(*options, **more):
        return run('cmake', '-S', outside, '-B', folder, '-G', 'Ninja', '--log-level=WARNING',
                   f'-DCMAKE_PREFIX_PATH={installed.prefix}', *options, **more)

    def refused(names, *options):
        try:
            configure(*options, stderr=subprocess.PIPE, text=True)
        except subprocess.CalledProcessError as problem:
            for name in names:
                if name not in problem.stderr:
                    sys.exit(f'{name!r} is missing in what CMake says:\n{problem.stderr}')
        else:
            sys.exit(f'CMake took {options}')

    configure()
    run('cmake', '--build', folder, '--parallel', 1)
    run_programs(folder)
    expect_kind(folder / 'parts', True)
    # The archive is linked, and without pkg-config what it needs is found all the same.
    configure('-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON', '-Dkommander_USE_STATIC_LIBS=ON')
    run('cmake', '--build', folder, '--parallel', 1)
    run_programs(folder)
    expect_kind(folder / 'parts', False)
    refused(['KOMMANDER_LIBRARY', 'faulty_wal'], '-DMIXED=ON')
    # What is not there is named, all of it at once.
    refused(['Boost 1.', *(['rocksdb'] if installed.is_whole else [])], '-UBoost*',
            '-Ukommander_*', *(f'-DCMAKE_FIND_USE_{places}=OFF'
                               for places in ('CMAKE_SYSTEM_PATH', 'SYSTEM_ENVIRONMENT_PATH')))


def by_version(installed, folder):
    """Which versions CMake may ask for. The file that decides is the installed one."""
    [file] = installed.prefix.rglob('kommanderConfigVersion.cmake')
    shutil.copy(file, folder)
    (folder / 'kommanderConfig.cmake').touch()
    [version] = installed.pkg_config('--modversion', 'kommander')
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
    setup = ('meson', 'setup', folder, outside, '-Dbuildtype=plain')
    for is_shared, more in ((True, ()), (False, ('-Darchive=true', '--reconfigure'))):
        run(*setup, *more, env=installed.environment)
        run('ninja', '-C', folder, '-j1')
        run_programs(folder)
        expect_kind(folder / 'parts', is_shared)


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
        installed = Installed((pathlib.Path(root) / 'installed').rename(
            pathlib.Path(root) / 'moved'))
        run(sys.executable, '-B', source / 'test/consumer/exports_test.py', '--installed',
            installed.libdir / 'libkommander.a', installed.libdir / 'libkommander.so',
            installed.prefix / 'include')
        by_pkg_config(installed, source, outside, folder('pkg_config'))
        with_any_asio(installed, outside, folder('asio'))
        by_meson(installed, outside, folder('meson'))
        as_a_part(installed, source, outside, folder('part'))
        if not shutil.which('cmake'):
            print('left out: CMake, which is not installed')
            sys.exit(77)
        by_version(installed, folder('version'))
        by_cmake(installed, outside, folder('cmake'))


if __name__ == '__main__':
    main()
