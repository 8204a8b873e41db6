#!/usr/bin/env python3
# A race of our own is told under the suppressions of every program, and would be hidden by those
# for RocksDB: that is why these are in a file of their own.
#   planted_race_test.py PLANTED_RACE SUPPRESSIONS SUPPRESSIONS_WITH_ROCKSDB
import os
import subprocess
import sys


def tells(program, suppressions):
    ended = subprocess.run([program], capture_output=True, text=True, check=False, env={
        **os.environ, 'TSAN_OPTIONS': f'suppressions={suppressions}:exitcode=66'})
    print(ended.stderr)
    assert ended.stdout.strip() == '100', ended.stdout
    return ended.returncode == 66 and 'data race' in ended.stderr


def main():
    program, everywhere, with_rocksdb = sys.argv[1:]
    failed = []
    if not tells(program, everywhere):
        failed.append('a race over a string is not told')
    if tells(program, with_rocksdb):
        failed.append('the suppressions for RocksDB are not in force, or not needed any more')
    for problem in failed:
        print(problem)
    print(f'{2 - len(failed)} passed, {len(failed)} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
