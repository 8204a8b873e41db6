#!/usr/bin/env python3
# Makes what Doxygen reads out of a header with plain comments. One that stands by itself is about
# what follows; one behind code is about that code; the first one is about the file, and about the
# class that the file is named after unless that has its own. Lines stay where they are, so that
# warnings name the right ones.
#   doxygen_filter.py HEADER > what Doxygen reads
import os
import re
import sys

_BEHIND = re.compile(r'^(.*\S)(\s+)//( .*)$')  # no header has two slashes in a string
_NOT_TOLD = re.compile(r'\s*(?:NOLINT|namespace\b|--- .* ---$)')  # nor a heading among members
_TOLD_AFTER = re.compile(r'(?:[;,]|\w)$')  # a member or an enumerator, not the brace of a body
_OF_OTHERS = re.compile(r'^struct (?:std|boost)::')  # what is specialized for a library


def escaped(text):
    """Doxygen takes these for commands, tags and links; between backticks it takes nothing."""
    parts = text.split('`')
    for at in range(0, len(parts), 2):
        parts[at] = re.sub(r'([\\@<>#%&$])', r'\\\1', parts[at])
    return '`'.join(parts)


def told(texts):
    """The lines of a comment. One that stands further in, after an empty one, is code."""
    is_code = False
    before = 'text'
    for text in texts:
        is_code = text.startswith('   ') and (is_code or not before.strip())
        before = text
        yield f'    {text}' if is_code else escaped(text)


def main_class(path, lines):
    """`class kommander::Name`, if the file is named after a class that has no comment."""
    name = ''.join(part.capitalize() for part in os.path.basename(path)[:-4].split('_'))
    wanted = re.compile(
        rf'^(class|struct|enum class) (?:KOMMANDER_EXPORT )?(\w*{name})\b[^;]*$', re.I)
    space = ''
    for before, line in zip(lines, lines[1:]):
        if line.startswith('namespace '):
            space = line.split()[1]
        found = wanted.match(line)
        if found and not before.startswith('//'):
            return f'{found[1].split()[0]} {space}::{found[2]}'
    return None


def opened(path, opening, lines):
    """The first comment and the line `#pragma once` behind it, as many lines as they are."""
    file = path.split('include/')[-1]
    about = list(told(line[2:] for line in opening[:-1]))
    main = main_class(path, lines)
    if main is None:
        return [f'/// @file {file} @brief{about[0]}', *(f'///{line}' for line in about[1:]), '']
    return [f'/** @file {file} @brief{about[0]} */ /** @{main}', *about[:-1], f'{about[-1]} */']


def filtered(path, lines):
    """The lines of a header, as Doxygen wants them."""
    lines = list(lines)
    opening = lines.index('#pragma once') + 1
    yield from opened(path, lines[:opening], lines)
    is_of_others = False
    for line, after in zip(lines[opening:], [*lines[opening + 1:], '']):
        bare = line.lstrip()
        behind = _BEHIND.match(line)
        if bare.startswith('//'):
            is_told = not _NOT_TOLD.match(bare[2:])
            yield line[:len(line) - len(bare)] + (f'///{escaped(bare[2:])}' if is_told else '')
        elif behind and _NOT_TOLD.match(behind[3]):
            yield behind[1]
        elif behind and _TOLD_AFTER.search(behind[1]):
            yield f'{behind[1]}{behind[2]}///<{escaped(behind[3])}'
        elif line.startswith('template') and _OF_OTHERS.match(after):
            is_of_others = True
            yield f'/** @cond */ {line}'
        elif is_of_others and re.search(r'^\};$|\{\};$', line):
            is_of_others = False
            yield f'{line} /** @endcond */'
        else:
            yield line


def main():
    with open(sys.argv[1]) as stream:
        print('\n'.join(filtered(sys.argv[1], stream.read().splitlines())))


if __name__ == '__main__':
    main()
