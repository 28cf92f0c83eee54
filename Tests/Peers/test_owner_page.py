"""The owner's page in a real browser, with real agents behind the server."""

import re
import sqlite3
import time

import pytest
import requests

from agent import Listener, Puppet
from apus_server import Server, wait_until
from browser import ENTER, TAB, Browser
from field import EXITS, Field, program

NOTES = "- Dimmed light no longer **flickers**.\n- See [more](https://example.net/notes)."
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("pages") / "data").start()
    yield server
    if server.runs:
        server.stop()


@pytest.fixture
def field(server, tmp_path):
    field = Field(server, tmp_path)
    yield field
    field.close()


@pytest.fixture
def own(tmp_path):
    """A field on a server of one test's own, to be stopped and changed at will."""
    server = Server(tmp_path / "data").start()
    field = Field(server, tmp_path)
    yield field
    field.close()
    if server.runs:
        server.stop()


def change(field, *statement):
    """Changes a row while the server is stopped."""
    field.server.stop()
    with sqlite3.connect(field.server.data / "apus.sqlite") as db:
        rows = db.execute(*statement).fetchall()
    field.server.start()
    return rows


def sign_in(browser, field, owner=None, **look):
    """Opens a one-use link, as an owner who was sent one."""
    link = field.server.cli_json("user", "link", owner or field.owner)["link"]
    browser.go(field.server.url + "/healthz")
    browser.cdp("Network.clearBrowserCookies")
    browser.log()  # what an earlier page said about its server
    browser.look(**look)
    browser.go(field.server.url + link[link.index("/setup"):])
    wait_until(lambda: browser.js("return location.pathname") == "/my", 10, "the list of devices")


def page(field, thing):
    return f"{field.server.url}/my/devices/{thing}"


def offered(field, thing, version="1.0.5"):
    """Publishes a version, with notes, for devices that have said they run an older one."""
    path = field.folder / f"{version}.bin"
    path.write_bytes(program(version))
    field.server.cli(
        "release", "publish", path, "--product", field.product, "--version", version, "--notes", _notes(field))


def _notes(field, text=NOTES):
    path = field.folder / "notes.md"
    path.write_text(text)
    return path


def press(browser, what):
    browser.click(f"button[name=do][value={what}]")


def test_install_progress_reload_done(browser, field, thing):
    agent = field.agent(thing, speed=150_000).start()
    field.wait_version(thing, "1.0.4")
    offered(field, thing)
    sign_in(browser, field)
    assert "1.0.5 is ready" in browser.text("main")
    browser.click("a.device")
    browser.wait_state("offer")
    assert browser.text("h1") == "Update 1.0.5 is ready"
    assert browser.js("return document.querySelector('.notes a').rel").startswith("noopener")
    press(browser, "install")
    browser.wait_state("progress")
    read = "const ring = document.querySelector('#state'); return [ring?.dataset.phase, document.title]"
    seen = []
    wait_until(lambda: (seen.append(browser.js(read)[1]), browser.js(read)[0] == "download")[1], 20, "the download")
    browser.go(page(field, thing))  # a reload in the middle
    browser.wait_state("progress")
    numbers = []

    def done():
        title = browser.js("return document.title")
        number = re.match(r"(\d+) %", title)
        numbers.extend(int(number[1]) for number in [number] if number)
        return browser.js("return document.querySelector('#state').dataset.key") == "done"

    wait_until(done, 40, "the end of the update")
    assert numbers == sorted(numbers), "the percentage went backwards"
    assert "1.0.5 runs and works" in browser.text("main")
    assert "flickers" in browser.text("main")
    press(browser, "dismiss")
    browser.wait_state("current")
    assert browser.log() == []
    agent.stop()


