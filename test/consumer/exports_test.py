#!/usr/bin/env python3
# What the shared library shows is what the public headers declare, and nothing else of ours. The
# archive, made of the same objects, tells what there is to show. A class or function of a header
# that lacks KOMMANDER_EXPORT is named, and so is what leaks.
#   exports_test.py [--installed] ARCHIVE SHARED INCLUDE
# --installed: the headers are those of just these parts, and every function of theirs is there.
import pathlib
import re
import subprocess
import sys

# Relies on the formatting that tools/check demands: what is in a namespace begins in column 0.
_NAMESPACE = re.compile(r'^namespace ([\w:]+) \{$')
_CLASS = re.compile(r'^(?:class|struct) (?:KOMMANDER_EXPORT )?(\w+)(?: final)?(?: :[^;{]*)? \{',
                    re.M)
_FUNCTION = re.compile(r'^(?!using |template |class |struct |enum |#)[^;{}=]*?\b(\w+)\(', re.M)
_PROMISED = re.compile(r'^(?:\[\[nodiscard\]\] )?KOMMANDER_EXPORT [^;{}=]*?\b(\w+)\(', re.M)
_VARIABLE = re.compile(r'^(?:KOMMANDER_EXPORT )?(?:inline|extern) (?!constexpr)'
                       r'[^;{}=(]*?(\w+)[;{=]', re.M)
# What every C++ library leaves for the loader to merge, and Asio, which has to be one in a process
# (meson.build says why), with the rest of Boost that it stands on. g++ does not hide the lambdas of
# Asio's coroutines whose arguments are hidden; nm cannot read their names.
_OTHERS = re.compile(r'\b(?:boost|std|__gnu_cxx|prometheus)::|^boost_asio_|^_ZZZ?N5boost4asio')
_HIDDEN = re.compile(r'\b(?:kommander::(?:raft|runtime|cluster|codec|platform|storage|tcp|memory)'
                     r'|rocksdb|nlohmann)::')


def scopes(text):
    """(namespace, the text at its scope): without comments, and of a class or of a function with a
    body the first lines only."""
    spaces, lines, is_in_body = [], {}, False
    for line in text.splitlines():
        line = line.split('//')[0].rstrip()
        namespace = _NAMESPACE.match(line)
        if namespace:
            spaces.append(namespace[1])
        elif is_in_body:
            is_in_body = not line.startswith('}')
        elif line.startswith('}') and spaces:
            spaces.pop()
        elif line and not line.startswith('#'):
            lines.setdefault('::'.join(spaces), []).append(line)
            is_in_body = line.endswith('{')
    return [(space, '\n'.join(its_lines)) for space, its_lines in lines.items()]


def declared(text):
    """Qualified names of the classes, functions and variables of one public header."""
    for space, part in scopes(text):
        if space.startswith('kommander'):
            for pattern in (_CLASS, _FUNCTION, _VARIABLE):
                yield from (f'{space}::{name}' for name in pattern.findall(part))


def exported_functions(text):
    """Qualified names of the functions that the library is to show."""
    for space, part in scopes(text):
        yield from (f'{space}::{name}' for name in _PROMISED.findall(part))


def name_of(symbol):
    """`kommander::A::F` of `kommander::A::F[abi:cxx11](int) const`, `vtable for kommander::A`, or
    `kommander::A::F(int)::local`; templates are no business of this test."""
    symbol = re.sub(r'^(?:vtable|VTT|typeinfo name|typeinfo|guard variable|non-virtual thunk|'
                    r'virtual thunk)(?: for| to) ', '', symbol)
    symbol = re.sub(r'\[abi:\w+\]', '', symbol)
    return re.split(r'[(\[ ]', symbol.split('<')[0])[0]


def is_public(name, public):
    """A class or function of a header, or a member of such a class."""
    parts = name.split('::')
    return any('::'.join(parts[:count]) in public for count in range(2, len(parts) + 1))


def findings(archived, exported, public):
    """Lines about what is declared and hidden, or shown and not declared. `archived` and `exported`
    are pairs (kind, demangled name) of nm; `public` names what the headers declare."""
    shown = {symbol for _, symbol in exported}
    everything = {symbol for _, symbol in archived}
    for kind, symbol in archived:
        # Strong ones, data, and what makes a type one type. An inline function each side may have.
        is_type = symbol.startswith(('typeinfo for ', 'vtable for '))
        if symbol in shown or not (is_type if kind == 'V' else kind in 'TDBRGSu'):
            continue
        name = name_of(symbol)
        if '<' in symbol.split('(')[0] or '::{lambda' in symbol or '.' in symbol:
            continue
        # A type without a virtual function has typeinfo for whoever erases it, each for itself.
        if is_type and f'vtable for {name}' not in everything:
            continue
        if is_public(name, public):
            yield f'{symbol}: declared in a public header, and hidden: KOMMANDER_EXPORT is missing'
    for _, symbol in exported:
        name = name_of(symbol)
        # What Asio makes of a lambda of a template is Asio's, and weak; g++ shows it.
        if _HIDDEN.search(symbol) and not re.match(r'void boost::asio::.*<', symbol):
            yield f'{symbol}: shown, and belongs inside'
        elif name.startswith('kommander::'):
            if not is_public(name, public):
                yield f'{symbol}: shown, and in no public header'
        elif not _OTHERS.search(symbol) and 'kommander::' not in symbol:
            yield f'{symbol}: shown, and none of ours'


def symbols(*command):
    listed = subprocess.run(['nm', '-C', '--defined-only', *command], check=True,
                            capture_output=True, text=True).stdout
    for line in listed.splitlines():
        found = re.match(r'[0-9a-f]+ (\w) (.+)$', line)
        if found:
            yield found[1], found[2]


def main():
    is_installed = '--installed' in sys.argv
    archive, shared, include = (argument for argument in sys.argv[1:] if argument[0] != '-')
    public, promised = set(), set()
    for header in sorted(pathlib.Path(include).rglob('*.hpp')):
        if 'testing' not in header.relative_to(include).parts:  # of another archive
            public.update(declared(header.read_text()))
            promised.update(exported_functions(header.read_text()))
    for name in ('Wal', 'MemoryWal', 'RaftCategory', 'detail::StartJoin', 'detail::CancelSink',
                 'detail::assert_handler'):
        if f'kommander::{name}' not in public:
            sys.exit(f'exports_test.py does not find {name} in the headers any more')
    exported = list(symbols('-D', shared))
    if len(exported) < 100 or len(promised) < 20:
        sys.exit('next to nothing is found in the shared library, or in the headers')
    found = set(findings(list(symbols(archive)), exported, public))
    if is_installed:
        shown = {name_of(symbol) for _, symbol in exported}
        found.update(f'{name}: in an installed header, and not in the library'
                     for name in promised - shown)
    for line in sorted(found):
        print(line)
    print(f'{len(exported)} symbols shown, {len(found)} wrong')
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
