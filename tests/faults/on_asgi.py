"""The application of these tests behind the door of ASGI applications."""

from cfaccess_mw.asgi import AccessMiddleware
from tests.faults.application import OPTIONS, asgi

app = AccessMiddleware(asgi, **OPTIONS)
