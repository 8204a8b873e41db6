#!/usr/bin/env python3
# absence_test.py PROGRAM LIST absent|present: whether a program that holds the whole library knows
# any deliberate defect. "present" is the control: the same search finds all of them there.
import re
import subprocess
import sys


def main():
    program, list_path, expected = sys.argv[1:]
    with open(list_path) as stream:
        names = re.findall(r'^X\((\w+),', stream.read(), re.MULTILINE)
    with open(program, 'rb') as stream:
        content = stream.read()
    # The names themselves, the variable of the environment, the mangled namespace.
    marks = [*names, 'KOMMANDER_MUTANT', '9kommander7mutants']
    found = [mark for mark in marks if mark.encode() in content]
    option = subprocess.run([program, '--mutant', names[0], '--seeds', '1', '--virtual-seconds',
                             '1'], capture_output=True, check=False).returncode
    problems = []
    if expected == 'absent':
        problems += [f'{mark} is in the program' for mark in found]
        if option != 2:
            problems.append(f'--mutant ends with {option}, not with 2, bad usage')
    else:
        problems += [f'{mark} is not in the program' for mark in marks if mark not in found]
        if option == 2:
            problems.append('--mutant is not known')
    for problem in problems:
        print(problem)
    print(f'{len(marks) + 1 - len(problems)} passed, {len(problems)} failed')
    return 1 if problems or len(names) < 30 else 0


if __name__ == '__main__':
    sys.exit(main())
