"""A real HTTP server that answers as a script says, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import struct
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

from callkit.fetch import Client
from callkit.fetch.concurrency import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    import trustme

ACCOUNT = "AC" + "a" * 32
TOKEN = "not-a-real-token"
_WITHOUT_END = 1 << 28  # bytes: a client that takes so many would take more
# Every rule of the default policy, in shorter times.
QUICK_RETRIES = RetryPolicy(first_back_off=0.002, unauthorized_pause=0.03, unauthorized_for=0.05)


def sid(number: int) -> str:
    return f"CA{number:032x}"


def call_body(call_sid: str, **attributes: object) -> bytes:
    return json.dumps({"sid": call_sid, **attributes}).encode()


@dataclass
class Reply:
    status: int = 200
    body: bytes | None = None  # None: the body of the call that was asked for
    headers: dict[str, str] = field(default_factory=dict)


Act: TypeAlias = "Reply | Callable[[Handler], None]"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer
    server: ScriptedServer

    def do_GET(self) -> None:
        match = re.fullmatch(r"/2010-04-01/Accounts/(\w+)/Calls/(\w+)\.json", self.path)
        self.call_sid = match[2] if match else ""
        act = self.server.next_act(self)
        if isinstance(act, Reply):
            self.answer(act)
        else:
            act(self)

    def do_CONNECT(self) -> None:
        """Be a proxy that is asked for a tunnel."""
        self.server.on_connect(self)

    def answer(self, reply: Reply) -> None:
        body = call_body(self.call_sid) if reply.body is None else reply.body
        self.send_response_only(reply.status)
        headers = {"Date": self.date_time_string(), "Content-Length": str(len(body))}
        for name, value in {**headers, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def over_tls(server: ScriptedServer, certificate: trustme.LeafCert) -> str:
    """Have a server speak TLS from now on, and return its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"https://localhost:{server.server_port}"


class ScriptedServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.script: dict[str, list[Act]] = defaultdict(list)
        self.always: Act = Reply()
        self.on_connect: Callable[[Handler], None] = reset
        self.asked: Counter[str] = Counter()
        self.paths: list[str] = []
        self.request_headers: list[dict[str, str]] = []
        self.connections = 0
        self.peak = 0
        self._under_way = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def client(self, **options: Any) -> Client:
        return Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=self.url, **options)

    def get_request(self) -> tuple[socket.socket, object]:
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet about connections that a test breaks on purpose."""

    def next_act(self, handler: Handler) -> Act:
        with self._lock:
            self.asked[handler.call_sid] += 1
            self.paths.append(handler.path)
            self.request_headers.append(dict(handler.headers))
            acts = self.script[handler.call_sid]
            return acts.pop(0) if acts else self.always


def reset(handler: Handler) -> None:
    """Break the connection off with a RST instead of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def sending(*pieces: bytes, keeps_open: bool = False) -> Callable[[Handler], None]:
    """Answer with these very bytes, whatever they mean."""

    def send(handler: Handler) -> None:
        handler.close_connection = not keeps_open
        for piece in pieces:
            handler.connection.sendall(piece)

    return send


def sending_without_end(start: bytes, piece: bytes, sent: list[int]) -> Act:
    """Answer with `start` and then with `piece` for ever; note in `sent` how many bytes went."""

    def send(handler: Handler) -> None:
        handler.close_connection = True
        total = 0
        with contextlib.suppress(OSError):  # the client has left
            handler.connection.sendall(start)
            while total < _WITHOUT_END:
                handler.connection.sendall(piece)
                total += len(piece)
        sent.append(total)

    return send


def reset_after(data: bytes) -> Act:
    """Answer with these bytes, and break the connection off once they have left."""

    def send(handler: Handler) -> None:
        handler.connection.sendall(data)
        threading.Event().wait(0.02)  # a reset discards what is on its way
        reset(handler)

    return send


def cut_short(handler: Handler) -> None:
    """Promise a whole body and send half of it."""
    body = call_body(handler.call_sid)
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def silent_until(end: threading.Event) -> Act:
    def keep_silent(handler: Handler) -> None:
        end.wait(20)
        handler.close_connection = True

    return keep_silent
