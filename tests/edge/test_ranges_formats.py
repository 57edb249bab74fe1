"""Do nginx, Caddy and the firewalls take what we write for them, and does it keep others out?"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cfaccess_mw.edge.ranges import Ranges, read_ranges, shipped
from cfaccess_mw.edge.ranges_formats import FORMATS, written
from tests.edge.test_ranges import V4, V6, as_json
from tests.processes import free_port, listens

SAID = {"CF-Connecting-IP": "203.0.113.9"}


@pytest.mark.parametrize("form", FORMATS)
def test_every_network_is_written(form: str) -> None:
    text = written(shipped(), form)
    for cidr in [*V4, *V6]:
        assert cidr in text


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"text"}))
def test_it_says_of_which_day_it_is(form: str) -> None:
    assert str(shipped().date) in written(shipped(), form)
    assert str(shipped().date) not in written(read_ranges(as_json()), form)


def test_text_is_a_network_a_line_and_json_can_be_read() -> None:
    assert written(shipped(), "text").splitlines() == [*V4, *V6]
    document = json.loads(written(shipped(), "json"))
    assert (document["ipv4_cidrs"], document["ipv6_cidrs"]) == (V4, V6)


def with_loopback(text: str) -> str:
    """The same, where Cloudflare comes from loopback as well."""
    return text.replace(V4[0], "127.0.0.0/8")


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[str]:
    """Run a server that listens at a port, and end it."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        listens(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def seen(url: str) -> str:
    """What a request gets: status and body, or nothing where it is cut off."""
    try:
        answer = httpx.get(url, headers=SAID, trust_env=False, timeout=10)
    except httpx.RemoteProtocolError:
        return "cut off"
    return f"{answer.status_code} {answer.text.strip()}" if answer.status_code == 200 else str(answer.status_code)


NGINX = """daemon off; pid {folder}/pid; error_log stderr; events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    include {folder}/cloudflare.conf;
    server {{
        listen 127.0.0.1:{port};
        if ($not_from_cloudflare) {{ return 403; }}
        location / {{ return 200 $remote_addr; }}
    }}
}}"""


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
@pytest.mark.parametrize(("is_cloudflare", "expected"), [(False, "403"), (True, "200 203.0.113.9")])
def test_nginx_keeps_others_out_and_knows_the_client(tmp_path: Path, is_cloudflare: bool, expected: str) -> None:
    text = written(shipped(), "nginx")
    (tmp_path / "cloudflare.conf").write_text(with_loopback(text) if is_cloudflare else text)
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, port=port))
    with running(["nginx", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)], port, tmp_path) as url:
        assert seen(url) == expected, (tmp_path / "log").read_text()


CADDY = """
http://:{port} {{
    import only_from_cloudflare
    handle /handled {{
        respond "{{client_ip}}"
    }}
    route {{
        respond "{{client_ip}}"
    }}
}}
"""


def caddy_version() -> tuple[int, ...]:
    """The version that is installed; nothing where none is."""
    if shutil.which("caddy") is None:
        return ()
    said = subprocess.run(["caddy", "version"], capture_output=True, text=True, timeout=20, check=True).stdout
    return tuple(map(int, re.findall(r"\d+", said)[:2]))


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")
@pytest.mark.parametrize("is_cloudflare", [False, True], ids=["somebody", "cloudflare"])
def test_caddy_keeps_others_out(tmp_path: Path, is_cloudflare: bool) -> None:
    text = written(shipped(), "caddy")
    knows_clients = caddy_version() >= (2, 7)
    if not knows_clients:  # the rest is older
        text = re.sub(r"\tservers \{.*?\n\t\}\n", "", text, flags=re.DOTALL)
    port = free_port()
    site = CADDY.format(port=port).replace("{client_ip}", "{client_ip}" if knows_clients else "here")
    text = (with_loopback(text) if is_cloudflare else text).replace("{\n\torder", "{\n\tadmin off\n\torder", 1)
    (tmp_path / "Caddyfile").write_text(text + site)
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    with running(command, port, tmp_path) as url:
        good = "200 203.0.113.9" if knows_clients else "200 here"
        for path in ("/", "/handled"):
            assert seen(url + path) == (good if is_cloudflare else "cut off"), (tmp_path / "log").read_text()


@pytest.mark.skipif(caddy_version() < (2, 7), reason="caddy 2.7 or later is not installed")
def test_caddy_takes_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(written(shipped(), "caddy") + CADDY.format(port=8080))
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")
def test_nftables_takes_it(tmp_path: Path) -> None:
    rules = tmp_path / "cloudflare.nft"
    rules.write_text(written(shipped(), "nftables", ports=[8443]))
    done = subprocess.run(["nft", "-c", "-f", str(rules)], capture_output=True, text=True, timeout=20, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("nft may not be used by this user")
    assert (done.returncode, done.stderr) == (0, "")


def test_nftables_drops_whoever_is_not_on_the_list_and_guards_the_ports() -> None:
    lines = [line.strip() for line in written(shipped(), "nftables", ports=[80, 8443]).splitlines()]
    guarded = 'iifname != "lo" meta l4proto { tcp, udp } th dport { 80, 8443 }'
    assert f"{guarded} ip saddr != @cloudflare4 drop" in lines
    assert f"{guarded} ip6 saddr != @cloudflare6 drop" in lines


def test_ufw_gets_a_line_for_each_network() -> None:
    lines = [line for line in written(shipped(), "ufw", ports=[443]).splitlines() if not line.startswith("#")]
    assert lines == [f"ufw allow proto tcp from {cidr} to any port 443 comment 'Cloudflare'" for cidr in [*V4, *V6]]


@pytest.mark.skipif(shutil.which("ufw") is None, reason="ufw is not installed")
def test_ufw_takes_it() -> None:
    networks = tuple(network for network in shipped().networks if str(network) in (V4[0], V6[0]))
    for line in written(Ranges(networks=networks), "ufw").splitlines()[2:]:
        command = ["ufw", "--dry-run", *line.replace("'", "").split()[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if "need to be root" in done.stderr:
            pytest.skip("ufw may not be used by this user")
        assert done.returncode == 0, done.stderr
