"""How does an application that reads its configuration from the environment come by a kit?"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.settings import PREFIX
from cfaccess_mw.testing.endpoint import IdentityEndpoint
from cfaccess_mw.testing.sessions import Sessions

# What would contradict the kit where a developer's shell has it; an empty variable counts as absent.
_ABSENT = {f"{PREFIX}{name}": "" for name in ("CERTS_URL", "ISSUER")}


def variables(config: AccessConfig, keys: Mapping[str, Any], sessions: Sessions, held: ExitStack) -> dict[str, str]:
    """Write the keys to a file, answer for the sessions on loopback, and say both in variables.

    Args:
        config: Whose team and audience.
        keys: The certs document.
        sessions: Who is looked up.
        held: Takes what has to be closed.
    """
    folder = tempfile.mkdtemp(prefix="cfaccess-")
    held.callback(shutil.rmtree, folder, ignore_errors=True)
    file = Path(folder, "keys.json")
    file.write_text(json.dumps(keys), encoding="utf-8")
    endpoint = IdentityEndpoint(sessions.reply)
    held.callback(endpoint.close)
    return {
        **_ABSENT,
        f"{PREFIX}TEAM": config.teams[0].domain,
        f"{PREFIX}AUDIENCE": ",".join(config.audience),
        f"{PREFIX}KEYS": str(file),
        f"{PREFIX}TEAM_URL": endpoint.url,
    }


@contextmanager
def set_for_now(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process, and put back those that were there before."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
