# A small HTTP/1.1 client over asyncio: one keep-alive connection, one request at a time. Its errors
# tell what the demo has to know: whether the server can have seen the request.
import asyncio

_HEADER_BYTES_MAX = 64 << 10


class NotSent(Exception):
    """The request did not leave: nobody listens, or a kept connection was closed before it."""


class NoAnswer(Exception):
    """The request left and no answer came: it may have been carried out."""


class Client:
    def __init__(self, host, port, timeout_s=6.0):
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._reader = None
        self._writer = None

    async def request(self, method, path, body=b''):
        """(status, body). Raises NotSent or NoAnswer; the connection is opened anew afterwards."""
        try:
            return await asyncio.wait_for(self._exchange(method, path, body), self._timeout_s)
        except asyncio.TimeoutError:
            self.close()
            raise NoAnswer(f'no answer within {self._timeout_s:g} s') from None
        except NotSent:
            self.close()
            raise
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            raise NoAnswer(str(error) or type(error).__name__) from None

    def close(self):
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _exchange(self, method, path, body):
        if self._writer is None or self._reader.at_eof():
            self.close()
            await self._connect()
        head = (f'{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n'
                f'Content-Length: {len(body)}\r\n\r\n')
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        return await self._response()

    async def _connect(self):
        try:
            self._reader, self._writer = await asyncio.open_connection(
                self._host, self._port, limit=_HEADER_BYTES_MAX)
        except OSError as error:
            raise NotSent(str(error)) from None

    async def _response(self):
        reader = self._reader
        head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1')
        status_line, *lines = head[:-4].split('\r\n')
        headers = dict(line.lower().split(': ', 1) for line in lines if ': ' in line)
        status = int(status_line.split(' ', 2)[1])
        if 'content-length' not in headers:
            raise ValueError('the answer has no Content-Length')
        body = await reader.readexactly(int(headers['content-length']))
        if headers.get('connection') == 'close':
            self.close()
        return status, body
