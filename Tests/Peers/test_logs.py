"""Log lines of devices: whatever they send is kept, in the order in which it came (field report 12)."""

import json
import subprocess
import threading
import time
import uuid

import pytest
import requests

from agent import Puppet
from apus_server import BINARY, wait_until
from mqtt_peer import Peer


@pytest.fixture
def device(strict, tmp_path, thing):
    strict.cli("device", "add", thing, "--out", tmp_path)
    with Puppet(strict, tmp_path, thing) as puppet:
        yield puppet


def operator(server):
    return Peer(server.addresses["mqtt"], user="operator", password=server.admin_token)


def logs(server, thing, *options):
    return server.cli_json("device", "logs", thing, *options)["lines"]


def kept(device, count, *options):
    """Waits until so many lines are stored; answers them parsed, oldest first."""
    wait_until(lambda: len(logs(device.server, device.thing)) >= count, 5, f"{count} lines")
    return [json.loads(line["line"]) for line in logs(device.server, device.thing, *options)]


def test_line_of_the_article(device):
    """[AWS-20-5]"""
    line = {"timestamp": 1700000000000, "message": "starting upgrade", "level": "ERROR", "thingName": device.thing,
            "freeHeap": 123456, "usedBytes": 789}
    device.log(line)
    assert kept(device, 1) == [line]
    stored = logs(device.server, device.thing)[0]
    assert stored["level"] == "ERROR"
    assert abs(stored["received"] / 1000 - time.time()) < 30


def test_missing_members_are_filled(device):
    device.log({})
    device.log({"message": "only words"})
    device.log({"freeHeap": 5})
    lines = kept(device, 3)
    for line in lines:
        assert line["thingName"] == device.thing and line["level"] == "INFO"
        assert abs(line["timestamp"] / 1000 - time.time()) < 30
    assert [line["message"] for line in lines] == ["", "only words", ""]
    assert lines[2]["freeHeap"] == 5


@pytest.mark.parametrize("payload", [
    b"E (123) wifi: no AP", b"[1,2]", b'"text"', b'{"message":"cut off', "ログ".encode(), b"", b"17",
], ids=["text", "array", "string", "broken", "unicode", "empty", "number"])
def test_other_payloads_are_kept_as_text(device, payload):
    device.log(payload)
    line = kept(device, 1)[0]
    assert line["message"] == payload.decode()
    assert line["thingName"] == device.thing


def test_bytes_that_are_no_text_are_kept_somehow(device):
    device.log(b"boot \xff\xfe\x00 end")
    line = kept(device, 1)[0]
    assert line["message"].startswith("boot ") and line["message"].endswith(" end")


@pytest.mark.parametrize("stamp", [0, 1, -5, 4294967295, 9999999999999999, "12:30", None, 1.5, {"s": 1}], ids=str)
def test_any_timestamp_is_kept_and_none_is_a_reason_to_drop(device, stamp):
    device.log({"timestamp": stamp, "message": "odd clock"})
    assert kept(device, 1)[0]["timestamp"] == stamp


def test_order_is_that_of_arrival(device):
    stamps = [1700000000000, 0, 4294967295000, 5, "later", 1600000000000]
    for number, stamp in enumerate(stamps):
        device.log({"timestamp": stamp, "message": f"line {number}"})
    lines = kept(device, len(stamps))
    assert [line["message"] for line in lines] == [f"line {n}" for n in range(len(stamps))]
    received = [line["received"] for line in logs(device.server, device.thing)]
    assert received == sorted(received)


def test_thing_comes_from_the_topic(device):
    device.log({"message": "who am I", "thingName": "somebody-else"})
    assert kept(device, 1)[0]["thingName"] == "somebody-else", "what was sent is kept"
    device.server.cli("device", "logs", "somebody-else", expect=3)


def test_any_prefix(device):
    for prefix in ("mia", "acme", "x", "αβγ"):
        device.log({"message": prefix}, prefix=prefix)
    assert [line["message"] for line in kept(device, 4)] == ["mia", "acme", "x", "αβγ"]


def test_deeper_topics_are_no_logs(device):
    with operator(device.server) as administrator:
        for topic in (f"a/b/things/{device.thing}/logs", f"things/{device.thing}/logs",
                      f"mia/things/{device.thing}/logs/more"):
            administrator.publish(topic, b"elsewhere")
        administrator.publish(f"mia/things/{device.thing}/logs", b"here")
    assert [line["message"] for line in kept(device, 1)] == ["here"]


