"""Servers that receive what is sent: a mail server and a web server, each on a port of its own."""

from __future__ import annotations

import asyncio
import json
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope


class MailServer:
    """Keeps the mails it is sent; while `refusal` is set, it answers with that."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusal: str | None = None
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: SMTP(self, loop=self._loop, enable_SMTPUTF8=True), "127.0.0.1", 0)
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def url(self, **options: str) -> str:
        """How Apprise gets there."""
        given = {"from": "cron@example.org", "to": "ops@example.org", **options}
        return f"mailto://127.0.0.1:{self.port}?" + "&".join(f"{name}={value}" for name, value in given.items())

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def texts(self) -> list[str]:
        return [mail.get_content() for mail in self.mails]

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


class WebServer:
    """Keeps what is posted and answers with `status`; `asked` is set when a request is there."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.pings: list[str] = []
        self.status = 200
        self._gates: list[Event] = []
        self._stopping = False
        self.let_in()
        self.asked = Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                gate = server._gates[-1]
                server.asked.set()
                gate.wait()
                if server.status < 300 and not server._stopping:
                    server.posted.append(json.loads(content))
                self.reply()

            def do_GET(self) -> None:
                server.pings.append(self.path)
                self.reply()

            def reply(self) -> None:
                try:
                    self.send_response(server.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:  # the other side is gone
                    self.close_connection = True

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def url(self, login: str = "", path: str = "") -> str:
        """How Apprise gets there."""
        return f"json://{login}127.0.0.1:{self.port}/{path}"

    def hold(self) -> Event:
        """Requests from now on are answered when the event is set, at the latest when the server is stopped."""
        self._gates.append(Event())
        return self._gates[-1]

    def let_in(self) -> None:
        """Requests from now on are answered at once."""
        self.hold().set()

    def stop(self) -> None:
        self._stopping = True
        for gate in self._gates:
            gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
