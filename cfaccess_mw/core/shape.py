"""How is a bad value described without showing it? It may be a secret that was put under the wrong name."""


def shape(value: object) -> str:
    """Describe a value by type and size, such as ``text of 12 characters``."""
    match value:
        case bool():
            return "a boolean"
        case str() if not value:
            return "empty text"
        case str():
            return f"text of {len(value)} characters"
        case bytes():
            return f"{len(value)} bytes"
        case int() | float():
            return "a number"
        case list() | tuple() | set() | frozenset():
            return f"a {type(value).__name__} of {len(value)}"
        case None:
            return "None"
        case _:
            return f"a {type(value).__name__}"