def test_the_server_restarts_in_the_middle(browser, own, thing):
    own.agent(thing, speed=100_000).start()
    own.wait_version(thing, "1.0.4")
    offered(own, thing)
    sign_in(browser, own)
    browser.go(page(own, thing))
    press(browser, "install")
    wait_until(lambda: browser.js("return document.querySelector('#state').dataset.phase") == "download", 20, "a start")
    own.server.kill()
    own.server.start()
    browser.wait_state("done", 60)


def test_a_failed_update_says_what_still_works(browser, field, thing):
    field.agent(thing).start()
    field.wait_version(thing, "1.0.4")
    field.publish("1.0.6", program("1.0.6", EXITS))
    sign_in(browser, field)
    browser.go(page(field, thing))
    press(browser, "install")
    browser.wait_state("failed", 60)
    assert browser.text("h1").replace("\xa0", " ") == "Your device is back on 1.0.4 and works"
    assert "did not start properly" in browser.text("main")
    code = re.search(r"[0-9A-Z]{3}-[0-9A-Z]{3}", browser.text(".support"))[0]
    found = field.server.cli_json("device", "list", "--search", code)["devices"]
    assert [device["thing"] for device in found] == [thing], "support cannot use the code"
    press(browser, "later")
    browser.wait_state("offer")
    assert "We ask you again on" in browser.text("main")


def test_keyboard_only(browser, field, thing):
    folder = field.add_device(thing)
    with Puppet(field.server, folder, thing) as puppet:
        puppet.runs("1.0.4")
        offered(field, thing)
        sign_in(browser, field)

        def tab_to(css):
            for _ in range(40):
                browser.press(TAB)
                if browser.js("return document.activeElement.matches(arguments[0])", css):
                    ring = browser.js("return getComputedStyle(document.activeElement).outlineStyle")
                    return None if ring != "none" else pytest.fail("no visible focus")
            pytest.fail(f"{css} cannot be reached by Tab")

        tab_to("a.device")
        browser.press(ENTER)
        browser.wait_state("offer")
        tab_to("button[value=install]")
        browser.press(ENTER)
        browser.wait_state("progress")
        puppet.report(update={"version": "1.0.5", "state": "downloading", "percent": 40})
        browser.wait_text(".ring", "40")
        puppet.report(update={"version": "1.0.5", "state": "confirming", "percent": None})
        puppet.runs("1.0.5")
        browser.wait_state("done")
        tab_to("button[value=dismiss]")
        browser.press(ENTER)
        browser.wait_state("current")


