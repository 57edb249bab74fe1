"""Runs flask-cfaccess in its own environment: see ``flask_cfaccess``. A plain script, for an older Flask and Python."""

import gc
import io
import json
import sys
import time
from typing import Any


def main() -> None:
    """Read what to do, and do it."""
    setup = json.loads(sys.stdin.readline())
    try:
        applications, facts = _applications(setup)
    except Exception as error:  # noqa: BLE001 - whatever an old package does under a new interpreter, it is told
        print(json.dumps({"failed": f"{type(error).__name__}: {error}"[:200]}), flush=True)
        return
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        name, times = line.split()
        print(_taken(applications[name], setup["environ"], int(times)), flush=True)


def _applications(setup: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    import flask
    import jwt
    from flask_cfaccess import CfAccess, login_required  # type: ignore[import-not-found]

    def bare(rest: str) -> str:
        return "hello"

    applications = {"bare": flask.Flask("bare"), "protected": flask.Flask("protected")}
    applications["bare"].route("/<path:rest>")(bare)
    protected = applications["protected"]
    protected.config.update(CLOUDFLARE_ACCESS_AUD=setup["audience"], CLOUDFLARE_ACCESS_TEAM=setup["team"])
    protected.logger.disabled = True
    extension = CfAccess(protected)
    # It knows Cloudflare's address only; the keys are on loopback.
    protected.extensions["cfaccess"] = (extension, jwt.PyJWKClient(setup["url"]))
    protected.route("/<path:rest>")(login_required(bare))
    statuses = {}
    for name, application in applications.items():
        statuses[name] = application.test_client().get("/some/path", headers=setup["headers"]).status_code
    return applications, {"statuses": statuses, "flask": _version("flask"), "pyjwt": jwt.__version__}


def _version(name: str) -> str:
    from importlib import metadata

    return metadata.version(name)


def _taken(application: Any, environ: dict[str, Any], times: int) -> int:
    environs = [{**environ, "wsgi.errors": sys.stderr, "wsgi.input": io.BytesIO()} for _ in range(times + 3)]
    gc.collect()
    gc.disable()
    for one in environs[:3]:  # as here, the first ones are not measured
        _answered(application, one)
    environs = environs[3:]
    start = time.perf_counter_ns()
    for one in environs:
        _answered(application, one)
    taken = time.perf_counter_ns() - start
    gc.enable()
    return taken


def _answered(application: Any, environ: dict[str, Any]) -> None:
    body = application(environ, _start)
    for _ in body:
        pass
    body.close()


def _start(status: str, headers: list[tuple[str, str]], error: Any = None) -> None:
    """Be a server's ``start_response``."""


if __name__ == "__main__":
    main()
