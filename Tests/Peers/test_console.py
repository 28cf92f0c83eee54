"""The maker's console in a real browser, with real agents behind the server."""

import random
import re
import sqlite3
import time

import pytest
import requests

from agent import Puppet
from apus_server import Server, wait_until
from browser import Browser
from field import Field, program

PASSWORD = "correct horse 7"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "data").start()
    for role in ("admin", "operator", "owner"):
        server.cli("user", "add", "the-" + role, "--role", role, "--password", PASSWORD)
    yield server
    if server.runs:
        server.stop()


@pytest.fixture
def field(server, tmp_path):
    field = Field(server, tmp_path)
    yield field
    field.close()


def sign_in(browser, server, path="/console", uid="the-admin", width=1280, **look):
    """Goes to a page as somebody who is not signed in, and signs in."""
    browser.go(server.url + "/healthz")
    browser.cdp("Network.clearBrowserCookies")
    browser.log()
    browser.look(width, **look)
    browser.go(server.url + path)
    browser.fill("#uid", uid)
    browser.fill("#password", PASSWORD)
    browser.click("button.primary")
    wait_until(lambda: browser.js("return location.pathname") != "/console/sign-in", 10, "the page behind the sign-in")


def session(server, uid="the-admin"):
    """The same without a browser."""
    session = requests.Session()
    text = session.get(server.url + "/console/sign-in").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', text)[1]
    session.post(server.url + "/console/sign-in", data={"uid": uid, "password": PASSWORD, "csrf": csrf}).raise_for_status()
    return session


def upload(browser, path):
    """Chooses a file, as a click on the drop zone would."""
    element = browser.call("/element", {"using": "css selector", "value": "#publish input[type=file]"})
    browser.call(f"/element/{next(iter(element.values()))}/value", {"text": str(path)})


def confirm(browser, dialog):
    """Presses the button of an open dialog that does it, and waits until it closed."""
    wait_until(lambda: browser.js(f"return document.querySelector('#{dialog}')?.open"), 5, f"the dialog {dialog}")
    browser.click(f"#{dialog} .actions button:last-child")
    wait_until(lambda: not browser.js(f"return document.querySelector('#{dialog}')?.open"), 10, f"the end of {dialog}")


def test_the_checklist_ticks_itself(browser, server):
    sign_in(browser, server)
    assert "Five steps to the first update" in browser.text("h1")
    current = "return document.querySelector('li[aria-current=step]').dataset.key"
    assert browser.js(current) == "product"
    browser.click("li[aria-current=step] a.button")
    wait_until(lambda: browser.js("return document.querySelector('#add-product')?.open"), 10, "the dialog")
    browser.fill("#p-name", "Desk lamp")
    browser.fill("#p-slug", "lamp")
    browser.fill("#p-hardware", "board")
    browser.click("#add-product .primary")
    wait_until(lambda: browser.js("return location.pathname") == "/console/products/lamp", 10, "the product")
    browser.go(server.url + "/console")
    assert browser.js(current) == "device"
    assert "--product lamp --hardware board" in browser.text("li[aria-current=step] code")
    # Done on the command line, ticked on the page.
    server.cli("device", "add", "lamp-1", "--product", "lamp", "--token")
    wait_until(lambda: browser.js(current) == "agent", 10, "the tick of the device")
    assert "--thing lamp-1" in browser.text("li[aria-current=step] code")