def test_tonight_is_kept_and_carried_out(browser, own, thing):
    with Puppet(own.server, own.add_device(thing), thing) as puppet:
        puppet.runs("1.0.4")
    offered(own, thing)
    sign_in(browser, own)
    browser.cdp("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
    browser.go(page(own, thing))
    press(browser, "tonight")
    browser.cdp("Emulation.setTimezoneOverride", timezoneId="")
    browser.wait_text("main", "We install it tonight")
    ((until,),) = change(own, "SELECT until FROM offers")
    assert 0 < until / 1000 - time.time() <= 24 * 3600
    assert time.gmtime(until / 1000)[3:6] == (17, 0, 0), "02:00 in Tokyo is 17:00 UTC"
    assert own.update(thing) == {}
    change(own, "UPDATE offers SET until = 1")
    wait_until(lambda: own.update(thing).get("state") == "queued", 25, "the update of the night")
    assert own.desired_version(thing) == "1.0.5"


def test_later_asks_again(own, thing):
    with Puppet(own.server, own.add_device(thing), thing) as puppet:
        puppet.runs("1.0.4")
    own.publish("1.0.5")
    forms = Forms(own)
    path = f"/my/devices/{thing}"
    forms.post(path, do="later", version="1.0.5")
    assert "We ask you again on" in forms.get(path).text
    ((until,),) = change(own, "SELECT until FROM offers")
    assert abs(until / 1000 - time.time() - 3 * 24 * 3600) < 120
    change(own, "UPDATE offers SET until = 1")
    events = Listener(own.server, own.session)
    with events:
        events.wait("offer", 25, device=thing, version="1.0.5")
    assert "We ask you again on" not in forms.get(path).text
    assert own.update(thing) == {}


def test_an_expired_offer_does_not_make_an_old_version_new(own, thing):
    with Puppet(own.server, own.add_device(thing), thing) as puppet:
        puppet.runs("1.0.4")
    own.publish("1.0.5")
    change(own, "UPDATE offers SET state = 'expired', ended = 1")
    text = Forms(own).get(f"/my/devices/{thing}").text
    assert "Your device works" in text and "up to date" not in text


def test_offline_says_since_when_and_keeps_the_offer(browser, own, thing):
    with Puppet(own.server, own.add_device(thing), thing) as puppet:
        puppet.runs("1.0.4")
    offered(own, thing)
    sign_in(browser, own)
    change(own, "UPDATE devices SET last_seen = last_seen - 1500000")
    browser.go(page(own, thing))
    assert "Your device is offline" in browser.text("main")
    assert "25 min ago" in browser.text("main")
    assert "kept for you" in browser.text("main")
    press(browser, "install")
    browser.wait_state("progress")
    assert "starts as soon as the device is back" in browser.text("main")
    press(browser, "stop")
    browser.wait_state("offer")
    assert "Nothing has changed" in browser.text("main")


def test_a_setting_waits_for_the_device(browser, field, thing):
    field.server.cli("product", "set", field.product, "--phrase-label", "Greeting", "--phrase", "tokyo", "--phrase", "hakata")
    with Puppet(field.server, field.add_device(thing), thing) as puppet:
        puppet.report(config={"firmware_version": "1.0.4", "phrase_type": "tokyo"})
        sign_in(browser, field)
        browser.go(page(field, thing))
        assert "Waiting for your device" not in browser.text("main")
        browser.js("document.querySelector('select[name=phrase_type]').value = 'hakata'")
        press(browser, "setting")
        browser.wait_text("main", "Waiting for your device")
        assert field.shadow(thing)["state"]["delta"] == {"config": {"phrase_type": "hakata"}}
        puppet.report(config={"phrase_type": "hakata"})
        wait_until(lambda: "Waiting for your device" not in browser.text("main"), 20, "the setting to arrive")
        assert browser.js("return document.querySelector('select[name=phrase_type]').value") == "hakata"


def test_progress_arrives_as_events_in_place(browser, field, thing):
    """A percentage comes as an event and changes the page as it stands: the page cannot be fetched, and the focus stays."""
    with Puppet(field.server, field.add_device(thing), thing) as puppet:
        puppet.runs("1.0.4")
        offered(field, thing)
        sign_in(browser, field)
        browser.go(page(field, thing))
        press(browser, "install")
        browser.wait_state("progress")
        puppet.report(update={"version": "1.0.5", "state": "downloading", "percent": 10})
        browser.wait_text(".ring", "10")
        assert browser.text("[data-slot=left]") == "", "a time that was not measured"
        browser.js("document.querySelector('button[value=stop]').focus()")
        browser.cdp("Network.enable")
        browser.cdp("Network.setBlockedURLs", urls=["*/my/devices/*"])
        try:
            for percent in (11, 37, 62):
                puppet.report(update={"version": "1.0.5", "state": "downloading", "percent": percent})
                browser.wait_text(".ring", str(percent))
            assert browser.js("return document.activeElement.value") == "stop"
            left = "return document.querySelector('[data-slot=left]').textContent"
            for percent in range(63, 99):
                puppet.report(update={"version": "1.0.5", "state": "downloading", "percent": percent})
                browser.wait_text(".ring", str(percent))
                if browser.js(left):
                    break
                time.sleep(0.1)  # the pace of the download, from which the page measures
            assert re.fullmatch(r"\d+ (s|min) left", browser.js(left)), "no time left after seconds of measured progress"
        finally:
            browser.cdp("Network.setBlockedURLs", urls=[])


def test_a_device_that_reports_nothing_has_a_percentage(browser, field, thing):
    """The bytes handed out stand for its download; it stays at 99 until it says that the new version runs."""
    folder = field.add_device(thing)
    with Puppet(field.server, folder, thing) as puppet:
        puppet.runs("1.0.4")
        path = field.folder / "1.0.5.bin"
        path.write_bytes(program("1.0.5", size=4_000_000))
        field.server.cli("release", "publish", path, "--product", field.product, "--version", "1.0.5")
        sign_in(browser, field)
        browser.go(page(field, thing))
        press(browser, "install")
        browser.wait_state("progress")
        shown = []
        read = "return document.querySelector('[data-slot=percent]')?.textContent"

        def pace(count):
            if count % 800_000 < 16_384:
                time.sleep(0.3)
                shown.append(browser.js(read))

        puppet.download(f"{field.server.https_url}/firmware/{field.product}/1.0.5.bin", pace)
        assert any(text and 0 < int(text) < 100 for text in shown), shown
        puppet.runs("1.0.5")
        browser.wait_state("done")


def test_every_page_is_accessible_narrow_and_light(browser, field, thing):
    """At 360 and 1280 px, light and dark: no console error, no axe finding, nothing too wide, 60 KB at most."""
    field.server.cli("product", "set", field.product, "--picture", "lamp", "--off-seconds", "20", "--minutes", "2",
                     "--support-until", "2031-06", "--phrase-label", "Greeting", "--phrase", "short", "--phrase", "long")
    folders = {name: field.add_device(name) for name in (thing, thing + "-new", thing + "-busy", thing + "-back")}
    puppets = [Puppet(field.server, folders[name], name).__enter__() for name in folders if not name.endswith("-new")]
    try:
        for puppet in puppets:
            puppet.runs("1.0.4")
        offered(field, thing)
        for puppet in puppets[1:]:
            answer = requests.put(f"{field.server.url}/app/devices/{puppet.thing}", headers=field.session,
                                  json={"firmware_version": "1.0.5"}, timeout=10)
            answer.raise_for_status()
        puppets[1].report(update={"version": "1.0.5", "state": "downloading", "percent": 62})
        puppets[2].report(update={"version": "1.0.5", "state": "rolledBack", "error": "no health in time"})
        paths = ["/my", "/my/account", "/my/devices/nobody"] + ["/my/devices/" + name for name in folders]
        for width in (360, 1280):
            for dark in (False, True):
                sign_in(browser, field, width=width, dark=dark)
                for path in paths:
                    browser.go_cold(field.server.url + path)
                    where = f"{path} at {width} px, {'dark' if dark else 'light'}"
                    assert browser.violations() == [], where
                    assert browser.too_wide() <= 0, where
                    assert 5_000 < browser.weight() < 60_000, where
                    noise = [line for line in browser.log() if "nobody" not in line]
                    assert noise == [], where
                    inline = "return document.querySelectorAll('[style], style, script:not([src])').length"
                    assert browser.js(inline) == 0, where
    finally:
        for puppet in puppets:
            puppet.__exit__()


def test_without_events_the_page_polls(browser, field, thing):
    folder = field.add_device(thing)
    with Puppet(field.server, folder, thing) as puppet:
        puppet.runs("1.0.4")
        offered(field, thing)
        sign_in(browser, field)
        browser.cdp("Network.enable")
        browser.cdp("Network.setBlockedURLs", urls=["*/app/listen*"])
        try:
            browser.go(page(field, thing))
            press(browser, "install")
            browser.wait_state("progress")
            puppet.report(update={"version": "1.0.5", "state": "downloading", "percent": 33})
            browser.wait_text(".ring", "33", 60)
            puppet.runs("1.0.5")
            browser.wait_state("done", 60)
        finally:
            browser.cdp("Network.setBlockedURLs", urls=[])


def test_two_tabs_show_the_same(browser, field, thing):
    folder = field.add_device(thing)
    with Puppet(field.server, folder, thing) as puppet:
        puppet.runs("1.0.4")
        offered(field, thing)
        sign_in(browser, field)
        browser.go(page(field, thing))
        first = browser.window()
        second = browser.open_tab()
        browser.switch(second)
        browser.go(page(field, thing))
        press(browser, "install")
        browser.wait_state("progress")
        puppet.report(update={"version": "1.0.5", "state": "downloading", "percent": 71})
        browser.wait_text(".ring", "71")
        browser.close_tab()
        browser.switch(first)
        browser.wait_state("progress")
        browser.wait_text(".ring", "71")


def test_hostile_texts_stay_texts(browser, field, thing):
    folder = field.add_device(thing)
    with Puppet(field.server, folder, thing) as puppet:
        puppet.report(config={"firmware_version": "1.0.4", "phrase_type": HOSTILE[:60]})
        field.server.cli("product", "set", field.product, "--phrase-label", HOSTILE[:60], "--name", HOSTILE)
        field.publish("1.0.5")
        field.server.cli("release", "publish", field.folder / "1.0.5.bin", "--product", field.product, "--version",
                         "1.0.5", "--notes", _notes(field, HOSTILE + "\n\n[x](javascript:alert(3))"))
        sign_in(browser, field)
        browser.go(page(field, thing))
        browser.click("details.fold summary")
        browser.fill("#name", HOSTILE[:60])
        press(browser, "name")
        browser.wait_text("header .title", HOSTILE[:60])
        for path in ("/my", f"/my/devices/{thing}"):
            browser.go(field.server.url + path)
            assert HOSTILE[:20] in browser.text("body")
            assert browser.js("return document.querySelectorAll('img, main script, [href^=javascript]').length") == 0
        assert browser.log() == []


def test_german(browser, field, thing):
    field.add_device(thing)
    sign_in(browser, field, language="de-DE,de;q=0.9")
    assert browser.text("h1") == "Meine Geräte"
    assert browser.js("return document.documentElement.lang") == "de"


# Without a browser's script


class Forms:
    """A browser without JavaScript: cookies and forms."""

    def __init__(self, field, owner=None):
        self.http = requests.Session()
        self.url = field.server.url
        link = field.server.cli_json("user", "link", owner or field.owner)["token"]
        self.http.post(self.url + "/app/session", json={"link": link}, timeout=10).raise_for_status()

    def get(self, path):
        return self.http.get(self.url + path, timeout=10, allow_redirects=False)

    def post(self, path, source=None, **fields):
        token = re.search(r'name="csrf" value="([^"]+)"', self.get(source or path).text)
        fields.setdefault("csrf", token[1] if token else "")
        headers = {"Origin": self.url}
        return self.http.post(self.url + path, data=fields, headers=headers, timeout=10, allow_redirects=False)


def test_install_is_a_form(field, thing):
    folder = field.add_device(thing)
    with Puppet(field.server, folder, thing) as puppet:
        puppet.runs("1.0.4")
        field.publish("1.0.5")
        forms = Forms(field)
        path = f"/my/devices/{thing}"
        answer = forms.post(path, do="install", version="1.0.4")
        assert answer.status_code == 303 and "no longer offered" in forms.get(path).text
        assert field.update(thing) == {}
        assert forms.post(path, do="install", version="1.0.5").headers["Location"] == path
        assert field.update(thing)["state"] == "queued"
        assert "Waiting for your device" in forms.get(path).text


def test_an_offer_ends_when_the_version_runs_anyway(field, thing):
    folder = field.add_device(thing)
    with Puppet(field.server, folder, thing) as puppet:
        puppet.runs("1.0.4")
        field.publish("1.0.5")
        forms = Forms(field)
        path = f"/my/devices/{thing}"
        assert "Update 1.0.5 is ready" in forms.get(path).text
        puppet.runs("1.0.5")
        assert "Your device is up to date" in forms.get(path).text


def test_owners_cannot_see_each_other(field, thing):
    folder = field.add_device(thing)
    with Puppet(field.server, folder, thing) as puppet:
        puppet.runs("1.0.4")
        field.publish("1.0.5")
        field.sign_in("other-" + field.owner)
        other = Forms(field, "other-" + field.owner)
        path = f"/my/devices/{thing}"
        assert other.get(path).status_code == 404
        assert thing not in other.get("/my").text
        for do in ("install", "tonight", "later", "stop", "dismiss", "name", "setting"):
            answer = other.post(path, source="/my/account", do=do, version="1.0.5", name="mine", phrase_type="x")
            assert answer.status_code == 404, do
        session = {"Cookie": "; ".join(f"{c.name}={c.value}" for c in other.http.cookies)}
        session["Origin"] = field.server.url
        for call, body in (("offer", {"version": "1.0.5", "answer": "install"}), ("stop", {"version": "1.0.5"})):
            answer = requests.post(f"{field.server.url}/app/devices/{thing}/{call}", headers=session, json=body, timeout=10)
            assert answer.status_code == 404, call
        assert field.update(thing) == {}


def test_forms_of_other_sites_are_refused(field, thing):
    field.add_device(thing)
    forms = Forms(field)
    path = f"/my/devices/{thing}"
    assert forms.post(path, do="name", name="mine", csrf="guessed").status_code == 403
    answer = forms.http.post(forms.url + path, data={"do": "name"}, headers={"Origin": "https://evil.example"}, timeout=10)
    assert answer.status_code == 403
    assert "mine" not in forms.get(path).text


def test_signed_out_means_signed_out(field):
    forms = Forms(field)
    assert "You are signed out" in forms.post("/my/sign-out", source="/my/account").text
    answer = forms.get("/my")
    assert answer.status_code == 303 and answer.headers["Location"].startswith("/my/sign-in")


def test_a_sign_in_leads_only_to_our_pages(field):
    field.server.cli("user", "add", "pass-" + field.owner, "--password", "correct horse")
    http = requests.Session()
    text = http.get(field.server.url + "/my/sign-in?next=//evil.example/", timeout=10).text
    token = re.search(r'name="csrf" value="([^"]+)"', text)[1]
    fields = {"uid": "pass-" + field.owner, "password": "wrong", "csrf": token, "next": "//evil.example"}
    answer = http.post(field.server.url + "/my/sign-in", data=fields, timeout=20)
    assert answer.status_code == 401 and "does not match" in answer.text
    fields["password"] = "correct horse"
    answer = http.post(field.server.url + "/my/sign-in", data=fields, timeout=20, allow_redirects=False)
    assert answer.status_code == 303 and answer.headers["Location"] == "/my"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_guessing_passwords_is_slowed_down(field):
    name = "guess-" + field.owner
    field.server.cli("user", "add", name, "--password", "correct horse")
    url = field.server.url + "/app/session"
    codes = [requests.post(url, json={"uid": name, "password": f"wrong {n}"}, timeout=20).status_code for n in range(11)]
    assert codes == [401] * 10 + [429]
    assert requests.post(url, json={"uid": name, "password": "correct horse"}, timeout=20).status_code == 429


def test_headers(field):
    answer = Forms(field).get("/my")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    manifest = requests.get(field.server.url + "/manifest.webmanifest", timeout=10).json()
    assert manifest["start_url"] == "/my" and manifest["display"] == "standalone"
    assert requests.get(field.server.url + manifest["icons"][0]["src"], timeout=10).headers["Content-Type"] == "image/svg+xml"
    assert requests.head(field.server.url + "/healthz", timeout=10).status_code == 200
    for path in re.findall(r'(?:href|src)="(/assets/[^"]+)"', answer.text):
        asset = requests.get(field.server.url + path, timeout=10)
        assert asset.ok and "immutable" in asset.headers["Cache-Control"]
