#!/usr/bin/env python3
# What each form of tools/check runs. Nothing is built and nothing is run: the builds and the report
# are stubs, which write down what they were asked for.
import contextlib
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, 'tools'), os.path.join(ROOT, 'docs', 'api')]

import doxygen_filter  # noqa: E402
from support import api_reference, check, options  # noqa: E402


class StubBuild:
    def __init__(self, report, name, options, jobs, environment=None):
        self.report, self.name, self.folder = report, name, f'build/{name}'
        self.environment = environment or {}
        report.builds[name] = (options, self.environment)

    @staticmethod
    def configure():
        return True

    @staticmethod
    def build(targets=()):
        return True

    @staticmethod
    def program(name):
        return os.path.join(os.getcwd(), name)

    @staticmethod
    def targets_under(*folders):
        return []

    @staticmethod
    def tests_under(*folders):
        return folders

    def test(self, names=None, time_factor=1):
        self.report.tests[self.name] = names


class StubReport:
    def __init__(self):
        self.steps, self.builds, self.tests, self.skipped = {}, {}, {}, []

    def step(self, name, command, environment=None):
        self.steps[name] = command

    def skip(self, name, reason):
        self.skipped.append(name)


class Forms(unittest.TestCase):
    def setUp(self):
        for name, value in (('Build', StubBuild), ('may_mount', lambda: True),
                            ('check_clang_tidy', lambda *_, **__: None),
                            ('number_of_commit', lambda: 77),
                            ('find_tool', lambda name, *_: name)):
            self.patch(check, name, value)
        self.patch(os.path, 'exists', lambda path: True)
        self.patch(subprocess, 'run', lambda *_, **__: types.SimpleNamespace(stdout='a b'))

    def patch(self, place, name, value):
        patch = mock.patch.object(place, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def run_form(self, form):
        report = StubReport()
        arguments = types.SimpleNamespace(jobs=2)
        check.run_form(report, form, arguments)
        return report

    @staticmethod
    def option(command, name):
        return command[command.index(name) + 1]

    def test_the_default_has_a_share_of_everything_that_could_go_on_for_ever(self):
        steps = self.run_form(check.DEFAULT).steps
        self.assertEqual(self.option(steps['chaos 3 nodes tcp'], '--seconds'), '30')
        self.assertEqual(self.option(steps['chaos 3 nodes tcp'], '--transport'), 'tcp')
        self.assertEqual(self.option(steps['kill matrix'], '--kills'), '40')
        self.assertEqual(self.option(steps['fuzz'], '--seconds'), '2')
        self.assertLessEqual(87 // int(self.option(steps['mutants'], '--every')), 4)
        self.assertEqual(self.option(steps['mutants'], '--offset'), '77')
        self.assertIn('simulation release', steps)

    def test_the_long_form_has_all_of_it(self):
        steps = self.run_form(check.FULL).steps
        for name in ('chaos 3 nodes tcp', 'chaos 5 nodes tcp', 'chaos 3 nodes rest', 'kill matrix',
                     'fuzz', 'mutants', 'simulation speed', 'simulation release liar'):
            self.assertIn(name, steps)
        self.assertEqual(self.option(steps['chaos 3 nodes rest'], '--transport'), 'rest')
        self.assertGreaterEqual(int(self.option(steps['kill matrix'], '--kills')), 100)
        self.assertLessEqual(int(self.option(steps['mutants'], '--every')), 16)
        self.assertGreaterEqual(int(self.option(steps['coverage'], '--minimum-lines')), 90)
        self.assertGreaterEqual(int(self.option(steps['coverage'], '--minimum-branches')), 80)

    def test_the_library_is_built_without_its_parts_and_its_reference_too(self):
        steps = self.run_form(check.DEFAULT).steps
        self.assertIn('API reference', steps)
        self.assertNotIn('--each', steps['options'])
        self.assertIn('--each', self.run_form(check.FULL).steps['options'])

    def test_the_short_form_has_none_of_it(self):
        report = self.run_form(check.FAST)
        self.assertEqual(set(report.tests), {'release'})
        self.assertEqual(set(report.steps), {'simulation release', 'simulation release stranger',
                                             'simulation release liar'})

    def test_the_builds_and_the_folders_of_their_tests(self):
        tests = self.run_form(check.DEFAULT).tests
        self.assertEqual((set(tests), tests['release']), ({'release', 'asan'}, None))
        for folder in ('test/unit', 'test/sim', 'test/integration', 'examples'):
            self.assertIn(folder, tests['asan'])
        tests = self.run_form(check.FULL).tests
        self.assertIsNone(tests['release'])
        for folder in ('test/unit', 'test/sim', 'test/integration', 'test/conformance', 'examples'):
            self.assertIn(folder, tests['tsan'])
            self.assertIn(folder, tests['clang'])
        self.assertLessEqual({'test/crash', 'bench', 'test/fuzz'}, set(tests['clang']))

    def test_every_folder_of_tests_is_under_a_sanitizer(self):
        folders = {os.path.relpath(os.path.dirname(path), ROOT)
                   for path, text in meson_files().items()
                   if re.search(r'^ *test\(', text, re.MULTILINE)}
        # Style, the installed library, and whether a program compiles.
        without = {'test', 'test/consumer', 'test/headers', '.'}
        for folder in folders - without:
            self.assertTrue(folder.startswith(check.TESTED_FOLDERS), folder)

    def test_sanitizers_see_a_share_of_who_speaks_unasked(self):
        steps = self.run_form(check.DEFAULT).steps
        self.assertEqual(self.option(steps['simulation release liar'], '--seeds'), '1..100')
        self.assertEqual(self.option(steps['simulation release'], '--seeds'), '1..100')
        self.assertEqual(self.option(steps['simulation release'], '--virtual-seconds'), '120')
        self.assertIn('--require-faults', steps['simulation release'])
        self.assertEqual(self.option(steps['simulation asan'], '--seeds'), '1..40')
        self.assertEqual(self.option(steps['simulation asan liar'], '--seeds'), '1..40')
        self.assertIn('--liar', steps['simulation asan liar'])
        self.assertIn('--stranger', steps['simulation asan stranger'])

    def test_sanitizers_are_those_of_either_compiler(self):
        options, environment = self.run_form(check.DEFAULT).builds['asan']
        self.assertIn('-Db_sanitize=address,undefined', options)
        self.assertNotIn('CXX', environment)
        builds = self.run_form(check.FULL).builds
        self.assertNotIn('asan', builds)  # a folder of that name may be the other compiler's
        options, environment = builds['clang']
        self.assertLessEqual({'-Db_sanitize=address,undefined', '-Dwerror=true'}, set(options))
        self.assertIn('clang++', environment['CXX'])
        self.assertIn('halt_on_error=1', environment['UBSAN_OPTIONS'])
        self.assertIn('-Db_sanitize=thread', builds['tsan'][0])
        steps = self.run_form(check.FULL).steps
        self.assertIn('simulation clang', steps)
        self.assertNotIn('simulation tsan', steps)

    def test_without_the_right_to_mount_the_full_disk_is_told_as_skipped(self):
        self.assertNotIn('--no-disk-full', self.run_form(check.DEFAULT).steps['chaos 3 nodes tcp'])
        self.patch(check, 'may_mount', lambda: False)
        report = self.run_form(check.DEFAULT)
        self.assertIn('--no-disk-full', report.steps['chaos 3 nodes tcp'])
        self.assertEqual(report.skipped, ['chaos with a full disk'])

    def test_only_the_long_form_fails_by_what_it_skips(self):
        self.patch(os, 'makedirs', lambda *_, **__: None)
        for option, is_skip_a_failure in (([], False), (['--fast'], False), (['--full'], True)):
            with mock.patch.object(sys, 'argv', ['check', *option]), \
                    mock.patch.object(check, 'run_form') as run, \
                    mock.patch.object(check, 'check_style'), \
                    contextlib.redirect_stdout(None), self.assertRaises(SystemExit):
                check.main()
            self.assertEqual(run.call_args.args[0].is_skip_a_failure, is_skip_a_failure)


def meson_files():
    """Path -> text."""
    paths = [os.path.join(ROOT, 'meson.build')]
    for folder in check.CPP_FOLDERS:
        paths += glob.glob(os.path.join(ROOT, folder, '**', 'meson.build'), recursive=True)
    files = {}
    for path in paths:
        with open(path) as stream:
            files[path] = stream.read()
    return files


class Style(unittest.TestCase):
    """Builds leave the tests of suite `style` to `check_style`."""

    @staticmethod
    def scripts():
        """[(script, arguments)] of the tests of that suite, as the meson files have them."""
        for path, text in meson_files().items():
            for mark in re.finditer(r"'style'", text):
                call = text[text.rindex('test(', 0, mark.start()):mark.start()]
                program = call.split(',')[1].strip()
                script = re.search(r"(?:find_program|files)\('([^']+)'", call) or re.search(
                    rf"^{re.escape(program)} = find_program\('([^']+)'", text, re.M)
                yield (os.path.relpath(os.path.join(os.path.dirname(path), script.group(1)), ROOT),
                       re.findall(r"args: '([^']+)'", call))

    def test_every_test_that_builds_leave_out_is_run_by_check_itself(self):
        report = StubReport()
        with mock.patch.object(check, 'check_format', lambda report: None):
            check.check_style(report)
        found = list(self.scripts())
        self.assertIn(('tools/tidy', ['--self-test']), found)
        for script, arguments in found:
            self.assertIn(['python3', '-B', script, *arguments], report.steps.values())


class Suppressions(unittest.TestCase):
    """What is hidden from ThreadSanitizer because of RocksDB is hidden where RocksDB is."""

    @staticmethod
    def calls(name):
        """The calls of a function of Meson, with the text of their file."""
        for text in meson_files().values():
            for begin in re.finditer(rf'\b{name}\(', text):
                depth, end = 1, begin.end()
                while depth:
                    depth += {'(': 1, ')': -1}.get(text[end], 0)
                    end += 1
                yield text[text.rfind('\n', 0, begin.start()) + 1:end]

    def test_programs_with_it_have_its_suppressions_and_no_others_have(self):
        programs = [call.split(' = ')[0].strip() for call in self.calls('executable')
                    if 'rocksdb_wal_dep' in call and ' = executable(' in call]
        self.assertIn('kommander_kv_exe', programs)
        found = 0
        for call in self.calls('test'):
            has_it = 'rocksdb_wal_dep' in call or any(
                re.search(rf'\b{program}\b', call) for program in programs)
            self.assertEqual('tsan_rocksdb_env' in call, has_it, call)
            found += has_it
        self.assertGreaterEqual(found, 8)

    def test_what_is_given_to_all_programs_is_not_about_it(self):
        with open(os.path.join(ROOT, 'test', 'tsan.supp')) as stream:
            lines = [line for line in stream.read().splitlines() if not line.startswith('#')]
        self.assertEqual([line for line in lines if re.search('rocksdb|basic_string|_lib:', line)],
                         [])


class ClangTidy(unittest.TestCase):
    CONFIGURATION = 'Checks: >\n  -*,\n  a-one,\n  b-*,\n  -b-two,\n  clang-diagnostic-c\nNext: x\n'

    def test_a_name_that_the_tool_does_not_know_is_told(self):
        one, other = check.clang_tidy.PASSES
        listed = 'Enabled checks:\n    a-one\n    b-three\n'
        self.assertEqual(one.unknown_names(self.CONFIGURATION, listed), [])
        self.assertEqual(one.unknown_names(self.CONFIGURATION, listed.replace('one', 'oneself')),
                         ['a-one'])
        self.assertEqual(other.unknown_names(self.CONFIGURATION, listed), [other.checks])
        self.assertEqual(other.unknown_names('', f'    {other.checks}\n'), [])

    def test_the_passes_and_their_files(self):
        text = {'lib/raft/a.cpp': '', 'lib/runtime/b.cpp': 'co_await c;', 'lib/runtime/d.cpp': ''}
        compiled = [{'directory': os.getcwd(), 'file': path} for path in text]
        all_of_them = list(text)
        for everything in (False, True):
            with tempfile.TemporaryDirectory() as folder, \
                    mock.patch.object(check, 'sources', lambda *folders, **_: [
                        path for path in text if path.startswith(folders)]), \
                    mock.patch.object(check, 'changed_files', lambda: {'docs/a.md'}), \
                    mock.patch.object(check.clang_tidy, '_text', text.get), \
                    mock.patch('shutil.which', lambda name: name):
                with open(os.path.join(folder, 'compile_commands.json'), 'w') as stream:
                    json.dump(compiled, stream)
                report = StubReport()
                report.log_path = lambda name: os.path.join(folder, name)
                check.check_clang_tidy(report, types.SimpleNamespace(folder=folder, jobs=2),
                                       everything)
                files = {}
                for name in ('clang-tidy', 'clang-tidy coroutines'):
                    with open(os.path.join(folder, f'{name} files')) as stream:
                        files[name] = stream.read().split()
            self.assertIn('clang-tidy self-test', report.steps)
            self.assertIn('clang-tidy-16', report.steps['clang-tidy'])
            self.assertIn('clang-tidy-19', report.steps['clang-tidy coroutines'])
            self.assertEqual((files['clang-tidy'], files['clang-tidy coroutines']),
                             (all_of_them if everything else all_of_them[:1],
                              all_of_them[1:2]))


class Reference(unittest.TestCase):
    def test_what_is_a_warning(self):
        said = ('/a.hpp:4: warning: Member size() const (function) of class kommander::A is not '
                'documented.\n\n')
        self.assertEqual(api_reference.warnings(said), [])
        for bad in ('/a.hpp:3: warning: Compound kommander::A is not documented.',
                    '/a.hpp:3: warning: Member F() (function) of namespace kommander is not '
                    'documented.', '/a.hpp:3: warning: Unsupported xml/html tag <id> found'):
            self.assertEqual(api_reference.warnings(said + bad + '\n'), [bad])


    def test_a_header_as_doxygen_wants_it(self):
        header = ('// About A <B> & `c & d`.', '//', '//   a.F();', '#pragma once', '',
                  'namespace kommander {', 'class KOMMANDER_EXPORT A {', '  // --- Some ---',
                  '  // Told.', '  void F();', '  int b = 0;  // behind',
                  '  A(int c);  // NOLINT: d', '};', '}  // namespace kommander',
                  'template <>', 'struct std::hash<A> {', '};')
        wanted = ['/** @file kommander/a.hpp @brief About A \\<B\\> \\& `c & d`. */ /** @class '
                  'kommander::A', ' About A \\<B\\> \\& `c & d`.', '', '       a.F(); */', '',
                  'namespace kommander {', 'class KOMMANDER_EXPORT A {', '  ', '  /// Told.',
                  '  void F();', '  int b = 0;  ///< behind', '  A(int c);', '};', '}',
                  '/** @cond */ template <>', 'struct std::hash<A> {', '}; /** @endcond */']
        made = '\n'.join(doxygen_filter.filtered('x/include/kommander/a.hpp', header)).split('\n')
        self.assertEqual(made, wanted)
        told = [header[0], header[3], '// Its own.', *header[6:]]
        made = list(doxygen_filter.filtered('x/include/kommander/a.hpp', told))
        self.assertTrue(made[0].startswith('/// @file kommander/a.hpp @brief About'), made[0])
        self.assertEqual(made[2], '/// Its own.')


class Options(unittest.TestCase):
    def test_the_parts_are_those_of_the_file_without_the_programs(self):
        found = options.parts()
        self.assertLessEqual({'rocksdb', 'snapshots', 'tcp', 'json', 'prometheus'}, set(found))
        self.assertFalse(set(found) & set(options.PROGRAMS))

    def test_which_headers_are_foreign_to_the_core(self):
        deps = 'a.o: #deps 5, deps mtime 1 (VALID)\n'
        fine = ('../../lib/raft/core.hpp', 'lib/a.hpp', '/usr/include/boost/asio/any.hpp',
                '/usr/include/xxhash.h', '/usr/include/c++/12/vector', '/usr/include/stdio.h',
                '/usr/include/x86_64-linux-gnu/bits/types.h', '/usr/include/linux/errno.h',
                '/usr/lib/gcc/x86_64-linux-gnu/12/include/stddef.h')
        deps += ''.join(f'    {path}\n' for path in fine)
        self.assertEqual(options.foreign_headers(deps), [])
        for path in ('/usr/include/rocksdb/db.h', '/usr/include/openssl/evp.h',
                     '/usr/include/nlohmann/json.hpp', '/usr/include/prometheus/registry.h'):
            self.assertEqual(options.foreign_headers(f'{deps}    {path}\n'), [path])


class Machine(unittest.TestCase):
    def test_the_right_to_mount(self):
        for status, may in (('Name:\tx\nCapEff:\t0000000000000000\n', False),
                            ('Name:\tx\nCapEff:\t00000000a80425fb\n', False),  # a container's root
                            ('Name:\tx\nCapEff:\t0000000000200000\n', True),
                            ('Name:\tx\nCapEff:\t000001ffffffffff\n', True), ('', False)):
            with mock.patch('builtins.open', mock.mock_open(read_data=status)):
                self.assertEqual(check.may_mount(), may, status)
        with mock.patch('builtins.open', side_effect=OSError):
            self.assertFalse(check.may_mount())

    def test_each_commit_has_a_number_and_without_one_there_is_one_too(self):
        ended = types.SimpleNamespace(returncode=0, stdout='c71101fa\n')
        with mock.patch('shutil.which', lambda _: 'git'), \
                mock.patch('subprocess.run', lambda *_, **__: ended):
            self.assertEqual(check.number_of_commit(), 0xc71101fa)
            ended.returncode, ended.stdout = 128, ''
            self.assertEqual(check.number_of_commit(), 0)
        with mock.patch('shutil.which', lambda _: None):
            self.assertEqual(check.number_of_commit(), 0)


if __name__ == '__main__':
    unittest.main()
