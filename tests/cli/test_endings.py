"""Does every command end as it should: a mistake in one sentence, and a status that programs can tell?"""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from cfaccess_mw.cli.commands import cfaccess
from cfaccess_mw.emulator.issuer import Issuer
from tests.cli.team import HEAD, clean_environment, fresh, write_team
from tests.eventually import eventually

Run = Callable[..., Result]

READING = {
    "doctor": ("doctor",),
    "explain": ("explain", "/"),
    "forward-auth": ("forward-auth", "--proxy", "nginx", "--trust", "loopback"),
    "keys": ("keys",),
    "mint": ("mint", "alice@example.com"),
    "rules": ("rules",),
    "serve": ("serve", "tests.cli.applications:asgi"),
    "verify": ("verify", "x"),
}

COMMANDS = sorted([*READING, "completion", "decode", "demo"])


def shell(
    *arguments: str, environment: dict[str, str] | None = None, **options: Any
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "cfaccess_mw", *arguments),
        env=clean_environment(**(environment or {})),
        text=True,
        timeout=60,
        check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


@pytest.mark.parametrize("command", [pytest.param(words, id=name) for name, words in READING.items()])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "bad.toml: cannot be read (No such file or directory)", id="missing"),
        pytest.param("team = ", "bad.toml: is not TOML (Invalid value", id="toml"),
        pytest.param("\xff", "bad.toml: cannot be read (not UTF-8)", id="not-utf-8"),
        pytest.param("a = " + "[" * 5_000, "bad.toml: is not TOML (it is nested too deep)", id="deep"),
        pytest.param(HEAD + "tema = 1", "'tema' is not a key of the configuration", id="key"),
        pytest.param('team = "acme"', "audience: is missing in bad.toml", id="half"),
        pytest.param(HEAD + "leeway = 'x'", "bad.toml: leeway: is text of 1 characters", id="value"),
        pytest.param(HEAD + '"\\u001b[31m" = 1', "is not a key of the configuration", id="escapes"),
    ],
)
def test_a_configuration_that_cannot_be_used(
    command: tuple[str, ...], text: str | None, message: str, folder: Path, run: Run
) -> None:
    if text is not None:
        (folder / "bad.toml").write_text(text, encoding="latin-1")
    result = run(*command, "--config", "bad.toml", status=2)
    said = [line for line in result.output.splitlines() if message in line]
    assert len(said) == 1, result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("docter",), "No such command 'docter'", id="command"),
        pytest.param(("doctor", "--jsno"), "No such option", id="option"),
        pytest.param(("doctor", "extra"), "unexpected extra argument", id="argument"),
        pytest.param(("serve",), "Missing argument", id="no-application"),
        pytest.param(("serve", "main:app", "--port", "99999"), "not in the range", id="port"),
        pytest.param(("serve", "nowhere:app", "--config", "access.toml"), "no module 'nowhere'", id="module"),
        pytest.param(("serve", "tests.cli.applications:x", "--config", "access.toml"), "has no 'x'", id="attribute"),
        pytest.param(
            ("serve", "tests.cli.applications:asgi", "--config", "access.toml", "--host", "no such host"),
            "no such host, port 8000: cannot be listened at",
            id="host",
        ),
        pytest.param(
            ("serve", "tests.cli.applications:asgi", "--config", "access.toml", "--uds", "access.toml"),
            "access.toml: cannot be listened at (Address already in use)",
            id="no-socket",
        ),
        pytest.param(
            ("serve", "tests.cli.applications:asgi", "--config", "access.toml", "--uds", "a" * 200),
            "cannot be listened at",
            id="long-path",
        ),
        pytest.param(("serve", "a:b", "--uds", "s", "--reload"), "--uds goes with one process", id="uds-and-reload"),
        pytest.param(("forward-auth", "--config", "access.toml"), "Missing option", id="no-proxy"),
        pytest.param(("forward-auth", "--proxy", "nginx"), "Missing option '--trust'", id="nobody-is-trusted"),
        pytest.param(
            ("forward-auth", "--proxy", "nginx", "--trust", "everybody", "--config", "access.toml"),
            "trusted_peers: holds text of 9 characters that is no network",
            id="trust",
        ),
        pytest.param(("forward-auth", "--proxy", "apache", "--trust", "unix"), "'apache' is not one of", id="proxy"),
        pytest.param(("completion", "tcsh"), "'tcsh' is not one of", id="shell"),
        pytest.param(("demo", "--port", "x"), "not a valid integer", id="demo"),
    ],
)
def test_a_mistake_on_the_command_line(arguments: tuple[str, ...], message: str, run: Run) -> None:
    result = run(*arguments, status=2)
    assert result.stdout == ""
    assert message in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("serve", "tests.cli.applications:asgi", "--config", "access.toml"),
        ("serve", "tests.cli.applications:wsgi", "--config", "access.toml", "--workers", "2"),
        ("forward-auth", "--proxy", "nginx", "--trust", "loopback", "--config", "access.toml"),
        ("demo",),
    ],
    ids=["serve", "workers", "forward-auth", "demo"],
)
def test_a_port_that_is_taken(command: tuple[str, ...], run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(*command, "--port", str(taken.getsockname()[1]), status=2)
    [sentence] = result.stderr.splitlines()
    assert "ddress already in use" in sentence


def test_a_socket_that_somebody_listens_at(folder: Path, run: Run) -> None:
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(folder / "s"))
        taken.listen()
        words = (
            "forward-auth",
            "--proxy",
            "nginx",
            "--trust",
            "unix",
            "--config",
            "access.toml",
            "--uds",
            str(folder / "s"),
        )
        assert "cannot be listened at (Address already in use)" in run(*words, status=2).stderr
        assert (folder / "s").exists()


