"""With what secret, and in what form, are links signed? What ``sign-url`` and ``check-url`` take alike.

A secret on a command line is kept in the shell's history, and shown to whoever lists the processes; so it comes from
the environment, a file or a pipe.
"""

import os
from collections.abc import Callable
from typing import Any, Final

import click

from cfaccess_mw.cli.documents import PIPE, read_bytes
from cfaccess_mw.core.errors import ConfigurationError
from cfaccess_mw.edge.signed_urls import SignedURLs

VARIABLE: Final = "SIGNED_URL_SECRET"

_OPTIONS: Final = (
    click.option(
        "--secret-file",
        metavar="FILE",
        help="The secrets, one a line, of which the first signs; - for standard input.  "
        f"[default: the environment variable {VARIABLE}]",
    ),
    click.option(
        "--ttl",
        default=10_800,
        show_default=True,
        type=click.IntRange(0, 315_360_000),
        help="Seconds for which links count, as in Cloudflare's rule; 0: the timestamp is when they end.",
    ),
    click.option("--parameter", default="verify", show_default=True, metavar="NAME", help="Which parameter signs."),
    click.option("--url-safe", is_flag=True, help='Use the URL-safe alphabet: the flag "s" of Cloudflare\'s rule.'),
    click.option(
        "--directory", metavar="BYTES", type=click.IntRange(1), help="How much of the path is signed, up to a '/'."
    ),
    click.option(
        "--bound", multiple=True, metavar="VALUE", help="What the link is bound to, such as an address; repeatable."
    ),
)


def link_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how links are signed."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def links_of(secret_file: str | None, **options: Any) -> SignedURLs:
    """What signs and checks.

    Args:
        secret_file: The file, or None for the environment.
        options: As for :class:`SignedURLs`.

    Raises:
        ConfigurationError: There is no secret, or something cannot be used.
    """
    if secret_file is None:
        text = os.environ.get(VARIABLE, "")
        if not text:
            raise ConfigurationError(f"secrets: {VARIABLE} is not set; set it, or name a file with --secret-file")
    else:
        source, body = read_bytes("secrets", secret_file)
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = ""
        if not text.strip():
            raise ConfigurationError(f"secrets: {source} holds no text; write one secret a line, in UTF-8")
    return SignedURLs(secrets=[line for line in text.splitlines() if line], **options)


def read_url(url: str, secret_file: str | None) -> str:
    """The address that was given, or the one line of standard input.

    Raises:
        ConfigurationError: There is none, or standard input holds the secrets.
    """
    if url != PIPE:
        return url
    if secret_file == PIPE:
        raise ConfigurationError("url: standard input holds the secrets already; give the address")
    text = read_bytes("url", PIPE)[1].decode("utf-8", "replace").strip()
    if not text:
        raise ConfigurationError("url: standard input is empty; pipe the address into the command")
    return text
