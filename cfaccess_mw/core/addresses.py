"""When do two e-mail addresses, or two domains, name the same?

Domains are compared in their ASCII form, lower-cased (RFC 5890), never by suffix. The standard library knows the IDNA
of 2003, registries use that of 2008, and the two disagree about a few letters (the German sharp s is a letter of its
own in one and "ss" in the other, so that two owners share one spelling). Whatever is more than a matter of case has
therefore no canonical form here: an operator writes such a domain in ASCII (``xn--...``), and an address with one is
unreadable. No further dependency is needed for that.

The part before the ``@`` is compared without regard to case. An address in which a letter beyond ASCII turns into an
ASCII one on the way (the Kelvin sign is "k" to ``str.casefold``) has no canonical form either: whoever can register it
would be taken for somebody else.
"""

import re
from encodings.idna import ToASCII, ToUnicode
from unicodedata import category, normalize

from cfaccess_mw.core.patterns import fold

_A_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"  # RFC 1123 section 2.1, and the "_" that is met
_DOMAIN = re.compile(rf"{_A_LABEL}(?:\.{_A_LABEL})*")
_MAX_DOMAIN = 253  # characters, RFC 1035 section 2.3.4 without the wire's lengths; IDNA takes quadratic time beyond


def canonical_domain(text: str) -> str | None:
    """Return the one form of a domain that is compared, or None for what is not plainly a domain."""
    if len(text) > _MAX_DOMAIN:
        return None
    if not text.isascii():
        labels = [_canonical_label(label) for label in text.split(".")]
        text = ".".join(label or "" for label in labels)
    domain = text.lower()
    return domain if len(domain) <= _MAX_DOMAIN and _DOMAIN.fullmatch(domain) else None


def email_domain(text: str) -> str | None:
    """Return the canonical domain of an e-mail address, or None where there is not plainly one."""
    local, _, domain = text.partition("@")
    if not local or " " in local or not local.isprintable():
        return None
    return canonical_domain(domain)  # which has no second "@"


def canonical_email(text: str) -> str | None:
    """Return the one form of an e-mail address that is compared, or None for what is not plainly one address."""
    domain = email_domain(text)
    local = text.partition("@")[0]
    if domain is None or any(not sign.isascii() and _becomes_ascii(sign) for sign in local):
        return None
    return f"{fold(local)}@{domain}"


def _becomes_ascii(sign: str) -> bool:
    return any(part.isascii() for part in fold(sign))


def _canonical_label(label: str) -> str | None:
    if label.isascii():
        return label
    if any(sign != "-" and category(sign)[0] not in "LMN" for sign in label):
        return None  # among them the full stops of other scripts, at which some would split
    try:
        encoded = ToASCII(label).decode("ascii")
        back = ToUnicode(encoded)
    except UnicodeError:
        return None
    is_case_only = encoded.startswith("xn--") and back == normalize("NFC", label.lower())
    return encoded if is_case_only else None
