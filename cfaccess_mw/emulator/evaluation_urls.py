"""Where is an endpoint of External Evaluation?"""

from dataclasses import dataclass

from cfaccess_mw.core.team import read_url


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationURLs:
    """What an External Evaluation rule consists of.

    Attributes:
        evaluate_url: Where Access asks: https, or http to loopback.
        keys_url: Where it finds the keys of the answers, likewise.

    Raises:
        ConfigurationError: A URL cannot be used.
    """

    evaluate_url: str
    keys_url: str

    def __post_init__(self) -> None:
        read_url("evaluate_url", self.evaluate_url)
        read_url("keys_url", self.keys_url)
