"""The process that imports each module of the package in a child of its own, and tells what came of it as JSON.

An audit hook watches (PEP 578): whatever reaches for the network, starts something or writes a file at import is told,
whichever library does it on our behalf. What is not ours is imported beforehand, under the same hook, and so is the
package itself, which any of its modules brings along: that keeps the children quick.
"""

import gc
import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path

# The table of audit events in the documentation of the standard library.
REACHING = frozenset(
    {
        *("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"),
        *("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"),
        *("urllib.Request", "http.client.connect"),
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.forkpty", "pty.spawn"),
        *("os.putenv", "os.remove", "os.rename", "os.mkdir", "os.chmod"),
        *("_thread.start_new_thread", "_thread.start_joinable_thread"),  # told from 3.12 on
    }
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

OTHERS = (
    *("anyio", "cachetools", "cryptography.x509", "httpx", "joserfc.jwk", "starlette.applications"),
    *("click", "fastapi", "flask", "jinja2", "litestar", "quart", "requests", "rest_framework", "uvicorn"),
    *("redis", "websockets"),
)

# What a project of Django's has ready before it imports ours.
DJANGO = (
    *("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.admin"),
    "django.contrib.messages",
)

reached: list[str] = []


def watch(event: str, given: tuple[object, ...]) -> None:
    """Note what is not done at import."""
    writes = event == "open" and isinstance(given[2], int) and given[2] & WRITING and given[0] != os.devnull
    if (event in REACHING or writes) and "__pycache__" not in str(given[0]):
        reached.append(f"{event} {given[:2]}")


def import_others() -> None:
    """Import what the package builds on, as far as it is here."""
    if importlib.util.find_spec("django") is not None:
        import django
        from django.conf import settings

        settings.configure(INSTALLED_APPS=DJANGO)
        django.setup()
    for name in OTHERS:
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)


def import_alone(name: str) -> str | None:
    """Import a module, and say what is wrong with that."""
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return f"{type(error).__name__}: {error}"
    return None


def in_child(name: str) -> str:
    """Import a module in a child, and return what it tells."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        reached.clear()
        error = import_alone(name)
        os.write(writing, json.dumps({"name": name, "error": error, "reached": reached})[:60_000].encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return told


def say(line: str) -> None:
    """Write a line, before any child inherits what is not written yet."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def modules(package: Path) -> list[str]:
    """The names of all modules of a package, from its files; a ``__main__`` is a command."""
    names = [file.relative_to(package.parent).with_suffix("").parts for file in package.rglob("*.py")]
    return sorted(".".join(part for part in parts if part != "__init__") for parts in names if "__main__" not in parts)


if __name__ == "__main__":
    package, *rest = sys.argv[1:]
    sys.addaudithook(watch)
    if package == "cfaccess_mw":
        import_others()
    say(json.dumps({"name": "", "error": None, "reached": reached}))
    say(in_child(package))
    import_alone(package)
    gc.freeze()  # what the children share with this process stays shared
    for module in rest:
        say(in_child(module))
