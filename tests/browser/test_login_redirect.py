"""Somebody opens the application's own port: what does its login redirect do, and to whom?

The addresses are those of a laptop. A login URL carries a host without its port (so does Cloudflare's), and whoever
signs in comes back by way of the edge, which is at another port here; that is where the person belongs.
"""

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.site import Site
from tests.browser.visiting import focused, greeting, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

_ASK = """async ([url, options]) => {
    const response = await fetch(url, options)
    return [response.status, response.redirected, response.headers.get('content-type')?.split(';')[0] ?? null]
}"""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "app.localhost"])
def test_leads_to_the_login_page_and_back_by_way_of_the_edge(redirecting_site: Site, page: "Page", name: str) -> None:
    origin, edge = (url.replace("127.0.0.1", name) for url in (redirecting_site.origin, redirecting_site.edge))
    page.goto(f"{origin}/reports/a%20b/%C3%BC?x=%2F&y=1+2#section")
    assert page.url.startswith(f"{redirecting_site.edge}/cdn-cgi/access/login/{name}?kid=")
    assert greeting(page) == "Sign in to Payroll"
    sign_in(page)
    assert page.url == f"{edge}/reports/a%20b/%C3%BC?x=%2F&y=1+2#section"
    assert greeting(page) == "Hello alice@example.com"


def test_whoever_comes_back_without_a_token_is_not_sent_round_in_circles(redirecting_site: Site, page: "Page") -> None:
    page.goto(f"{redirecting_site.origin}/reports")
    sign_in(page)
    for _ in range(2):
        answer = page.goto(f"{redirecting_site.origin}/reports?x=1")
        assert answer is not None
        assert (answer.status, page.url) == (401, f"{redirecting_site.origin}/reports?x=1")
        assert greeting(page) == "Not signed in"
    page.keyboard.press("Tab")
    assert focused(page) == "Sign in"
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/**")
    sign_in(page)
    assert page.url == f"{redirecting_site.edge}/reports?x=1"


def test_and_later_it_is_sent_again(redirecting_site: Site, page: "Page") -> None:
    page.goto(f"{redirecting_site.origin}/reports")
    [marker] = page.context.cookies()
    assert marker["name"] == "cfaccess_login"
    assert marker["httpOnly"]
    page.context.clear_cookies(name="cfaccess_login")  # as its Max-Age does
    page.goto(f"{redirecting_site.origin}/reports")
    assert greeting(page) == "Sign in to Payroll"


@pytest.mark.parametrize(
    ("options", "media_type"),
    [
        pytest.param({}, "application/problem+json", id="fetch"),
        pytest.param({"headers": {"Accept": "text/html"}}, "text/html", id="fetch, of a page"),
        pytest.param({"headers": {"X-Requested-With": "XMLHttpRequest"}}, "application/problem+json", id="jQuery"),
        pytest.param({"method": "HEAD"}, "application/problem+json", id="HEAD"),
        pytest.param({"method": "POST", "body": "x"}, "application/problem+json", id="POST"),
    ],
)
def test_a_script_is_told_and_never_sent(
    redirecting_site: Site, page: "Page", options: dict[str, Any], media_type: str
) -> None:
    page.goto(f"{redirecting_site.origin}/public/x")
    assert page.evaluate(_ASK, ["/data", options]) == [401, False, media_type]


def test_nor_is_an_xmlhttprequest(redirecting_site: Site, page: "Page") -> None:
    page.goto(f"{redirecting_site.origin}/public/x")
    asked = page.evaluate("""() => new Promise(done => {
        const request = new XMLHttpRequest()
        request.onloadend = () => done([request.status, request.responseURL, JSON.parse(request.responseText).code])
        request.open('GET', '/data')
        request.send()
    })""")
    assert asked == [401, f"{redirecting_site.origin}/data", "no-token"]


def test_nor_a_frame_an_image_or_a_script(redirecting_site: Site, page: "Page") -> None:
    page.goto(f"{redirecting_site.origin}/public/x")
    answers: dict[str, int] = {}
    page.on("response", lambda response: answers.update({response.url.rpartition("/")[2]: response.status}))
    page.evaluate("""() => Promise.all(
        [['iframe', 'src'], ['img', 'src'], ['script', 'src'], ['object', 'data']].map(([name, attribute]) =>
            new Promise(done => {
                const element = document.createElement(name)
                element.onload = element.onerror = done
                element[attribute] = `/${name}`
                document.body.append(element)
            })))""")
    assert answers == {"iframe": 401, "img": 401, "script": 401, "object": 401}


def test_what_was_posted_cannot_be_sent_again_and_so_the_way_back_is_the_front_page(
    redirecting_site: Site, page: "Page"
) -> None:
    page.goto(f"{redirecting_site.origin}/public/x")
    page.evaluate("""() => {
        const form = Object.assign(document.createElement('form'), {action: '/transfer?to=x', method: 'post'})
        document.body.append(form)
        form.submit()
    }""")
    page.get_by_role("link", name="Sign in").click()
    sign_in(page)
    assert page.url == f"{redirecting_site.edge}/"


@pytest.mark.parametrize(("method", "status"), [("GET", 302), ("HEAD", 302), ("POST", 401), ("OPTIONS", 401)])
def test_other_clients_that_navigate(redirecting_site: Site, page: "Page", method: str, status: int) -> None:
    answer = page.context.request.fetch(
        f"{redirecting_site.origin}/x", method=method, headers={"Accept": "text/html"}, max_redirects=0
    )
    assert answer.status == status
    assert bool(answer.body()) == (method != "HEAD")


def test_without_the_option_there_is_a_page_with_a_link(site: Site, page: "Page") -> None:
    page.goto(f"{site.origin}/reports?x=1")
    assert page.url == f"{site.origin}/reports?x=1"
    page.get_by_role("link", name="Sign in").click()
    sign_in(page)
    assert page.url == f"{site.edge}/reports?x=1"
