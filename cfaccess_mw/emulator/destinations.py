"""Where may the login page send a browser? Never away from here: an open redirect is a phisher's tool."""

import re

# One slash and then anything visible but a backslash, which browsers read as a slash: '//evil', '/\\evil' and a
# control character that a browser drops ('/\t/evil') all lead elsewhere.
_LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def is_local_path(url: str) -> bool:
    """Whether a ``redirect_url`` is a path, with a query perhaps, on the host it is used on."""
    return _LOCAL_PATH.fullmatch(url) is not None
