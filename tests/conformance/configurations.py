"""How are the doors configured that the rows of the table are sent to? Everything but the team and its keys."""

from collections.abc import Mapping
from typing import Any, Final

from cfaccess_mw import Identity, Rule
from tests.conformance.people import CLIENT_ID, Nowhere, get_identity, unreachable
from tests.tokens import AUD, OTHER_AUD

MOUNT: Final = "/api"

PROTECTED: Final = (
    *("/", "/admin/*", "/open/admin/*", "/api/admin", "/whoami", "/dir", "/mine", "/boom", "/ws", "/assets/*"),
    *("/stream", "/meet"),
)


def narrow(mount: str = "") -> tuple[Rule, ...]:
    """The rules of most rows: what is not named here needs a token."""
    return (
        Rule.public(f"{mount}/static/*"),
        Rule.public(f"{mount}/healthz"),
        Rule.public(f"{mount}/open/*"),
        Rule.token(f"{mount}/open/admin/*"),
        Rule.optional(f"{mount}/maybe"),
    )


def wide(mount: str = "") -> tuple[Rule, ...]:
    """Everything is public but the protected handlers: no default then hides a reading that was forgotten."""
    return (Rule.public("/*", everything=True), *(Rule.token(mount + pattern) for pattern in PROTECTED))


def _is_bob(identity: Identity) -> bool:
    return identity.email == "bob@example.com"


def _breaks(_: Identity) -> bool:
    raise LookupError("sup3rs3cr3t")


def _own_answer(refused: Any) -> Any:
    return 418, {"X-Why": refused.code}, "a teapot"


POLICIES: Final = (
    *narrow(),
    Rule.allow("/admin/alice", emails="alice@example.com"),
    Rule.allow("/admin/domain", email_domains="example.com"),
    Rule.allow("/admin/elsewhere", email_domains="example.org"),
    Rule.allow("/admin/groups/*", groups=["admins"]),
    Rule.any_user("/admin/people"),
    Rule.service("/admin/services"),
    Rule.service("/admin/robot", tokens=CLIENT_ID),
    Rule.deny("/admin/nobody"),
    Rule.allow("/admin/office", emails="alice@example.com", ips="192.0.2.0/24"),
    Rule.allow("/admin/soon", emails="bob@example.com", report_only=True),
    Rule.token("/static/upload", methods=["POST"]),
    Rule.guarded(
        "/admin/away",
        [
            {"decision": "bypass", "include": [{"ip": {"ip": "192.0.2.7/32"}}]},
            {"decision": "deny", "include": [{"email": {"email": "bob@example.com"}}]},
            {"decision": "allow", "include": [{"everyone": {}}]},
        ],
    ),
)

HOSTS: Final = (
    Rule.token("/*", hosts=["a.example.com"]),
    Rule.token("/*", hosts=["b.example.com"], audience=OTHER_AUD),
    Rule.public("/static/*", hosts=["a.example.com"]),
)

_NARROW: Final = {"rules": narrow()}

CONFIGURATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "narrow": _NARROW,
    "wide": {"rules": wide()},
    "everything": {"rules": [Rule.public("/*", everything=True)]},
    "mounted": {"rules": narrow(MOUNT)},
    "mounted-wide": {"rules": wide(MOUNT)},
    "two-audiences": {"audience": [AUD, OTHER_AUD], **_NARROW},
    "own-audience": {"rules": [*narrow(), Rule.token("/admin/other/*", audience=OTHER_AUD)]},
    "strict": {"max_age": 3_600, "leeway": 0, **_NARROW},
    "cookie": {"cookie": True, **_NARROW},
    "policies": {"rules": POLICIES, "profile_fetcher": get_identity, "trusted_peers": ["loopback"]},
    "alone": {"rules": POLICIES, "profile_fetcher": unreachable, "trusted_peers": ["loopback"]},
    "untrusting": {"rules": POLICIES, "profile_fetcher": get_identity, "trusted_peers": ["198.51.100.0/24"]},
    "default-policies": {"policies": [{"decision": "allow", "include": [{"emails": ["alice@example.com"]}]}]},
    "hosts": {"rules": HOSTS, "host_routing": True},
    "preflight": {"allow_preflight": True, **_NARROW},
    "forbidding": {"unauthenticated_status": 403, **_NARROW},
    "redirecting": {"login_redirect": True, **_NARROW},
    "reporting": {"report_only": True, **_NARROW},
    "scrubbing": {"scrub": ["X-User", "X_Groups"], "remote_user": "email", **_NARROW},
    "answering": {"on_refusal": _own_answer, **_NARROW},
    "keyless": {"certs_url": "http://127.0.0.1:9/certs", "fetcher": Nowhere(), "cold_wait": 0.2, **_NARROW},
    "revoking": {"revoked": _is_bob, **_NARROW},
    "revoking-broken": {"revoked": _breaks, **_NARROW},
    "revalidating": {"revalidate_every": 60, "profile_fetcher": get_identity, **_NARROW},
    "revalidating-alone": {"revalidate_every": 60, "profile_fetcher": unreachable, **_NARROW},
}


def options_of(name: str, keys: Mapping[str, Any] | str) -> dict[str, Any]:
    """A whole configuration, as it is given to a door.

    Args:
        name: A key of ``CONFIGURATIONS``.
        keys: The team's.
    """
    chosen = CONFIGURATIONS[name]
    given: dict[str, Any] = {} if "fetcher" in chosen else {"keys": keys}
    return {"team": "acme", "audience": AUD, **given, **chosen}
