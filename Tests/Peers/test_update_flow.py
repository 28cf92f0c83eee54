"""The whole flow with real programs over TLS: published, told, accepted, fetched, tried, confirmed or safely back."""

import random
import time

import pytest
import requests

from apus_server import wait_until
from field import EXITS, HANGS, Events, Field, Proxy, program
from mqtt_peer import Peer, tls_context


@pytest.fixture
def field(strict, tmp_path):
    field = Field(strict, tmp_path)
    yield field
    field.close()


@pytest.fixture
def online(field, thing):
    """A field with one agent that runs 1.0.4."""
    field.agent(thing).start()
    field.wait_version(thing, "1.0.4")
    return field


def test_online_device(online, thing):
    events = Events(online.server, online.session)
    online.publish("1.0.5")
    events.wait("offer", device=thing, version="1.0.5")
    answer = online.put_user(firmware_version="1.0.5")
    assert answer.status_code == 200 and answer.json()["firmware_version"] == "1.0.5"
    events.wait("done", device=thing, version="1.0.5")
    shadow = online.shadow(thing)["state"]
    assert shadow["reported"]["config"]["firmware_version"] == "1.0.5"
    assert "delta" not in shadow
    percents = [e[2]["percent"] for e in events.events if e[1] == "progress"]
    assert percents == sorted(percents)
    states = [e[2]["state"] for e in events.events if e[1] == "progress"]
    assert [s for s in ("downloading", "verifying", "installing", "restarting", "confirming") if s in states] == [
        "downloading", "verifying", "installing", "restarting", "confirming"]
    assert online.update(thing)["state"] == "succeeded"
    events.close()


def test_device_that_was_away(field, thing):
    agent = field.agent(thing).start()
    field.wait_version(thing, "1.0.4")
    agent.stop()
    field.publish("1.0.5")
    assert field.put_user(firmware_version="1.0.5").status_code == 200
    assert field.update(thing)["state"] == "queued"
    agent.start()
    field.wait_version(thing, "1.0.5")


def test_settings_travel_the_same_way(online, thing):
    events = Events(online.server, online.session)
    assert online.put_user(phrase_type="hakata").json()["phrase_type"] == "hakata"
    _, _, data = events.wait("config", device=thing)
    assert data["config"]["phrase_type"] == "hakata"
    assert online.shadow(thing)["state"]["desired"] == {"config": {"phrase_type": "hakata"}}
    events.close()


def test_download_cut_three_times_goes_on_where_it_was(field, thing):
    proxy = Proxy(field.server.addresses["https"])
    proxy.cut_after(80_000, 90_000, 100_000)
    agent = field.agent(thing, https=proxy.address).start()
    field.wait_version(thing, "1.0.4")
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    field.wait_version(thing, "1.0.5", 60)
    assert not proxy.cuts
    assert field.update(thing)["attempts"] == 0, "a broken link is no failed attempt"
    assert agent.log().count("206") >= 3


def test_wrong_bytes_fail_three_times_and_desired_goes_back(online, thing, tmp_path):
    image = program("1.0.5")
    online.publish("1.0.5", image)
    release = online.server.cli_json("release", "show", "1.0.5", "--product", online.product)
    digest = release["artifacts"][0]["sha256"]
    blob = online.server.data / "blobs" / digest[:2] / digest[2:]
    blob.write_bytes(image[:-100] + b"x" * 100)
    events = Events(online.server, online.session)
    online.put_user(firmware_version="1.0.5")
    update = online.wait_state(thing, "failed", 60)
    assert update["attempts"] == 3 and update["reason"]
    assert online.desired_version(thing) == "1.0.4"
    assert online.user()["firmware_version"] == "1.0.4"
    assert online.device(thing)["version"] == "1.0.4"
    events.wait("failed", device=thing, version="1.0.5", state="failed")
    events.close()


@pytest.mark.parametrize("body", [EXITS, HANGS], ids=["exits at once", "hangs"])
def test_program_that_does_not_live_is_rolled_back(online, thing, body):
    online.publish("1.0.5", program("1.0.5", body))
    online.put_user(firmware_version="1.0.5")
    update = online.wait_state(thing, "rolledBack")
    assert update["reason"]
    assert online.desired_version(thing) == "1.0.4"
    assert online.device(thing)["version"] == "1.0.4"
    # The way stays open for a better image.
    online.publish("1.0.6")
    assert online.put_user(firmware_version="1.0.6").status_code == 200
    online.wait_version(thing, "1.0.6")


