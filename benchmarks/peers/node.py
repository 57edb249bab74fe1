"""jose and aws-jwt-verify on Node, in a process of their own, beside Node's own RSA verification."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Contender
from benchmarks.options import Options
from benchmarks.remote import Unavailable, installed, working
from benchmarks.subject import Subject

_PACKAGES = ("jose@6", "aws-jwt-verify@5")


@contextmanager
def contending(subject: Subject, url: str, options: Options) -> Iterator[tuple[list[Contender], str]]:
    """Their contenders for a race, and what is to be said about them.

    Args:
        subject: Whose tokens.
        url: Of the certs endpoint.
        options: Where they are installed.

    Raises:
        Unavailable: There is no Node, or they cannot be installed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Unavailable("there is no Node here")
    folder = options.cache / "node"
    if not (folder / "node_modules" / "aws-jwt-verify").exists():
        folder.mkdir(parents=True, exist_ok=True)
        quietly = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
        installed([npm, "install", *quietly, "--prefix", str(folder), *_PACKAGES])
    setup = {
        "token": subject.token,
        "keys": subject.keys,
        "issuer": subject.issuer.iss,
        "audience": subject.audience,
        "url": url,
    }
    with working([node, str(Path(__file__).with_name("node.mjs"))], setup, cwd=folder) as worker:
        facts = worker.facts
        raw = f"raw RSA verify, Node {facts['node']}"
        yield (
            [
                Contender(name=raw, take=worker.take("raw"), against=raw),
                Contender(name=f"aws-jwt-verify {facts['aws-jwt-verify']}, Node", take=worker.take("aws"), against=raw),
                Contender(name=f"jose {facts['jose']}, Node", take=worker.take("jose"), against=raw),
            ],
            "on Node: in a process of its own, as a ratio to Node's raw verification; jose verifies asynchronously",
        )
