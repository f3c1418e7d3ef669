# SPDX-License-Identifier: GPL-2.0-or-later
"""many.py's answers for servers of the asynchronous kind: ASGI's `app`, aiohttp's `make`."""
import asyncio

import many


async def ask_store(times):
    reader, writer = await asyncio.open_connection("127.0.0.1", many.STORE)
    for _ in range(times):
        writer.write(b"*1\r\n$4\r\nPING\r\n")
        await reader.readuntil(b"\r\n")
    writer.close()
    return times


async def pause(count):
    await asyncio.sleep(0.001)
    many.pieces(count)
    await asyncio.sleep(0.001)


async def respond(kind, much, body):
    if kind == "echo":
        return many.Answer(body=b"%d\n" % body)
    if kind == "sleep":
        await asyncio.sleep(much / 1000)
        return many.Answer(body=b"slept\n")
    if kind == "store":
        return many.Answer(body=b"%d\n" % await ask_store(much))
    if kind == "turns":
        # As much as /work/, but others have their turns in between.
        for _ in range(10):
            many.work(much // 10)
            await asyncio.sleep(0)
        return many.Answer(body=b"done\n")
    if kind == "pauses":
        for _ in range(10):
            many.pieces(much)
            await asyncio.sleep(0.001)
        return many.Answer(body=b"done\n")
    if kind == "children":
        # The same in tasks of its own.
        await asyncio.gather(*(pause(much) for _ in range(10)))
        return many.Answer(body=b"done\n")
    if kind == "threads":
        await asyncio.gather(*(asyncio.to_thread(many.work, 20000) for _ in range(much)))
        return many.Answer(body=b"done\n")
    answer = many.answer_to(kind, much)
    if answer.file is not None:
        with answer.file as file:
            answer = many.Answer(body=file.read())
    return answer


async def body_of(receive):
    total = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return total
        total += len(message.get("body", b""))
        if not message.get("more_body"):
            return total


async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    kind, much = many.route(scope["path"])
    name = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    size = 0 if kind == "ignore" else await body_of(receive)
    answer = await respond(kind, much, size)
    fields = [(field.lower().encode(), value.encode("latin-1"))
              for field, value in answer.fields(name)]
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    if answer.parts is not None and scope["method"] != "HEAD":
        for part in answer.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


def make():
    from aiohttp import web

    async def handle(request):
        kind, much = many.route(request.path)
        size = 0
        if kind != "ignore":
            async for part in request.content.iter_any():
                size += len(part)
        answer = await respond(kind, much, size)
        fields = answer.fields(request.headers.get("X-Request-Id", ""))
        if answer.parts is None:
            return web.Response(status=answer.status, headers=fields, body=answer.body)
        told = web.StreamResponse(status=answer.status, headers=fields)
        await told.prepare(request)
        if request.method != "HEAD":
            for part in answer.parts:
                await told.write(part)
        await told.write_eof()
        return told

    made = web.Application(client_max_size=1 << 30)
    made.router.add_route("*", "/{path:.*}", handle)
    return made


if __name__ == "__main__":
    import sys

    from aiohttp import web
    web.run_app(make(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
