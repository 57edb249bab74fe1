"""How soon does a revocation reach every worker, and what does asking cost? ``python -m benchmarks.fleet``.

Two figures. *Reach*: several workers under a real server, busy with requests of the person whose session is ended; for
each worker, how long after ``revoke`` was called it last let a request in. *Cost*: what a request pays for the question
whether its session was ended, without a fleet, and with 0 and with 10,000 revocations.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cfaccess_mw.core.requirement import Requirement
from cfaccess_mw.core.rules import Access
from cfaccess_mw.core.sharing import Revocation, Revocations
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from cfaccess_mw.protection import Protection
from tests.fleet.parts import signed_in
from tests.fleet.processes import COMMANDS, Load, serving
from tests.fleet.servers import PROGRAM, redis_server
from tests.tokens import AUD

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 20_000
HOLD = 10_000


def reach(server: str, workers: int, url: str, folder: Path, alone: Path, *, times: int) -> list[float]:
    """Seconds from the call to the last request that a worker let in, for each worker and time."""
    issuer, found = Issuer("acme"), []
    said = {"url": url, "namespace": f"bench-{server}"}
    fleet = Fleet(said)
    with (
        serving(server, workers, said, issuer.certs(), folder, alone) as port,
        Load(port, signed_in(issuer)).going_on(2) as load,
    ):
        for _ in range(times):
            if not load.wait_for_all(workers, 200):
                raise SystemExit(f"{server} did not come up")
            began = time.monotonic()
            made = fleet.revoke(email="alice@example.com")
            load.wait_for_all(workers, 401)
            for answers in load.answers.values():
                let_in = [answered for asked, answered, status in list(answers) if status == 200 and answered > began]
                found.append(max(let_in, default=began) - began)
            fleet.undo(revocation=made.id)
    return found


def cost(protection: Protection, token: bytes) -> float:
    """Seconds for a decision over a remembered token, the least of several rounds."""
    requirement = Requirement(access=Access.TOKEN, audiences=(protection.config.audiences,))
    ask: Callable[[Requirement, bytes], object] = protection.decide
    ask(requirement, token)
    rounds = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(ROUNDS):
            ask(requirement, token)
        rounds.append((time.perf_counter() - began) / ROUNDS)
    return min(rounds)


def many() -> Revocations:
    """As many revocations as there can be, of each kind, none of which is about the one who asks."""
    made = {"until": 9e9, "made_at": 1.0}
    return Revocations.of(
        Revocation(subject=subject, value=value, id=f"{subject}{number}", **made)  # type: ignore[arg-type]
        for number in range(HOLD // 4)
        for subject, value in (
            ("user", f"u{number}"),
            ("email", f"u{number}@example.org"),
            ("nonce", f"n{number}"),
            ("service", f"{number:032x}.access"),
        )
    )


def main() -> None:
    """Measure, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--times", type=int, default=5, help="revocations for each server")
    given = parser.parse_args()
    if shutil.which(PROGRAM) is None:
        raise SystemExit(f"{PROGRAM} is not installed")
    with tempfile.TemporaryDirectory() as place, redis_server(Path(place)) as redis:
        folder = Path(place)
        (folder / "tests").symlink_to(Path(__file__).parents[1] / "tests", target_is_directory=True)
        print(f"{'server':18} {'workers':>7} {'median':>9} {'worst':>9}   until no worker lets anybody in")
        for server in COMMANDS:
            found = reach(server, given.workers, redis.url, folder, folder, times=given.times)
            median, worst = statistics.median(found) * 1e3, max(found) * 1e3
            print(f"{server:18} {given.workers:7} {median:6.1f} ms {worst:6.1f} ms")
        issuer = Issuer("acme")
        token = signed_in(issuer).encode()
        usual = {"team": "acme", "audience": AUD, "keys": issuer.certs()}
        alone, fleet = Protection(**usual), Protection(**usual, fleet=Fleet(redis.url))
        print(f"\n{'a decision over a remembered token':40} {'ns':>7}")
        print(f"{'without a fleet':40} {cost(alone, token) * 1e9:7.0f}")
        print(f"{'with one, nothing revoked':40} {cost(fleet, token) * 1e9:7.0f}")
        state = fleet.fleet.state if fleet.fleet is not None else None
        if state is not None:
            state.revoked = many()
            print(f"{'with one, 10,000 others revoked':40} {cost(fleet, token) * 1e9:7.0f}")
        fleet.close()


if __name__ == "__main__":
    main()
