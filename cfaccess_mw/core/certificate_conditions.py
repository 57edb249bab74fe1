"""Did the client show a certificate?

The request's own headers say so where they are enabled (Cloudflare, "Add TLS client auth headers"), else the profile,
as it was at login. The headers that come with the first request of a connection only are never asked.
"""

from collections.abc import Mapping
from typing import ClassVar

from cfaccess_mw.core.conditions import OneOf
from cfaccess_mw.core.facts import Certificate, Facts, Need
from cfaccess_mw.core.profile_conditions import Profile, ProfileCondition, is_text, is_true, unread
from cfaccess_mw.core.selector_values import Read, read_text
from cfaccess_mw.core.truth import Truth, all_of, truth_of


class AnyCertificate(ProfileCondition):
    """True of a request with a client certificate that the edge verified and that is not revoked."""

    __slots__ = ()

    key: ClassVar[str] = "certificate"
    reason: ClassVar[str] = "certificate"
    _needs: ClassVar[Need] = Need.CERTIFICATE | Need.PROFILE
    _of_login: ClassVar[bool] = False

    def evaluate(self, facts: Facts) -> Truth:
        """Ask the request's certificate, or the profile."""
        if facts.certificate is None:
            return ProfileCondition.evaluate(self, facts)
        return _is_good(facts.certificate)

    def to_value(self) -> object:
        """Return True."""
        return True

    def _ask(self, profile: Profile) -> Truth:
        return _was_good(profile)


class CommonNames(OneOf, ProfileCondition):
    """True of a request with such a certificate that has one of these common names."""

    __slots__ = ()

    key: ClassVar[str] = "common_name"
    reason: ClassVar[str] = "common-name"
    read: ClassVar[Read] = staticmethod(read_text)
    _needs: ClassVar[Need] = Need.CERTIFICATE | Need.PROFILE
    _of_login: ClassVar[bool] = False

    def evaluate(self, facts: Facts) -> Truth:
        """Ask the request's certificate, or the profile."""
        if facts.certificate is None:
            return ProfileCondition.evaluate(self, facts)
        name = facts.certificate.common_name
        has_name = Truth.UNKNOWN if name is None else truth_of(name in self.values)
        return all_of((_is_good(facts.certificate), has_name))

    def _ask(self, profile: Profile) -> Truth:
        return all_of((_was_good(profile), is_text(profile.get("common_name"), self.values)))


def _is_good(certificate: Certificate) -> Truth:
    good = (
        certificate.presented,
        certificate.verified,
        None if certificate.revoked is None else not certificate.revoked,
    )
    return all_of(Truth.UNKNOWN if said is None else truth_of(said) for said in good)


def _was_good(profile: Profile) -> Truth:
    said = profile.get("mtls_auth")
    if not isinstance(said, Mapping):
        return unread(said)
    status = said.get("auth_status")
    # The words of ``cf.tls_client_auth``, in the absence of a list for this field; NONE is the documented example.
    failed = isinstance(status, str) and (status == "NONE" or status.startswith("FAILED"))
    succeeded = Truth.TRUE if status == "SUCCESS" else Truth.FALSE if failed else unread(status)
    return all_of((is_true(said.get("cert_presented")), succeeded))
