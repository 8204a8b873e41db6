# What running nodes say about themselves, and whether they agree.
import asyncio
import json

from support.http_client import Client, NoAnswer, NotSent
from support.nodes import HOST, DemoError


async def statuses(nodes, timeout_s=2):
    """node -> {partition -> its status}; a node that does not answer is left out."""
    found = {}

    async def ask(node):
        client = Client(HOST, node.http_port, timeout_s)
        try:
            status, body = await client.request('GET', '/status')
            if status == 200:
                parts = json.loads(body)['partitions']
                found[node.number] = {part['id']: part for part in parts}
        except (NotSent, NoAnswer):
            pass
        finally:
            client.close()
    await asyncio.gather(*map(ask, nodes))
    return found


async def leader_of(nodes, partition, timeout_s=2):
    """The number of the node that leads in the newest term; None: nobody says so."""
    leaders = [(partitions[partition]['term'], number)
               for number, partitions in (await statuses(nodes, timeout_s)).items()
               if partitions.get(partition, {}).get('role') == 'leader']
    return max(leaders)[1] if leaders else None


async def agree(nodes):
    """True once all nodes have applied the same. Raises DemoError when they cannot any more."""
    found = await statuses(nodes)
    if len(found) != len(nodes):
        return None
    views = [{number: (part['applied'], part['hash']) for number, part in status.items()}
             for status in found.values()]
    for number in views[0]:
        for view in views[1:]:
            mine, other = views[0][number], view.get(number)
            if other and mine[0] == other[0] and mine[1] != other[1]:
                raise DemoError(f'partition {number}: nodes differ at index {mine[0]}:'
                                f' {mine[1]} and {other[1]}')
    return True if all(view == views[0] for view in views) else None
