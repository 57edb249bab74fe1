"""A team's certs endpoint that goes wrong in earnest, and is mended again."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Final

from cfaccess_mw.emulator.issuer import Issuer
from tests.faults.table import JSON, Fault
from tests.refresh.servers import PATIENT, Connection, Script, Server, says

HOST: Final = "localhost"


class Endpoint(Server):
    """A team's certs endpoint, whose behaviour a test changes under way.

    Args:
        team: Whose keys it serves while nothing is wrong.
        contexts: By name, for an endpoint on https; None for one on plain http.

    Attributes:
        fault: What is wrong at the moment, if anything.
        manner: How it says what is right.
        gate: Nobody is answered while it is shut.
    """

    def __init__(self, team: Issuer, contexts: Mapping[str, ssl.SSLContext] | None = None) -> None:
        self.fault: Fault | None = None
        self.manner: Callable[[bytes], Script] = lambda body: says(JSON, body=body)
        self.gate = threading.Event()
        self.gate.set()
        self._arrived = threading.Semaphore(0)
        self._team = team
        self._contexts = contexts
        super().__init__(self._answer)
        port = self.url.split(":")[2]
        # One of its own: ports are used again, and what was kept of another would be found.
        self.url = f"{'http' if contexts is None else 'https'}://{HOST}:{port.replace('/', f'/{id(self)}/', 1)}"

    def await_arrival(self) -> None:
        """Wait until one more request has come."""
        assert self._arrived.acquire(timeout=PATIENT), "nobody asked for the keys"

    def await_arrival_once(self) -> None:
        """Wait until a request has come, however many wait for it."""
        self.await_arrival()
        self._arrived.release()

    def close(self) -> None:
        self.gate.set()
        super().close()

    def _answer(self, connection: Connection) -> None:
        self._arrived.release()
        self.gate.wait(PATIENT)
        fault = self.fault
        honest = self.manner(json.dumps(self._team.certs()).encode())
        (fault.script if fault is not None and fault.script is not None else honest)(connection)

    def _talk(self, connection: Connection, script: Script) -> None:
        with connection.sock as plain:
            try:
                if self._contexts is None:
                    super()._talk(connection, script)
                elif self.fault is not None and self.fault.hello is not None:
                    plain.recv(1)
                    self.fault.hello(connection)
                else:
                    shown = "good" if self.fault is None or self.fault.tls is None else self.fault.tls
                    connection.sock = self._contexts[shown].wrap_socket(plain, server_side=True)
                    super()._talk(connection, script)
            except OSError:
                return  # the client went away, as it should
