# SPDX-License-Identifier: GPL-2.0-or-later
"""many.py's answers by asyncio's own streams: one task works for a connection as long as it is
open, whatever is asked there."""
import asyncio
import sys

import many
import many_async


async def connection(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await many_async.respond(*many.route(head.split(b" ", 2)[1].decode()), 0)
            writer.write(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%s" % (
                answer.status, len(answer.body), answer.body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve(port):
    server = await asyncio.start_server(connection, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
