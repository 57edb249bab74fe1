"""The application of these tests behind the door of WSGI applications.

``FAULTS_AHEAD`` says what is done as soon as it is there: ``hydrate`` fetches the keys, ``attend`` begins to, and
waits at ``FAULTS_GATE`` until the test has seen that. Whoever forks while another thread asks for an address may leave
the C library's locks to the child.
"""

import os
import socket

from cfaccess_mw.wsgi import AccessMiddleware
from tests.faults.application import OPTIONS, wsgi

app = AccessMiddleware(wsgi, **OPTIONS)
match os.environ.get("FAULTS_AHEAD"):
    case "hydrate":
        app.protection.hydrate()
    case "attend":
        app.protection.attend_blocking()
        with socket.create_connection(("127.0.0.1", int(os.environ["FAULTS_GATE"]))) as gate:
            gate.recv(1)
