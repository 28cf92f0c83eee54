"""The owner's API: signing in, `/app/user`, one's own devices and nobody else's, and the live events."""

import sqlite3
import uuid

import pytest
import requests

from agent import Listener, Puppet
from apus_server import Server, wait_until
from field import Field, program

USER_MEMBERS = {"uid", "device_id", "firmware_version", "phrase_type"}


@pytest.fixture
def field(strict, tmp_path):
    field = Field(strict, tmp_path)
    yield field
    field.close()


@pytest.fixture
def device(field, thing):
    """The owner's device, which runs 1.0.4 and does nothing by itself."""
    with Puppet(field.server, field.add_device(thing), thing) as puppet:
        puppet.runs("1.0.4")
        yield puppet


def call(field, method, path, session=None, **more):
    return requests.request(method, field.server.url + path, headers=session or field.session, timeout=10, **more)


def is_problem(answer, status):
    """An RFC 9457 document that says what, why and what to do, with the article's text."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"] and problem["detail"] and problem["message"]
    return problem


# Signing in

def sign_in(server, **body):
    return requests.post(server.url + "/app/session", json=body, timeout=10)


def test_password(strict):
    name = "ann-" + uuid.uuid4().hex[:8]
    strict.cli("user", "add", name, "--password", "correct horse")
    answer = sign_in(strict, uid=name, password="correct horse")
    assert answer.status_code == 200 and answer.json()["role"] == "owner"
    session = {"Authorization": "Bearer " + answer.json()["token"]}
    assert requests.get(strict.url + "/app/user", headers=session, timeout=10).json()["uid"] == name
    for uid, password in ((name, "wrong horse"), (name, ""), ("nobody", "correct horse")):
        assert is_problem(sign_in(strict, uid=uid, password=password), 401)["advice"]


def test_one_use_link(strict):
    name = "ben-" + uuid.uuid4().hex[:8]
    link = strict.cli("user", "add", name, "--link").stdout.strip()
    assert link.startswith("http") and "/setup#k=" in link
    secret = link.split("#k=")[1]
    assert sign_in(strict, link=secret).status_code == 200
    assert is_problem(sign_in(strict, link=secret), 401)["advice"]
    assert is_problem(sign_in(strict, link=secret + "x"), 401)["advice"]
    again = strict.cli("user", "link", name).stdout.strip().split("#k=")[1]
    assert again != secret and sign_in(strict, link=again).status_code == 200


def test_account_without_password_takes_no_password(strict):
    name = "cy-" + uuid.uuid4().hex[:8]
    strict.cli("user", "add", name, "--link")
    for password in ("", "password", "null"):
        is_problem(sign_in(strict, uid=name, password=password), 401)


def test_sign_in_body_that_is_none(strict):
    for body in (b"", b"{", b"[]", b'{"uid":"ann"}', b'{"link":5}'):
        answer = requests.post(strict.url + "/app/session", data=body, timeout=10)
        is_problem(answer, 400)


def test_session_that_is_unknown_or_ended(field):
    path = "/app/user"
    for header in ({}, {"Authorization": "Bearer session_unknown"}, {"Authorization": "Basic YTpi"}):
        answer = requests.get(field.server.url + path, headers=header, timeout=10)
        assert is_problem(answer, 401)["advice"]
    assert call(field, "GET", path).status_code == 200
    assert call(field, "DELETE", "/app/session").status_code == 204
    assert is_problem(call(field, "GET", path), 401)["advice"]


def test_session_that_has_expired(tmp_path):
    server = Server(tmp_path / "data").start()
    field = Field(server, tmp_path)
    server.kill()
    with sqlite3.connect(server.data / "apus.sqlite") as db:
        assert db.execute("UPDATE credentials SET expires = 1 WHERE kind = 'session'").rowcount == 1
    db.close()
    server.start()
    assert is_problem(call(field, "GET", "/app/user"), 401)["advice"]
    server.stop()


def test_session_cookie_only_counts_for_own_pages(field):
    name = "dee-" + uuid.uuid4().hex[:8]
    field.server.cli("user", "add", name, "--password", "correct horse")
    page = requests.Session()
    url = field.server.url
    cookie = page.post(url + "/app/session", json={"uid": name, "password": "correct horse"}, timeout=10)
    assert "httponly" in cookie.headers["Set-Cookie"].lower() and "samesite" in cookie.headers["Set-Cookie"].lower()
    assert page.get(url + "/app/user", timeout=10).json()["uid"] == name
    change = {"phrase_type": "hakata"}
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        is_problem(page.put(url + "/app/user", json=change, headers=origin, timeout=10), 403)
    assert page.put(url + "/app/user", json=change, headers={"Origin": url}, timeout=10).status_code == 200


def test_owner_reaches_no_operator_route(field):
    for path in ("/api/v1/devices", "/api/v1/products", "/api/v1/releases", "/api/v1/users", "/api/v1/tokens"):
        assert call(field, "GET", path).status_code == 403, path


# /app/user

def test_user_without_device_has_nulls(field):
    assert field.user() == {"uid": field.owner, "device_id": None, "firmware_version": None, "phrase_type": None}


def test_put_changes_the_named_members_only(field, device, thing):
    field.publish("1.0.5")
    first = field.put_user(phrase_type="hakata")
    assert first.json() == {
        "uid": field.owner, "device_id": thing, "firmware_version": None, "phrase_type": "hakata"}
    assert field.shadow(thing)["state"]["desired"] == {"config": {"phrase_type": "hakata"}}
    second = field.put_user(firmware_version="1.0.5")
    assert second.json() == dict(first.json(), firmware_version="1.0.5") == field.user()
    assert field.shadow(thing)["state"]["desired"] == {
        "config": {"firmware_version": "1.0.5", "phrase_type": "hakata"}}
    assert field.put_user().json() == second.json()
    third = field.put_user(phrase_type=None)
    assert third.json()["phrase_type"] is None and third.json()["firmware_version"] == "1.0.5"
    assert field.shadow(thing)["state"]["desired"] == {"config": {"firmware_version": "1.0.5"}}


def test_taking_the_version_back_ends_the_update(field, device, thing):
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    assert field.update(thing)["state"] == "queued"
    assert field.put_user(firmware_version=None).json()["firmware_version"] is None
    assert field.update(thing)["state"] == "cancelled"
    assert field.desired_version(thing) in (None, "1.0.4")


def test_identity_and_unknown_members_in_the_body_are_ignored(field, device, thing):
    other = "eve-" + thing[-8:]
    session = field.sign_in(other)
    answer = call(field, "PUT", "/app/user", json={
        "uid": other, "device_id": "somebody-elses", "role": "admin", "password": "x", "phrase_type": "osaka",
        "more": {"firmware_version": "9.9.9"}})
    assert answer.status_code == 200
    assert answer.json() == {"uid": field.owner, "device_id": thing, "firmware_version": None, "phrase_type": "osaka"}
    assert call(field, "GET", "/app/user", session).json() == {
        "uid": other, "device_id": None, "firmware_version": None, "phrase_type": None}


def test_texts_travel_unharmed(field, device, thing):
    for phrase in ('say "hi"\\', "博多弁", "a\nb\tc", ""):
        assert field.put_user(phrase_type=phrase).json()["phrase_type"] == phrase
        assert field.shadow(thing)["state"]["desired"]["config"]["phrase_type"] == phrase


def test_desired_reaches_the_device_as_delta(field, device, thing):
    field.publish("1.0.5")
    assert device.peer.subscribe(device.prefix + "/update/delta") < 0x80
    field.put_user(firmware_version="1.0.5", phrase_type="hakata")
    delta = device.peer.expect_json(device.prefix + "/update/delta")
    assert delta["state"] == {"config": {"firmware_version": "1.0.5", "phrase_type": "hakata"}}


BAD_BODIES = {
    "unknown version": b'{"firmware_version":"1.0.9"}',
    "downgrade": b'{"firmware_version":"1.0.3"}',
    "no version": b'{"firmware_version":"latest"}',
    "empty version": b'{"firmware_version":""}',
    "other hardware": b'{"firmware_version":"1.0.7"}',
    "withdrawn": b'{"firmware_version":"1.0.6"}',
    "good phrase, bad version": b'{"phrase_type":"hakata","firmware_version":"1.0.9"}',
    "number": b'{"firmware_version":1.5}',
    "object": b'{"phrase_type":{}}',
    "too long": b'{"phrase_type":"%s"}' % (b"x" * 65),
    "no JSON": b'{"phrase_type":',
    "no object": b'["phrase_type"]',
    "nothing": b"",
    "no UTF-8": b'{"phrase_type":"\xff\xfe"}',
}


def test_refused_changes_change_nothing(field, device, thing):
    product = field.product
    field.server.cli("product", "add", product, "--hardware", "board-2")
    for version, hardware in (("1.0.3", "board"), ("1.0.6", "board"), ("1.0.7", "board-2")):
        path = field.folder / version
        path.write_bytes(program(version))
        field.server.cli("release", "publish", path, "--product", product, "--version", version, "--hardware", hardware)
    field.server.cli("release", "withdraw", "1.0.6", "--product", product)
    before = field.user(), field.shadow(thing)
    before[1].pop("timestamp")
    for name, body in BAD_BODIES.items():
        for path in ("/app/user", f"/app/devices/{thing}"):
            answer = call(field, "PUT", path, data=body)
            assert 400 <= answer.status_code < 500, (name, path, answer.text)
            is_problem(answer, answer.status_code)
            after = field.user(), field.shadow(thing)
            after[1].pop("timestamp")
            assert after == before, (name, path)
    assert field.update(thing) == {}


def test_body_that_is_too_large(field):
    for size in (70_000, 5_000_000):
        is_problem(call(field, "PUT", "/app/user", data=b'{"phrase_type":"%s"}' % (b"x" * size)), 413)
    assert field.user()["phrase_type"] is None


def test_reason_names_what_was_asked_and_what_runs(field, device):
    field.publish("1.0.3")
    detail = is_problem(field.put_user(firmware_version="1.0.3"), 422)["detail"]
    assert "1.0.3" in detail and "1.0.4" in detail
    assert "1.0.9" in is_problem(field.put_user(firmware_version="1.0.9"), 422)["detail"]


def test_wish_from_before_the_device_is_not_ordered_unchecked(field, thing):
    """A version that was never published must not become an order once the account has a device."""
    field.put_user(firmware_version="9.9.9")
    with Puppet(field.server, field.add_device(thing), thing) as device:
        device.runs("1.0.4")
        field.put_user(phrase_type="hakata")
        assert field.desired_version(thing) in (None, "1.0.4")


def test_other_setting_does_not_order_an_old_version_again(field, device, thing):
    """The row still names 1.0.5; the device was brought to 1.0.6 another way."""
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    device.runs("1.0.5")
    field.publish("1.0.6")
    order = {"state": {"desired": {"config": {"firmware_version": "1.0.6"}}}}
    requests.post(f"{field.server.url}/things/{thing}/shadow", headers=field.server.admin, json=order, timeout=10)
    device.runs("1.0.6")
    field.put_user(phrase_type="hakata")
    assert field.desired_version(thing) == "1.0.6"


# One owner, another owner

def test_devices_of_the_owner(field, device, thing):
    second = thing + "-b"
    field.add_device(second)
    listed = call(field, "GET", "/app/devices").json()["devices"]
    assert {d["thing"] for d in listed} == {thing, second}
    mine = next(d for d in listed if d["thing"] == thing)
    assert mine["version"] == "1.0.4" and mine["connected"] is True
    assert field.user()["device_id"] == thing


def test_put_to_one_of_several_devices(field, device, thing):
    second = thing + "-b"
    with Puppet(field.server, field.add_device(second), second) as other:
        other.runs("1.0.4")
        field.publish("1.0.5")
        wishes = {"firmware_version": "1.0.5", "phrase_type": "osaka"}
        answer = call(field, "PUT", f"/app/devices/{second}", json=wishes)
        assert answer.status_code == 200, answer.text
        assert answer.json()["thing"] == second
        assert answer.json()["update"]["version"] == "1.0.5"
        assert field.shadow(second)["state"]["desired"] == {"config": wishes}
        assert "desired" not in field.shadow(thing)["state"]
        assert field.user()["firmware_version"] is None


def test_put_to_the_first_device_is_the_same_as_to_the_user(field, device, thing):
    field.publish("1.0.5")
    answer = call(field, "PUT", f"/app/devices/{thing}", json={"firmware_version": "1.0.5"})
    assert answer.status_code == 200 and answer.json()["thing"] == thing
    assert field.user()["firmware_version"] == "1.0.5"
    assert field.desired_version(thing) == "1.0.5"


def test_other_owners_device_is_out_of_reach(field, device, thing):
    other = field.sign_in("fay-" + thing[-8:])
    field.publish("1.0.5")
    before = field.user(), field.shadow(thing)["version"]
    assert call(field, "GET", "/app/devices", other).json() == {"devices": []}
    for name in (thing, "no-such-thing"):
        answer = call(field, "PUT", f"/app/devices/{name}", other, json={"firmware_version": "1.0.5"})
        assert answer.status_code in (403, 404)
    assert call(field, "GET", f"/things/{thing}/shadow", other).status_code == 403
    assert (field.user(), field.shadow(thing)["version"]) == before
    assert field.update(thing) == {}


def test_events_reach_their_owner_only(field, device, thing):
    name = "gus-" + thing[-8:]
    with Listener(field.server, field.sign_in(name)) as theirs, Listener(field.server, field.session) as mine:
        field.publish("1.0.5")
        field.put_user(firmware_version="1.0.5")
        device.runs("1.0.5")
        mine.wait("done", device=thing)
        own = thing + "-own"
        field.add_device(own, owner=name)
        with Puppet(field.server, field.folder / own, own) as puppet:
            puppet.runs("1.0.4")
            theirs.wait("offer", device=own)
        assert {e[2]["device"] for e in theirs.events if "device" in e[2]} == {own}
        assert {e[2]["device"] for e in mine.events if "device" in e[2]} == {thing}


# /app/listen

def test_listen_headers(field):
    headers = dict(field.session, **{"Accept-Encoding": "gzip, br"})
    with requests.get(field.server.url + "/app/listen", headers=headers, stream=True, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert "no-cache" in answer.headers["Cache-Control"]
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in answer.headers
        answer.raw.shutdown()
    is_problem(requests.get(field.server.url + "/app/listen", timeout=10), 401)


def test_quiet_stream_has_a_comment_within_15_seconds(field):
    with Listener(field.server, field.session) as events:
        wait_until(lambda: events.comments >= 1, 5, "the first comment")
        seen = events.comments
        wait_until(lambda: events.comments > seen, 15, "a comment")


def test_offer_comes_at_publish(field, device, thing):
    with Listener(field.server, field.session) as events:
        wait_until(lambda: events.comments, 5, "the stream's begin")
        field.publish("1.0.5")
        _, _, data = events.wait("offer", 2, device=thing)
        assert set(data) >= {"device", "version", "state", "percent", "reason"}
        assert data["version"] == "1.0.5"
        field.publish("1.0.3")
        field.publish("1.0.6")
        events.wait("offer", 2, version="1.0.6")
        assert [e[2]["version"] for e in events.events if e[1] == "offer"] == ["1.0.5", "1.0.6"]


def test_version_that_is_none_is_never_treated_as_old(field, device, thing):
    device.runs("build-of-tuesday")
    assert field.device(thing)["version"] == "build-of-tuesday"
    with Listener(field.server, field.session) as events:
        field.publish("1.0.5")
        device.runs("1.0.4")
        events.wait("offer", version="1.0.5")
        assert len([e for e in events.events if e[1] == "offer"]) == 1


def test_offer_order_is_that_of_versions(field, device, thing):
    field.publish("1.0.9")
    device.runs("1.0.9")
    with Listener(field.server, field.session) as events:
        field.publish("1.0.10-rc.1")
        events.wait("offer", version="1.0.10-rc.1")
        field.publish("1.0.10")
        events.wait("offer", version="1.0.10")


def play(field, device, version):
    """A whole update as a device that reports its phases goes through it."""
    field.publish(version)
    field.put_user(firmware_version=version)
    for state, percent in (("downloading", 0), ("downloading", 50), ("verifying", None), ("restarting", None)):
        device.report(update={"version": version, "state": state, "percent": percent, "error": None})
    device.runs(version)


def test_last_event_id_resumes_without_gap_or_duplicate(field, device, thing):
    with Listener(field.server, field.session) as events:
        wait_until(lambda: events.comments, 5, "the stream's begin")
        play(field, device, "1.0.5")
        events.wait("done", version="1.0.5")
        whole = events.of(thing)
    ids = [event[0] for event in whole]
    assert ids == sorted(set(ids))
    assert [event[1] for event in whole][0] == "offer" and whole[-1][1] == "done"
    for cut in range(len(whole)):
        with Listener(field.server, field.session, last=ids[cut]) as again:
            wait_until(lambda: len(again.of(thing)) >= len(whole) - cut - 1 and again.comments, 5, "what was missed")
            assert again.of(thing) == whole[cut + 1:]


def test_resumed_stream_goes_on_live(field, device, thing):
    def is_last(event):
        return event[1] == "done" and event[2]["version"] == "1.0.8"

    seen = []
    last = None
    for number in range(5, 9):
        with Listener(field.server, field.session, last=last) as events:
            wait_until(lambda: events.comments, 5, "the stream's begin")
            play(field, device, f"1.0.{number}")
            # Leaves in the middle of what comes.
            wait_until(lambda: len(events.of(thing)) >= 2, 5, "some events")
            seen += [event for event in list(events.of(thing)) if event not in seen]
            last = seen[-1][0]
    with Listener(field.server, field.session, last=last) as events:
        wait_until(lambda: is_last((seen + events.of(thing))[-1]), 5, "the rest")
        seen += events.of(thing)
    ids = [event[0] for event in seen]
    assert ids == sorted(set(ids)), "a duplicate, or out of order"
    assert [e[2]["version"] for e in seen if e[1] == "done"] == ["1.0.5", "1.0.6", "1.0.7", "1.0.8"]
    assert [e[2]["version"] for e in seen if e[1] == "offer"] == ["1.0.5", "1.0.6", "1.0.7", "1.0.8"]


def test_ids_survive_a_restart(fresh, tmp_path, thing):
    field = Field(fresh, tmp_path)
    with Puppet(fresh, field.add_device(thing), thing) as device:
        device.runs("1.0.4")
        with Listener(fresh, field.session) as events:
            wait_until(lambda: events.comments, 5, "the stream's begin")
            field.publish("1.0.5")
            first = events.wait("offer", version="1.0.5")[0]
        fresh.kill()
    fresh.start()
    field.publish("1.0.6")
    with Listener(fresh, field.session, last=first) as events:
        second = events.wait("offer", version="1.0.6")[0]
        assert second > first and len(events.of(thing)) == 1


def test_id_that_is_not_known_brings_the_present_state(field, device, thing):
    with Listener(field.server, field.session, last=10**12) as events:
        state = events.wait("state")[2]
        assert [d["thing"] for d in state["devices"]] == [thing]
