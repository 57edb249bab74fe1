"""What a newcomer does: protect an application, be two people, meet a policy, rotate keys, sign out."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.site import Site, serving
from tests.browser.visiting import await_focus, choose, focused, greeting, shown_pin, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Visitor

# Asks without a pause until it is told to stop, and counts the answers by what they were.
_ASK_ON_AND_ON = """() => {
    window.answers = {}
    const ask = async () => {
        while (!window.enough) {
            const response = await fetch('/load', {redirect: 'manual'}).catch(() => ({status: 'failed'}))
            window.answers[response.status] = (window.answers[response.status] ?? 0) + 1
        }
    }
    window.asking = Promise.all([ask(), ask(), ask()])
}"""


def test_two_people_and_one_of_them_is_refused_by_a_policy(site: Site, visitor: "Visitor") -> None:
    alice, bob = visitor(), visitor()
    for page, name in ((alice, "Alice Admin"), (bob, "Bob Builder")):
        page.goto(f"{site.edge}/admin/x?y=1#z")
        assert greeting(page) == "Sign in to Payroll"
        sign_in(page, name)
        assert page.url == f"{site.edge}/admin/x?y=1#z"
    assert greeting(alice) == "Hello alice@example.com"
    assert greeting(bob) == "Not permitted"
    bob.goto(f"{site.edge}/elsewhere")
    assert greeting(bob) == "Hello bob@example.com"


def test_the_edge_has_policies_of_its_own(site: Site, visitor: "Visitor") -> None:
    alice, bob = visitor(), visitor()
    for page, name in ((alice, "Alice Admin"), (bob, "Bob Builder")):
        page.goto(f"{site.edge}/vault/x")
        choose(page, name)
    alice.wait_for_url(f"{site.edge}/vault/x")
    assert greeting(alice) == "Hello alice@example.com"
    bob.get_by_role("heading", name="Forbidden").wait_for()
    assert "bob@example.com" in bob.get_by_role("main").inner_text()
    assert "CF_Authorization" not in {kept["name"] for kept in bob.context.cookies()}


def test_who_is_refused_can_come_back_as_somebody_else(site: Site, page: "Page") -> None:
    page.goto(f"{site.edge}/admin/x")
    sign_in(page, "Bob Builder")
    page.keyboard.press("Tab")
    assert focused(page) == "Sign out"
    page.keyboard.press("Enter")
    page.wait_for_url("**/cdn-cgi/access/logout")
    page.get_by_role("link", name="Payroll").click()
    sign_in(page, "Alice Admin")
    page.goto(f"{site.edge}/admin/x")
    assert greeting(page) == "Hello alice@example.com"


def test_keys_rotate_while_people_work_and_not_one_request_fails(site: Site, visitor: "Visitor") -> None:
    alice, bob = visitor(), visitor()
    alice.goto(site.edge)
    sign_in(alice)
    alice.evaluate(_ASK_ON_AND_ON)
    alice.wait_for_function("window.answers[200] > 10")
    site.emulator.issuer.rotate()
    bob.goto(f"{site.edge}/first-with-the-new-key")
    sign_in(bob, "Bob Builder")
    assert greeting(bob) == "Hello bob@example.com"
    so_far = alice.evaluate("window.answers[200]")
    alice.wait_for_function(f"window.answers[200] > {so_far + 10}")
    assert set(alice.evaluate("window.enough = true, window.asking.then(() => window.answers)")) == {"200"}


def test_who_signs_out_is_out_in_every_tab_and_every_browser(site: Site, visitor: "Visitor") -> None:
    tab, other_browser, somebody_else = visitor(), visitor(), visitor()
    for page, name in ((tab, "Alice Admin"), (other_browser, "Alice Admin"), (somebody_else, "Bob Builder")):
        page.goto(site.edge)
        sign_in(page, name)
    other_tab = tab.context.new_page()
    other_tab.goto(f"{site.edge}/work")
    assert greeting(other_tab) == "Hello alice@example.com"

    tab.goto(f"{site.edge}/cdn-cgi/access/logout")
    assert greeting(tab) == "Signed out"
    assert not [kept for kept in tab.context.cookies() if kept["name"] == "CF_Authorization"]
    other_tab.reload()
    for page in (tab, other_browser):
        page.goto(f"{site.edge}/work")
    assert [greeting(page) for page in (tab, other_tab, other_browser)] == ["Sign in to Payroll"] * 3
    somebody_else.reload()
    assert greeting(somebody_else) == "Hello bob@example.com"


def test_a_tab_that_only_asks_learns_of_it_too(site: Site, page: "Page") -> None:
    page.goto(site.edge)
    sign_in(page)
    other_tab = page.context.new_page()
    other_tab.goto(f"{site.edge}/cdn-cgi/access/logout")
    ask = "headers => fetch('/data', {headers, redirect: 'manual'}).then(r => r.type + r.status)"
    assert page.evaluate(ask, {}) == "opaqueredirect0"
    assert page.evaluate(ask, {"X-Requested-With": "XMLHttpRequest"}) == "basic401"


def test_by_keyboard_alone(site: Site, page: "Page") -> None:
    page.goto(f"{site.edge}/work")
    page.keyboard.press("Tab")
    assert "alice@example.com" in focused(page)
    page.keyboard.press("ArrowDown")
    assert "bob@example.com" in focused(page)
    page.keyboard.press("Tab")
    assert focused(page) == "Sign in"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.edge}/work")
    assert greeting(page) == "Hello bob@example.com"

    page.goto(f"{site.edge}/cdn-cgi/access/launcher")
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "Sign out"
    page.keyboard.press("Enter")
    page.wait_for_url("**/logout")
    page.keyboard.press("Tab")
    assert focused(page).startswith("Payroll")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/**")


def test_by_keyboard_with_a_one_time_pin(site: Site, page: "Page") -> None:
    page.goto(f"{site.edge}/work")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert focused(page) == "E-mail address"
    page.keyboard.type("dora@example.com")
    page.keyboard.press("Enter")
    await_focus(page, "One-time PIN")
    page.keyboard.type("no idea")
    page.keyboard.press("Enter")
    page.get_by_text("That is not the PIN").wait_for()
    await_focus(page, "One-time PIN")
    page.keyboard.type(shown_pin(page))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.edge}/work")
    assert greeting(page) == "Hello dora@example.com"


def test_another_address_after_all(site: Site, page: "Page") -> None:
    page.goto(f"{site.edge}/work?x=1")
    login = page.url
    page.get_by_label("E-mail address").fill("dora@example.com")
    page.get_by_role("button", name="Get a one-time PIN").click()
    page.get_by_role("link", name="Use another address").click()
    page.get_by_role("radio", name="Alice").wait_for()
    assert page.url == login


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "app.localhost", "wiki.localhost"])
def test_under_any_name_of_this_machine(site: Site, page: "Page", name: str) -> None:
    url = site.edge.replace("127.0.0.1", name)
    page.goto(f"{url}/work")
    assert greeting(page) == ("Sign in to Wiki" if name == "wiki.localhost" else "Sign in to Payroll")
    sign_in(page)
    assert page.url == f"{url}/work"
    assert greeting(page) == "Hello alice@example.com"


def test_who_signed_in_to_the_team_needs_no_login_page_for_the_next_application(page: "Page") -> None:
    with serving(team_host="acme.localhost") as site:
        payroll, wiki, team = (
            site.edge.replace("127.0.0.1", name) for name in ("app.localhost", "wiki.localhost", "acme.localhost")
        )
        page.goto(f"{payroll}/work")
        assert page.url.startswith(f"{team}/cdn-cgi/access/login/app.localhost?")
        sign_in(page)
        assert page.url == f"{payroll}/work"
        page.goto(f"{wiki}/page")
        assert (page.url, greeting(page)) == (f"{wiki}/page", "Hello alice@example.com")

        page.goto(f"{team}/cdn-cgi/access/launcher")
        assert "alice@example.com" in page.get_by_role("main").inner_text()
        page.get_by_role("link", name="Sign out").click()
        page.wait_for_url("**/logout")
        for url, heading in ((payroll, "Sign in to Payroll"), (wiki, "Sign in to Wiki")):
            page.goto(url)
            assert greeting(page) == heading
