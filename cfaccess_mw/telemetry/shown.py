"""How is a text that somebody else chose shown, so that it is one line and does nothing to a terminal?"""

from typing import Final

LONGEST: Final = 256  # characters of a path, an id or an address that are told


def shown(text: str, longest: int = LONGEST) -> str:
    """Return a text cut, with whatever is not plainly visible escaped as in a Python string, and ``\\`` doubled.

    Args:
        text: Of a client, or of a token.
        longest: Characters that are kept; each that is escaped takes up to ten.
    """
    cut = text[:longest]
    if cut.isprintable() and "\\" not in cut:
        return cut
    return "".join(sign if sign.isprintable() and sign != "\\" else _escaped(sign) for sign in cut)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
