"""Loopback ports, waiting until something answers, a server that keeps what it is sent, and TLS in front of a PostgreSQL that has none."""

import json
import secrets
import socket
import ssl
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SSL_REQUEST = 80877103
READY_WITHIN_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, lives: Callable[[], bool], context: ssl.SSLContext | None = None) -> bool:
    """Waits until `url` answers with a success; false when it does not in time, or what should answer has ended."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and lives():
        try:
            with urllib.request.urlopen(url, timeout=6, context=context) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


class Sink:
    """Answers every POST with 200 and keeps it: path, headers by lower-case name, body. `folder` gets a file for each."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sink.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                (folder / str(len(sink.requests))).write_bytes(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()


class PodIdentityAgent:
    """Hands out AWS keys for the token of a service account, as the agent of EKS Pod Identity does on its node."""

    def __init__(self, folder: Path, keys_of: Callable[[str], dict[str, str]]):
        self.folder, self.keys_of, self.tokens, self.asked = folder, keys_of, {}, []
        folder.mkdir()
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                account = agent.tokens.get(self.headers.get("Authorization"))
                if self.path != "/v1/credentials" or account is None:
                    self.send_error(401)
                    return
                agent.asked.append(account)
                keys = agent.keys_of(account)
                answer = json.dumps({
                    "AccessKeyId": keys["AWS_ACCESS_KEY_ID"], "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
                    "Token": keys["AWS_SESSION_TOKEN"],
                    "AccountId": "123456789012", "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)),
                }).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}/v1/credentials"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def variables(self, account: str | None) -> dict[str, str]:
        """What EKS puts into a pod of an associated service account."""
        if account is None:
            return {}
        file = self.folder / account
        if not file.exists():
            # Made now if they are not there: a pod waits a second or two for an answer.
            self.keys_of(account)
            token = f"token-{secrets.token_hex(16)}"
            self.tokens[token] = account
            file.write_text(token)
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file)}


class TlsFront:
    """Takes PostgreSQL's connections by TLS alone and passes them on in the clear."""

    def __init__(self, context: ssl.SSLContext, target: tuple[str, int]):
        self.context, self.target = context, target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.refused = self.taken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            _, code = struct.unpack("!ii", connection.recv(8, socket.MSG_WAITALL))
            if code != SSL_REQUEST:
                self.refused += 1
                connection.close()
                return
            connection.sendall(b"S")
            client = self.context.wrap_socket(connection, server_side=True)
            self.taken += 1
            server = socket.create_connection(self.target)
        except (OSError, struct.error):
            connection.close()
            return
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
