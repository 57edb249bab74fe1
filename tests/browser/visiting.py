"""How does a person get through the login page?"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def sign_in(page: "Page", name: str = "Alice Admin") -> None:
    """Pick somebody on the login page that the window shows, and wait for what comes then."""
    choose(page, name)
    page.wait_for_url(lambda url: "/cdn-cgi/" not in url)


def choose(page: "Page", name: str) -> None:
    """Pick somebody on the login page that the window shows, whatever comes of it."""
    page.get_by_role("radio", name=name).check()
    page.get_by_role("button", name="Sign in").click()


def shown_pin(page: "Page") -> str:
    """The one-time PIN that the page shows in place of a mail."""
    match = re.search(r"\d{3} \d{3}", page.get_by_role("main").inner_text())
    if match is None:
        raise LookupError("there is no PIN on the page")
    return match[0]


def greeting(page: "Page") -> str:
    """The heading of the page."""
    return page.get_by_role("heading", level=1).inner_text()


def focused(page: "Page") -> str:
    """What has the keyboard: its accessible text, or its value where it has none."""
    return str(page.evaluate("(e => e.innerText || e.labels?.[0]?.innerText || e.tagName)(document.activeElement)"))


def await_focus(page: "Page", name: str) -> None:
    """Wait until a text field has the keyboard: a page that is there obeys ``autofocus`` a moment later."""
    page.get_by_role("textbox", name=name).and_(page.locator(":focus")).wait_for()
