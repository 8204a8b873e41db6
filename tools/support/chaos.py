# Chaos: real processes under faults, judged by what their clients saw. Started by tools/chaos.
import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import chaos_judgement  # noqa: E402
from support.build import build_program  # noqa: E402
from support.chaos_run import ChaosRun  # noqa: E402
from support.demo import Interrupted, from_caller, print_table, stop_all  # noqa: E402
from support.nodes import DemoError  # noqa: E402
from support.steps import jobs_default, say  # noqa: E402

SERVER, JUDGE = 'kommander-kv', 'kommander-history'
JUDGE_S = 300
EXTRA_S = 240  # start, agreement, reading back
LEADER_KILL_S = 60


def failover_fields(run, arguments):
    """As the last line names them."""
    timeout_s = arguments.election_timeout_ms / 1000
    fields = [('failovers', len(run.failovers)),
              ('late', len(chaos_judgement.late_ones(run.failovers, timeout_s)))]
    if run.failovers:
        took_s = [one.took_s for one in run.failovers]
        fields += [(f'{name}_s', f'{chaos_judgement.quantile(took_s, share):.2f}')
                   for name, share in (('p50', 0.5), ('p95', 0.95), ('max', 1.0))]
    return fields


def failover_rows(run, arguments):
    if not run.failovers:
        return []
    timeout_s = arguments.election_timeout_ms / 1000
    found = dict(failover_fields(run, arguments))
    took = ' / '.join(found[name] for name in ('p50_s', 'p95_s', 'max_s'))
    return [('leader kills', f'{found["failovers"]} of {arguments.leader_kills}'),
            ('unavailable p50/p95/max', f'{took} s'),
            ('bound 4T + 0.5 s', f'{chaos_judgement.bound_s(timeout_s):.2f} s'),
            ('beyond the bound', f'{found["late"]}'),
            ('longest sync', f'{max(one.sync_s for one in run.failovers):.3f} s'),
            ('longest lateness', f'{max(one.lateness_s for one in run.failovers):.3f} s')]


def table(run, arguments):
    recorder, faults = run.recorder, run.faults
    rows = [('seed', str(arguments.seed)), ('nodes', str(arguments.nodes)),
            ('transport', arguments.transport),
            ('operations', f'{recorder.operations:,}'),
            ('acknowledged', f'{recorder.acknowledged:,}'),
            ('refused, had no effect', f'{recorder.failed:,}'),
            ('outcome unknown', f'{recorder.unknown:,}')]
    rows += [(f'fault: {kind}', f'{faults.effective[kind]} of {faults.ordered[kind]}')
             for kind in faults.kinds]
    return rows + failover_rows(run, arguments)


def lacks_of(run, arguments):
    """A run without faults proves nothing, which is no violation."""
    return chaos_judgement.fault_problems(run.faults.kinds, run.faults.effective,
                                          arguments.seconds)


def judge(program, path):
    """What is wrong with the records; its own lines are shown."""
    try:
        ended = subprocess.run([program, path], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, timeout=JUDGE_S)
    except subprocess.TimeoutExpired:
        return [f'{JUDGE} did not come to an end within {JUDGE_S} s']
    for line in ended.stdout.splitlines()[-60:]:
        say(f'  {line}')
    if ended.returncode == 0:
        return []
    return [f'{JUDGE} found violations' if ended.returncode == 1 else
            f'{JUDGE} ended with {ended.returncode}: {ended.stderr.strip()[:300]}']


async def drive(run, arguments):
    time_max_s = arguments.seconds + EXTRA_S + arguments.leader_kills * LEADER_KILL_S
    task = asyncio.ensure_future(run.run())
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        await asyncio.wait_for(task, time_max_s)
    except asyncio.TimeoutError:
        raise DemoError(f'not finished within {time_max_s:.0f} s') from None
    except asyncio.CancelledError:
        raise Interrupted() from None
    finally:
        await run.close()