def test_server_never_reached_in_the_trial(field, thing):
    proxy = Proxy(field.server.addresses["mqtts"])
    field.agent(thing, mqtts=proxy.address).start()
    field.wait_version(thing, "1.0.4")
    field.publish("1.0.5")
    events = Events(field.server, field.session)
    field.put_user(firmware_version="1.0.5")
    events.wait("progress", device=thing, state="restarting")
    proxy.down()
    time.sleep(8)  # Longer than the agent waits for its server in a trial: the outage is the test's input.
    proxy.up()
    update = field.wait_state(thing, "rolledBack")
    assert "server" in update["reason"]
    assert field.device(thing)["version"] == "1.0.4"
    events.close()


def test_agent_killed_at_random_moments(field, thing):
    agent = field.agent(thing, speed=400_000).start()
    field.wait_version(thing, "1.0.4")
    dice = random.Random(20)
    kills = 0
    for number in range(5, 10):
        version = f"1.0.{number}"
        field.publish(version)
        field.put_user(firmware_version=version)
        for _ in range(4):
            time.sleep(dice.uniform(0.05, 0.9))  # The moment of the power cut.
            agent.kill()
            kills += 1
            agent.start()
        # A trial that was interrupted too often goes back; then the owner presses again.
        ended = wait_until(
            lambda: (lambda u: u.get("state") in ("succeeded", "rolledBack") and u)(field.update(thing)), 60, "an end")
        if ended["state"] == "rolledBack":
            assert field.put_user(firmware_version=version).status_code == 200
        field.wait_version(thing, version, 60)
    assert kills == 20


def test_versions_that_do_not_fit_change_nothing(online, thing):
    online.publish("1.0.5")
    before = (online.user(), online.shadow(thing)["version"])
    for version in ("1.0.9", "1.0.3", "latest", ""):
        answer = online.put_user(firmware_version=version)
        assert 400 <= answer.status_code < 500, version
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.json()["detail"] and answer.json()["message"]
    assert (online.user(), online.shadow(thing)["version"]) == before


def test_two_owners(online, thing):
    other = online.sign_in("other-" + thing[-8:])
    online.publish("1.0.5")
    assert requests.get(online.server.url + "/app/devices", headers=other, timeout=10).json() == {"devices": []}
    answer = requests.put(f"{online.server.url}/app/devices/{thing}", headers=other, timeout=10,
                          json={"firmware_version": "1.0.5"})
    assert answer.status_code == 404
    theirs = Events(online.server, other)
    online.put_user(firmware_version="1.0.5")
    online.wait_version(thing, "1.0.5")
    assert thing not in [e[2].get("device") for e in theirs.events]
    theirs.close()


class StockDevice:
    """The article's device: asks, downloads in one GET, reports what it says it runs."""

    def __init__(self, field, thing):
        folder = field.add_device(thing)
        server = field.server
        tls = tls_context(str(folder / "ca.pem"), str(folder / f"{thing}.crt"), str(folder / f"{thing}.key"))
        self.field, self.thing = field, thing
        self.prefix = f"$aws/things/{thing}/shadow"
        self.peer = Peer(("localhost", server.addresses["mqtts"][1]), thing, tls=tls).connect()
        self.peer.subscribe(self.prefix + "/update/delta", 0)
        self.report("1.0.4")

    def report(self, version):
        self.peer.publish(
            self.prefix + "/update", {"state": {"reported": {"config": {"firmware_version": version}}}}, qos=0)
        self.field.wait_version(self.thing, version)

    def fetch(self, version, pace=None):
        server = self.field.server
        url = f"https://127.0.0.1:{server.addresses['https'][1]}/firmware/{self.field.product}/{version}.bin"
        with requests.get(url, verify=server.ca, stream=True, timeout=20) as answer:
            assert answer.status_code == 200
            return sum(len(piece) for piece in answer.iter_content(16384) if pace is None or pace() or True)


def test_stock_device_progress_comes_from_the_bytes(field, thing):
    device = StockDevice(field, thing)
    field.publish("1.0.5", program("1.0.5", size=3_000_000))
    events = Events(field.server, field.session)
    field.put_user(firmware_version="1.0.5")
    device.peer.expect(device.prefix + "/update/delta")
    assert device.fetch("1.0.5", pace=lambda: time.sleep(0.003)) >= 3_000_000
    events.wait("progress", device=thing, state="restarting", percent=99)
    percents = [e[2]["percent"] for e in events.events if e[1] == "progress"]
    assert percents == sorted(percents) and len(set(percents)) > 10
    device.report("1.0.5")
    events.wait("done", device=thing)
    device.peer.disconnect()
    events.close()


def test_label_that_lies_ends_after_three_hand_outs(field, thing):
    device = StockDevice(field, thing)
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    for _ in range(3):
        device.fetch("1.0.5")
        wait_until(lambda: field.update(thing)["state"] in ("restarting", "failed"), what="all bytes counted")
        device.report("1.0.4")
    update = field.wait_state(thing, "failed")
    assert update["reason"] == "reports 1.0.4 after installing 1.0.5"
    assert field.desired_version(thing) == "1.0.4"
    device.peer.disconnect()
