"""What exactly is asked? A request and who sends it, in plain values, put to the rules of a configuration.

A command line and a file of expectations say the same things by the same names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cfaccess_mw.cli.bearer import identity_from_claims, identity_from_token
from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError, FetchError
from cfaccess_mw.core.explain import Explanation
from cfaccess_mw.core.facts import Certificate, Facts
from cfaccess_mw.core.identity import Identity
from cfaccess_mw.core.identity_reply import Reply, read_reply
from cfaccess_mw.core.peers import read_address
from cfaccess_mw.core.selector_values import read_country
from cfaccess_mw.core.shape import shape

OUTCOMES = ("open", "admitted", "refused", "lookup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, and who sends it.

    Attributes:
        path: The path, percent-decoded once.
        method: The method as sent.
        claims: Of whoever asks; with neither these nor a token, nobody.
        token: Of whoever asks, not verified.
        address: The client's, as a trusted peer tells it.
        country: The client's, likewise.
        certificate: The common name of the client's certificate, likewise; None for no certificate.
        profile: What ``get-identity`` says; None where it was not asked.
        host: The ``Host`` header.
        raw_path: The path as the client sent it.
        root_path: Where the application is mounted.
    """

    path: str
    method: str = "GET"
    claims: Mapping[str, Any] | None = None
    token: str | None = None
    address: str | None = None
    country: str | None = None
    certificate: str | None = None
    profile: Mapping[str, Any] | None = None
    host: str | None = None
    raw_path: str | None = None
    root_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What becomes of it.

    Attributes:
        explanation: What the rules say.
        identity: Who asks; None for nobody.
        only_told: Whether a refusal is only told, and the request let through.
        notes: What would be otherwise with a real request, each in a sentence.
    """

    explanation: Explanation
    identity: Identity | None
    only_told: bool
    notes: tuple[str, ...]


def ask(config: AccessConfig, question: Question) -> Answer:
    """Put a question to the rules; no key is read, nothing is fetched, and no signature is verified.

    Raises:
        ConfigurationError: The question means nothing; the message names the key.
    """
    identity, notes = _bearer(question, config)
    facts, unheard = _facts(question, config, identity)
    explanation = config.table.explain(
        question.method,
        question.path,
        None if question.raw_path is None else question.raw_path.encode("utf-8", "surrogatepass"),
        question.root_path,
        question.host,
        replace(facts, identity=identity),
    )
    if "?" in question.path or "%" in question.path:
        unheard.append("the path is taken as it is once decoded, without a query: '?' and '%' are parts of it here")
    if config.allow_preflight and question.method == "OPTIONS" and explanation.outcome == "refused":
        unheard.append("a CORS preflight with Origin and Access-Control-Request-Method passes: allow_preflight")
    return Answer(
        explanation=explanation,
        identity=identity,
        only_told=config.report_only or explanation.requirement.report_only,
        notes=(*notes, *unheard),
    )


def _bearer(question: Question, config: AccessConfig) -> tuple[Identity | None, list[str]]:
    if question.claims is not None and question.token is not None:
        raise ConfigurationError("token: stands beside claims; say once who is asking")
    if question.token is not None:
        identity, codes = identity_from_token(question.token, config)
    elif question.claims is not None:
        said = (question.profile or {}).get("user_uuid")
        identity, codes = identity_from_claims(question.claims, config, subject=said if isinstance(said, str) else "")
    else:
        return None, []
    return identity, [f"a real token like this one would be refused: {code}" for code in codes]


def _facts(question: Question, config: AccessConfig, identity: Identity | None) -> tuple[Facts, list[str]]:
    """What is known of the request, and what is said of it that nobody would believe."""
    said = {name: getattr(question, name) for name in ("address", "country", "certificate")}
    heard = {
        "address": bool(config.peers),
        "country": bool(config.peers),
        "certificate": config.certificate_headers,
    }
    why = {
        "address": "trusted_peers is empty",
        "country": "trusted_peers is empty",
        "certificate": "certificate_headers is off",
    }
    notes = [
        f"{name} counts for nothing: {why[name]}"
        for name, value in said.items()
        if value is not None and not heard[name]
    ]
    address = None if question.address is None else read_address(question.address)
    if question.address is not None and address is None:
        raise ConfigurationError(f"address: is {shape(question.address)}; give an IP address, such as 192.0.2.7")
    if question.country is not None:
        _check_country(question.country)
    if question.profile is not None:
        _check_profile(question.profile, identity)
    facts = Facts(
        identity=None,
        method=question.method,
        address=address,  # a policy that asks for it does not load without trusted peers
        country=(question.country or "") if config.peers else None,
        certificate=_certificate(question.certificate) if config.certificate_headers else None,
        profile=question.profile,
        looked_up=question.profile is not None,
    )
    return facts, notes


def _certificate(common_name: str | None) -> Certificate:
    shown = common_name is not None
    return Certificate(presented=shown, verified=shown, revoked=False, common_name=common_name or "")


def _check_country(country: str) -> None:
    try:
        read_country(country)
    except ValueError:
        raise ConfigurationError(f"country: is {shape(country)}; give two letters, such as DE") from None


def _check_profile(profile: Mapping[str, Any], identity: Identity | None) -> None:
    """Refuse the profile of somebody else, of whom a real lookup would not be believed either."""
    if identity is None:
        raise ConfigurationError("profile: stands there without claims or a token; say whose it is")
    if profile.get("err"):
        raise ConfigurationError("profile: says that there is no session; give what get-identity says of whoever asks")
    own = "service_token_id" if identity.kind == "service" else "common_name" if identity.kind == "certificate" else ""
    if not any(profile.get(name) for name in ("user_uuid", "email", own)):
        return  # it names nobody, and is taken for that of whoever asks
    try:
        body = json.dumps(dict(profile)).encode()
    except (TypeError, ValueError):
        raise ConfigurationError("profile: has a value that JSON cannot have; write what get-identity says") from None
    try:
        read_reply(Reply(status=200, body=body), identity)
    except FetchError:
        raise ConfigurationError("profile: is somebody else's; give that of whoever asks") from None
