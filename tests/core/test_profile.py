"""Who is looked up, what counts as an answer, how long it counts, and what is said while none is to be had."""

import json
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfaccess_mw.core.errors import ConfigurationError, FetchError
from cfaccess_mw.core.identity import Identity, Kind
from cfaccess_mw.core.identity_reply import ANSWERS, READ, Reply, read_reply
from cfaccess_mw.core.lookup_timing import LookupTiming
from cfaccess_mw.core.lookups import Lookup, Profiles
from cfaccess_mw.core.profile import ENDED, Outcome, Profile, ProfileAnswer

WALL = 1_800_000_000.0
SUB = "7335d417-61da-459d-899c-0a01c76a2f94"
CLIENT_ID = "e367826f93b8d71185e03fe518aff3b4.access"
VECTORS = Path(__file__).parent.parent / "vectors" / "cloudflare"


def identity(kind: Kind = "user", **more: Any) -> Identity:
    known: dict[Kind, dict[str, Any]] = {
        "user": {"id": SUB, "email": "User@example.com", "subject": SUB, "common_name": None},
        "service": {"id": CLIENT_ID, "email": None, "subject": "", "common_name": CLIENT_ID},
        "certificate": {"id": "cn=laptop", "email": None, "subject": "", "common_name": "laptop"},
    }
    rest = {"country": None, "issuer": "https://acme.cloudflareaccess.com", "audience": ("a",), "nonce": None}
    times = {"issued_at": WALL, "expires_at": WALL + 3600, "key_thumbprint": "t", "_payload": b"{}"}
    return Identity(kind=kind, **{**known[kind], **rest, **times, **more})


USER = identity()


def body(**members: object) -> bytes:
    return json.dumps({"user_uuid": SUB, **members}).encode()


