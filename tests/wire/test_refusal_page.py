"""The page for people: that everybody can read it, and that it can be the operator's own."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cfaccess_mw.core.errors import (
    BadSignature,
    ConfigurationError,
    KeysUnavailable,
    NoToken,
    NotPermitted,
    Refused,
)
from cfaccess_mw.wire.refusal_page import RefusalPage

LOGIN_URL = "https://acme.cloudflareaccess.com/cdn-cgi/access/login/a.example?kid=x&redirect_url=%2F"
LOGOUT_URL = "/cdn-cgi/access/logout"

MakeTemplate = Callable[[bytes], Path]


@pytest.fixture
def template(tmp_path: Path) -> MakeTemplate:
    """Write a template."""

    def write(content: bytes) -> Path:
        path = tmp_path / "refusal.html"
        path.write_bytes(content)
        return path

    return write


def page(error: Refused | None = None, *, ray: str = "", login_url: str = "", logout_url: str = "") -> str:
    return RefusalPage().fill(error or NoToken(), 401, ray, login_url, logout_url).decode()


class Elements(HTMLParser):
    """What elements a page has, in their order, with their attributes; none may be left open."""

    _VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize(
    ("error", "login_url", "logout_url", "targets", "words"),
    [
        pytest.param(NoToken(), LOGIN_URL, "", [LOGIN_URL], "Sign in", id="sign-in"),
        pytest.param(NoToken(), "", "", [], "Not signed in", id="nobody-knows-where-to"),
        pytest.param(NotPermitted(), "", LOGOUT_URL, [LOGOUT_URL], "Sign out", id="sign-out"),
        pytest.param(NotPermitted(), "", "", [], "Not permitted", id="not-permitted-whoever-asks"),
        pytest.param(KeysUnavailable(), "", "", [""], "Try again", id="try-again"),
        pytest.param(BadSignature(), "", "", [], "not accepted", id="nothing-helps"),
    ],
)
def test_a_link_where_one_helps(
    error: Refused, login_url: str, logout_url: str, targets: list[str], words: str
) -> None:
    shown = page(error, login_url=login_url, logout_url=logout_url)
    assert [link["href"] for link in Elements(shown).named("a")] == targets
    assert words in shown
    assert "$" not in shown, "every place of the template is filled"


def test_a_screen_reader_finds_its_way() -> None:
    elements = Elements(page(login_url=LOGIN_URL))
    assert elements.named("html") == [{"lang": "en"}]
    for once in ("title", "main", "h1", "dl"):
        assert len(elements.named(once)) == 1, once
    body = [tag for tag, _ in elements.found][[tag for tag, _ in elements.found].index("body") + 1 :]
    assert body[:5] == ["main", "h1", "p", "p", "a"], "all within the landmark, what helps before the particulars"
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in elements.named("meta")
    assert not any("tabindex" in attributes or "style" in attributes for _, attributes in elements.found)


def test_the_page_may_do_nothing_but_be_read() -> None:
    elements = Elements(page(login_url=LOGIN_URL))
    assert {tag for tag, _ in elements.found}.isdisjoint({"script", "form", "iframe", "img", "link", "object", "base"})
    assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)
    headers = dict(RefusalPage().headers)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'; "
        r"frame-ancestors 'none'",
        headers["Content-Security-Policy"],
    )


def schemes() -> Iterator[tuple[str, dict[str, str]]]:
    """The colours of the page, by scheme: each block of variables replaces those before it."""
    colours: dict[str, str] = {}
    for name, block in zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", page()), strict=True):
        colours = colours | dict(re.findall(r"--(\w+): (#\w+)", block))
        yield name, colours


def luminance(colour: str) -> float:
    """The relative luminance of ``#rgb`` or ``#rrggbb`` (WCAG 2.2)."""
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_what_the_standard_says() -> None:
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize(("scheme", "colours"), list(schemes()), ids=["light", "dark", "print"])
@pytest.mark.parametrize("ink", ["ink", "soft", "link"])
def test_text_can_be_read(scheme: str, colours: dict[str, str], ink: str) -> None:
    for ground in ("card", "paper"):
        assert contrast(colours[ink], colours[ground]) >= 4.5, f"{ink} on {ground}, {scheme}"


@pytest.mark.parametrize("name", ["ink", "soft", "link", "paper", "card", "line"])
def test_no_colour_stands_outside_of_the_schemes(name: str) -> None:
    style = page().partition("<style>")[2].partition("</style>")[0]
    assert f"var(--{name})" in style
    outside = re.sub(r":root \{.*?\}", "", style)
    assert re.findall(r"#[0-9a-f]{3,6}\b", outside) == []


def test_the_focus_can_be_seen() -> None:
    assert re.search(r"a:focus-visible \{ outline: [^}]*var\(--link\)", page())


OWN = b"""<!doctype html><title>$title</title><p>${detail} $status $code $ray</p>
<a href="$login_url">in</a><a href="$logout_url">out</a>$action<p>5 $$</p>"""


def test_an_own_page(template: MakeTemplate) -> None:
    own = RefusalPage(template(OWN))
    filled = own.fill(NoToken(), 403, "8f1a2b3c4d5e6f70-FRA", LOGIN_URL, "").decode()
    escaped = LOGIN_URL.replace("&", "&amp;")
    assert filled == (
        f"<!doctype html><title>{NoToken.title}</title><p>{NoToken.detail} 403 no-token 8f1a2b3c4d5e6f70-FRA</p>\n"
        f'<a href="{escaped}">in</a><a href="">out</a><p class="action"><a href="{escaped}">Sign in</a></p><p>5 $</p>'
    )


def test_an_own_page_may_have_its_style_and_pictures_and_no_script(template: MakeTemplate) -> None:
    headers = dict(RefusalPage(str(template(OWN))).headers)
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; font-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_whatever_is_put_in_is_escaped(template: MakeTemplate) -> None:
    hostile = "\"'><script>&$title"
    own = RefusalPage(template(b"$ray $login_url $logout_url $action"))
    for filled in (own.fill(NoToken(), 401, hostile, hostile, hostile), page(ray=hostile, login_url=hostile).encode()):
        assert b"<script>" not in filled
        assert b"'" not in filled.partition(b"</style>")[2]
        assert b"&quot;&#x27;&gt;&lt;script&gt;&amp;$title" in filled, "and not filled in twice"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"$titel", r"\$titel is not a placeholder; did you mean \$title\?", id="a-slip"),
        pytest.param(b"${login}", r"\$login is not a placeholder; did you mean \$login_url\?", id="in-braces"),
        pytest.param(b"$kwyjibo", r"\$kwyjibo is not .*; known are \$title, .*\$action", id="an-unknown-one"),
        pytest.param(b"a\n  $ 5", r"line 2, col 3; write a dollar sign as \$\$", id="a-dollar-sign"),
        pytest.param(b"\xff", r"cannot be read \(UnicodeDecodeError\)", id="not-utf-8"),
    ],
)
def test_a_template_is_checked_at_start(template: MakeTemplate, content: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError, match="refusal_template: .*" + said):
        RefusalPage(template(content))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("no/such/file.html", "FileNotFoundError", id="missing"),
        pytest.param(".", "IsADirectoryError|PermissionError", id="a-directory"),
        pytest.param("a\0b", "ValueError", id="not-a-path"),
        pytest.param(b"file.html", "is 9 bytes", id="bytes"),
        pytest.param(3, "is a number", id="a-descriptor"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(path: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"refusal_template: .*({said}).*; give the path of a file of HTML"):
        RefusalPage(path)
