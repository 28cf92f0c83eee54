"""What was acknowledged is there after a power cut (SIGKILL) and after an orderly restart."""

import concurrent.futures
import json
import time

import pytest

from apus_server import wait_until
from aws import Shadows
from mqtt_peer import V3, V5, ShadowTalk

BOTH = pytest.mark.parametrize("version", [V3, V5], ids=["3.1.1", "5"])
ENDS = pytest.mark.parametrize("end", ["kill", "stop"])


class Writer:
    """Updates one shadow over HTTP until the server is gone; remembers what was accepted."""

    def __init__(self, url, index):
        self.thing = f"writer-{index}"
        self.shadows = Shadows(url)
        self.version = 0
        self.number = 0

    def run(self):
        while True:
            try:
                answer = self.shadows.update(self.thing, {"state": {"reported": {"n": self.number + 1}}})
            except Exception:  # any failure means that the server died: nothing more was accepted
                return
            self.number += 1
            assert answer["version"] == self.number
            self.version = answer["version"]


def test_every_accepted_update_over_http_survives(fresh):
    for turn in range(3):
        writers = [Writer(fresh.url, f"{turn}-{index}") for index in range(6)]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            runs = [pool.submit(writer.run) for writer in writers]
            wait_until(lambda: sum(writer.version for writer in writers) > 150, 60, "150 accepted updates")
            fresh.kill()
            for run in runs:
                run.result()
        fresh.start()
        shadows = Shadows(fresh.url)
        for writer in writers:
            document = shadows.get(writer.thing)
            assert document["version"] in (writer.version, writer.version + 1)
            assert document["state"]["reported"]["n"] == document["version"]


def test_every_accepted_update_over_mqtt_survives(fresh, connect):
    peer = connect(fresh.addresses["mqtt"])
    talk = ShadowTalk(peer, "mqtt-writer").listen("update/accepted")

    def publish_until_gone():
        number = 0
        while peer.ended is None:
            number += 1
            payload = json.dumps({"state": {"reported": {"n": number}}})
            peer.client.publish(talk.prefix + "/update", payload, qos=1)
            time.sleep(0.002)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        run = pool.submit(publish_until_gone)
        wait_until(lambda: len(peer.messages) > 100, 60, "100 accepted updates")
        fresh.kill()
        run.result()
    peer.wait_end()
    last = max(peer.expect_json()["version"] for _ in range(len(peer.messages)))
    fresh.start()
    assert Shadows(fresh.url).get("mqtt-writer")["version"] >= last


def test_fifty_update_streams_lose_nothing(fresh, connect):
    """The server is killed in the middle of them: every accepted version is there afterwards."""
    peers = [connect(fresh.addresses["mqtt"]) for _ in range(50)]
    talks = [ShadowTalk(peer, f"stream-{index}").listen("update/accepted") for index, peer in enumerate(peers)]
    accepted = [0] * len(talks)

    def stream(index):
        while True:
            update = {"state": {"reported": {"n": accepted[index] + 1}}}
            peers[index].client.publish(talks[index].prefix + "/update", json.dumps(update), qos=1)
            try:
                accepted[index] = peers[index].expect_json()["version"]
            except AssertionError:
                return

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        runs = [pool.submit(stream, index) for index in range(50)]
        wait_until(lambda: sum(accepted) > 2000, 60, "2,000 accepted updates")
        fresh.kill()
        for run in runs:
            run.result()
    fresh.start()
    shadows = Shadows(fresh.url)
    for index, version in enumerate(accepted):
        document = shadows.get(f"stream-{index}")
        assert document["version"] in (version, version + 1)
        assert document["state"]["reported"]["n"] == document["version"]


@BOTH
@ENDS
def test_retained_message_survives(fresh, connect, version, end):
    speaker = connect(fresh.addresses["mqtt"], version=version)
    speaker.publish("kept/a", b"1", retain=True)
    speaker.publish("kept/b", b"2", retain=True)
    speaker.publish("kept/b", b"", retain=True)
    getattr(fresh, end)()
    fresh.start()
    listener = connect(fresh.addresses["mqtt"], version=version)
    listener.subscribe("kept/#")
    message = listener.expect()
    assert (message.topic, message.payload, message.retain) == ("kept/a", b"1", True)
    listener.expect_nothing()


@BOTH
@ENDS
def test_queue_of_a_persistent_session_survives(fresh, connect, version, end):
    settings = {"version": version, "clean": False, "expiry": 3600}
    sleeper = connect(fresh.addresses["mqtt"], "sleeper", **settings)
    sleeper.subscribe("work/#", 1)
    sleeper.disconnect()
    speaker = connect(fresh.addresses["mqtt"], version=version)
    for number in range(50):
        speaker.publish("work/list", str(number), qos=1)
    getattr(fresh, end)()
    fresh.start()
    sleeper = connect(fresh.addresses["mqtt"], "sleeper", **settings)
    assert sleeper.session_present
    assert [int(sleeper.expect().payload) for _ in range(50)] == list(range(50))
    connect(fresh.addresses["mqtt"], version=version).publish("work/list", b"50", qos=1)
    assert sleeper.expect().payload == b"50", "the subscription itself survived"


@ENDS
def test_deleted_shadow_keeps_its_counter(fresh, end):
    shadows = Shadows(fresh.url)
    shadows.update("gone", {"state": {"desired": {"a": 1}}})
    shadows.delete("gone")
    getattr(fresh, end)()
    fresh.start()
    shadows = Shadows(fresh.url)
    with pytest.raises(shadows.exceptions.ResourceNotFoundException):
        shadows.get("gone")
    assert shadows.update("gone", {"state": {}})["version"] > 1