class TestReply:
    @pytest.mark.parametrize(
        ("kind", "document"),
        [
            pytest.param("user", {"user_uuid": SUB, "email": "User@example.com"}, id="both"),
            pytest.param("user", {"user_uuid": SUB}, id="user-id-alone"),
            pytest.param("user", {"email": "User@example.com"}, id="email-alone"),
            pytest.param("user", {"email": "uSER@EXAMPLE.COM"}, id="email-in-another-case"),
            pytest.param("user", {"user_uuid": SUB, "email": None}, id="null-is-absent"),
            pytest.param("user", {"user_uuid": "", "email": "user@example.com"}, id="empty-is-absent"),
            pytest.param("user", {"user_uuid": SUB, "service_token_id": "", "common_name": ""}, id="as-documented"),
            pytest.param("user", {"user_uuid": SUB, "err": None}, id="err-null"),
            pytest.param("user", {"user_uuid": SUB, "err": ""}, id="err-empty"),
            pytest.param("service", {"service_token_id": CLIENT_ID}, id="service"),
            pytest.param(
                "service", {"service_token_id": CLIENT_ID, "email": "", "user_uuid": ""}, id="service-no-user"
            ),
            pytest.param("certificate", {"common_name": "laptop"}, id="certificate"),
        ],
    )
    def test_what_is_taken(self, kind: Kind, document: Mapping[str, object]) -> None:
        text = json.dumps(document).encode()
        assert read_reply(Reply(status=200, body=text), identity(kind)) == text

    @pytest.mark.parametrize(
        ("kind", "document"),
        [
            pytest.param("user", {"user_uuid": "other", "email": "user@example.com"}, id="user-id"),
            pytest.param("user", {"user_uuid": SUB, "email": "other@example.com"}, id="email"),
            pytest.param("user", {"user_uuid": SUB.upper()}, id="user-ids-have-a-case"),
            pytest.param("user", {"user_uuid": [SUB]}, id="user-id-in-a-list"),
            pytest.param("user", {"user_uuid": 1, "email": "user@example.com"}, id="user-id-is-a-number"),
            pytest.param("user", {"user_uuid": False, "email": "user@example.com"}, id="user-id-is-false"),
            pytest.param("user", {"user_uuid": SUB, "email": {"x": 1}}, id="email-is-an-object"),
            pytest.param("user", {"user_uuid": SUB, "email": 0}, id="email-is-zero"),
            pytest.param("user", {}, id="empty"),
            pytest.param("user", {"groups": ["admins"]}, id="nobody"),
            pytest.param("user", {"user_uuid": "", "email": None}, id="nobody-in-words"),
            pytest.param("user", {"service_token_id": CLIENT_ID}, id="a-service"),
            pytest.param("service", {"service_token_id": "f" * 32 + ".access"}, id="another-service"),
            pytest.param("service", {"service_token_id": CLIENT_ID, "email": "user@example.com"}, id="and-a-user"),
            pytest.param("service", {"service_token_id": CLIENT_ID, "user_uuid": SUB}, id="and-a-user-id"),
            pytest.param("service", {"common_name": CLIENT_ID}, id="service-by-its-certificate"),
            pytest.param("service", {}, id="no-service"),
            pytest.param("certificate", {"common_name": "Laptop"}, id="another-certificate"),
            pytest.param(
                "certificate", {"common_name": "laptop", "email": "user@example.com"}, id="certificate-and-user"
            ),
        ],
    )
    def test_what_is_about_somebody_else(self, kind: Kind, document: Mapping[str, object]) -> None:
        with pytest.raises(FetchError) as refused:
            read_reply(Reply(status=200, body=json.dumps(document).encode()), identity(kind))
        assert refused.value.reason == "another-person"

    def test_nobody_is_a_user_without_an_email(self) -> None:
        """An empty expectation must not be met by an empty field."""
        with pytest.raises(FetchError):
            read_reply(Reply(status=200, body=b'{"common_name": ""}'), identity("certificate", common_name=None))

    @pytest.mark.parametrize(
        ("status", "text"),
        [
            pytest.param(400, b'{"err": "no app token set"}', id="as-seen"),
            pytest.param(400, b'{"err": {"code": 1}}', id="err-is-an-object"),
            pytest.param(200, b'{"err": "no app token set"}', id="with-200"),
            pytest.param(200, body(err="gone"), id="err-beside-a-profile"),
            pytest.param(401, b"", id="401"),
            pytest.param(403, b"<html>", id="403"),
            pytest.param(404, b"<html>", id="404"),
        ],
    )
    def test_what_says_that_there_is_no_session(self, status: int, text: bytes) -> None:
        assert read_reply(Reply(status=status, body=text), USER) is None

    @pytest.mark.parametrize(
        ("status", "text", "reason"),
        [
            pytest.param(400, b"{}", "status-400", id="400-without-err"),
            pytest.param(400, b'{"err": ""}', "status-400", id="400-with-an-empty-one"),
            pytest.param(400, b'["err"]', "status-400", id="400-list"),
            pytest.param(400, b"<html>", "status-400", id="400-html"),
            pytest.param(400, body(), "status-400", id="400-with-a-profile"),
            pytest.param(500, body(), "status-500", id="500"),
            pytest.param(502, b'{"err": "down"}', "status-502", id="502-with-err"),
            pytest.param(302, b"", "status-302", id="302"),
            pytest.param(201, body(), "status-201", id="201"),
            pytest.param(200, b"", "not-an-object", id="nothing"),
            pytest.param(200, b"null", "not-an-object", id="null"),
            pytest.param(200, b"[]", "not-an-object", id="list"),
            pytest.param(200, b"{", "not-an-object", id="cut"),
            pytest.param(200, body() + b"x", "not-an-object", id="more-behind"),
            pytest.param(200, b'{"user_uuid": "x", "user_uuid": "y"}', "not-an-object", id="twice"),
            pytest.param(200, b'{"user_uuid": NaN}', "not-an-object", id="nan"),
            pytest.param(200, b'{"user_uuid": "\xff"}', "not-an-object", id="not-utf-8"),
            pytest.param(200, b"\xef\xbb\xbf" + body(), "not-an-object", id="bom"),
            pytest.param(200, body().decode().encode("utf-16"), "not-an-object", id="utf-16"),
            pytest.param(200, b"[" * 100_000, "not-an-object", id="deep"),
            pytest.param(200, b'{"a":' * 20_000, "not-an-object", id="deep-objects"),
            pytest.param(200, b'{"a": ' + b"9" * 100_000 + b"}", "not-an-object", id="long-number"),
        ],
    )
    def test_what_says_nothing(self, status: int, text: bytes, reason: str) -> None:
        with pytest.raises(FetchError) as refused:
            read_reply(Reply(status=status, body=text), USER)
        assert refused.value.reason == reason
        assert refused.value.__cause__ is None

    def test_both_shapes_of_groups_are_left_as_they_are(self) -> None:
        groups = ["admins", {"id": "1", "name": "staff", "email": "staff@example.com"}]
        read = read_reply(Reply(status=200, body=body(groups=groups)), USER)
        assert read is not None
        assert Profile(fetched_at=0, version=1, _body=read).document["groups"] == groups

    def test_the_documented_fields_are_all_there(self) -> None:
        documented = json.loads((VECTORS / "get_identity_shape.json").read_text())
        documented |= {"user_uuid": SUB, "email": "user@example.com"}
        read = read_reply(Reply(status=200, body=json.dumps(documented).encode()), USER)
        assert read is not None
        assert Profile(fetched_at=0, version=1, _body=read).document == documented

    def test_the_statuses(self) -> None:
        assert READ < ANSWERS
        assert {200, 400, 401, 403, 404} == ANSWERS

    def test_nothing_personal_is_shown(self) -> None:
        assert "secret" not in repr(Reply(status=200, body=b"secret"))

    @given(
        st.binary(max_size=60)
        | st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["err", "email", "user_uuid", "x"]), inner),
        ).map(lambda value: json.dumps(value).encode()),
        st.sampled_from(sorted(ANSWERS)),
    )
    def test_whatever_comes_it_is_about_this_user_or_not_taken(self, text: bytes, status: int) -> None:
        try:
            read = read_reply(Reply(status=status, body=text), USER)
        except FetchError:
            return
        if read is not None:
            document = json.loads(read)
            assert document.get("user_uuid") == SUB or document["email"].casefold() == "user@example.com"


