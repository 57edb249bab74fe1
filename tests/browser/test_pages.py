"""Every page that a person may meet: on a phone and a desk, light and dark, by keyboard, by ear; and to the hostile.

Pictures of the pages are left in pytest's temporary folder (``--basetemp``), for whoever wants to look at them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.browser.looking import objections, unnamed, unseen_focus
from tests.browser.site import HOSTILE, MALLORY, Site
from tests.browser.visiting import choose, greeting, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page


def _login(page: "Page", site: Site) -> None:
    page.goto(f"{site.edge}/hostile/work")


def _login_again(page: "Page", site: Site) -> None:
    _login(page, site)
    page.get_by_label("E-mail address").fill("<nobody@here@>")
    page.evaluate("[...document.forms].at(-1).noValidate = true")
    page.get_by_label("E-mail address").press("Enter")
    page.wait_for_selector("[aria-invalid]")


def _pin(page: "Page", site: Site) -> None:
    _login(page, site)
    page.get_by_label("E-mail address").fill("d'ora&co@example.com")
    page.get_by_label("E-mail address").press("Enter")
    page.wait_for_selector("#pin")


def _pin_again(page: "Page", site: Site) -> None:
    _pin(page, site)
    page.get_by_label("One-time PIN").fill("<b>")
    page.get_by_label("One-time PIN").press("Enter")
    page.wait_for_selector("[aria-invalid]")


def _launcher(page: "Page", site: Site) -> None:
    page.goto(site.edge)
    sign_in(page, HOSTILE)
    page.goto(f"{site.edge}/cdn-cgi/access/launcher")


def _forbidden(page: "Page", site: Site) -> None:
    page.goto(f"{site.edge}/hidden/x")
    sign_in(page, HOSTILE)


def _refused(page: "Page", site: Site) -> None:
    page.goto(f"{site.edge}/vault")
    choose(page, HOSTILE)
    page.get_by_text("You do not have permission").wait_for()


PAGES: Final[dict[str, tuple[Callable[["Page", Site], object], str]]] = {
    "login": (_login, f"Sign in to {HOSTILE}"),
    "login, once more": (_login_again, f"Sign in to {HOSTILE}"),
    "PIN": (_pin, "Enter your one-time PIN"),
    "PIN, once more": (_pin_again, "Enter your one-time PIN"),
    "launcher": (_launcher, "Applications"),
    "signed out": (lambda page, site: page.goto(f"{site.edge}/cdn-cgi/access/logout"), "Signed out"),
    "too old": (lambda page, site: page.goto(f"{site.edge}/cdn-cgi/access/authorized"), "Sign in again"),
    "refused by the edge": (_refused, "Forbidden"),
    "refused by the application, nobody": (lambda page, site: page.goto(f"{site.origin}/x"), "Not signed in"),
    "refused by the application, somebody": (_forbidden, "Not permitted"),
}


@pytest.mark.parametrize(("go", "heading"), [pytest.param(*row, id=name) for name, row in PAGES.items()])
def test_nobody_has_an_objection(
    site: Site,
    page: "Page",
    axe: "Callable[[Page], list[str]]",
    go: Callable[["Page", Site], object],
    heading: str,
    tmp_path: Path,
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    go(page, site)
    assert greeting(page) == heading
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=tmp_path / f"{width}-{scheme}.png", full_page=True)
            assert (scheme, width, objections(page)) == (scheme, width, [])
        assert (scheme, axe(page)) == (scheme, [])
        assert (scheme, unseen_focus(page)) == (scheme, [])
    assert unnamed(page) == []
    # a status of 400 and more is said in the console, and nothing else may be: no policy is broken, no script runs
    assert [text for text in said if "the server responded with a status of" not in text] == []
    assert page.evaluate("window.owned") is None


@pytest.mark.parametrize(
    ("scheme", "bright"), [pytest.param("light", True, id="light"), pytest.param("dark", False, id="dark")]
)
@pytest.mark.parametrize("where", ["edge", "origin"])
def test_dark_is_dark(site: Site, page: "Page", where: str, scheme: str, *, bright: bool) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(getattr(site, where))
    channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert all((channel > 127) is bright for channel in channels)


HEARD = {
    "login": (
        _login,
        """
        - banner:
          - paragraph:
            - strong: Access emulator
        - main:
          - heading /Sign in to/ [level=1]
          - paragraph: 127.0.0.1/hostile, team acme
          - group "Who do you want to be?":
            - radio /^Alice Admin alice@example.com Groups. admins, staff; from US$/ [checked]
            - radio /^Bob Builder bob@example.com Groups. staff; from DE$/
            - radio
          - button "Sign in"
          - heading "Anybody else" [level=2]
          - textbox "E-mail address"
          - button "Get a one-time PIN"
        """,
    ),
    "PIN": (
        _pin,
        """
        - main:
          - heading "Enter your one-time PIN" [level=1]
          - paragraph: /as d'ora&co@example.com/
          - paragraph:
            - text: /Nothing was sent/
          - textbox "One-time PIN"
          - button "Sign in"
          - paragraph:
            - link "Use another address"
        """,
    ),
    "launcher": (
        _launcher,
        """
        - main:
          - heading "Applications" [level=1]
          - list:
            - listitem:
              - link /^Payroll 127/
            - listitem:
              - link
            - listitem:
              - link
            - listitem:
              - link /^Wiki wiki.localhost/
          - paragraph:
            - link "Sign out"
        """,
    ),
    "refused by the application, nobody": (
        lambda page, site: page.goto(f"{site.origin}/x"),
        """
        - main:
          - heading "Not signed in" [level=1]
          - paragraph: This application answers only requests that came through Cloudflare Access.
          - paragraph:
            - link "Sign in"
          - term: Status
          - definition: "401"
          - term: Code
          - definition: no-token
        """,
    ),
}


@pytest.mark.parametrize(("go", "heard"), [pytest.param(*row, id=name) for name, row in HEARD.items()])
def test_what_a_screen_reader_says(site: Site, page: "Page", go: Callable[["Page", Site], object], heard: str) -> None:
    from playwright.sync_api import expect

    go(page, site)
    expect(page.locator("body")).to_match_aria_snapshot(heard, timeout=1_000)


def test_names_and_addresses_are_text_whatever_is_in_them(site: Site, page: "Page") -> None:
    page.goto(f"{site.edge}/hostile/work")
    sign_in(page, HOSTILE)
    assert greeting(page) == f"Hello {MALLORY.email}"
    page.goto(f"{site.edge}/cdn-cgi/access/launcher")
    assert page.get_by_role("main").locator("p > strong").inner_text() == MALLORY.email
    _refused(page, site)
    assert page.get_by_role("definition").first.inner_text() == f"Vault of {HOSTILE}"
    assert page.evaluate("window.owned") is None


def test_the_style_sheet_is_fetched_once(site: Site, page: "Page") -> None:
    sizes = []
    for path in ("launcher", "logout"):
        page.goto(f"{site.edge}/cdn-cgi/access/{path}")
        sizes += page.evaluate("performance.getEntriesByType('resource').map(entry => entry.transferSize)")
    assert [size > 0 for size in sizes] == [True, False]


class TestAnotherSite:
    """``localhost`` and ``127.0.0.1`` are two sites to a browser."""

    @pytest.fixture
    def elsewhere(self, site: Site, page: "Page") -> "Page":
        """Somebody who is signed in, and looks at another site now."""
        page.goto(site.edge)
        sign_in(page)
        page.goto(site.origin.replace("127.0.0.1", "localhost") + "/public/x")
        assert greeting(page) == "Hello nobody"
        return page

    def test_cannot_frame_a_page(self, site: Site, page: "Page") -> None:
        page.goto(site.origin.replace("127.0.0.1", "localhost") + "/public/x")
        for url in (
            f"{site.edge}/cdn-cgi/access/login/127.0.0.1",
            f"{site.edge}/cdn-cgi/access/launcher",
            f"{site.edge}/cdn-cgi/access/logout",
            f"{site.origin}/refused-by-the-application",
        ):
            with page.expect_console_message(lambda message: "frame-ancestors 'none'" in message.text) as refused:
                page.evaluate(
                    "src => document.body.append(Object.assign(document.createElement('iframe'), {src}))", url
                )
            assert site.edge in refused.value.text or site.origin in refused.value.text

    def test_cannot_sign_anybody_in(self, site: Site, elsewhere: "Page") -> None:
        elsewhere.evaluate(
            """action => {
            const form = Object.assign(document.createElement('form'), {action, method: 'post'})
            form.innerHTML = '<input name=email value=bob@example.com>'
            document.body.append(form)
            form.submit()
        }""",
            f"{site.edge}/cdn-cgi/access/login/127.0.0.1",
        )
        elsewhere.get_by_text("This form was sent from another site.").wait_for()
        elsewhere.goto(site.edge)
        assert greeting(elsewhere) == "Hello alice@example.com"

    def test_cannot_sign_anybody_out_behind_their_back(self, site: Site, elsewhere: "Page") -> None:
        elsewhere.evaluate(
            """url => Promise.all([
            new Promise(done => { const i = new Image(); i.onload = i.onerror = done; i.src = url }),
            fetch(url, {mode: 'no-cors', credentials: 'include'}),
        ])""",
            f"{site.edge}/cdn-cgi/access/logout",
        )
        elsewhere.goto(site.edge)
        assert greeting(elsewhere) == "Hello alice@example.com"
