"""How is Redis or Valkey reached? The one file that imports the library ``redis``."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, cast
from urllib.parse import unquote, urlsplit

from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.core.shape import shape
from cfaccess_mw.core.sharing_options import FleetOptions
from cfaccess_mw.extras import needs

with needs("redis"):
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.client import NEVER_DECODE
    from redis.cluster import ClusterNode, RedisCluster
    from redis.connection import parse_url
    from redis.exceptions import RedisClusterException, RedisError, ResponseError
    from redis.retry import Retry
    from redis.sentinel import Sentinel

# The library has types for some of its functions, and strict readers want all or none.
_Sentinel, _Cluster, _ClusterNode, _parse_url = cast(
    "tuple[Any, Any, Any, Any]", (Sentinel, RedisCluster, ClusterNode, parse_url)
)

_PORTS: Final = {"redis+sentinel": 26379, "rediss+sentinel": 26379, "redis+cluster": 6379, "rediss+cluster": 6379}

# What connecting and asking may raise on purpose.
TROUBLE: Final = (RedisError, RedisClusterException, OSError)

# A client that was handed in may decode: whoever writes what is no text would have it raise, over and over.
AS_BYTES: Final[Mapping[str, Any]] = {NEVER_DECODE: True}

# Said by Redis of a command or a value, not of the connection.
ANSWERED: Final = ResponseError


class Client(Protocol):
    """What is needed of a client: ``redis.Redis``, ``redis.cluster.RedisCluster``, or what looks like them."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Ask one thing."""

    def close(self) -> None:
        """Let go of the connections."""


def connect(options: FleetOptions, *, timeout: float) -> Client:
    """Make a client; most do not connect before they are asked something, that of a cluster does.

    Args:
        options: With a URL.
        timeout: Seconds for an answer.

    Raises:
        ConfigurationError: The URL cannot be used.
    """
    how: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": options.timeout,
        # We try again ourselves, and are to be told of every failure.
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }
    url = options.url
    if url.startswith("rediss"):
        # Older versions of the library take anybody's certificate for that of the host, unless they are told to look.
        how |= {"ssl_check_hostname": True, "ssl_cert_reqs": "required"}
    reason: str
    try:
        return _MAKERS.get(url.partition("://")[0], _single)(url, how)
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # among them what the query of the URL does
        reason = type(error).__name__
    raise ConfigurationError(
        f"fleet: url: is {shape(url)} that the library redis does not take ({reason}); mend its host, port or query"
    )


def _single(url: str, how: Mapping[str, Any]) -> Client:
    return _tried(Redis.from_url(url, **how))


def _tried(client: Any) -> Client:
    """A client whose connections can be made, as far as that is known without connecting."""
    client.connection_pool.connection_class(**client.connection_pool.connection_kwargs)
    found: Client = client
    return found


def _sentinel(url: str, how: Mapping[str, Any]) -> Client:
    options, nodes, rest = _apart(url)
    service, _, database = rest.partition("/")
    if not service:
        raise ValueError("no service")
    # Who watches is asked in the same way as who serves, but with credentials of his own, which a URL cannot say.
    watching = {**how, **{name: value for name, value in options.items() if name.startswith("ssl")}}
    sentinel = _Sentinel(nodes, sentinel_kwargs=watching, **{**how, **options, "db": int(database or 0)})
    return _tried(sentinel.master_for(service))


def _cluster(url: str, how: Mapping[str, Any]) -> Client:
    options, nodes, rest = _apart(url)
    if rest not in ("", "0"):
        raise ValueError("a cluster has database 0 only")
    options.pop("db", None)
    client: Client = _Cluster(startup_nodes=[_ClusterNode(*node) for node in nodes], **{**how, **options})
    return client


_MAKERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], Client]]] = {
    "redis+sentinel": _sentinel,
    "rediss+sentinel": _sentinel,
    "redis+cluster": _cluster,
    "rediss+cluster": _cluster,
}


def _apart(url: str) -> tuple[dict[str, Any], list[tuple[str, int]], str]:
    """Take a URL with several hosts apart: what the library makes of its rest, the hosts, and the path."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    nodes = [_node(host, _PORTS[parts.scheme]) for host in hosts.split(",")]
    # The library's own reader, for credentials and for the options of TLS.
    options = dict(_parse_url(f"{parts.scheme.partition('+')[0]}://{user}{at}localhost?{parts.query}"))
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    options.pop("host", None)
    return options, nodes, unquote(parts.path.strip("/"))


def _node(text: str, port: int) -> tuple[str, int]:
    found = urlsplit(f"//{text}")
    if not found.hostname:
        raise ValueError("no host")
    return found.hostname, found.port or port


def check_client(client: Any) -> None:
    """Check what a user hands in.

    Raises:
        ConfigurationError: It is no client, one of ``redis.asyncio``, or one that may wait for ever.
    """
    mend = "give redis.Redis(...), redis.cluster.RedisCluster(...) or Sentinel(...).master_for(...)"
    if not callable(getattr(client, "execute_command", None)) or not hasattr(client, "close"):
        raise ConfigurationError(f"fleet: client: is {shape(client)}; {mend}")
    if type(client).__module__.startswith("redis.asyncio"):
        raise ConfigurationError(f"fleet: client: is one of redis.asyncio; {mend}, which serves both doors")
    if time_of(client) is None:
        raise ConfigurationError("fleet: client: may wait for ever; give it socket_timeout=5, say")


def time_of(client: Any) -> float | None:
    """For how many seconds a client says that it waits for an answer; None for ever, as old ones do by default."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:  # a cluster's
        nodes = getattr(client, "nodes_manager", None)
        kwargs = getattr(nodes, "connection_kwargs", {})
    else:
        kwargs = getattr(pool, "connection_kwargs", {})
    found = kwargs.get("socket_timeout")
    return None if found is None else float(found)