class TestProfile:
    def test_what_one_reader_does_no_other_sees(self) -> None:
        profile = Profile(fetched_at=0, version=1, _body=body(groups=["staff"]))
        profile.document["groups"].append("admins")
        assert profile.document["groups"] == ["staff"]
        with pytest.raises(TypeError):
            profile.document["groups"] = []  # type: ignore[index]
        with pytest.raises(AttributeError):
            profile.version = 2  # type: ignore[misc]

    def test_nothing_personal_is_shown(self) -> None:
        profile = Profile(fetched_at=0, version=1, _body=body(email="user@example.com"))
        answer = ProfileAnswer(outcome=Outcome.FOUND, profile=profile)
        assert "user@" not in f"{profile!r} {profile} {answer!r} {Lookup(b'token', USER)!r}"
        assert "token" not in repr(Lookup(b"token", USER))

    def test_it_can_be_shared_between_machines(self) -> None:
        profile = Profile(fetched_at=0, version=1, _body=body())
        assert pickle.loads(pickle.dumps(profile)) == profile


class TestTiming:
    def test_the_numbers(self) -> None:
        assert LookupTiming() == LookupTiming(
            lifetime=60,
            last_for=300,
            ended_for=10,
            deadline=5,
            grace=1,
            backoff_first=1,
            backoff_most=60,
            retry_after_most=300,
            flying=32,
            waiting=1000,
            count=10_000,
            weight=33_554_432,
        )

    @pytest.mark.parametrize(
        "numbers",
        [
            pytest.param({"lifetime": 0}, id="zero"),
            pytest.param({"lifetime": -1.0}, id="negative"),
            pytest.param({"last_for": -1.0}, id="last-for-negative"),
            pytest.param({"lifetime": math.inf}, id="infinite"),
            pytest.param({"lifetime": math.nan}, id="nan"),
            pytest.param({"lifetime": True}, id="boolean"),
            pytest.param({"lifetime": "60"}, id="text"),
            pytest.param({"flying": 1.5}, id="half"),
            pytest.param({"flying": 0}, id="none-at-a-time"),
        ],
    )
    def test_numbers_that_make_no_sense(self, numbers: Mapping[str, Any]) -> None:
        ((name, value),) = numbers.items()
        kind = "a positive whole number" if name == "flying" else "a positive number of seconds"
        with pytest.raises(ConfigurationError, match=rf"^{name}: expected {kind}, got {type(value).__name__} "):
            LookupTiming(**numbers)

    def test_a_backoff_that_falls(self) -> None:
        assert LookupTiming(backoff_first=60).backoff_first == 60
        with pytest.raises(ConfigurationError, match=r"^backoff_most: must not be below backoff_first \(61\)"):
            LookupTiming(backoff_first=61)

    def test_last_answers_can_be_turned_off(self) -> None:
        assert LookupTiming(last_for=0).last_for == 0


