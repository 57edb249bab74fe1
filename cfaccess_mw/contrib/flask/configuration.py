"""What does a Flask application say about Access? Its ``app.config``, in our names or in flask-cfaccess's."""

from collections.abc import Mapping
from typing import Any, Final

from cfaccess_mw.core.config import AccessConfig
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.settings import PREFIX, configure

_MAPPING: Final = "CFACCESS"
_THEIRS: Final = {"CLOUDFLARE_ACCESS_TEAM": "team", "CLOUDFLARE_ACCESS_AUD": "audience"}


def configuration(said: Mapping[str, Any], config: Any, options: Mapping[str, Any]) -> AccessConfig:
    """Make one configuration of all that was said.

    Keywords come before ``app.config["CFACCESS"]``, that before ``app.config["CFACCESS_TEAM"]`` and so on, and those
    before ``CLOUDFLARE_ACCESS_TEAM`` and ``CLOUDFLARE_ACCESS_AUD``. Where none of them names the team, the environment
    says what they leave out.

    Args:
        said: The application's ``config``.
        config: A ready configuration, as for the doors, instead of all of that; or None.
        options: Keywords of the extension.

    Raises:
        ConfigurationError: Names the key, the shape of its value and the mend.
    """
    written = said.get(_MAPPING)
    if config is None and written is not None and not isinstance(written, Mapping):
        config = written
    if config is not None:
        return configure(config, **options)
    found: dict[str, Any] = {key: said[name] for name, key in _THEIRS.items() if name in said}
    found |= {name.removeprefix(PREFIX).lower(): said[name] for name in said if name.startswith(PREFIX)}
    found |= {**(written or {}), **options}
    if "team" in found:
        return AccessConfig.from_mapping(found, source="the configuration of the Flask application")
    return configure(**found)


def check_rules(config: AccessConfig, *, protect_all: object) -> None:
    """Refuse rules where decorators decide: an operator who wrote them would believe that they protect.

    Raises:
        ConfigurationError: There are rules without ``protect_all``, or that is neither true nor false.
    """
    if not isinstance(protect_all, bool):
        raise ConfigurationError(f"protect_all: is a value of type {type(protect_all).__name__}; give true or false")
    if config.ruleset and not protect_all:
        raise ConfigurationError(
            "rules: count for nothing where decorators decide; say CfAccess(app, protect_all=True), or leave them out"
        )
