# Ending asyncio tasks for sure.
import asyncio

_PATIENCE_S = 0.5


async def end(tasks):
    """Cancels until all have ended: asyncio.wait_for may lose a cancellation (Python < 3.12)."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_PATIENCE_S)
