# What a chaos run has to come to beside right answers: faults of every kind that met something
# alive, and leaders that are replaced in time unless the machine itself stood still.
import collections

SECONDS_PER_FAULT_MAX = 4  # fewer faults than that are a run that proves nothing
KINDS_DEMANDED_S = 25  # by then each lane has dealt every kind once, see faults.DECK_S_MAX
ACKNOWLEDGED_PER_S_MIN = 5
LATE_SHARE_MAX = 0.05
SHARE_FAILOVERS_MIN = 20  # of fewer, one late failover says nothing about the share

# From the kill to the first acknowledgement. The longest sync and the longest lateness are those of
# an uninvolved thread within that time.
Failover = collections.namedtuple('Failover', 'number took_s sync_s lateness_s')


def bound_s(timeout_s):
    """Two rounds of elections, each at most two timeouts long, and the work besides."""
    return 4 * timeout_s + 0.5


def stall_s(timeout_s):
    """What excuses a late failover. A round of votes has two syncs in a row, the candidate's and
    the voters'. While each takes less than half a timeout, the round ends before the shortest
    timeout does, and leaders are heard in time: only the protocol can be late then."""
    return timeout_s / 2


def longest_within(spans, begin, end):
    """The longest part of a span (begin, end) that lies between begin and end; 0 without any."""
    return max((min(last, end) - max(first, begin) for first, last in spans
                if first < end and last > begin), default=0)


def failover(number, begin_ns, end_ns, samples):
    lateness_ns = longest_within(((s.due_ns, s.woke_ns) for s in samples), begin_ns, end_ns)
    sync_ns = longest_within(((s.woke_ns, s.synced_ns) for s in samples), begin_ns, end_ns)
    return Failover(number, (end_ns - begin_ns) / 1e9, sync_ns / 1e9, lateness_ns / 1e9)


def is_late(one, timeout_s):
    return one.took_s > bound_s(timeout_s)


def late_ones(failovers, timeout_s):
    return [one for one in failovers if is_late(one, timeout_s)]


def told(one, timeout_s):
    """How long it took; a late one with what the machine did meanwhile."""
    text = f'answered again after {one.took_s:.2f} s'
    if not is_late(one, timeout_s):
        return text
    return (f'{text}, beyond the bound of {bound_s(timeout_s):.2f} s; meanwhile the longest sync'
            f' took {one.sync_s:.3f} s and the longest lateness was {one.lateness_s:.3f} s')


def failover_problems(failovers, timeout_s, asked):
    if len(failovers) < asked:
        yield f'only {len(failovers)} leaders of {asked} were killed and replaced'
    late = late_ones(failovers, timeout_s)
    for one in late:
        if max(one.sync_s, one.lateness_s) <= stall_s(timeout_s):
            yield f'leader kill {one.number}: {told(one, timeout_s)}: no stall'
    if len(failovers) >= SHARE_FAILOVERS_MIN and len(late) > LATE_SHARE_MAX * len(failovers):
        yield (f'{len(late)} of {len(failovers)} failovers were late, {LATE_SHARE_MAX:.0%} are'
               ' allowed')


def fault_problems(kinds, effective, seconds):
    """A run without faults proves nothing; only those count that met something alive."""
    total = sum(effective[kind] for kind in kinds)
    wanted = seconds // SECONDS_PER_FAULT_MAX
    if total < wanted:
        yield f'only {total} faults took effect, {wanted} were demanded'
    if seconds < KINDS_DEMANDED_S:
        return
    for kind in kinds:
        if effective[kind] == 0:
            yield f'the fault "{kind}" never took effect'


def load_problems(acknowledged, seconds):
    if acknowledged < ACKNOWLEDGED_PER_S_MIN * seconds:
        yield f'only {acknowledged} operations were acknowledged'


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def leader_kills_default(seconds):
    """Enough to judge the share of late ones; about a second each."""
    return min(100, max(SHARE_FAILOVERS_MIN, seconds // 2))
