"""On what was it measured? Nothing that says whose machine it is."""

import os
import platform
from importlib import metadata
from pathlib import Path

from cryptography.hazmat.backends.openssl.backend import backend

_PACKAGES = (
    "cfaccess-mw",
    "cryptography",
    "joserfc",
    "starlette",
    "anyio",
    "httpx",
    "cachetools",
    "flask",
    "werkzeug",
    "pyjwt",
    "authlib",
)


def described() -> dict[str, str]:
    """The machine and the versions."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": backend.openssl_version_text(),
        **{name: version for name in _PACKAGES if (version := _version(name))},
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
