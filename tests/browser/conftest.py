"""A headless Chromium, driven by Playwright, and the site that it visits.

Without Playwright or without a browser these tests are skipped. Both are had by ``pip install playwright`` and
``apt-get install chromium-headless-shell`` or ``chromium`` (or ``playwright install chromium``).
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.site import Site, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# the first, which has no window to hide, takes a third of the others' time
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_PATIENCE = 5_000  # milliseconds until a page that does not come is given up


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One browser for the tests of a module; each has windows of its own.

    No longer than that: while Playwright is open, an event loop runs in this thread, and no other test could have one.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    # the system's browser, or the one that Playwright brought itself
    executable = next(filter(None, map(shutil.which, _BROWSERS)), None)
    # a browser refuses to start its sandbox as root, as which tests run in a container
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        try:
            running = driver.chromium.launch(executable_path=executable, args=arguments)
        except playwright.Error as error:
            pytest.skip(f"no Chromium starts: {error.message.splitlines()[0]}")
        yield running
        running.close()


Visitor = Callable[..., "Page"]


@pytest.fixture
def visitor(browser: "Browser") -> "Iterator[Visitor]":
    """Somebody with a browser of their own: cookies are shared by nobody else."""
    with ExitStack() as stack:

        def arrive(**settings: Any) -> "Page":
            context: BrowserContext = browser.new_context(**settings)
            stack.callback(context.close)
            context.set_default_timeout(_PATIENCE)
            return context.new_page()

        yield arrive


@pytest.fixture
def page(visitor: Visitor) -> "Page":
    """A window."""
    return visitor()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The site as most would run it."""
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def redirecting_site() -> Iterator[Site]:
    """The site whose application sends people to the login page by itself."""
    with serving(login_redirect=True) as running:
        yield running


@pytest.fixture(scope="module")
def axe() -> "Callable[[Page], list[str]]":
    """What axe-core objects to on a page; nothing where it is not installed (``pip install axe-playwright-python``)."""
    if find_spec("axe_playwright_python") is None:
        return lambda page: []
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped,unused-ignore]

    def violations(page: "Page") -> list[str]:
        found = Axe().run(page).response["violations"]
        return [f"{violation['id']}: {node['html']}" for violation in found for node in violation["nodes"]]

    return violations
