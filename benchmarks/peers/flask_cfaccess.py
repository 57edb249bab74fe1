"""flask-cfaccess from PyPI: its pins clash with everybody's, so it has an environment and a process of its own."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Contender
from benchmarks.options import Options
from benchmarks.remote import Unavailable, installed, working
from benchmarks.subject import TEAM, Subject
from benchmarks.traffic import BATCH, environs, headers_of

_NAME = "flask-cfaccess 0.1.1"
# Flask 2.2 does not start with Werkzeug 3; RS256 needs cryptography, which it does not ask for.
_PINNED = ("flask-cfaccess==0.1.1", "werkzeug<3", "cryptography")


@contextmanager
def contending(subject: Subject, url: str, path: str, options: Options) -> Iterator[tuple[list[Contender], str]]:
    """Its contenders for a race, and what is to be said about them.

    Args:
        subject: Who asks.
        url: Of the certs endpoint.
        path: What is asked for.
        options: Where it is installed.

    Raises:
        Unavailable: It cannot be installed, or does not work.
    """
    setup = _setup(subject, url, path)
    python, remark = _environment(options.cache / f"flask-cfaccess-{sys.version_info[0]}.{sys.version_info[1]}", setup)
    with _worker(python, setup) as worker:
        if worker.facts["statuses"] != {"bare": 200, "protected": 200}:
            raise Unavailable(f"it answers a good request with {worker.facts['statuses']['protected']}")
        bare = f"bare Flask {worker.facts['flask']}"
        name = f"{_NAME}, PyJWT {worker.facts['pyjwt']}"
        yield (
            [
                Contender(name=bare, take=worker.take("bare"), against=bare, most=BATCH),
                Contender(name=name, take=worker.take("protected"), against=bare, most=BATCH),
            ],
            remark,
        )


def _worker(python: Path, setup: dict[str, Any]) -> Any:
    return working([str(python), "-P", str(Path(__file__).with_name("flask_cfaccess_worker.py"))], setup)


def _environment(folder: Path, setup: dict[str, Any]) -> tuple[Path, str]:
    """Make the environment unless it is there; what its own pins led to is kept beside it."""
    python, noted = folder / "bin" / "python", folder / "pins.json"
    if not noted.exists():
        installed([sys.executable, "-m", "venv", "--clear", str(folder)])
        installed([str(python), "-m", "pip", "install", "--quiet", *_PINNED])
        with _worker(python, setup) as worker:
            noted_facts = dict(worker.facts)
        installed([str(python), "-m", "pip", "install", "--quiet", "--upgrade", "--no-deps", "pyjwt"])
        noted.write_text(json.dumps(noted_facts), encoding="utf-8")
    facts = json.loads(noted.read_text(encoding="utf-8"))
    status = facts["statuses"]["protected"]
    remark = f"with its own pins (PyJWT {facts['pyjwt']}) answers a good token with {status}"
    remark = f"{_NAME} runs in its own environment, as a ratio to the bare Flask of that; {remark}"
    return python, f"{remark}, so a newer PyJWT is measured" if status != 200 else remark


def _setup(subject: Subject, url: str, path: str) -> dict[str, Any]:
    environ = environs(subject, subject.token, path)(1)[0]
    return {
        "team": TEAM,
        "audience": subject.audience,
        "url": url,
        "headers": dict(headers_of(subject, subject.token)),
        "environ": {key: value for key, value in environ.items() if key not in ("wsgi.errors", "wsgi.input")},
    }