def test_who_may_come_in(browser, server):
    sign_in(browser, server, "/console/devices", uid="the-owner")
    wait_until(lambda: browser.js("return location.pathname") == "/my", 10, "the owner's page")
    browser.go(server.url + "/console")
    assert "for operators" in browser.text("h1")
    operator = session(server, "the-operator")
    assert "/console/access" not in operator.get(server.url + "/console").text
    assert operator.get(server.url + "/console/access").status_code == 403
    assert session(server).get(server.url + "/console/access").status_code == 200
    wrong = requests.Session()
    csrf = re.search(r'name="csrf" value="([^"]+)"', wrong.get(server.url + "/console/sign-in").text)[1]
    answer = wrong.post(server.url + "/console/sign-in", data={"uid": "the-admin", "password": "no", "csrf": csrf})
    assert answer.status_code == 401 and "wrong" in answer.text
    foreign = operator.post(
        server.url + "/console/sign-out", data={"csrf": "x"}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert operator.get(server.url + "/console").status_code == 200
    page = operator.get(server.url + "/console/devices/none")
    assert page.status_code == 404 and "There is no device none" in page.text
    assert page.headers["cache-control"] == "no-store" and "default-src 'none'" in page.headers["content-security-policy"]


def test_upload_activate_withdraw(browser, server, field):
    sign_in(browser, server, f"/console/releases?product={field.product}")
    image = field.folder / "image.bin"
    image.write_bytes(program("1.0.5"))
    upload(browser, image)
    wait_until(lambda: browser.text(".upload b") == "image.bin", 5, "the file in the form")
    browser.fill("#version", "1.0.5")
    browser.fill("#notes", "**Calmer** at night.")
    browser.click(".notes-field button")
    wait_until(lambda: browser.text("#notes-preview strong") == "Calmer", 5, "the preview")
    browser.click(".notes-field button")
    browser.click("input[name=draft]")
    browser.click("#publish .primary")
    browser.wait_text("tbody .state", "Draft", 10)
    assert requests.get(f"{server.url}/firmware/{field.product}/1.0.5.bin").status_code == 404
    browser.click("tbody .act button")
    confirm(browser, "activate")
    browser.wait_text("tbody .state", "Active", 10)
    assert requests.get(f"{server.url}/firmware/{field.product}/1.0.5.bin").status_code == 200
    browser.go(f"{server.url}/console/releases/{field.product}/1.0.5")
    assert browser.text(".prose strong") == "Calmer"
    browser.click("button[data-open=withdraw]")
    browser.fill("#reason", "Wi-Fi drops")
    confirm(browser, "withdraw")
    browser.wait_text("main", "Withdrawn: Wi-Fi drops", 10)
    assert requests.get(f"{server.url}/firmware/{field.product}/1.0.5.bin").status_code == 404
    # A text is no firmware; the page says why and what to do.
    browser.go(f"{server.url}/console/releases?product={field.product}")
    image.write_text("just a text\n" * 50)
    upload(browser, image)
    browser.fill("#version", "1.0.6")
    browser.click("#publish .primary")
    browser.wait_text(".upload.refused", "Not a firmware image", 10)


def test_one_device_live(browser, server, field):
    agent = field.agent("lamp-1", speed=250_000).start()
    field.wait_version("lamp-1", "1.0.4")
    field.publish("1.0.5")
    sign_in(browser, server, "/console/devices/lamp-1")
    browser.wait_text("[data-live=chips]", "Online", 10)
    assert "Behind" in browser.text("[data-live=chips]")
    browser.click("button[data-open=update]")
    confirm(browser, "update")
    browser.wait_text("[data-live=progress]", "%", 10)
    assert "Cancel update" in browser.text("[data-live=actions]")
    browser.wait_text("[data-live=sentence]", "Runs 1.0.5", 40)  # without a reload
    browser.wait_text("[data-live=chips]", "Up to date", 10)
    timeline = browser.text("[data-live=timeline]")
    assert "Ordered 1.0.5" in timeline and "Runs 1.0.5 on trial" in timeline
    assert "config.firmware_version" in browser.text("[data-live=shadow]")
    assert browser.text("[data-live=rules] .decides") or "newest" in browser.text("[data-live=why-head]")
    agent.kill()
    browser.wait_text("[data-live=presence]", "connection lost", 20)
    browser.wait_text("[data-live=chips]", "Offline", 10)


def test_log_and_shadow_live(browser, server, field):
    with Puppet(server, field.add_device("lamp-1"), "lamp-1") as puppet:
        puppet.report(config={"firmware_version": "1.0.4"})
        sign_in(browser, server, "/console/devices/lamp-1")
        wait_until(lambda: browser.js("return document.querySelector('#log-live').dataset.state") == "live", 10, "the log")
        puppet.log('{"message":"heap is low","level":"WARN","free":142}')
        browser.wait_text("#log", "heap is low free=142", 10)
        puppet.log("second line")
        browser.wait_text("#log", "second line", 10)
        browser.fill("#log-q", "heap")
        wait_until(lambda: "second line" not in browser.text("#log"), 5, "the filter")
        requests.post(
            f"{server.url}/things/lamp-1/shadow", headers=server.admin,
            json={"state": {"desired": {"config": {"bright": 80}}}}).raise_for_status()
        browser.wait_text("[data-live=shadow] .differs", "config.bright", 10)
        puppet.report(config={"bright": 80})
        wait_until(lambda: not browser.text("[data-live=shadow] .differs"), 10, "agreement")


def test_every_action_asks_once(browser, server, field):
    field.add_device("lamp-1")
    sign_in(browser, server, "/console/devices/lamp-1")
    for action in ("revoke", "remove"):
        browser.click("details.menu summary")
        browser.click(f"button[data-open={action}]")
        wait_until(lambda: browser.js(f"return document.querySelector('#{action}').open"), 5, "the question")
        assert not field.device("lamp-1")["revoked"]
        browser.click(f"#{action} [data-close]")
    browser.click("details.menu summary")
    browser.click("button[data-open=revoke]")
    confirm(browser, "revoke")
    browser.wait_text("[data-live=chips]", "Revoked", 10)
    browser.click("details.menu summary")
    browser.click("button[data-open=remove]")
    browser.click("#remove .danger")
    wait_until(lambda: browser.js("return location.pathname") == "/console/devices", 10, "the list")
    browser.wait_text("main", "No device yet", 10)


def fleet(server, count):
    """Devices as rows, made while the server stands still."""
    server.cli("product", "add", "lamp", "--hardware", "board")
    server.stop()
    chance, now = random.Random(7), int(time.time() * 1000)
    with sqlite3.connect(server.data / "apus.sqlite") as db:
        db.executemany(
            "INSERT INTO devices (thing, product, hardware, connected, last_seen, reported_version, phase, created)"
            " VALUES (?, 'lamp', 'board', 0, ?, ?, ?, ?)",
            ((f"lamp-{n:06}", now - chance.randrange(10**9), chance.choice(("1.0.4", "1.0.5")),
              "failed" if n % 10 == 3 else None, now) for n in range(count)))
    server.start()


def rows(browser):
    return browser.js("return [...document.querySelectorAll('tbody a.name')].map(a => a.textContent)")


def test_a_hundred_thousand_devices(browser, server):
    fleet(server, 100_000)
    sign_in(browser, server, "/console/devices")
    assert rows(browser)[:2] == ["lamp-000000", "lamp-000001"] and len(rows(browser)) == 50
    assert browser.text("[data-live=shown]") == "1 to 50 of 100,000"
    browser.click("a[rel=next]")
    wait_until(lambda: rows(browser)[:1] == ["lamp-000050"], 10, "the next page")
    assert browser.text("[data-live=shown]") == "51 to 100 of 100,000"
    browser.go(server.url + "/console/devices?state=attention&version=1.0.4&q=lamp-00")
    assert all(name[-1] == "3" for name in rows(browser))
    assert browser.js("return [...document.querySelectorAll('a.filter.on b')].map(b => b.textContent)") == [
        "Need attention", "1.0.4", "lamp-00"]
    browser.click("a.filter.on")
    wait_until(lambda: "state=" not in browser.js("return location.search"), 10, "the list without the filter")
    browser.go(server.url + "/console/devices?sort=-thing")
    assert rows(browser)[0] == "lamp-099999"
    assert browser.js("return document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "descending"
    browser.go(server.url + "/console/devices?q=zebra")
    assert "0 of 100,000 match" in browser.text("main")
    console = session(server)
    table = console.get(server.url + "/api/v1/devices.csv?state=attention").text.splitlines()
    assert len(table) == 10_001 and table[0].startswith("device,product")
    # Far above what was measured, far below what nobody would wait for: a walk through all rows one by one is red.
    times = sorted(console.get(server.url + "/console/devices").elapsed.total_seconds() for _ in range(5))
    assert times[2] < 2, times


def test_texts_of_others_are_only_texts(browser, server, field):
    server.cli("product", "set", field.product, "--name", HOSTILE, "--phrase-label", HOSTILE)
    image = field.folder / "1.0.5.bin"
    image.write_bytes(program("1.0.5"))
    notes = field.folder / "notes.md"
    notes.write_text(HOSTILE)
    server.cli("release", "publish", image, "--product", field.product, "--version", "1.0.5", "--notes", notes)
    with Puppet(server, field.add_device("lamp-1"), "lamp-1") as puppet:
        puppet.report(config={"firmware_version": "1.0.4", HOSTILE: HOSTILE})
        server.cli("device", "update", "lamp-1", "1.0.5")
        puppet.report(update={"version": "1.0.5", "state": "rolledBack", "error": HOSTILE})
        puppet.log('{"message":"' + HOSTILE + '","level":"' + HOSTILE + '"}')
        server.cli("release", "withdraw", "1.0.5", "--product", field.product, "--reason", HOSTILE)
        wait_until(lambda: requests.get(
            f"{server.url}/api/v1/devices/lamp-1/logs", headers=server.admin).json()["lines"], 10, "the line")
        sign_in(browser, server)
        for path in pages(field, "1.0.5") + ["/console/devices?q=" + requests.utils.quote(HOSTILE)]:
            browser.go(server.url + path)
            assert not browser.js("return document.querySelectorAll('main img, main script').length"), path
            assert browser.log() == [], path
        browser.go(server.url + "/console/devices/lamp-1")
        assert browser.text("main").count("<img src=x") >= 4


def pages(field, version):
    return [
        "/console", "/console/devices", "/console/devices/lamp-1", f"/console/releases?product={field.product}",
        f"/console/releases/{field.product}/{version}", "/console/products", f"/console/products/{field.product}",
        "/console/access",
    ]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_keeps_the_rules(browser, server, field, width, dark):
    field.publish("1.0.5")
    with Puppet(server, field.add_device("lamp-1"), "lamp-1") as puppet:
        puppet.report(config={"firmware_version": "1.0.4"})
        server.cli("device", "update", "lamp-1", "1.0.5")
        puppet.report(update={"version": "1.0.5", "state": "downloading", "percent": 62})
        sign_in(browser, server, width=width, dark=dark)
        for path in pages(field, "1.0.5"):
            browser.go_cold(server.url + path)
            assert browser.violations() == [], path
            assert browser.too_wide() <= 0, path
            assert browser.log() == [], path
            assert browser.weight() <= 150_000, path
            inline = "return document.querySelectorAll('[style], style, script:not([src])').length"
            assert browser.js(inline) == 0, path
