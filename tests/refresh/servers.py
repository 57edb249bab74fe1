"""Servers on loopback that say exactly the bytes they are told to, however wrong."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENT = 20.0


class Connection:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, ended: threading.Event) -> None:
        self.sock = sock
        self.ended = ended  # the test is over
        self.request = b""

    def read_request(self) -> None:
        while not self.request.endswith(b"\r\n\r\n"):
            got = self.sock.recv(65536)
            if not got:
                return
            self.request += got

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, every: float = 0.02) -> None:
        """Send a byte now and a byte then, for ever."""
        while not self.ended.wait(every):
            self.send(data[:1])
            data = data[1:] + data[:1]

    def hang(self) -> None:
        self.ended.wait(PATIENT)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Script = Callable[[Connection], None]


class Server:
    def __init__(self, *scripts: Script) -> None:
        self.connections: list[Connection] = []
        self.ended = threading.Event()
        self._scripts = scripts
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/certs"
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._socket.accept()
            if self.ended.is_set():
                sock.close()
                return
            script = self._scripts[min(len(self.connections), len(self._scripts) - 1)]
            connection = Connection(sock, self.ended)
            self.connections.append(connection)
            thread = threading.Thread(target=self._talk, args=(connection, script))
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: Connection, script: Script) -> None:
        with connection.sock:
            try:
                connection.read_request()
                script(connection)
            except OSError:
                return  # the client went away, as it should

    def close(self) -> None:
        self.ended.set()
        with socket.create_connection(self._socket.getsockname()):
            pass
        self._accepting.join(PATIENT)
        for thread in self._threads:
            thread.join(PATIENT)
        self._socket.close()


@contextmanager
def serving(*scripts: Script) -> Iterator[Server]:
    """A server whose nth connection follows the nth script, and later ones the last."""
    server = Server(*scripts)
    try:
        yield server
    finally:
        server.close()


def says(*lines: str, status: str = "200 OK", body: bytes = b'["known"]', length: int | None = None) -> Script:
    """A response with these header lines."""
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", *lines, *([f"content-length: {size}"] if length != -1 else []), "", ""]

    def script(connection: Connection) -> None:
        connection.send("\r\n".join(head).encode("latin-1") + body)

    return script