class Machine(Profiles):
    """The machine and a clock that tests turn."""

    def __init__(self, **timing: Any) -> None:
        super().__init__(timing=LookupTiming(**timing), random=lambda: 0.5)  # pauses are 1.5, 3, 6 s ...
        self.now = 1000.0
        self.ends_at = math.inf

    def wants(self, token: bytes = b"token", *, waiting: int = 0) -> ProfileAnswer | Lookup:
        return self.ask(token, USER, self.now, ends_at=self.ends_at, waiting=waiting)

    def told(self, token: bytes = b"token") -> ProfileAnswer:
        answer = self.wants(token)
        assert isinstance(answer, ProfileAnswer)
        return answer

    def asked(self, token: bytes = b"token") -> Lookup:
        lookup = self.wants(token)
        assert isinstance(lookup, Lookup)
        return lookup

    def begun(self, token: bytes = b"token") -> Lookup:
        lookup = self.asked(token)
        assert self.begin(self.now) is lookup
        return lookup

    def brings(self, lookup: Lookup, text: bytes | None = None) -> bool:
        return self.succeed(lookup, body() if text is None else text, self.now, wall_now=WALL)

    def ends(self, lookup: Lookup) -> bool:
        return self.succeed(lookup, None, self.now, wall_now=WALL)

    def fails(self, lookup: Lookup, reason: str = "timeout", retry_after: float | None = None) -> bool:
        return self.fail(lookup, reason, self.now, retry_after=retry_after)

    def known(self, token: bytes = b"token", text: bytes | None = None) -> Profile:
        lookup = self.begun(token)
        assert self.brings(lookup, text)
        assert lookup.answer is not None
        assert lookup.answer.profile is not None
        return lookup.answer.profile


def unavailable(retry_after: float) -> ProfileAnswer:
    return ProfileAnswer(outcome=Outcome.UNAVAILABLE, retry_after=pytest.approx(retry_after))  # type: ignore[arg-type]