def run_and_judge(run, arguments, judge_program):
    problems = []
    try:
        asyncio.run(drive(run, arguments))
    except DemoError as error:
        problems.append(str(error))
    finally:
        problems += stop_all(run.nodes)
    print_table(table(run, arguments))
    return problems + judge(judge_program, run.recorder.path) + list(
        chaos_judgement.failover_problems(run.failovers, arguments.election_timeout_ms / 1000,
                                          arguments.leader_kills)) + list(
        chaos_judgement.load_problems(run.recorder.acknowledged, arguments.seconds))


def parse():
    parser = argparse.ArgumentParser(prog='tools/chaos', description='Real processes under faults,'
                                     ' judged by what their clients saw.')
    parser.add_argument('--seconds', type=int, default=60, help='length of the phase with faults')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 31),
                        help='of the faults and of the clients (default: by chance)')
    parser.add_argument('--nodes', type=int, choices=(3, 5), default=3)
    parser.add_argument('--leader-kills', type=int, metavar='N',
                        help='afterwards kill N leaders and measure how long nobody answers'
                        ' (default: half as many as seconds, at least 20, at most 100)')
    parser.add_argument('--no-disk-full', action='store_true',
                        help='leave that fault out; it needs root, who may mount a small disk')
    parser.add_argument('--transport', choices=('tcp', 'rest'), default='tcp',
                        help='what the nodes speak to each other')
    parser.add_argument('--election-timeout-ms', type=int, default=300, metavar='T')
    parser.add_argument('--program', help=f'a built {SERVER}, instead of building it')
    parser.add_argument('--judge', help=f'a built {JUDGE}, instead of building it')
    parser.add_argument('--jobs', type=int, default=jobs_default(), help='compilers at a time')
    arguments = parser.parse_args()
    if arguments.leader_kills is None:
        arguments.leader_kills = chaos_judgement.leader_kills_default(arguments.seconds)
    return arguments


def last_line(run, arguments, problems):
    recorder, faults = run.recorder, run.faults
    disk_full = 'left-out' if arguments.no_disk_full else faults.effective['disk full']
    fields = [('operations', recorder.operations), ('acknowledged', recorder.acknowledged),
              ('unknown', recorder.unknown), ('ordered', sum(faults.ordered.values())),
              ('faults', sum(faults.effective.values())),
              ('disk_full', disk_full), *failover_fields(run, arguments),
              ('violations', len(problems))]
    return 'chaos: ' + ' '.join(f'{name}={value}' for name, value in fields)


def main():
    arguments = parse()
    folder = None
    try:
        program = from_caller(arguments.program) or build_program(SERVER, arguments.jobs)
        judge_program = from_caller(arguments.judge) or build_program(JUDGE, arguments.jobs)
        os.makedirs('build', exist_ok=True)
        folder = tempfile.mkdtemp(prefix='chaos-', dir='build')
        run = ChaosRun(program, folder, arguments)
    except (DemoError, OSError) as error:
        print(f'tools/chaos: {error}', file=sys.stderr)
        if folder is not None:
            shutil.rmtree(folder)
        return 1
    say(f'seed {arguments.seed}')
    started_s = time.monotonic()
    try:
        problems = run_and_judge(run, arguments, judge_program)
    except Interrupted:
        say('interrupted')
        return 130
    finally:
        run.close_disk()
    say(f'took {time.monotonic() - started_s:.1f} s')
    lacks = [f'too little: {lack}' for lack in lacks_of(run, arguments)]
    for problem in [*problems[:20], *lacks]:
        print(f'tools/chaos: {problem}', file=sys.stderr)
    if problems or lacks:
        print(f'tools/chaos: records, data and logs are kept in {folder}', file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    say(last_line(run, arguments, problems))
    return 1 if problems or lacks else 0


if __name__ == '__main__':
    sys.exit(main())
