"""How many examples do the property tests try: few by default, as many as one has time for by ``EXAMPLES``?

The examples of a run are the same each time, so that a change is never refused for what it did not touch: they follow
from the test itself (Hypothesis calls that derandomised). ``EXAMPLES=50`` tries fifty times as many, and new ones.
"""

import os

from hypothesis import HealthCheck, settings

VARIABLE = "EXAMPLES"


def examples(number: int, *, steps: int = 50) -> settings:
    """The settings of a property test.

    Args:
        number: How many examples in an ordinary run.
        steps: How many events in an example of a state machine, at most.
    """
    factor = int(os.environ.get(VARIABLE, "1"))
    return settings(
        max_examples=number * factor,
        stateful_step_count=steps,
        derandomize=factor == 1,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