class TestAnswers:
    def test_it_counts_for_its_lifetime_from_the_question(self) -> None:
        m = Machine()
        lookup = m.begun()
        m.now += 4
        assert m.brings(lookup)
        profile = m.told().profile
        assert profile is not None
        assert profile.fetched_at == WALL - 4
        m.now += 55.5
        assert m.told() == ProfileAnswer(outcome=Outcome.FOUND, profile=profile)
        m.now += 0.5
        assert m.peek(b"token", m.now, ends_at=math.inf) is None
        assert m.peek(b"nobody", m.now, ends_at=math.inf) is None
        m.asked()

    def test_one_lookup_for_all_who_ask_the_same(self) -> None:
        m = Machine()
        lookup = m.asked()
        assert m.asked() is lookup
        assert m.begin(m.now) is lookup
        assert m.asked() is lookup
        assert m.begin(m.now) is None
        assert m.brings(lookup)
        assert m.drain() == [lookup]
        assert m.drain() == []
        assert m.idle

    def test_tokens_do_not_answer_for_each_other(self) -> None:
        m = Machine()
        m.known(b"one", body(name="one"))
        assert m.asked(b"two") is not m.asked(b"three")

    def test_nothing_is_said_about_a_token_past_its_end(self) -> None:
        m = Machine()
        m.known()
        m.ends_at = m.now + 5
        assert m.told().outcome is Outcome.FOUND
        m.now += 5
        assert m.told() == ENDED
        assert m.peek(b"token", m.now, ends_at=m.ends_at) == ENDED
        assert m.begin(m.now) is None

    def test_that_a_session_has_ended_counts_briefly_and_whatever_was_known(self) -> None:
        m = Machine()
        m.known()
        m.now += 61
        lookup = m.begun()
        assert m.ends(lookup)
        assert lookup.answer == ENDED
        m.now += 9.5
        assert m.told() == ENDED
        assert m.peek(b"token", m.now, ends_at=math.inf) == ENDED
        m.now += 0.5
        assert m.fails(m.begun())
        assert m.told().outcome is Outcome.UNAVAILABLE, "what was known before has gone with the session"

    def test_versions_grow_with_each_different_document_and_never_come_again(self) -> None:
        m = Machine()
        first = m.known(text=body(name="a"))
        m.now += 61
        same = m.known(text=body(name="a"))
        assert same.version == first.version
        m.now += 61
        other = m.known(text=body(name="b"))
        m.now += 61
        back = m.known(text=body(name="a"))
        stranger = m.known(b"other", body(name="a"))
        m.void(m.now)
        anew = m.known(text=body(name="a"))
        assert [one.version for one in (first, other, back, stranger, anew)] == [1, 2, 3, 4, 5]

    def test_the_memory_is_bounded_by_count(self) -> None:
        m = Machine(count=4)
        for number in range(10):
            m.known(b"%d" % number)
        assert len(m._known) <= 4
        m.asked(b"0")

    @pytest.mark.parametrize("odd", [False, True], ids=["profiles", "with-a-failure-after-each"])
    def test_the_memory_is_bounded_by_bytes(self, odd: bool) -> None:
        m = Machine(weight=100_000)
        for number in range(100):
            token = b"%4d" % number + b"t" * 500
            m.known(token, body(x="y" * 5000))
            if odd:
                m.now += 61
                m.fails(m.begun(token), "not-json")
        assert 2 <= len(m._known) <= 100_000 // 6000

    @pytest.mark.parametrize(
        ("outcome", "size"),
        [
            pytest.param(Machine.brings, len(body()), id="a-document"),
            pytest.param(Machine.ends, 0, id="no-session"),
            pytest.param(Machine.fails, 0, id="a-failure-with-nothing-known"),
        ],
    )
    def test_an_entry_weighs_its_token_and_its_document_and_its_own_bytes(self, outcome: Any, size: int) -> None:
        weight = len(b"token") + size + 512
        for half, remembered in ((weight, 1), (weight - 1, 0)):  # of the memory: one of its two generations
            m = Machine(weight=2 * half)
            outcome(m, m.begun())
            assert len(m._known) == remembered


class TestBounds:
    def test_lookups_at_a_time(self) -> None:
        m = Machine(flying=2)
        one, two, three, four = (m.asked(b"%d" % number) for number in range(4))
        assert [m.begin(m.now) for _ in range(3)] == [one, two, None]
        assert m.brings(two)
        assert m.begin(m.now) is three, "first come, first served"
        assert m.begin(m.now) is None
        assert m.ends(one)
        assert four.number == 0, "it waits for its turn"
        assert m.begin(m.now) is four
        assert [(lookup.token, lookup.number) for lookup in (one, two, three, four)] == [
            (b"%d" % number, number + 1) for number in range(4)
        ]

    def test_who_may_wait(self) -> None:
        m = Machine(waiting=3)
        lookup = m.asked()
        assert m.wants(waiting=2) is lookup
        assert m.wants(waiting=3) == unavailable(1)
        assert m.wants(b"other", waiting=3) == unavailable(1)
        m.begin(m.now)
        m.brings(lookup)
        found = m.wants(waiting=1000)
        assert isinstance(found, ProfileAnswer)
        assert found.outcome is Outcome.FOUND
        m.now += 61
        assert m.wants(waiting=3) == found, "the last answer, for one who may not wait for the next"

    def test_nobody_waits_where_nobody_says_so(self) -> None:
        m = Machine(waiting=1)
        lookup = m.ask(b"token", USER, m.now, ends_at=m.ends_at)
        assert isinstance(lookup, Lookup)
        assert lookup.identity is USER

    def test_one_that_nobody_waits_for_is_not_made(self) -> None:
        m = Machine()
        lookup = m.asked()
        m.withdraw(lookup)
        assert not m._lookups
        assert m.begin(m.now) is None
        assert m.leave(lookup, m.now) == unavailable(1)
        again = m.begun()
        m.withdraw(lookup)
        m.withdraw(again)
        assert not m.idle, "one that has begun goes on"
        assert m.brings(again)

    def test_withdrawing_one_does_not_touch_the_next(self) -> None:
        m = Machine()
        old = m.asked()
        m.withdraw(old)
        new = m.asked()
        m.withdraw(old)
        assert m.begin(m.now) is new

    def test_who_cannot_wait_is_told_what_is_known(self) -> None:
        m = Machine()
        profile = m.known()
        m.now += 61
        lookup = m.begun()
        assert m.leave(lookup, m.now).profile is profile
        m.brings(lookup, body(name="new"))
        assert m.leave(lookup, m.now) is lookup.answer


