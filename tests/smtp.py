"""A mail server for tests: enough of RFC 5321 for a client to hand a mail over, by real sockets."""

import asyncio
from email import message_from_bytes
from email.message import Message


class MailServer:
    """Keeps what it is given, in `got`."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.url = ""

    async def __aenter__(self) -> "MailServer":
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=1 << 24)
        self.url = f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        while line := await reader.readline():
            word = line.strip().upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                self.got.append(message_from_bytes(body[:-3].replace(b"\r\n..", b"\r\n.")))
                writer.write(b"250 taken\r\n")
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 mail.test\r\n")
        await writer.drain()
        writer.close()
