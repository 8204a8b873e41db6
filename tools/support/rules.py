# The house rules, one function each. A rule takes a Tree and yields Problems.
import ast
import hashlib
import os
import re
import textwrap
from dataclasses import dataclass
from functools import cached_property

from support import source

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
CPP = ('.cpp', '.hpp')

# Files that may be longer than FILE_LINES_MAX, each with its reason.
LONG_FILES = {}


@dataclass(frozen=True, order=True)
class Problem:
    path: str
    line: int
    rule: str
    text: str

    def __str__(self):
        return f'{self.path}:{self.line}: {self.rule}: {self.text}'


class File:
    def __init__(self, path, text):
        self.path = path
        self.text = text

    @property
    def is_cpp(self):
        return self.path.endswith(CPP)

    @property
    def is_python(self):
        return self.path.endswith('.py') or self.text.startswith('#!/usr/bin/env python3')

    @property
    def is_shell(self):
        return self.path.endswith('.sh') or self.text.startswith('#!/usr/bin/env bash')

    @property
    def is_code(self):
        return self.is_cpp or self.is_python or self.is_shell

    @cached_property
    def code(self):
        if self.is_cpp:
            return source.strip_comments_and_literals(self.text)
        return re.sub(r'#[^\n]*', lambda match: source.blank(match.group(0)), self.text)

    @cached_property
    def includes(self):
        return list(source.includes(self.text)) if self.is_cpp else []

    def problem(self, line, rule, text):
        return Problem(self.path, line, rule, text)


class Tree:
    """Every file of the project that tidy reads, by its path from the root."""

    def __init__(self, files):
        self.files = {path: File(path, text) for path, text in sorted(files.items())}

    def cpp(self, *prefixes):
        for file in self.files.values():
            if file.is_cpp and file.path.startswith(prefixes or ''):
                yield file

    def resolve(self, file, path):
        """The file of the tree that an include means, or None for one from elsewhere."""
        own = os.path.dirname(file.path)
        for folder in (own, 'include', 'lib', '', 'transports', 'discovery', 'storage', 'test'):
            candidate = os.path.normpath(os.path.join(folder, path))
            if candidate in self.files:
                return candidate
        return None


# Which directories may include which: the first row whose prefix fits decides. A row lists what
# may be seen besides the directory itself.
ARROWS = (
    ('include/', ()),
    ('lib/mutants/', ()),
    ('lib/raft/', ('include/', 'lib/mutants/', 'lib/codec/little_endian.hpp')),
    ('lib/codec/', ('include/',)),
    ('lib/platform/', ('include/',)),
    ('lib/runtime/', ('include/', 'lib/mutants/', 'lib/raft/', 'lib/codec/', 'lib/platform/')),
    ('lib/cluster/', ('include/', 'lib/mutants/', 'lib/raft/', 'lib/codec/', 'lib/platform/',
                      'lib/runtime/')),
    ('lib/manager/', ('include/', 'lib/', 'transports/', 'discovery/', 'storage/')),
    ('transports/*/', ('include/', 'lib/codec/', 'lib/mutants/', 'transports/common/')),
    ('discovery/*/', ('include/', 'lib/codec/', 'lib/mutants/')),
    ('storage/*/', ('include/', 'lib/codec/', 'lib/mutants/', 'storage/common/')),
    ('testing/', ('include/', 'test/sim/')),
    ('examples/*/', ('include/', 'examples/http/')),
    ('test/', ('',)),
    ('bench/', ('',)),
)


def _home(path):
    for pattern, seen in ARROWS:
        match = re.match(pattern.replace('*', '[^/]+'), path)
        if match:
            return match.group(0), seen
    return None, ()


def arrows(tree):
    """Includes follow the arrows of the layout: raft <- runtime <- cluster <- manager."""
    for file in tree.cpp():
        home, seen = _home(file.path)
        for line, path, _ in file.includes:
            target = tree.resolve(file, path)
            if home is not None and target and not target.startswith((home, *seen)):
                yield file.problem(line, 'arrows', f'{home} may not include {target}')