def test_an_application_that_does_not_start_is_one_sentence_more(folder: Path, alone: Path) -> None:
    words = ("serve", "tests.cli.applications:refuse_to_start", "--config", "access.toml", "--port", "0")
    done = shell(*words, environment={"PYTHONPATH": str(alone)}, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "no database" in done.stderr
    assert done.stderr.splitlines()[-1] == "Error: the application did not start; what it says is above"


# Output that nobody takes


def test_a_pipe_that_nobody_reads(issuer: Issuer, folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:
        for words in (("rules", "--config", "access.toml"), ("decode", "--json", fresh(issuer)), ("--help",)):
            done = shell(*words, cwd=folder, stdout=output)
            assert done.returncode == 141, done.stderr
            assert "Traceback" not in done.stderr
            assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_is_one_sentence(folder: Path) -> None:
    with open("/dev/full", "wb") as output:
        done = shell("rules", "--config", "access.toml", cwd=folder, stdout=output)
    assert done.returncode == 2
    assert done.stderr == "Error: the output cannot be written (No space left on device)\n"


def test_a_terminal_that_does_not_know_a_character(issuer: Issuer, folder: Path) -> None:
    config = write_team(folder, issuer)
    token = fresh(issuer, email="\u65e5@example.com")
    done = shell("verify", "--config", config, input=token, environment={"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verified: user \\u65e5@example.com\n")


def test_a_closed_standard_input_is_one_sentence() -> None:
    command = f"{sys.executable} -m cfaccess_mw decode <&-"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, timeout=60, check=False, env=clean_environment()
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: token: standard input is closed")


# Interruptions


# As for somebody at a terminal: where tests run in the background, interruptions are ignored, by our children too.
INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("cfaccess_mw", run_name="__main__", alter_sys=True)
"""


def test_an_interruption_is_no_refusal(folder: Path) -> None:
    words = (sys.executable, "-c", INTERRUPTIBLE, "decode")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()) as process:
        assert process.stderr is not None
        _sleeps(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert b"Traceback" not in process.stderr.read()


def _sleeps(pid: int) -> None:
    """Wait until a process waits for its standard input."""
    assert eventually(lambda: "pipe" in Path(f"/proc/{pid}/wchan").read_text(encoding="ascii")), "it does not read"


# What is missing


@pytest.mark.parametrize(
    ("missing", "words", "message"),
    [
        pytest.param("click", ("doctor",), "cfaccess needs click: pip install 'cfaccess-mw[cli]'", id="click"),
        pytest.param(
            "uvicorn",
            ("serve", "a:b"),
            "Error: serving needs uvicorn: pip install 'cfaccess-mw[serve]'",
            id="serve",
        ),
        pytest.param(
            "uvicorn",
            ("forward-auth", "--proxy", "nginx", "--trust", "unix"),
            "Error: serving needs uvicorn: pip install 'cfaccess-mw[serve]'",
            id="forward-auth",
        ),
    ],
)
def test_a_missing_extra_is_one_sentence(missing: str, words: tuple[str, ...], message: str) -> None:
    script = f"import sys, runpy; sys.modules[{missing!r}] = None; runpy.run_module('cfaccess_mw', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (2, f"{message}\n")


def test_only_what_a_command_needs_is_imported(folder: Path) -> None:
    script = (
        "import sys; from click.testing import CliRunner; from cfaccess_mw.cli.commands import cfaccess;"
        "result = CliRunner().invoke(cfaccess, ['rules', '--config', 'access.toml']); assert result.exit_code == 0;"
        "print(sorted({'httpx', 'uvicorn', 'starlette', 'jinja2', 'anyio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


# Help


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_is_for(name: str, run: Run) -> None:
    page = run(name, "--help").stdout
    assert page.startswith(f"Usage: cfaccess {name} ")
    assert re.search(rf"Examples?:\s+.*cfaccess {name}\b", page, re.DOTALL), page
    assert run(name, "-h").stdout == page
    short = cfaccess.commands[name].get_short_help_str(60)
    assert not short.endswith("..."), short


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in ("completion", "demo", "forward-auth", "serve")]
)
def test_data_may_be_asked_for(name: str) -> None:
    assert "--json" in [option for parameter in cfaccess.commands[name].params for option in parameter.opts]


def test_one_set_of_options() -> None:
    helps: dict[str, set[str | None]] = {}
    for name in COMMANDS:
        for parameter in cfaccess.commands[name].params:
            if isinstance(parameter, click.Option) and parameter.opts[0] in ("--config", "--json"):
                helps.setdefault(parameter.opts[0], set()).add(parameter.help)
    assert {name: len(said) for name, said in helps.items()} == {"--config": 1, "--json": 1}


def test_the_version_and_nothing_at_all(run: Run) -> None:
    assert re.fullmatch(r"cfaccess, version \d\S+\n", run("--version").stdout)
    assert "Commands:" in run("--help").stdout
    assert "Commands:" in run(status=2).output


# Completion


@pytest.mark.parametrize(
    ("shell_", "mark"),
    [("bash", "complete -o nosort -F"), ("zsh", "#compdef cfaccess"), ("fish", "complete --no-files")],
)
def test_a_shell_gets_its_script(shell_: str, mark: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    script = run("completion", shell_).stdout
    assert mark in script
    assert "_CFACCESS_COMPLETE" in script
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell_}")
    assert run("completion").stdout == script
    monkeypatch.setenv("SHELL", "/bin/unknown")
    assert "name a shell: bash, zsh, fish" in run("completion", status=2).stderr


def test_what_the_script_asks_is_answered() -> None:
    environment = {"_CFACCESS_COMPLETE": "bash_complete", "COMP_WORDS": "cfaccess do", "COMP_CWORD": "1"}
    assert shell(environment=environment).stdout.splitlines() == ["plain,doctor"]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such terminals")
@pytest.mark.parametrize(("environment", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["", "NO_COLOR"])
def test_whoever_wants_no_colours_has_none(environment: dict[str, str], is_coloured: bool, folder: Path) -> None:
    (folder / "e.toml").write_text('[[expectations]]\npath = "/healthz"\nexpect = "open"\n')
    outer, terminal = os.openpty()
    words = ("rules", "--config", "access.toml", "--check", "e.toml")
    shell(*words, environment={"PYTHONPATH": str(Path(__file__).parents[2]), **environment}, stdout=terminal)
    os.close(terminal)
    assert (b"\x1b[" in os.read(outer, 4_096)) is is_coloured
    os.close(outer)
