"""Where are a team's keys, and what came when they were asked for?

They are fetched as a door fetches them, so that what fails here fails there; nothing is fetched before it is needed.
"""

import json
from collections.abc import Mapping

from cfaccess_mw.cli.documents import read_bytes
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import FetchError, KeySetError
from cfaccess_mw.core.keys import KeySnapshot, parse_jwks
from cfaccess_mw.refresh.http import HttpxFetcher

# What an endpoint that is down, or a network, makes of a request; whatever else comes is an answer, and a wrong one.
_OUTAGES = frozenset({"timeout", "connect-failed", "connection-lost", "status-429"})


def is_outage(failure: Exception | None) -> bool:
    """Say whether keys cannot be had because nobody is there, and not because somebody else is."""
    if not isinstance(failure, FetchError):
        return False
    return failure.reason in _OUTAGES or failure.reason.startswith("status-5")


def fetch_certs(url: str) -> bytes:
    """Fetch a certs document; it takes 5 seconds at most.

    Raises:
        FetchError: With the reason.
    """
    try:
        body = HttpxFetcher().fetch(url, etag=None).body
    except OSError:  # no network comes so far: it is the file that SSL_CERT_FILE names
        body = None
    if body is None:
        raise FetchError("no-certificate-authorities")
    return body


class TeamKeys:
    """The keys of one team, fetched when they are first asked for; a source for a verifier.

    Args:
        url: The certs URL.
        keys: The keys outright, as the configuration has them; None where they are fetched.

    Attributes:
        where: The URL, or the file, or that they stand in the configuration.
        is_given: Whether they are given outright.
        failure: Why there are none; None while nobody asked, and after a success.
    """

    def __init__(self, url: str, keys: Mapping[str, object] | str | None) -> None:
        self._url = url
        self._keys = keys
        self.is_given = keys is not None
        self.where = url if keys is None else keys if isinstance(keys, str) else "the configuration"
        self.failure: FetchError | KeySetError | None = None
        self._snapshot: KeySnapshot | None = None
        self._body: bytes | None = None

    @property
    def document(self) -> bytes:
        """The document, usable or not.

        Raises:
            FetchError: There is none to be had.
            ConfigurationError: Its file cannot be read.
        """
        if self._body is None:
            self._body = self._read()
        return self._body

    @property
    def known(self) -> KeySnapshot | None:
        """The keys, if somebody asked before and they could be had."""
        return self._snapshot

    @property
    def snapshot(self) -> KeySnapshot | None:
        """The keys, or None where they cannot be had."""
        if self._snapshot is None and self.failure is None:
            try:
                self._snapshot = parse_jwks(self.document)
            except (FetchError, KeySetError) as failure:
                self.failure = failure
        return self._snapshot

    def _read(self) -> bytes:
        if self._keys is None:
            return fetch_certs(self._url)
        if isinstance(self._keys, str):
            return read_bytes("keys", self._keys)[1]
        return json.dumps(dict(self._keys)).encode()


def keys_of(config: AccessConfig) -> dict[str, TeamKeys]:
    """The keys of each team of a configuration, by issuer; nothing is fetched yet."""
    return {team.issuer: TeamKeys(team.certs_url, config.keys) for team in config.teams}