def pure_core(tree):
    """lib/raft reaches no Boost, not even through another header of the tree."""
    for file in tree.cpp('lib/raft/'):
        stack, visited = [(file.path, '')], set()
        while stack:
            path, through = stack.pop()
            for line, name, _ in tree.files[path].includes:
                if name.startswith('boost/'):
                    where = f' through {through}' if through else ''
                    yield file.problem(line if not through else 1, 'pure-core', f'{name}{where}')
                target = tree.resolve(tree.files[path], name)
                if target and target not in visited:
                    visited.add(target)
                    stack.append((target, target))


# (paths, exempt paths, pattern, what to do instead)
BANNED = (
    (('lib/', 'include/'), ('lib/platform/',),
     r'\bsteady_timer\b|\bsystem_timer\b|\bdeadline_timer\b', 'wait through kommander::Clock'),
    (('lib/', 'include/'), ('lib/platform/',),
     r'\bsystem_clock\b|\bsteady_clock\s*::\s*now\b|\bhigh_resolution_clock\b|\bclock_gettime\b'
     r'|\bgettimeofday\b|\btime\s*\(\s*(nullptr|NULL|0)\s*\)', 'ask kommander::Clock for the time'),
    (('lib/', 'include/', 'transports/', 'discovery/', 'storage/'), ('lib/platform/',),
     r'\bstd\s*::\s*(jthread|thread|async)\b|\bpthread_create\b', 'use lib/platform/io_threads'),
    (('lib/', 'include/', 'transports/', 'discovery/', 'storage/'),
     ('include/kommander/detail/mutex.hpp', 'lib/raft/'),  # the core has a rule of its own
     r'\bstd\s*::\s*((shared_|recursive_|timed_)*mutex|lock_guard|unique_lock|scoped_lock'
     r'|shared_lock)\b', 'use detail/mutex.hpp: the compiler then knows what is guarded'),
    (('lib/', 'include/'), ('lib/platform/',), r'\brandom_device\b|\bgetrandom\b|\bs?rand\s*\(',
     'use a seeded generator'),
    (('lib/', 'include/'), ('lib/platform/',), r'\bio_context\b|\bthread_pool\b',
     "run on the user's executor"),
    (('lib/', 'include/', 'transports/', 'discovery/', 'storage/', 'test/', 'bench/',
      'examples/'),
     ('lib/platform/',),
     r'\bsleep_(for|until)\b|\busleep\b|\bnanosleep\b|(?<![\w.:])sleep\s*\(|\btime\.sleep\b',
     'wait for the event itself'),
    (('lib/raft/',), (), r'\bthrow\b|\bcatch\s*\(|\btry\s*\{', 'the core is free of exceptions'),
    (('lib/raft/',), (), r'\bstd\s*::\s*(\w*mutex|atomic\w*|condition_variable\w*|\w*stream)\b',
     'the core is a pure function: no lock, no atomic, no stream'),
    (('lib/',), (), r'(?<![\w.:])(::|std::)?(exit|abort|_exit|quick_exit)\s*\(',
     'the library never ends the process; see KOMMANDER_ASSERT'),
    (('include/',), (), r'\bbeast\s*::|\bsqlite3\w*|\bnlohmann\b|\bjson\s*::',
     'public headers name no Beast, JSON, RocksDB or SQLite'),
    (('include/',), ('include/kommander/rocksdb_memory.hpp',), r'\brocksdb\s*::',
     'of the public headers only rocksdb_memory.hpp names RocksDB, to borrow from its users'),
    (('include/', 'lib/', 'transports/', 'discovery/', 'storage/', 'test/'), (),
     r'\bany_completion_handler\b',

     'recurses until the stack ends in Boost 1.81; use the operation classes'),
)
# Files that may name what is banned, each with its reason.
BANNED_EXEMPT = {
    ('lib/runtime/assert.cpp', 'abort'): 'the default handler of KOMMANDER_ASSERT',
    ('lib/platform/assert.cpp', 'abort'): 'the default handler of KOMMANDER_ASSERT',
    ('lib/codec/assert.cpp', 'abort'): 'the default handler of KOMMANDER_ASSERT',
    ('lib/raft/assert.cpp', 'abort'): 'the default handler of KOMMANDER_ASSERT',
}
BANNED_INCLUDES = (
    (('',), r'boost/asio\.hpp|boost/beast\.hpp|bits/stdc\+\+\.h', 'include what you need, not all'),
    (('include/',), r'boost/(beast|json)|rocksdb/.*|sqlite3\.h|nlohmann/.*',
     'public headers name no Beast, JSON, RocksDB or SQLite'),
    (('lib/raft/', 'lib/codec/'), r'(mutex|shared_mutex|thread|iostream|fstream|random|future)',
     'no I/O, thread, lock or chance here'),
)


