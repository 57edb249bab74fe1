"""Who calls a protected application with httpx? ``httpx.Client(auth=AccessAuth(ServiceToken("api.example")))``."""

import httpx

from cfaccess_mw.client.exchange import ExchangeAuth, RawHeaders


class AccessAuth(ExchangeAuth[httpx.Request, httpx.Response], httpx.Auth):
    """Authentication at Cloudflare Access, for ``httpx.Client`` and ``httpx.AsyncClient``.

    Requests to hosts that were not named go out as they are. What the callers of this package raise,
    :class:`~cfaccess_mw.client.errors.CallError`, comes out of the client's own methods.

    Args:
        caller: Who calls: a ``ServiceToken``, a ``UserToken`` or a ``ForwardedIdentity``.
    """

    def _hide(self, request: httpx.Request, secret: RawHeaders) -> None:
        request.headers = _Headers(request.headers, secret)

    def _show(self, request: httpx.Request) -> None:
        request.headers = httpx.Headers(request.headers)

    def _is_repeatable(self, request: httpx.Request) -> bool:
        return isinstance(request.stream, httpx.ByteStream)


class _Headers(httpx.Headers):
    """Headers, and beside them some that only a transport sees, in place of those of the same names."""

    def __init__(self, shown: httpx.Headers, secret: RawHeaders) -> None:
        super().__init__(shown)
        self._secret = secret

    @property
    def raw(self) -> RawHeaders:
        """What is sent."""
        replaced = {name.lower() for name, _ in self._secret}
        return [pair for pair in super().raw if pair[0].lower() not in replaced] + [
            pair for pair in self._secret if pair[1]
        ]
