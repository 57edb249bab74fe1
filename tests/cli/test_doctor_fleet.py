"""Does the doctor see what is wrong with a fleet, in bounded time, with no secret in what it says, and no change?"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from cfaccess_mw import AccessConfig
from cfaccess_mw.cli.doctor_fleet import examine_fleet
from cfaccess_mw.emulator.issuer import Issuer
from cfaccess_mw.fleet import Fleet
from cfaccess_mw.fleet.keys import Keys
from cfaccess_mw.fleet.marks import Marks
from cfaccess_mw.fleet.sealing import Seal
from cfaccess_mw.fleet.store import Store
from tests.cli.conftest import Run
from tests.cli.team import HEAD
from tests.fleet.servers import RedisServer, redis_server
from tests.processes import free_port
from tests.refresh.servers import says, serving
from tests.tokens import AUD

SECRET, ANOTHER, PASSWORD = "s3cr3t-of-the-fleet", "an0ther-of-the-fleet", "p4ssw0rd-of-a-user"
USER = f"//some:{PASSWORD}@"

Told = list[tuple[str, str]]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def frail(tmp_path: Path) -> Iterator[RedisServer]:
    """One that a test may harm."""
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    """Where nobody else has written."""
    return f"t{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def certs_url(issuer: Issuer) -> Iterator[str]:
    """A team that answers."""
    with serving(says("content-type: application/json", body=json.dumps(issuer.certs()).encode())) as server:
        yield server.url


def written(redis: RedisServer) -> Mapping[bytes, Any]:
    """All that stands in Redis."""
    return {name: redis.client.dump(name) for name in redis.client.keys("*")}


@pytest.fixture
def examined(run: Run, folder: Path, certs_url: str) -> Callable[..., Told]:
    """What the doctor says of a fleet: ``examined(url, status=0)``; no secret is among it."""

    def examined(url: str, *, status: int, **more: Any) -> Told:
        fleet = "".join(f"{name} = {json.dumps(value)}\n" for name, value in {"url": url, **more}.items())
        (folder / "f.toml").write_text(f'{HEAD}certs_url = "{certs_url}"\n[fleet]\n{fleet}')
        result = run("doctor", "--config", "f.toml", "--json", status=status)
        assert not any(each in result.output for each in (SECRET, ANOTHER, PASSWORD))
        findings = [each for each in json.loads(result.stdout)["findings"] if each["about"] == "fleet"]
        assert all(bool(each["mend"]) is (each["level"] != "ok") for each in findings)
        return [(each["level"], each["says"]) for each in findings]

    return examined


def sealed(purpose: str, namespace: str, secret: str = SECRET) -> Seal:
    return Seal((secret,), purpose=purpose, namespace=namespace)


def leave_mark(redis: RedisServer, namespace: str, *secrets: str, ago: float = 0) -> None:
    """What a worker does."""
    seal = Seal(secrets, purpose="mark", namespace=namespace)
    marks = Marks(seal, differ=lambda _: None, refuse=lambda _: None, wall=lambda: time.time() - ago)
    marks.leave(Store(redis.client, namespace), [])


def share_keys(redis: RedisServer, namespace: str, url: str, *, age: float, secret: str = SECRET) -> None:
    """Likewise."""
    seal, store = sealed("keys", namespace, secret), Store(redis.client, namespace)
    place = Keys(seal, namespace, refuse=lambda _: None).place(url)
    exported = json.dumps({"url": url, "fetched_at": time.time() - age}).encode()
    store.set(place, seal.close(place, exported), 60)


def test_all_is_well_and_nothing_is_changed(
    redis: RedisServer, namespace: str, certs_url: str, examined: Callable[..., Told]
) -> None:
    leave_mark(redis, namespace, SECRET)
    share_keys(redis, namespace, certs_url, age=185)
    Fleet(redis.url, namespace=namespace, secret=SECRET).revoke(user="u")
    before = written(redis)
    told = examined(redis.url, namespace=namespace, secret=SECRET, status=0)
    assert {level for level, _ in told} == {"ok"}
    texts = [text for _, text in told]
    assert texts[0].startswith("Redis answers within ")
    assert texts[1] == "the clock of Redis agrees with ours"
    assert texts[2].startswith("a worker with this secret was there ")
    assert texts[3:] == ["1 revocation in force", f"keys of {certs_url}: fetched 3 minutes ago"]
    assert written(redis) == before


def test_an_empty_redis_without_a_secret(
    redis: RedisServer, namespace: str, certs_url: str, examined: Callable[..., Told]
) -> None:
    assert examined(redis.url, namespace=namespace, status=0)[1:] == [
        ("note", "no secret: whoever can write to Redis decides who is let in"),
        ("ok", "the clock of Redis agrees with ours"),
        ("note", "no worker was there within the last ten minutes"),
        ("ok", "0 revocations in force"),
        ("note", f"keys of {certs_url}: none are shared"),
    ]
    assert not redis.client.keys(f"{namespace}*")
    leave_mark(redis, namespace)
    assert any(text.startswith("a worker was there") for _, text in examined(redis.url, namespace=namespace, status=0))


@pytest.mark.parametrize(
    ("theirs", "ours", "says_"),
    [
        pytest.param([SECRET], [ANOTHER], "the secret is not the one that the fleet uses", id="another"),
        pytest.param([], [SECRET], "the secret is not the one that the fleet uses", id="they-have-none"),
        pytest.param([SECRET], None, "secret: is missing; the workers have one", id="missing"),
        pytest.param([ANOTHER, SECRET], [SECRET, ANOTHER], "", id="rotation"),
    ],
)
def test_whose_secret_it_is(
    redis: RedisServer,
    namespace: str,
    examined: Callable[..., Told],
    theirs: list[str],
    ours: list[str] | None,
    says_: str,
) -> None:
    leave_mark(redis, namespace, *theirs)
    secret = {} if ours is None else {"secret": ours}
    told = examined(redis.url, namespace=namespace, **secret, status=1 if says_ else 0)
    wrong = [text for level, text in told if level == "wrong"]
    assert [text[: len(says_)] for text in wrong] == [says_] * bool(says_)


def junk(redis: RedisServer, namespace: str, url: str) -> None:
    redis.client.xadd(f"{namespace}:revocations", {"e": "x"})


def another_type(redis: RedisServer, namespace: str, url: str) -> None:
    redis.client.set(f"{namespace}:revocations", "x")


def too_many(redis: RedisServer, namespace: str, url: str) -> None:
    fill = "for i = 1, 40001 do redis.call('XADD', KEYS[1], '*', 'e', 'x') end"
    redis.client.eval(fill, 1, f"{namespace}:revocations")


def forged_keys(redis: RedisServer, namespace: str, url: str) -> None:
    share_keys(redis, namespace, url, age=1, secret=ANOTHER)


def old_keys(redis: RedisServer, namespace: str, url: str) -> None:
    share_keys(redis, namespace, url, age=86_401)


@pytest.mark.parametrize(
    ("harm", "level", "says_"),
    [
        pytest.param(junk, "wrong", "0 revocations in force; 1 entry beside them", id="an-entry-of-nobody"),
        pytest.param(another_type, "wrong", "Redis refuses XLEN, XRANGE, XREAD (ResponseError)", id="another-type"),
        pytest.param(too_many, "wrong", "the revocations cannot be read (too-large)", id="too-large"),
        pytest.param(forged_keys, "wrong", "cannot be believed (unauthenticated)", id="forged-keys"),
        pytest.param(old_keys, "note", "fetched 1 day ago, too long ago to be taken", id="old-keys"),
    ],
)
def test_what_stands_there(
    redis: RedisServer,
    namespace: str,
    certs_url: str,
    examined: Callable[..., Told],
    harm: Callable[[RedisServer, str, str], None],
    level: str,
    says_: str,
) -> None:
    leave_mark(redis, namespace, SECRET)
    harm(redis, namespace, certs_url)
    told = examined(redis.url, namespace=namespace, secret=SECRET, status=1 if level == "wrong" else 0)
    assert [text for at, text in told if at == level and says_ in text], told


def test_a_worker_that_is_gone(redis: RedisServer, namespace: str, examined: Callable[..., Told]) -> None:
    leave_mark(redis, namespace, SECRET, ago=300)
    told = examined(redis.url, namespace=namespace, secret=SECRET, status=0)
    assert ("note", "a worker with this secret was there 5 minutes ago, and none since") in told


def test_what_has_ended_is_nobodys_mistake(redis: RedisServer, namespace: str, examined: Callable[..., Told]) -> None:
    past = json.dumps({"undone": "a", "until": time.time() - 1}).encode()
    place = f"{namespace}:revocations"
    redis.client.xadd(place, {"e": sealed("revocations", namespace, ANOTHER).close(place, past)})
    redis.client.xadd(place, {"e": past})
    fleet = Fleet(redis.url, namespace=namespace, secret=SECRET)
    told = examined(redis.url, namespace=namespace, secret=SECRET, status=1)
    assert [text for level, text in told if level == "wrong"] == [
        "0 revocations in force; 1 entry beside them that nobody with this secret takes"
    ], "what has no seal at all is no entry of anybody"
    fleet.revoke(user="u")
    assert redis.client.xlen(place) == 2, "what has ended was taken away"


@pytest.mark.parametrize(
    ("trouble", "address", "status", "expected"),
    [
        pytest.param(
            ("ACL", "SETUSER", "some", "on", f">{PASSWORD}", "~*", "+@all", "-eval", "-xadd"),
            USER,
            1,
            ("wrong", "Redis refuses XADD, EVAL (NoPermissionError)"),
            id="an-acl",
        ),
        pytest.param(
            ("ACL", "SETUSER", "some", "on", f">{PASSWORD}", "~*", "+@all", "-memory"),
            USER,
            0,
            ("note", "Redis refuses MEMORY USAGE: a stream is read however large it is"),
            id="an-acl-without-what-is-needless",
        ),
        pytest.param(
            ("ACL", "SETUSER", "some", "on", f">{PASSWORD}", "~another:*", "+@all"),
            USER,
            1,
            ("wrong", "Redis refuses XLEN, XRANGE, XREAD, MEMORY USAGE, GETRANGE, TYPE, SET, DEL, XADD, XDEL, EVAL"),
            id="an-acl-for-other-names",
        ),
        pytest.param(
            ("ACL", "SETUSER", "some", "on", ">another", "~*", "+@all"),
            USER,
            1,
            ("wrong", "Redis does not answer (AuthenticationError)"),
            id="a-password",
        ),
        pytest.param(
            ("REPLICAOF", "127.0.0.1", "1"),
            "//",
            1,
            ("wrong", "Redis refuses SET, DEL, XADD, XDEL (ReadOnlyError)"),
            id="a-replica",
        ),
        pytest.param(
            ("CONFIG", "SET", "maxmemory", "1"),
            "//",
            1,
            ("wrong", "Redis refuses SET, XADD (OutOfMemoryError)"),
            id="full",
        ),
    ],
)
def test_what_redis_refuses(
    frail: RedisServer,
    examined: Callable[..., Told],
    trouble: tuple[str, ...],
    address: str,
    status: int,
    expected: tuple[str, str],
) -> None:
    frail.client.execute_command(*trouble)
    told = examined(frail.url.replace("//", address), secret=SECRET, status=status)
    assert [text for level, text in told if level == expected[0] and text.startswith(expected[1])], told
    assert not any("cannot be believed" in text or "is not the one" in text for _, text in told), "what is not asked"


def test_nobody_is_there(examined: Callable[..., Told]) -> None:
    told = examined(f"redis://:{PASSWORD}@127.0.0.1:{free_port()}", secret=SECRET, status=3)
    assert told == [("unreachable", "Redis does not answer (ConnectionError)")]


def test_somebody_is_there_and_says_nothing(frail: RedisServer, examined: Callable[..., Told]) -> None:
    frail.pause()
    told = examined(frail.url, timeout=0.1, status=3)
    assert told == [("unreachable", "Redis does not answer (TimeoutError)")]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("redis://h?nonsense=1", id="when-it-is-read"),
        pytest.param("redis+cluster://h/1", id="when-it-connects"),
    ],
)
def test_an_address_that_means_nothing(examined: Callable[..., Told], url: str) -> None:
    ((level, says_),) = examined(url, status=1)
    assert (level, says_[:9], "that the library redis does not take" in says_) == ("wrong", "url: is t", True)


class Shifted(Redis):
    """A client of a Redis whose clock is wrong."""

    by = 0.0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        found = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        return (found[0] + int(self.by), found[1]) if args[0] == "TIME" else found


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        pytest.param(0, ("ok", "the clock of Redis agrees with ours"), id="agrees"),
        pytest.param(3_600, ("wrong", "our clock is 59 minutes behind that of Redis: nothing can be"), id="behind"),
        pytest.param(-3_601, ("wrong", "our clock is 1 hour ahead of that of Redis: nothing can be"), id="ahead"),
        pytest.param(-121, ("note", "our clock is 2 minutes ahead of that of Redis"), id="a-little"),
    ],
)
def test_clocks(redis: RedisServer, namespace: str, issuer: Issuer, by: float, expected: tuple[str, str]) -> None:
    client = Shifted(port=redis.port, socket_timeout=5)
    client.by = by
    config = AccessConfig(
        team="acme", audience=AUD, keys=issuer.certs(), fleet=Fleet(client, namespace=namespace, secret=SECRET)
    )
    findings = list(examine_fleet(config))
    (found,) = [each for each in findings if "clock" in each.says]
    assert (found.level.value, found.says[: len(expected[1])]) == expected
    assert not any("keys of" in each.says for each in findings), "they are given outright"
    assert not list(examine_fleet(AccessConfig(team="acme", audience=AUD, keys=issuer.certs())))


def test_without_the_extra(alone: Path, tmp_path: Path, certs_url: str) -> None:
    (tmp_path / "f.toml").write_text(f'{HEAD}certs_url = "{certs_url}"\nfleet = "redis://localhost"\n')
    program = (
        f"import sys; sys.modules['redis'] = None; sys.argv[1:] = 'doctor', '--config', {str(tmp_path / 'f.toml')!r}"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; from cfaccess_mw.cli import main; main()"],
        cwd=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "fleet         needs redis; mend: pip install 'cfaccess-mw[redis]'\n" in done.stdout
