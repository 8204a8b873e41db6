#!/usr/bin/env python3
# Users' tests find what users get wrong: the fourth example with its defect is good as long as
# nothing fails, fails within a few seeds of faults, says why, and names the few faults that it
# takes. Both the line that it prints and these faults make it fail again; the example without the
# defect survives the same.
#   planted_bug_test.py PLANTED_BUG TESTED_COUNTER
import pathlib
import re
import subprocess
import sys
import tempfile

SEEDS = '1..10'  # that are enough to find it
SEEDS_WITHOUT_FAULTS = '1..50'
FAULTS_MAX = 3  # that are needed
INVARIANT = 'everything counts once: '


def run(program, *arguments):
    print(program, *arguments, flush=True)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=250)
    print(done.stdout, done.stderr, sep='')
    return done


def violation(output):
    found = re.search(r'^  (%s.*)$' % INVARIANT, output, re.MULTILINE)
    assert found, 'the violation is not named'
    return found.group(1)


def main():
    planted_bug, tested_counter = sys.argv[1:]
    assert run(planted_bug, '--seeds', SEEDS_WITHOUT_FAULTS, '--no-faults').returncode == 0
    found = run(planted_bug, '--seeds', SEEDS)
    assert found.returncode == 1, 'the defect was not found'
    replay = re.search(r'^  replay: (.*)$', found.stdout, re.MULTILINE).group(1).split()
    plan = re.search(r'^# at s.*\n((?:\d.*\n)*)', found.stdout, re.MULTILINE).group(1)
    assert 1 <= plan.count('\n') <= FAULTS_MAX, 'the faults that it takes are not few'

    again = run(planted_bug, *replay)
    assert again.returncode == 1 and violation(again.stdout) == violation(found.stdout)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, 'plan')
        file.write_text(plan)
        few = run(planted_bug, *replay, '--plan', str(file))
        assert few.returncode == 1, 'the faults that are said to be enough are not'
        violation(few.stdout)
        assert run(tested_counter, *replay, '--plan', str(file)).returncode == 0
    # One of them at least is needed.
    assert run(planted_bug, *replay, '--no-faults').returncode == 0
    assert run(tested_counter, '--seeds', SEEDS).returncode == 0
    assert run(planted_bug, '--seeds', 'x').returncode == 2


if __name__ == '__main__':
    main()