class TestOutage:
    def test_the_last_answer_counts_for_a_while(self) -> None:
        m = Machine()
        profile = m.known()
        m.now += 61
        lookup = m.begun()
        assert m.fails(lookup)
        assert lookup.answer == m.told() == ProfileAnswer(outcome=Outcome.FOUND, profile=profile)
        m.now += 238.5
        assert m.fails(m.begun())
        assert m.told().profile is profile
        m.now += 0.5
        assert m.told() == unavailable(2.5)

    def test_it_does_not_if_so_configured(self) -> None:
        m = Machine(last_for=0)
        m.known()
        m.now += 61
        assert m.fails(m.begun())
        assert m.told() == unavailable(1.5)

    def test_a_failure_after_others_keeps_the_age_of_the_last_answer(self) -> None:
        m = Machine()
        m.known()
        for _ in range(10):
            m.now += 61
            wanted = m.wants()
            if isinstance(wanted, Lookup):
                m.begin(m.now)
                m.fails(wanted)
        assert m.told().outcome is Outcome.UNAVAILABLE

    def test_one_probe_after_each_pause_and_nobody_else_waits(self) -> None:
        m = Machine()
        assert m.fails(m.begun())
        attempts = 0
        for second in range(600):
            for number in range(5):
                wanted = m.wants(b"%d-%d" % (second, number))
                if isinstance(wanted, Lookup):
                    attempts += 1
                    assert isinstance(m.wants(b"another"), ProfileAnswer)
                    assert m.begin(m.now) is wanted
                    assert isinstance(m.wants(b"another"), ProfileAnswer)
                    assert m.fails(wanted)
            m.now += 1
        assert attempts == 17  # after 2, 3, 6, 12, 24 s; then every 45 s
        assert m.told(b"anybody").retry_after <= 45

    def test_many_failures_at_once_are_one_outage(self) -> None:
        m = Machine()
        lookups = [m.begun(b"%d" % number) for number in range(32)]
        for lookup in lookups:
            assert m.fails(lookup)
        assert m.failures == 1
        assert m.told(b"new") == unavailable(1.5)

    def test_whoever_waits_for_his_turn_is_answered_at_once(self) -> None:
        m = Machine(flying=1)
        profile = m.known(b"known")
        m.now += 61
        first, second, known = m.begun(b"1"), m.asked(b"2"), m.asked(b"known")
        assert m.fails(first)
        assert second.answer == unavailable(1.5)
        assert known.answer is not None
        assert known.answer.profile is profile
        assert m.drain()[-3:] == [first, second, known]
        assert m.idle

    def test_one_answer_ends_it(self) -> None:
        m = Machine()
        slow, lost = m.begun(b"slow"), m.begun(b"lost")
        assert m.fails(lost)
        assert m.brings(slow)
        assert m.failures == 0
        m.begun(b"new")

    @pytest.mark.parametrize(
        "ending",
        [
            pytest.param(Machine.brings, id="a-profile"),
            pytest.param(Machine.ends, id="no-session"),
            pytest.param(lambda machine, probe: machine.fails(probe, "another-person"), id="something-odd"),
        ],
    )
    def test_whatever_the_probe_is_told_if_it_is_told_something(self, ending: Any) -> None:
        m = Machine()
        m.fails(m.begun(b"1"))
        m.now += 1.5
        probe = m.begun(b"2")
        assert m.told(b"3") == unavailable(1)
        assert ending(m, probe)
        assert m.failures == 0
        m.begun(b"3")
        m.begun(b"4")

    def test_a_probe_that_nobody_waits_for_makes_room_for_another(self) -> None:
        m = Machine()
        m.fails(m.begun(b"1"))
        m.now += 1.5
        probe = m.asked(b"2")
        assert m.asked(b"2") is probe, "whoever asks the same may wait for it"
        m.withdraw(probe)
        m.begun(b"3")

    def test_one_answer_ends_it_for_all_even_while_a_probe_is_under_way(self) -> None:
        m = Machine()
        slow, lost = m.begun(b"slow"), m.begun(b"lost")
        m.fails(lost)
        m.now += 1.5
        m.begun(b"probe")
        assert m.told(b"new") == unavailable(1)
        assert m.brings(slow)
        m.begun(b"new")

    def test_a_failure_of_before_does_not_make_room_for_another_probe(self) -> None:
        m = Machine()
        late, lost = m.begun(b"late"), m.begun(b"lost")
        m.fails(lost)
        m.now += 1.5
        probe = m.begun(b"probe")
        m.fails(late)
        assert m.told(b"new") == unavailable(1)
        assert m.brings(probe)

    def test_a_failure_of_before_does_not_prolong_it(self) -> None:
        m = Machine()
        first, late = m.begun(b"1"), m.begun(b"2")
        m.fails(first)
        m.now += 1
        assert m.fails(late)
        assert (m.failures, m.retry_at) == (1, m.now + 0.5)

    @pytest.mark.parametrize(
        ("retry_after", "pause"),
        [
            pytest.param(None, 1.5, id="none"),
            pytest.param(0.1, 1.5, id="shorter-than-ours"),
            pytest.param(77, 77, id="longer"),
            pytest.param(9999, 300, id="too-long"),
        ],
    )
    def test_retry_after(self, retry_after: float | None, pause: float) -> None:
        m = Machine()
        slow = m.begun(b"slow")
        assert m.fails(m.begun(), "status-429", retry_after)
        assert m.told(b"another") == unavailable(pause)
        assert m.told() == unavailable(pause)
        assert m.brings(slow), "the endpoint is back; the pause of that token goes on"
        m.asked(b"another")
        assert m.told() == unavailable(pause)