def test_lines_of_unregistered_things_are_not_kept(strict, thing, tmp_path):
    with operator(strict) as administrator:
        administrator.publish(f"mia/things/{thing}/logs", b"before it was registered")
        strict.cli("device", "logs", thing, expect=3)
        strict.cli("device", "add", "witness-" + thing, "--out", tmp_path)
        administrator.publish(f"mia/things/witness-{thing}/logs", b"behind it")
        wait_until(lambda: logs(strict, "witness-" + thing), 5, "the line behind it")
    strict.cli("device", "add", thing, "--out", tmp_path)
    assert logs(strict, thing) == []


# Asking

@pytest.fixture
def story(device):
    for number in range(12):
        level = ("INFO", "WARN", "ERROR")[number % 3]
        device.log({"message": f"step {number} OTA_UPDATE_FAILED 100%_done" if number == 7 else f"step {number}",
                    "level": level})
    device.log({"message": "quiet", "level": "debug"})
    kept(device, 13)
    return device


def messages(device, *options):
    return [json.loads(line["line"])["message"] for line in logs(device.server, device.thing, *options)]


def test_search(story):
    found = ["step 7 OTA_UPDATE_FAILED 100%_done"]
    assert messages(story, "--search", "OTA_UPDATE_FAILED") == found
    assert messages(story, "--search", "ota_update") == found
    assert messages(story, "--search", "100%_") == found
    for pattern in ("no such text", "s%p", "step_1", "' OR 1=1 --", "\\"):
        assert messages(story, "--search", pattern) == [], pattern


def test_level(story):
    assert messages(story, "--level", "ERROR")[0] == "step 2"
    assert len(messages(story, "--level", "error")) == 4
    assert messages(story, "--level", "DEBUG") == ["quiet"]
    assert messages(story, "--level", "FATAL") == []


def test_limit_gives_the_newest_oldest_first(story):
    assert messages(story, "--limit", "3") == ["step 10", "step 11", "quiet"]
    assert messages(story, "--limit", "2", "--level", "WARN") == [
        "step 7 OTA_UPDATE_FAILED 100%_done", "step 10"]


def test_page_after_a_line(story):
    lines = logs(story.server, story.thing)
    url = f"{story.server.url}/api/v1/devices/{story.thing}/logs"
    rest = requests.get(url, headers=story.server.admin, params={"after": lines[9]["id"]}, timeout=10).json()["lines"]
    assert rest == lines[10:]


def test_lines_for_people(story):
    out = story.server.cli("device", "logs", story.thing, "--limit", "1").stdout
    assert len(out.splitlines()) == 1 and "quiet" in out and "DEBUG" in out


def test_unknown_device(strict):
    done = strict.cli("device", "logs", "no-such-thing", expect=3)
    assert "no-such-thing" in done.stderr


# Following

class Follower:
    """`apus device logs --follow` in the background."""

    def __init__(self, device, *options):
        command = [BINARY, "device", "logs", device.thing, "--follow", *options, "--server", device.server.url,
                   "--token", device.server.admin_token]
        self.lines = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait(timeout=10)

    def sees(self, text):
        return wait_until(lambda: [line for line in list(self.lines) if text in line], 5, f"a line with {text}")


def test_follow_shows_the_past_and_what_comes(device):
    device.log({"message": "from before"})
    kept(device, 1)
    with Follower(device) as follower:
        follower.sees("from before")
        for number in range(20):
            device.log({"message": f"live <{number}>"})
        follower.sees("live <19>")
        shown = [line for line in follower.lines if "live <" in line]
        assert len(shown) == 20 and all(f"live <{n}>" in line for n, line in enumerate(shown))


def test_follow_with_search_and_json(device):
    device.log({"message": "mark past"})
    kept(device, 1)
    with Follower(device, "--search", "mark", "--json") as follower:
        follower.sees("mark past")
        device.log({"message": "other"})
        device.log({"message": "mark 2"})
        follower.sees("mark 2")
        parsed = [json.loads(json.loads(line)["line"])["message"] for line in follower.lines]
        assert parsed == ["mark past", "mark 2"]


def test_crowd_of_lines_is_kept_whole(device):
    word = uuid.uuid4().hex
    for number in range(500):
        device.peer.client.publish(f"mia/things/{device.thing}/logs", f"{word} {number}", qos=1)
    everything = ("--limit", "1000")
    wait_until(lambda: len(logs(device.server, device.thing, *everything)) == 500, 10, "500 lines")
    lines = logs(device.server, device.thing, *everything)
    assert [json.loads(line["line"])["message"] for line in lines] == [f"{word} {n}" for n in range(500)]
