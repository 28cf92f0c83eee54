"""Accounts, the owner's API, publishing, logs and the command line's answers."""

import json
import os
import pathlib
import re
import subprocess
import uuid

import pytest
import requests

from apus_server import BINARY, wait_until
from field import Events, Field, program
from mqtt_peer import Peer, tls_context

TESTDATA = pathlib.Path(os.environ.get(
    "APUS_TESTDATA", pathlib.Path(__file__).resolve().parents[3] / "shared/testdata"))


@pytest.fixture
def field(strict, tmp_path):
    return Field(strict, tmp_path)


# Accounts

def test_password_and_session(strict):
    name = "ann-" + uuid.uuid4().hex[:6]
    strict.cli("user", "add", name, "--password", "correct horse")
    sign_in = lambda **body: requests.post(strict.url + "/app/session", json=body, timeout=20)
    wrong = sign_in(uid=name, password="wrong horse")
    assert wrong.status_code == 401 and wrong.json()["advice"]
    right = sign_in(uid=name, password="correct horse")
    assert right.status_code == 200 and "HttpOnly" in right.headers["Set-Cookie"]
    headers = {"Authorization": "Bearer " + right.json()["token"]}
    user = requests.get(strict.url + "/app/user", headers=headers, timeout=10)
    assert user.json() == {"uid": name, "device_id": None, "firmware_version": None, "phrase_type": None}
    assert requests.get(strict.url + "/api/v1/devices", headers=headers, timeout=10).status_code == 403
    requests.delete(strict.url + "/app/session", headers=headers, timeout=10)
    ended = requests.get(strict.url + "/app/user", headers=headers, timeout=10)
    assert ended.status_code == 401 and ended.headers["Content-Type"].startswith("application/problem+json")


def test_links_work_once(strict):
    link = strict.cli_json("user", "add", "bob-" + uuid.uuid4().hex[:6], "--link")
    assert re.search(r"/setup#k=", link["link"])
    use = lambda: requests.post(strict.url + "/app/session", json={"link": link["token"]}, timeout=10)
    assert use().status_code == 200
    assert use().status_code == 401


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"{", 400), (b"[]", 400), (b'{"firmware_version":5}', 400), (b'{"phrase_type":"' + b"x" * 65 + b'"}', 400),
    (b'{"x":"' + b"y" * 70_000 + b'"}', 413), (b'{"uid":"someone","device_id":"other","more":1}', 200),
])
def test_bodies_of_put_user(field, body, status):
    before = field.user()
    answer = requests.put(field.server.url + "/app/user", headers=field.session, data=body, timeout=10)
    assert answer.status_code == status, answer.text
    assert field.user() == before


def test_cookies_count_only_from_the_own_pages(field):
    token = field.session["Authorization"].split()[1]
    cookie = {"Cookie": "apus_session=" + token}
    url = field.server.url + "/app/user"
    assert requests.get(url, headers=cookie, timeout=10).status_code == 200
    assert requests.put(url, headers=cookie, json={}, timeout=10).status_code == 403
    foreign = dict(cookie, Origin="http://evil.example")
    assert requests.put(url, headers=foreign, json={}, timeout=10).status_code == 403
    assert requests.put(url, headers=dict(cookie, Origin=field.server.url), json={}, timeout=10).status_code == 200


# Events

def test_events_resume_without_gap(field, thing):
    field.add_device(thing)
    peer = Peer(field.server.addresses["mqtt"], password=field.server.admin_token, user="x").connect()
    report = lambda version: peer.publish(
        f"$aws/things/{thing}/shadow/update", {"state": {"reported": {"config": {"firmware_version": version}}}})
    report("1.0.4")
    events = Events(field.server, field.session)
    assert events.response.headers["Cache-Control"] == "no-cache"
    assert events.response.headers["X-Accel-Buffering"] == "no"
    field.publish("1.0.5", program("1.0.5", size=2000))
    first = events.wait("offer", device=thing, version="1.0.5")[0]
    events.close()
    assert field.put_user(firmware_version="1.0.5").status_code == 200
    report("1.0.5")
    again = Events(field.server, field.session, last=first)
    again.wait("done", device=thing)
    assert [e[1] for e in again.events] == ["progress", "done"]
    assert all(e[0] > first for e in again.events)
    wait_until(lambda: again.comments >= 2, 15, "a comment within 15 s")
    again.close()
    peer.disconnect()


# Publishing