class TestOddAnswers:
    @pytest.mark.parametrize(
        ("reason", "concerns_all"),
        [
            *[
                (reason, True)
                for reason in (
                    *("connect-failed", "timeout", "connection-lost", "fetcher-failed", "lost", "insecure-url"),
                    *("status-500", "status-503", "status-599", "status-408", "status-425", "status-429", "status-103"),
                    *("anything", "status-4000", "not-json-at-all", ""),
                )
            ],
            *[
                (reason, False)
                for reason in (
                    *("too-large", "encoded", "not-json", "not-an-object", "another-person"),
                    *("status-201", "status-302", "status-400", "status-431", "status-499"),
                )
            ],
        ],
    )
    def test_whom_a_failure_concerns(self, reason: str, concerns_all: bool) -> None:
        m = Machine()
        lookup = m.begun()
        assert m.fails(lookup, reason)
        assert lookup.answer == m.told() == unavailable(1.5), "the token itself is paused for in any case"
        assert isinstance(m.wants(b"another"), ProfileAnswer) is concerns_all

    def test_it_is_paused_for_longer_and_longer(self) -> None:
        m = Machine()
        pauses = []
        for _ in range(8):
            assert m.fails(m.begun(), "another-person")
            pauses.append(m.told().retry_after)
            m.now += pauses[-1]
        assert pauses == pytest.approx([1.5, 3, 6, 12, 24, 45, 45, 45])
        m.known()
        m.now += 61
        m.fails(m.begun(), "another-person")
        m.now += 1.6
        m.begun()

    def test_whoever_waits_for_his_turn_gets_it(self) -> None:
        m = Machine(flying=1)
        odd, waiting = m.begun(b"odd"), m.asked(b"waiting")
        m.fails(odd, "another-person")
        assert m.begin(m.now) is waiting

    def test_the_last_answer_counts_meanwhile(self) -> None:
        m = Machine()
        profile = m.known()
        m.now += 61
        m.fails(m.begun(), "another-person")
        assert m.told().profile is profile


