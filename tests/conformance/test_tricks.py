"""Does any spelling of a path reach a protected handler without a token, in any framework?

``tests/servers`` asks the same of servers, with the frameworks that they run most; here every framework gets the
targets as servers hand them on. Everything is public but the protected handlers: no default hides a reading that was
forgotten.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import pytest

from cfaccess_mw.emulator.issuer import Issuer
from tests.conformance.asking import ask_asgi, ask_wsgi
from tests.conformance.configurations import MOUNT, options_of
from tests.conformance.row import Row
from tests.conformance.subjects import SUBJECTS, Subject
from tests.servers.raw import Answer
from tests.servers.tables import rows

pytestmark = pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning")


def plain() -> list[str]:
    """The targets that are paths, below each public parent."""
    targets = [row["target"] for row in rows("targets") if row["target"].startswith(("/", "{p}"))]
    return _sendable(target.replace("{p}", parent) for target in targets for parent in ("", "/open"))


def mounted() -> list[str]:
    """The same for an application that is mounted."""
    targets = [row["target"] for row in rows("mounted") if row["target"].startswith("/")]
    return _sendable((*targets, *(MOUNT + target for target in plain())))


def _sendable(targets: Iterable[str]) -> list[str]:
    """What a server makes a path of: others are refused by every server, or asked of each in ``tests/servers``."""
    return sorted({target for target in targets if target.isascii() and target.isprintable()})


CASES = [
    pytest.param(subject, targets, mount, configuration, id=f"{subject}-{configuration}")
    for subject in SUBJECTS
    for targets, mount, configuration in ((plain, "", "wide"), (mounted, MOUNT, "mounted-wide"))
    if mount or not subject.mounts
]


@pytest.mark.parametrize(("subject", "targets", "mount", "configuration"), CASES)
def test_no_trick_reaches_a_protected_handler(
    subject: Subject, targets: Any, mount: str, configuration: str, team: Issuer
) -> None:
    """Whatever comes back, a protected handler did not say it."""
    if not subject.is_installed:
        pytest.skip(f"{subject.package} is not installed")
    tricks = [Row(id=target, target=target) for target in targets()]
    with subject.running(options_of(configuration, team.certs())) as application:
        answers = _ask_all(application, subject, tricks, "" if subject.mounts else mount)
    assert [target for target, answer in answers.items() if b"SECRET" in answer.body] == []
    assert {answer.status for answer in answers.values()} & {500} == set()


@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if not subject.mounts], ids=str)
def test_the_tricks_work_where_everything_is_public(subject: Subject, team: Issuer) -> None:
    """Proof that they have teeth, with each framework's own; what is ambiguous is refused here, too."""
    if not subject.is_installed:
        pytest.skip(f"{subject.package} is not installed")
    tricks = [Row(id=target, target=target) for target in plain()]
    with subject.running(options_of("everything", team.certs())) as application:
        answers = _ask_all(application, subject, tricks, "", told=(False,))
    found = [target for target, answer in answers.items() if b"SECRET" in answer.body]
    assert len(found) > 20


def _ask_all(
    application: Any, subject: Subject, tricks: list[Row], mount: str, told: tuple[bool, ...] = (True, False)
) -> Mapping[str, Answer]:
    """The answers; a WSGI server may tell the target as it was sent, or not."""
    tokens: Mapping[str, str] = {}
    if subject.interface == "wsgi":
        return {
            f"{trick.id} {tells_target}": ask_wsgi(application, trick, tokens, mount=mount, tells_target=tells_target)
            for trick in tricks
            for tells_target in told
        }

    async def ask() -> Mapping[str, Answer]:
        return {trick.id: await ask_asgi(application, trick, tokens, mount=mount) for trick in tricks}

    return anyio.run(ask)