def banned_names(tree):
    """Names and headers that a directory must not use, with their replacement."""
    for file in tree.files.values():
        if not (file.is_cpp or file.is_python):
            continue
        for paths, exempt, pattern, instead in BANNED:
            if not file.path.startswith(paths) or (exempt and file.path.startswith(exempt)):
                continue
            for match in re.finditer(pattern, file.code):
                name = match.group(0).strip(' ({')
                if (file.path, name.split(':')[-1]) not in BANNED_EXEMPT:
                    line = source.line_of(file.code, match.start())
                    yield file.problem(line, 'banned-name', f'{name}: {instead}')
        for line, path, _ in file.includes:
            for paths, pattern, why in BANNED_INCLUDES:
                if file.path.startswith(paths) and re.match(rf'(?:{pattern})(?:$|/|\.hpp$)', path):
                    yield file.problem(line, 'banned-include', f'{path}: {why}')


def columns(tree):
    """No line of code is longer than 100 columns."""
    for file in tree.files.values():
        if not (file.is_code or file.path.endswith('meson.build')):
            continue
        for number, line in enumerate(file.text.split('\n'), 1):
            if len(line) > COLUMNS_MAX:
                yield file.problem(number, 'columns', f'{len(line)} columns, at most {COLUMNS_MAX}')