class TestEnds:
    def test_a_lookup_that_is_lost_does_not_hold_its_place(self) -> None:
        m = Machine(flying=1)
        lost = m.begun(b"1")
        m.now += 5.9
        assert m.asked(b"1") is lost
        m.now += 0.1
        assert isinstance(m.told(b"2"), ProfileAnswer), "as after any failure"
        assert lost.answer is not None
        assert (m.failures, m.drain()) == (1, [lost])
        m.now += 2
        m.begun(b"2")
        assert not m.brings(lost)
        assert not m.ends(lost)
        assert not m.fails(lost)

    def test_all_that_are_lost_are_one_outage(self) -> None:
        m = Machine()
        lost = [m.begun(b"1"), m.begun(b"2")]
        m.now += 3
        late = m.begun(b"3")
        m.now += 3
        m.told(b"4")
        assert m.drain() == lost
        assert m.failures == 1
        assert m.brings(late)

    def test_abandoned_ones_are_answered_with_what_is_known(self) -> None:
        m = Machine(flying=1)
        profile = m.known(b"known")
        m.now += 61
        begun, queued = m.begun(b"known"), m.asked(b"2")
        m.abandon(m.now)
        assert begun.answer is not None
        assert (begun.answer.profile, queued.answer) == (profile, unavailable(1))
        assert (m.idle, m.failures) == (True, 0)
        assert not m.brings(begun)
        assert m.begin(m.now) is None
        m.begun(b"2")

    def test_a_new_life_knows_nobody(self) -> None:
        m = Machine()
        m.known(b"known")
        m.fails(m.begun(b"1"))
        m.void(m.now)
        assert m.drain()
        m.begun(b"known")
        m.begun(b"1")

    def test_a_new_life_begins_whole_wherever_the_old_one_was_cut(self) -> None:
        """Another thread may be half through a change when a process forks."""
        m = Machine(flying=2)
        for token, half in ((b"1", m._lookups), (b"2", m._flying)):
            m.begun(token)
            del half[token]
        m.asked(b"3")
        del m._lookups[b"3"]
        m.void(m.now)
        m.now += 10
        assert [m.begun(token).token for token in (b"1", b"2")] == [b"1", b"2"]

    def test_a_new_life_takes_nothing_from_the_old(self) -> None:
        m = Machine()
        old = m.begun()
        m.void(m.now)
        assert old.answer == unavailable(1)
        new = m.begun()
        assert not m.brings(old, body(name="old"))
        assert m.brings(new, body(name="new"))
        assert m.told() == new.answer


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from(["ask", "begin", "good", "gone", "odd", "down"]),
            st.sampled_from([0.0, 0.5, 2.0, 61.0]),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_bounds_hold_and_everybody_is_answered(steps: list[tuple[str, str, float]]) -> None:
    m = Machine(flying=2)
    asked: dict[int, Lookup] = {}
    flying: list[Lookup] = []
    for name, step, pause in steps:
        m.now += pause
        token = name.encode()
        if step == "ask":
            wanted = m.wants(token)
            if isinstance(wanted, Lookup):
                assert wanted.answer is None
                asked[id(wanted)] = wanted
        elif step == "begin":
            lookup = m.begin(m.now)
            flying += [] if lookup is None else [lookup]
        elif flying:
            lookup = flying.pop(0)
            match step:
                case "good":
                    m.brings(lookup)
                case "gone":
                    m.ends(lookup)
                case _:
                    m.fails(lookup, "not-json" if step == "odd" else "timeout")
            assert lookup.answer is not None
        assert len(m._flying) <= 2
        assert set(m._lookups) == set(m._flying) | set(m._queue)
    m.abandon(m.now)
    assert m.idle
    assert all(lookup.answer is not None for lookup in asked.values())
    assert {id(lookup) for lookup in m.drain()} == set(asked)
