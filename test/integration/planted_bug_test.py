#!/usr/bin/env python3
# Users' tests find what users get wrong: the fourth example with its defect fails within a few
# seeds, says why, and both the line that it prints and the plan of faults make it fail again; the
# example without the defect survives the same.
#   planted_bug_test.py PLANTED_BUG TESTED_COUNTER
import pathlib
import re
import subprocess
import sys
import tempfile

SEEDS_MAX = 10
INVARIANT = 'no answer forgets an earlier one: '


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=250)
    print(done.stdout, done.stderr, sep='')
    return done


def violation(output):
    found = re.search(r'^  (%s.*)$' % INVARIANT, output, re.MULTILINE)
    assert found, 'the violation is not named'
    return found.group(1)


def main():
    planted_bug, tested_counter = sys.argv[1:]
    found = run(planted_bug, '--seeds', f'1..{SEEDS_MAX}')
    assert found.returncode == 1, 'the defect was not found'
    replay = re.search(r'^  replay: (.*)$', found.stdout, re.MULTILINE).group(1).split()
    plan = re.search(r'^# at s.*\n((?:\d.*\n)*)', found.stdout, re.MULTILINE).group(1)

    again = run(planted_bug, *replay)
    assert again.returncode == 1 and violation(again.stdout) == violation(found.stdout)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, 'plan')
        file.write_text(plan)
        few = run(planted_bug, *replay, '--plan', str(file))
        assert few.returncode == 1, 'the faults that are said to be enough are not'
        violation(few.stdout)
    assert run(tested_counter, *replay).returncode == 0
    assert run(planted_bug, '--seeds', 'x').returncode == 2


if __name__ == '__main__':
    main()
