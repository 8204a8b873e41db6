#!/usr/bin/env python3
# Writes the C++ file that asserts of every class of the public headers that it is no aggregate: of
# an aggregate, users would come to depend on the number and order of its members, and g++ 12
# destroys its braced temporaries twice in a co_await.
#   value_types.py OUTPUT include/HEADER...
# Relies on the formatting that tools/check demands: a class of the namespace begins in column 0,
# one inside of another class in column 2. Class templates and what is in `detail` are left out.
import re
import sys

_DETAIL = re.compile(r'^namespace (?:kommander::)?(?:testing::)?detail \{$.*?^\}  // namespace',
                     re.M | re.S)
_CLASS = re.compile(r'^(template [^;{]*?\n)?(  )?(?:struct|class) (?:KOMMANDER_EXPORT )?(\w+)'
                    r'(?: final)?(?: :[^;{]*)? \{', re.M)


def classes(text):
    """Names as C++ knows them in namespace kommander: `Name`, `Outer::Name`, `testing::Name`."""
    outer = ''
    space = 'testing::' if re.search(r'^namespace kommander::testing \{', text, re.M) else ''
    for is_template, is_nested, name in _CLASS.findall(_DETAIL.sub('', text)):
        if not is_nested:
            outer = name
        if not is_template:
            yield space + (f'{outer}::{name}' if is_nested else name)


def main():
    output, *headers = sys.argv[1:]
    lines = ['// Generated: no public class is an aggregate.', '#include <type_traits>', '']
    names = []
    for header in headers:
        with open(header) as stream:
            names += classes(stream.read())
        lines.append(f"#include <{header.split('include/', 1)[1]}>")
    if not {'WriteUnit', 'Clock::Timer', 'testing::Options'} <= set(names):
        sys.exit('value_types.py does not find the classes any more')
    lines += [f'static_assert(!std::is_aggregate_v<kommander::{name}>);' for name in names]
    with open(output, 'w') as stream:
        stream.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
