# The network between the nodes: one TCP proxy per directed link, since each node dials every other
# one and speaks over the connection that it has dialled. A link can be cut, deaf, slow or half
# open.
import asyncio

from support.nodes import HOST

_PIECE_BYTES = 64 << 10
_PIECES_MAX = 64  # held per direction; more stays in the sockets, as in a real network
SILENCE_S = 1.0  # a connection that says nothing for so long is idle or dead


class _Direction:
    """Bytes from one socket to the other, after the link's delay and while its gate is open."""

    def __init__(self, link, reader, writer, gate):
        self._link = link
        self._reader = reader
        self._writer = writer
        self._gate = gate
        self._pieces = asyncio.Queue(_PIECES_MAX)

    async def run(self):
        taking = asyncio.ensure_future(self._take())
        try:
            while (piece := await self._pieces.get()) is not None:
                due_s, data = piece
                await asyncio.sleep(due_s - asyncio.get_running_loop().time())
                await self._gate.wait()
                self._writer.write(data)
                await self._writer.drain()
        finally:
            taking.cancel()

    async def _take(self):
        try:
            while data := await self._reader.read(_PIECE_BYTES):
                self._link.note_piece(self._gate)
                due_s = asyncio.get_running_loop().time() + self._link.delay_s
                await self._pieces.put((due_s, data))
        except OSError:
            pass
        await self._pieces.put(None)


class Link:
    """From one node, which dials, to another."""

    def __init__(self, source, target, port, target_port):
        self.source, self.target = source, target
        self.port = port
        self.delay_s = 0.0
        self._target_port = target_port
        self._is_cut = False
        self._forth, self._back = asyncio.Event(), asyncio.Event()
        self._forth.set()
        self._back.set()
        self._spoken_s = -SILENCE_S  # when bytes last went forth
        self._open = {}  # the dialler's side -> the target's side
        self._half_open = set()
        self._serving = set()
        self._server = None

    async def start(self):
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def close(self):
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    def note_piece(self, gate):
        if gate is self._forth:
            self._spoken_s = asyncio.get_running_loop().time()

    def is_alive(self):
        """There is a connection, and its dialler speaks: a fault of this link meets somebody."""
        silent_s = asyncio.get_running_loop().time() - self._spoken_s
        return bool(self._open) and silent_s < SILENCE_S

    def cut(self):
        """Connections break, new ones are refused."""
        self._is_cut = True
        self.reset()

    def deafen(self, forth, back):
        """Bytes of that direction are held back, connections stay open."""
        if forth:
            self._forth.clear()
        if back:
            self._back.clear()

    def half_open(self):
        """The target's end of each connection vanishes; the dialler hears nothing of it."""
        for near, far in list(self._open.items()):
            self._half_open.add(near)
            far.transport.abort()

    def heal(self):
        """As before; what was held back arrives late, what was half open breaks at last."""
        self._is_cut = False
        self.delay_s = 0.0
        self._forth.set()
        self._back.set()
        self._break_half_open()

    def reset(self):
        for near, far in list(self._open.items()):
            near.transport.abort()
            far.transport.abort()
        self._break_half_open()

    def _break_half_open(self):
        for near in list(self._half_open):
            near.transport.abort()
        self._half_open.clear()

    async def _serve(self, reader, near):
        self._serving.add(asyncio.current_task())
        far = None
        try:
            if self._is_cut:
                return
            far_reader, far = await asyncio.open_connection(HOST, self._target_port)
            if self._is_cut:
                return
            self._open[near] = far
            directions = [asyncio.ensure_future(_Direction(self, *way).run()) for way in (
                (reader, far, self._forth), (far_reader, near, self._back))]
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for direction in directions:
                    direction.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
        except OSError:
            pass  # the target does not listen: so the dialler learns
        finally:
            self._open.pop(near, None)
            if far is not None:
                far.transport.abort()
            while near in self._half_open and not near.transport.is_closing():
                await asyncio.sleep(0.05)
            near.transport.abort()
            self._serving.discard(asyncio.current_task())


class Network:
    """All links of a cluster."""

    def __init__(self, raft_ports, link_ports):
        ports = iter(link_ports)
        self.links = {(source, target): Link(source, target, next(ports), raft_ports[target])
                      for source in raft_ports for target in raft_ports if source != target}

    async def start(self):
        for link in self.links.values():
            await link.start()

    async def close(self):
        for link in self.links.values():
            await link.close()

    def heal(self):
        for link in self.links.values():
            link.heal()

    def of(self, node):
        """All links from and to the node."""
        return [link for ends, link in self.links.items() if node in ends]