def function_length(tree):
    """No function is longer than 70 lines."""
    for file in tree.files.values():
        found = ()
        if file.is_cpp:
            found = source.functions(file.code)
        elif file.is_python:
            found = (source.Function(node.name, node.lineno, node.end_lineno)
                     for node in ast.walk(ast.parse(file.text))
                     if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
        for function in found:
            if function.length > FUNCTION_LINES_MAX:
                yield file.problem(function.first_line, 'function-length',
                                   f'{function.name} has {function.length} lines,'
                                   f' at most {FUNCTION_LINES_MAX}')


def file_length(tree):
    """No source file is longer than 600 lines, except those in LONG_FILES."""
    for file in tree.files.values():
        lines = file.text.count('\n')
        if file.is_code and lines > FILE_LINES_MAX and file.path not in LONG_FILES:
            yield file.problem(1, 'file-length', f'{lines} lines, more than {FILE_LINES_MAX}')
    for path in LONG_FILES:
        if path not in tree.files or tree.files[path].text.count('\n') <= FILE_LINES_MAX:
            yield Problem('tools/support/rules.py', 1, 'file-length', f'{path} is not long now')


def opening_comment(tree):
    """A file opens with a comment that says why it exists. Excused: a .cpp beside its header, which
    says it, and a test, which mirrors what it tests."""
    for file in tree.files.values():
        opening = file.text.split('\n', 2)
        stem = file.path[:-len('.cpp')] if file.path.endswith('.cpp') else ''
        is_excused = (f'{stem}.hpp' in tree.files or stem.endswith('_test')
                      or f'include/kommander/{os.path.basename(stem)}.hpp' in tree.files)
        if file.is_cpp and not is_excused and not file.text.startswith('//'):
            yield file.problem(1, 'opening-comment', 'say first why this file exists')
        elif (file.is_python or file.is_shell) and file.text:
            line = opening[1] if opening[0].startswith('#!') and len(opening) > 1 else opening[0]
            if not line.startswith(('# ', '"""')):
                yield file.problem(1, 'opening-comment', 'say first why this file exists')


def header_guard(tree):
    """Every header has `#pragma once`."""
    for file in tree.cpp():
        if file.path.endswith('.hpp') and not re.search(r'^#pragma once$', file.text, re.MULTILINE):
            yield file.problem(1, 'header-guard', 'a header needs #pragma once')


def leftovers(tree):
    """Nothing is left for later in the code."""
    words = re.compile(r'\b(' + '|'.join(('TO' 'DO', 'FIX' 'ME', 'XX' 'X', 'HA' 'CK')) + r')\b')
    for file in tree.files.values():
        for match in words.finditer(file.text):
            yield file.problem(source.line_of(file.text, match.start()), 'leftover',
                               f'{match.group(0)}: do it, or write down why not')


def whitespace(tree):
    """No tab, no trailing blank, one newline at the end."""
    for file in tree.files.values():
        if not file.text or file.path.endswith('.txt'):
            continue
        for match in re.finditer(r'[ \t]+$|\t|\r', file.text, re.MULTILINE):
            yield file.problem(source.line_of(file.text, match.start()), 'whitespace',
                               'a tab, a carriage return or a blank at the end of the line')
        if not file.text.endswith('\n') or file.text.endswith('\n\n'):
            yield file.problem(file.text.count('\n') + 1, 'whitespace', 'end with one newline')


def coroutine_traps(tree):
    """What g++ 12 miscompiles: capturing lambda coroutines, braced temporaries beside co_await."""
    for file in tree.cpp():
        for line in source.capturing_lambda_coroutines(file.code):
            yield file.problem(line, 'coroutine', 'a coroutine lambda must not capture')
        for line in source.braced_await_arguments(file.code):
            yield file.problem(line, 'coroutine', 'name the braced temporary before co_await')


def dead_files(tree):
    """Every .cpp is named in a meson.build of its directory or one above."""
    for file in tree.cpp():
        if not file.path.endswith('.cpp'):
            continue
        folder = os.path.dirname(file.path)
        while folder:
            build = tree.files.get(f'{folder}/meson.build')
            # Either its file name or its stem: a list of stems may be expanded by a loop.
            stem = os.path.relpath(file.path, folder)[:-len('.cpp')]
            if build and re.search(rf"['/]{re.escape(stem)}(\.cpp)?'", build.text):
                break
            folder = os.path.dirname(folder)
        else:
            yield file.problem(1, 'dead-file', 'no meson.build names it')


def _slug(heading):
    kept = re.sub(r'[^\w\- ]', '', re.sub(r'[`*]', '', heading).strip().lower())
    return kept.replace(' ', '-')


def doc_links(tree):
    """Every link of a page leads to a file of the tree, and its fragment to a heading."""
    for file in tree.files.values():
        if not file.path.endswith('.md'):
            continue
        prose = re.sub(r'^(```|~~~).*?^\1', lambda match: source.blank(match.group(0)), file.text,
                       flags=re.DOTALL | re.MULTILINE)
        prose = re.sub(r'`[^`\n]*`', lambda match: source.blank(match.group(0)), prose)
        for match in re.finditer(r'\]\(\s*([^)\s]+)[^)]*\)', prose):
            link = match.group(1)
            if re.match(r'[a-z]+:', link):
                continue
            path, _, fragment = link.partition('#')
            target = file.path
            if path:
                target = os.path.normpath(os.path.join(os.path.dirname(file.path), path))
            line = source.line_of(prose, match.start())
            is_folder = any(other.startswith(target + '/') for other in tree.files)
            if target not in tree.files and not is_folder and target != '.':
                yield file.problem(line, 'doc-link', f'{link} leads nowhere')
            elif fragment and target.endswith('.md'):
                headings = re.findall(r'^#+\s+(.*)$', tree.files[target].text, re.MULTILINE)
                if fragment not in map(_slug, headings):
                    yield file.problem(line, 'doc-link', f'{link}: no such heading')


def mutants(tree):
    """Every hook of a deliberate defect is in the product and names one of the list; each of the
    list has a hook, or its row in the table of docs/testing.md would speak of nothing."""
    path = 'lib/mutants/list.inc'
    text = tree.files[path].text if path in tree.files else ''
    listed = {match.group(1): source.line_of(text, match.start())
              for match in re.finditer(r'^X\((\w+),', text, re.MULTILINE)}
    hooked = set()
    for file in tree.cpp():
        if file.path.startswith('lib/mutants/'):
            continue
        for match in re.finditer(r'\bKOMMANDER_MUTANT\((\w+)\)', file.code):
            name, line = match.group(1), source.line_of(file.code, match.start())
            hooked.add(name)
            if not file.path.startswith(('lib/', 'storage/', 'transports/', 'discovery/')):
                yield file.problem(line, 'mutants', 'only what nodes run is broken on purpose')
            if name not in listed:
                yield file.problem(line, 'mutants', f'{name} is not in {path}')
    for name in sorted(set(listed) - hooked):
        yield Problem(path, listed[name], 'mutants', f'nothing breaks for {name}')


def quoted_sources(tree):
    """A C++ block of the README that follows a path is that file, to the letter: what a newcomer
    copies is what the build compiles."""
    for file in tree.files.values():
        if file.path != 'README.md':
            continue
        for match in re.finditer(r'`(examples/[^`\n]+\.cpp)`[^`]*```cpp\n(.*?)```', file.text,
                                 flags=re.DOTALL):
            quoted = tree.files.get(match.group(1))
            if quoted is None or quoted.text != match.group(2):
                yield file.problem(source.line_of(file.text, match.start()), 'quoted-source',
                                   f'the block differs from {match.group(1)}')


def quoted_recipes(tree):
    """A C++ block of a page in docs/recipes stands in the example that has the page's name, line by
    line; how far it is indented there does not matter."""
    for file in tree.files.values():
        page = re.fullmatch(r'docs/recipes/(\w+)\.md', file.path)
        if not page:
            continue
        sources = ['\n' + example.text for example in tree.cpp(f'examples/{page.group(1)}/')]
        for match in re.finditer(r'^```cpp\n(.*?)^```', file.text, flags=re.DOTALL | re.MULTILINE):
            blocks = ['\n' + textwrap.indent(match.group(1), ' ' * n) for n in range(0, 10, 2)]
            if not any(block in text for block in blocks for text in sources):
                yield file.problem(source.line_of(file.text, match.start()), 'quoted-recipe',
                                   f'no source of examples/{page.group(1)} has this block')


# What speaks a released version of the protocol exists outside of this tree and will not change.
FROZEN = {
    'test/protocol/frozen_v1/frozen_v1.hpp':
        '5c7e8a7c19934308a2009f85bc744bc01eee6cc1ef8a87bf9a8841bb6116b1b7',
    'test/protocol/frozen_v1/golden_v1.hpp':
        'e882b211ef135528e9cdf80ccaff24010a5ec8bb37f866b39e385b5484185ff1',
}


def frozen(tree):
    """A frozen file is as it was, to the byte."""
    for path, checksum in FROZEN.items():
        file = tree.files.get(path)
        if file and hashlib.sha256(file.text.encode()).hexdigest() != checksum:
            yield file.problem(1, 'frozen', 'a frozen file is never changed')


RULES = (arrows, pure_core, banned_names, columns, function_length, file_length, opening_comment,
         header_guard, leftovers, whitespace, coroutine_traps, dead_files, doc_links,
         mutants, quoted_sources, quoted_recipes, frozen)
