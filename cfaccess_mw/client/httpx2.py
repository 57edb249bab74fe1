"""Who calls a protected application with httpx2? ``httpx2.Client(auth=AccessAuth(ServiceToken("api.example")))``."""

from cfaccess_mw.client.exchange import ExchangeAuth, RawHeaders
from cfaccess_mw.extras import needs

with needs("httpx2"):
    import httpx2


class AccessAuth(ExchangeAuth[httpx2.Request, httpx2.Response], httpx2.Auth):
    """Authentication at Cloudflare Access, for ``httpx2.Client`` and ``httpx2.AsyncClient``.

    Requests to hosts that were not named go out as they are. What the callers of this package raise,
    :class:`~cfaccess_mw.client.errors.CallError`, comes out of the client's own methods.

    Args:
        caller: Who calls: a ``ServiceToken``, a ``UserToken`` or a ``ForwardedIdentity``.
    """

    def _hide(self, request: httpx2.Request, secret: RawHeaders) -> None:
        request.headers = _Headers(request.headers, secret)

    def _show(self, request: httpx2.Request) -> None:
        request.headers = httpx2.Headers(request.headers)

    def _is_repeatable(self, request: httpx2.Request) -> bool:
        return isinstance(request.stream, httpx2.ByteStream)


class _Headers(httpx2.Headers):
    """Headers, and beside them some that only a transport sees, in place of those of the same names."""

    def __init__(self, shown: httpx2.Headers, secret: RawHeaders) -> None:
        super().__init__(shown)
        self._secret = secret

    @property
    def raw(self) -> RawHeaders:
        """What is sent."""
        replaced = {name.lower() for name, _ in self._secret}
        return [pair for pair in super().raw if pair[0].lower() not in replaced] + [
            pair for pair in self._secret if pair[1]
        ]
