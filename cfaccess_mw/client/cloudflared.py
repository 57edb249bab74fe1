"""Which token does the program cloudflared give for whoever signed in with it?"""

import os
import subprocess
import time
from collections.abc import Callable

from cfaccess_mw.client.errors import CloudflaredFailed, UserTokenMissing
from cfaccess_mw.client.hosts import read_origin
from cfaccess_mw.client.sign_in import check_token, missing, read_url
from cfaccess_mw.client.token_files import read_token

# What it says where it knows the application and has no token for it (cloudflared, access/cmd.go).
_NO_TOKEN = b"Unable to find token"


def find_token(
    url: str,
    *,
    directory: str | os.PathLike[str] | None = None,
    program: str = "cloudflared",
    timeout: float = 20.0,
    clock: Callable[[], float] = time.time,
) -> str:
    """The token of whoever signed in to an application: from cloudflared's files, and else from cloudflared itself.

    Args:
        url: The application's address.
        directory: As for :func:`~cfaccess_mw.client.token_files.read_token`.
        program: As for :func:`ask_cloudflared`; it is started only where there is no file.
        timeout: Likewise.
        clock: Tells the time in seconds since the epoch.

    Raises:
        UserTokenUnavailable: There is none that is good now; the message has the command that mends it.
    """
    try:
        return read_token(url, directory=directory, clock=clock)
    except UserTokenMissing as nowhere:
        try:
            return ask_cloudflared(url, program=program, timeout=timeout, clock=clock)
        except CloudflaredFailed:
            raise nowhere from None


def ask_cloudflared(
    url: str, *, program: str = "cloudflared", timeout: float = 20.0, clock: Callable[[], float] = time.time
) -> str:
    """Run ``cloudflared access token -app=URL``, which asks Cloudflare which application that is.

    Args:
        url: The application's address.
        program: Its name or path.
        timeout: Seconds after which it is ended; its own requests to Cloudflare may take 7 each.
        clock: Tells the time in seconds since the epoch.

    Raises:
        UserTokenMissing: It has none.
        UserTokenExpired: It gave one that is past its ``exp``.
        CloudflaredFailed: It is not there, took too long, or failed.
        CredentialsUnusable: It said something that is no token.
    """
    command = [program, "access", "token", f"-app={read_url(url)}"]
    by_hand = f"try it by hand: cloudflared access token -app={url}"
    said, mend = "", by_hand
    try:
        # without a shell, and the address in one word with its option
        done = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        said = f"cloudflared did not answer within {timeout:g} seconds"
    except OSError:
        said, mend = "cloudflared could not be started", "install it, or give program= with its path"
    else:
        if _NO_TOKEN in done.stderr:
            raise missing(url)
        if done.returncode == 0:
            return check_token(done.stdout.decode("latin-1").strip(), url, clock())
        said = f"cloudflared failed with the exit code {done.returncode}"
    raise CloudflaredFailed(said, mend=mend, host=str(read_origin(url)))