def test_publish_refusals_change_nothing(field, tmp_path):
    server, image = field.server, program("1.0.0", size=5000)
    field.publish("1.0.0", image)
    field.publish("1.0.0", image)
    done = field.publish("1.0.0", image + b"#", expect=5)
    assert "publish a higher version" in done.stderr
    field.publish("1.0.1", b"", expect=5)
    field.publish("1.0.1", b"just some words\n" * 100, expect=5)
    field.publish("1.0.1", b"PK\x03\x04" + b"\0" * 100, expect=5)
    field.publish("v1.0.1", image, expect=5)
    server.cli("release", "publish", tmp_path / "nowhere.bin", "--product", field.product, "--version", "1.0.1", expect=1)
    path = tmp_path / "1.0.0.bin"
    server.cli("release", "publish", path, "--product", "nothing-here", "--version", "1.0.1", expect=3)
    server.cli("release", "publish", path, "--product", field.product, "--version", "1", "--hardware", "zz", expect=5)
    releases = server.cli_json("release", "list", "--product", field.product)["releases"]
    assert [r["version"] for r in releases] == ["1.0.0"]


def test_label_must_match_the_image(field):
    image = (TESTDATA / "images/esp32c3-1.2.3.bin").read_bytes()
    done = field.publish("1.2.4", image, expect=5)
    assert "1.2.3" in done.stderr and "1.2.4" in done.stderr
    field.publish("1.2.3", image)


def test_releases_are_ordered_as_versions(field):
    for version in ("1.0.9", "1.0.10", "1.0.9-rc.1", "1.0.2"):
        field.publish(version, program(version, size=1000))
    releases = field.server.cli_json("release", "list", "--product", field.product)["releases"]
    assert [r["version"] for r in releases] == ["1.0.10", "1.0.9", "1.0.9-rc.1", "1.0.2"]
    shown = field.server.cli_json("release", "withdraw", "1.0.10", "--product", field.product, "--reason", "hot")
    assert shown["state"] == "withdrawn" and shown["reason"] == "hot"


# Logs

def test_device_logs(field, thing):
    folder = field.add_device(thing)
    server = field.server
    tls = tls_context(str(folder / "ca.pem"), str(folder / f"{thing}.crt"), str(folder / f"{thing}.key"))
    peer = Peer(("localhost", server.addresses["mqtts"][1]), thing, tls=tls).connect()
    admin = Peer(server.addresses["mqtt"], password=server.admin_token, user="x").connect()
    follow = subprocess.Popen(
        [BINARY, "device", "logs", thing, "--follow", "--json", "--server", server.url, "--token", server.admin_token],
        stdout=subprocess.PIPE, text=True)
    peer.publish(f"mia/things/{thing}/logs", {"timestamp": 0, "message": "boot", "level": "error", "thingName": "liar"})
    peer.publish(f"any/things/{thing}/logs", b"not JSON \xff")
    peer.publish(f"mia/things/{thing}/logs", {"message": "100% done", "freeHeap": 5})
    admin.publish("mia/things/nobody-here/logs", {"message": "lost"})
    lines = wait_until(lambda: (lambda l: l if len(l) == 3 else None)(
        server.cli_json("device", "logs", thing)["lines"]), what="three lines")
    first, second, third = (json.loads(line["line"]) for line in lines)
    assert first["timestamp"] == 0 and lines[0]["level"] == "ERROR"
    assert second["message"].startswith("not JSON") and second["thingName"] == thing
    assert third["freeHeap"] == 5 and third["level"] == "INFO" and third["timestamp"] > 0
    search = lambda *flags: server.cli_json("device", "logs", thing, *flags)["lines"]
    assert len(search("--search", "100%")) == 1 and len(search("--level", "error")) == 1
    assert [line["id"] for line in search("--limit", "1")] == [lines[2]["id"]]
    assert [json.loads(follow.stdout.readline())["id"] for _ in range(3)] == [line["id"] for line in lines]
    follow.kill()
    server.cli("device", "logs", "nobody-here", expect=3)
    for one in (peer, admin):
        one.disconnect()


# The command line

@pytest.mark.parametrize("command", ["product list", "release list", "device list", "user list", "token list"])
def test_lists_print_one_json_document(strict, command):
    assert isinstance(strict.cli_json(*command.split()), dict)


def test_tokens(strict):
    name = "ci-" + uuid.uuid4().hex[:6]
    token = strict.cli_json("token", "create", name, "--role", "operator")["token"]
    strict.cli("device", "list", token=token)
    strict.cli("user", "list", token=token, expect=5)
    strict.cli("token", "revoke", name)
    strict.cli("device", "list", token=token, expect=4)


def test_settings_come_from_the_environment_too(tmp_path):
    env = {k: v for k, v in os.environ.items() if not k.startswith("APUS_")}
    env.update(APUS_HTTP="127.0.0.1:0", APUS_HTTPS="127.0.0.1:0", APUS_MQTT="127.0.0.1:0")
    (tmp_path / "apus.env").write_text("# comment\nAPUS_MQTTS=127.0.0.1:0\nAPUS_HTTP=256.0.0.1:1\n")
    server = subprocess.Popen(
        [BINARY, "serve", "--data-dir", tmp_path / "data", "--env-file", tmp_path / "apus.env"], env=env,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout.readline().startswith("ready http=127.0.0.1:")
    server.terminate()
    assert server.wait(timeout=15) == 0
