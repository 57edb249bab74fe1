"""What does OpenTelemetry see when it looks by itself?

========================= ===== ===================================================================================
cfaccess.ready                  1 where every protected application of this process answers requests, else 0
cfaccess.keys.age         s     since a ``team``'s keys were fetched
cfaccess.keys.failures          failed attempts to fetch them in a row, by ``team``
cfaccess.keys.state             1 for the ``state`` that a ``team``'s keys are in, 0 for the others
cfaccess.tokens.remembered      verified tokens that are remembered
cfaccess.fleet.state            1 for the ``state`` that the shared store is in, 0 for the others
cfaccess.fleet.silence    s     since the shared store last answered
cfaccess.fleet.revocations      how many are known
========================= ===== ===================================================================================

A ``team`` is the host of its issuer. Those of the fleet are there where there is one.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from cfaccess_mw.core.states import State
from cfaccess_mw.telemetry.vitals import FleetVitals, KeyVitals, Watched, fleet_of

_FLEET_STATES: Final = ("connected", "lost", "never")

Values = Iterable[tuple[float, dict[str, str]]]


class Gauges:
    """Looks at protections when somebody collects, for as long as they live.

    Args:
        meter: Whose gauges these are.
    """

    def __init__(self, meter: Meter) -> None:
        self._watched: weakref.WeakSet[Watched] = weakref.WeakSet()
        # A meter lives as long as the process, and would keep us.
        ourselves = weakref.ref(self)
        for name, unit, description, look in _GAUGES:
            meter.create_observable_gauge(name, [_callback(ourselves, look)], unit=unit, description=description)

    def watch(self, protection: Watched) -> None:
        """Look at one more."""
        self._watched.add(protection)

    def protections(self) -> list[Watched]:
        """Those that are alive."""
        return list(self._watched)

    def teams(self) -> dict[str, KeyVitals]:
        """The keys of each team once: protections of one process share them."""
        return {
            urlsplit(issuer).netloc or issuer: keys
            for protection in self.protections()
            for issuer, keys in protection.health().items()
        }

    def fleets(self) -> list[FleetVitals]:
        """How each fleet is."""
        return [fleet for each in self.protections() if (fleet := fleet_of(each)) is not None]


def _callback(
    gauges: "weakref.ref[Gauges]", look: Callable[[Gauges], Values]
) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        alive = gauges()
        if alive is not None:
            for value, attributes in look(alive):
                yield Observation(value, attributes)

    return observe


def _ready(gauges: Gauges) -> Values:
    protections = gauges.protections()
    if protections:
        yield int(all(each.ready() for each in protections)), {}


def _age(gauges: Gauges) -> Values:
    return [(keys.age, {"team": team}) for team, keys in gauges.teams().items() if keys.age is not None]


def _failures(gauges: Gauges) -> Values:
    return [(keys.failures, {"team": team}) for team, keys in gauges.teams().items()]


def _state(gauges: Gauges) -> Values:
    for team, keys in gauges.teams().items():
        for state in State:
            yield int(keys.state is state), {"team": team, "state": state.value}


def _remembered(gauges: Gauges) -> Values:
    protections = gauges.protections()
    if protections:
        yield sum(each.remembered for each in protections), {}


def _fleet_state(gauges: Gauges) -> Values:
    fleets = gauges.fleets()
    # Of several, the worst: what is said once has to be true of all.
    found = [state for state in reversed(_FLEET_STATES) if any(fleet.state == state for fleet in fleets)]
    return [(int(state == found[0]), {"state": state}) for state in _FLEET_STATES] if found else []


def _silence(gauges: Gauges) -> Values:
    heard = [fleet.heard_ago for fleet in gauges.fleets() if fleet.heard_ago is not None]
    return [(max(heard), {})] if heard else []


def _revocations(gauges: Gauges) -> Values:
    fleets = gauges.fleets()
    return [(max(fleet.revocations for fleet in fleets), {})] if fleets else []


_GAUGES: Final[tuple[tuple[str, str, str, Callable[[Gauges], Values]], ...]] = (
    ("cfaccess.ready", "", "Whether every protected application of this process answers requests.", _ready),
    ("cfaccess.keys.age", "s", "Seconds since the keys of a team were fetched.", _age),
    ("cfaccess.keys.failures", "{attempt}", "Failed attempts to fetch the keys of a team in a row.", _failures),
    ("cfaccess.keys.state", "", "Whether the keys of a team are in a state.", _state),
    ("cfaccess.tokens.remembered", "{token}", "Verified tokens that are remembered.", _remembered),
    ("cfaccess.fleet.state", "", "Whether the shared store is in a state.", _fleet_state),
    ("cfaccess.fleet.silence", "s", "Seconds since the shared store last answered.", _silence),
    ("cfaccess.fleet.revocations", "{revocation}", "Revocations that are known.", _revocations),
)
