"""What may the hot paths cost? Python function calls, which repeat exactly whatever the machine is doing.

Calls of C functions count too. A bound is what it takes today, and a little more for other versions of Python and of
what we stand on; to make a path cheaper is to lower its bound here. Python 3.11 to 3.13 agree, but for one or two that
later ones save by inlining comprehensions (PEP 709).
"""

REMEMBERED_IN_CORE = 5
"""``Gate.decide`` about a remembered token."""

ASGI_REQUEST = 36
"""One whole request with a remembered token and a path seen before, some five calls of the test itself included."""

WSGI_REQUEST = 32
"""The same."""

UNSEEN_IN_CORE = 108
"""``Gate.decide`` about a token not seen before, whose key was used before."""

REFUSED = {
    "garbage": 26,
    "noise in base64url": 41,
    "unknown kid": 64,
    "wrong issuer": 51,
    "wrong audience": 54,
    "expired": 58,
}
"""``Gate.decide`` about bad tokens; no signature is computed for any."""

CACHED_PATH = 3
"""``RuleTable.find`` for a path seen before."""

KNOWN_PEER = 5
"""``CloudflarePeers.trust`` for a peer seen before."""

COLD_FETCHES = 1
"""For any number of requests that come at once before there are keys."""

FLOOD_FETCHES = 22
"""For 60,000 unknown key ids in ten minutes: 2 at once, one each 30 s."""
