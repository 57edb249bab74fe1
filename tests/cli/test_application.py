"""Is the application found that was meant, is it known for what it is, and is a mistake one sentence?"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from cfaccess_mw.cli.application import interface_of, load_application
from cfaccess_mw.core.errors import ConfigurationError
from tests.cli import applications

HERE = "tests.cli.applications"


@pytest.mark.parametrize(
    ("application", "interface"),
    [
        pytest.param(applications.asgi, "asgi", id="starlette"),
        pytest.param(applications.wsgi, "wsgi", id="flask"),
        pytest.param(applications.wsgi.wsgi_app, "wsgi", id="a-method"),
        pytest.param(applications.function, "asgi", id="a-coroutine-function"),
        pytest.param(applications.plain, "wsgi", id="a-function"),
        pytest.param(applications.later, "asgi", id="an-object"),
        pytest.param(partial(applications.plain), "wsgi", id="partial"),
        pytest.param(ASGIHandler.__new__(ASGIHandler), "asgi", id="django-asgi"),
        pytest.param(WSGIHandler.__new__(WSGIHandler), "wsgi", id="django-wsgi"),
    ],
)
def test_it_is_known_by_how_it_is_called(application: Callable[..., Any], interface: str) -> None:
    assert interface_of(application, "main:app") == interface


@pytest.mark.parametrize(
    ("application", "message"),
    [
        pytest.param(
            applications.undecided, "may be either of ASGI or of WSGI; say which by --interface", id="undecided"
        ),
        pytest.param(applications.make, "takes no arguments, and so makes an application; say --factory", id="factory"),
        pytest.param(applications.Later, "is a class; give what it makes, or say --factory", id="class"),
        pytest.param(lambda scope: None, "may be either", id="one-argument"),
        pytest.param(dict.fromkeys, "may be either", id="no-signature"),
    ],
)
def test_what_cannot_be_known_is_asked_for(application: Callable[..., Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match="main:app") as mistake:
        interface_of(application, "main:app")
    assert message in str(mistake.value)


@pytest.mark.parametrize(
    ("spec", "factory", "message"),
    [
        pytest.param("main", False, "'main' does not name one; write module:name", id="no-name"),
        pytest.param("main:", False, "does not name one", id="empty-name"),
        pytest.param(":app", False, "does not name one", id="empty-module"),
        pytest.param("nowhere:app", False, "there is no module 'nowhere' in", id="no-module"),
        pytest.param("nowhere.at.all:app", False, "there is no module 'nowhere.at.all'", id="no-package"),
        pytest.param("..x:app", False, "importing ..x raised TypeError", id="relative"),
        pytest.param(f"{HERE}:applicatoin", False, "has no 'applicatoin'", id="no-attribute"),
        pytest.param(f"{HERE}:mke", False, "did you mean 'make'?", id="near"),
        pytest.param(f"{HERE}:wsgi.nothing", False, "has no 'nothing'", id="nested"),
        pytest.param(f"{HERE}:NUMBER", False, "is a int, and no application", id="a-number"),
        pytest.param(f"{HERE}:NUMBER", True, "raised TypeError: 'int' object is not callable", id="no-factory"),
        pytest.param(f"{HERE}:fail", True, "raised RuntimeError: no database (applications.py, line ", id="fails"),
        pytest.param(f"{HERE}:leave", True, "raised SystemExit: 0 (applications.py, line ", id="leaves"),
        pytest.param(f"{HERE}:promise", True, "is a coroutine function; give a plain one", id="coroutine"),
        pytest.param("broken_syntax:app", False, "SyntaxError: ", id="syntax"),
        pytest.param("broken_import:app", False, "No module named 'not_there' (broken_import.py, line 1)", id="import"),
        pytest.param(
            "broken_run:app", False, "raised ZeroDivisionError: division by zero (broken_run.py, line 1)", id="run"
        ),
        pytest.param("broken_exit:app", False, "raised SystemExit: 3", id="exit"),
    ],
)
def test_a_mistake_is_one_sentence(
    spec: str, factory: bool, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"syntax": "def (", "import": "import not_there", "run": "1/0", "exit": "exit(3)"}.items():
        (tmp_path / f"broken_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError) as mistake:
        load_application(spec, folder=str(tmp_path), factory=factory)
    assert message in str(mistake.value)
    assert mistake.value.__cause__ is None


def test_it_is_found_by_name_and_made_where_it_has_to_be() -> None:
    assert load_application(f"{HERE}:wsgi.wsgi_app", folder="/", factory=False) == applications.wsgi.wsgi_app
    assert load_application(f"{HERE}:make", folder="/", factory=True) is applications.wsgi
