"""Real agents with real programs over TLS: what owners are told, what runs in the end, and what breaks on the way."""

import copy
import json
import random
import time

import pytest
import requests

from agent import Listener, Puppet
from apus_server import wait_until
from field import EXITS, HANGS, READY, Field, Proxy, program

ENDS = ("succeeded", "failed", "rolledBack", "cancelled", "timedOut")


@pytest.fixture
def field(strict, tmp_path):
    field = Field(strict, tmp_path)
    yield field
    field.close()


@pytest.fixture
def own(fresh, tmp_path):
    """A field with a server of its own, to be killed."""
    field = Field(fresh, tmp_path)
    yield field
    field.close()


def diary(field, version, body=READY, size=300_000):
    """A program that writes its version into the field's diary whenever it starts, and is as large as an image."""
    note = f"open({str(field.folder / 'diary')!r}, 'a').write('{version}\\n')\n"
    noise = random.Random(version).randbytes(size // 2).hex()
    lines = (f"# {noise[start:start + 80]}\n" for start in range(0, len(noise), 80))
    return program(version, note + body, size=0) + "".join(lines).encode()


def starts(field):
    path = field.folder / "diary"
    return path.read_text().split() if path.exists() else []


def begin(field, thing, **options):
    """Starts an agent on a 1.0.4 that keeps a diary."""
    (field.folder / "factory.bin").write_bytes(diary(field, "1.0.4"))
    agent = field.agent(thing, **options).start()
    field.wait_version(thing, "1.0.4")
    wait_until(lambda: starts(field) == ["1.0.4"], 5, "the program's start")
    return agent


def messages(field, thing):
    return [json.loads(line["line"]) for line in field.server.cli_json("device", "logs", thing)["lines"]]


# What works

def test_update_as_owner_and_maker_see_it(field, thing):
    begin(field, thing)
    with Listener(field.server, field.session) as events:
        wait_until(lambda: events.comments, 5, "the stream's begin")
        field.publish("1.0.5", diary(field, "1.0.5"))
        events.wait("offer", device=thing, version="1.0.5")
        assert field.put_user(firmware_version="1.0.5").json() == {
            "uid": field.owner, "device_id": thing, "firmware_version": "1.0.5", "phrase_type": None}
        events.wait("done", device=thing, version="1.0.5", percent=100)
        assert "failed" not in events.kinds(thing)
    assert starts(field) == ["1.0.4", "1.0.5"]
    reported = field.shadow(thing)["state"]["reported"]
    assert reported["config"]["firmware_version"] == "1.0.5"
    shown = field.server.cli("device", "show", thing).stdout
    assert "1.0.5 succeeded" in shown
    row = next(line for line in field.server.cli("device", "list").stdout.splitlines() if line.startswith(thing + "\t"))
    assert row.split("\t")[4] == "1.0.5"
    log = wait_until(lambda: messages(field, thing), 5, "the device's log")
    assert all({"timestamp", "message", "level", "thingName"} <= line.keys() for line in log)


def test_device_that_was_away_at_publish_and_accept(field, thing):
    agent = begin(field, thing)
    agent.stop()
    wait_until(lambda: not field.device(thing)["connected"], 5, "the goodbye")
    with Listener(field.server, field.session) as events:
        wait_until(lambda: events.comments, 5, "the stream's begin")
        field.publish("1.0.5", diary(field, "1.0.5"))
        events.wait("offer", device=thing)
        field.put_user(firmware_version="1.0.5")
        field.put_user(phrase_type="hakata")
        agent.start()
        events.wait("done", device=thing, version="1.0.5")
        config = events.wait("config", device=thing)[2]["config"]
    assert config["phrase_type"] == "hakata"
    assert field.shadow(thing)["state"]["reported"]["config"] == {"firmware_version": "1.0.5", "phrase_type": "hakata"}


def test_setting_during_a_download_travels_at_once(field, thing):
    begin(field, thing, speed=60_000)
    with Listener(field.server, field.session) as events:
        wait_until(lambda: events.comments, 5, "the stream's begin")
        field.publish("1.0.5", diary(field, "1.0.5"))
        field.put_user(firmware_version="1.0.5")
        events.wait("progress", device=thing, state="downloading")
        field.put_user(phrase_type="hakata")
        events.wait("config", device=thing)
        assert field.update(thing)["state"] == "downloading"
        events.wait("done", device=thing, version="1.0.5")
    config = field.shadow(thing)["state"]["reported"]["config"]
    assert config == {"firmware_version": "1.0.5", "phrase_type": "hakata"}


def test_two_owners_update_at_the_same_time(field, thing):
    second, name = thing + "-b", "second-" + thing[-8:]
    begin(field, thing)
    session = field.sign_in(name)
    other = copy.copy(field)
    other.owner, other.session = name, session
    other.agent(second).start()
    other.wait_version(second, "1.0.4")
    with Listener(field.server, field.session) as mine, Listener(field.server, session) as theirs:
        for events in (mine, theirs):
            wait_until(lambda: events.comments, 5, "the stream's begin")
        field.publish("1.0.5")
        field.publish("1.0.6")
        assert field.put_user(firmware_version="1.0.5").status_code == 200
        assert other.put_user(firmware_version="1.0.6").status_code == 200
        mine.wait("done", device=thing, version="1.0.5")
        theirs.wait("done", device=second, version="1.0.6")
        assert {e[2]["device"] for e in mine.events if "device" in e[2]} == {thing}
        assert {e[2]["device"] for e in theirs.events if "device" in e[2]} == {second}
    assert field.user()["firmware_version"] == "1.0.5" and other.user()["firmware_version"] == "1.0.6"


# Broken links

def test_download_cut_three_times_uses_ranges(field, thing):
    proxy = Proxy(field.server.addresses["https"])
    agent = begin(field, thing, https=proxy.address)
    proxy.cut_after(80_000, 90_000, 100_000)
    field.publish("1.0.5", diary(field, "1.0.5"))
    with Listener(field.server, field.session) as events:
        field.put_user(firmware_version="1.0.5")
        events.wait("done", 40, device=thing)
        percents = [e[2]["percent"] for e in events.of(thing) if e[2]["state"] == "downloading"]
        assert percents == sorted(percents)
    assert agent.log().count("download answered 206") == 3
    assert agent.log().count("download answered 200") == 1


def test_server_killed_during_the_download(own, thing):
    agent = begin(own, thing, speed=800_000)
    own.publish("1.0.5", diary(own, "1.0.5", size=8_000_000))
    own.put_user(firmware_version="1.0.5")
    wait_until(lambda: own.update(thing).get("percent", 0) > 10, 10, "a part of the image")
    own.server.kill()
    own.server.start()
    # How much of the image lies in socket buffers already, so whether a Range is needed, is the kernel's choice.
    own.wait_version(thing, "1.0.5", 40)
    assert own.update(thing)["state"] == "succeeded"
    assert agent.log().count("download answered 200") == 1


# Changes of mind

def test_release_withdrawn_during_the_download(field, thing):
    begin(field, thing, speed=60_000)
    field.publish("1.0.5", diary(field, "1.0.5"))
    with Listener(field.server, field.session) as events:
        field.put_user(firmware_version="1.0.5")
        events.wait("progress", device=thing, state="downloading")
        field.server.cli("release", "withdraw", "1.0.5", "--product", field.product, "--reason", "Wi-Fi drops")
        events.wait("failed", device=thing, state="cancelled")
    assert field.user()["firmware_version"] == "1.0.4" == field.desired_version(thing)
    field.publish("1.0.6", diary(field, "1.0.6"))
    field.put_user(firmware_version="1.0.6")
    field.wait_version(thing, "1.0.6")
    assert starts(field) == ["1.0.4", "1.0.6"]


def test_other_version_chosen_during_the_download(field, thing):
    begin(field, thing, speed=60_000)
    for version in ("1.0.5", "1.0.6"):
        field.publish(version, diary(field, version))
    field.put_user(firmware_version="1.0.5")
    wait_until(lambda: field.update(thing).get("state") == "downloading", 10, "the download")
    field.put_user(firmware_version="1.0.6")
    field.wait_version(thing, "1.0.6")
    assert starts(field) == ["1.0.4", "1.0.6"]
    assert field.user()["firmware_version"] == "1.0.6"


# Images that do not live

@pytest.mark.parametrize("body, reason", [(EXITS, "exited with code 3"), (HANGS, "no health in time")],
                         ids=["exits at once", "hangs without READY"])
def test_rollback_is_told_with_its_reason(field, thing, body, reason):
    begin(field, thing)
    field.publish("1.0.5", diary(field, "1.0.5", body))
    with Listener(field.server, field.session) as events:
        field.put_user(firmware_version="1.0.5")
        told = events.wait("failed", device=thing, version="1.0.5", state="rolledBack")[2]
    assert told["reason"] == reason
    wait_until(lambda: starts(field) == ["1.0.4", "1.0.5", "1.0.4"], 5, "the old program")
    assert reason in field.server.cli("device", "show", thing).stdout
    assert field.user()["firmware_version"] == "1.0.4" == field.desired_version(thing)
    shadow = field.shadow(thing)["state"]
    assert shadow["reported"]["config"]["firmware_version"] == "1.0.4" and "delta" not in shadow
    wait_until(lambda: [m for m in messages(field, thing) if reason in m["message"]], 5, "the reason in the log")


def test_wrong_hash_never_runs(field, thing):
    begin(field, thing)
    image = diary(field, "1.0.5")
    field.publish("1.0.5", image)
    digest = field.server.cli_json("release", "show", "1.0.5", "--product", field.product)["artifacts"][0]["sha256"]
    blob = field.server.data / "blobs" / digest[:2] / digest[2:]
    blob.write_bytes(image[:-100] + b"x" * 100)
    with Listener(field.server, field.session) as events:
        field.put_user(firmware_version="1.0.5")
        told = events.wait("failed", 40, device=thing, version="1.0.5")[2]
    assert told["state"] == "failed" and "digest" in told["reason"]
    assert field.update(thing)["attempts"] == 3
    assert field.user()["firmware_version"] == "1.0.4" == field.desired_version(thing)
    assert starts(field) == ["1.0.4"]
    # The bytes as they were published, under the next version: the way is open.
    field.publish("1.0.6", diary(field, "1.0.6"))
    field.put_user(firmware_version="1.0.6")
    field.wait_version(thing, "1.0.6")


def test_server_out_of_reach_in_the_trial(field, thing):
    proxy = Proxy(field.server.addresses["mqtts"])
    begin(field, thing, mqtts=proxy.address)
    field.publish("1.0.5", diary(field, "1.0.5"))
    with Listener(field.server, field.session) as events:
        field.put_user(firmware_version="1.0.5")
        events.wait("progress", device=thing, state="restarting")
        proxy.down()
        wait_until(lambda: starts(field) == ["1.0.4", "1.0.5", "1.0.4"], 20, "the old program")
        proxy.up()
        told = events.wait("failed", 40, device=thing, state="rolledBack")[2]
    assert told["reason"] == "server not reached in time"
    assert field.user()["firmware_version"] == "1.0.4" == field.desired_version(thing)


def test_short_outage_in_the_trial_is_forgiven(field, thing):
    proxy = Proxy(field.server.addresses["mqtts"])
    begin(field, thing, mqtts=proxy.address)
    field.publish("1.0.5", diary(field, "1.0.5"))
    with Listener(field.server, field.session) as events:
        field.put_user(firmware_version="1.0.5")
        events.wait("progress", device=thing, state="restarting")
        proxy.down()
        wait_until(lambda: starts(field)[-1] == "1.0.5", 10, "the new program")
        proxy.up()
        events.wait("done", device=thing)
    assert starts(field) == ["1.0.4", "1.0.5"]


def test_killed_in_every_phase(field, thing):
    """One kill in each phase that the server sees; the device ends on the new version."""
    agent = begin(field, thing, speed=600_000)
    for number, phase in enumerate(("downloading", "verifying", "installing", "restarting", "confirming"), 5):
        version = f"1.0.{number}"
        field.publish(version, diary(field, version))
        with Listener(field.server, field.session) as events:
            wait_until(lambda: events.comments, 5, "the stream's begin")
            field.put_user(firmware_version=version)
            wait_until(lambda: any(e[2].get("version") == version and (e[2]["state"] == phase or e[1] == "done")
                                   for e in events.events), 20, f"{phase} of {version}")
            agent.kill()
            reported = field.shadow(thing)["state"]["reported"]["config"]["firmware_version"]
            assert reported in (version, f"1.0.{number - 1}")
            agent.start()
            field.wait_version(thing, version, 30)
    assert field.update(thing)["state"] == "succeeded"


def test_killed_twenty_times_at_random_moments(field, thing):
    """After each power cut the device runs the old or the new version; in the end it runs the new one."""
    agent = begin(field, thing, speed=1_000_000)
    dice = random.Random(20)
    running = "1.0.4"
    for number in range(5, 10):
        version = f"1.0.{number}"
        field.publish(version, diary(field, version))
        field.put_user(firmware_version=version)
        for _ in range(4):
            time.sleep(dice.uniform(0, 1.5))  # The moment of the power cut.
            agent.kill()
            assert starts(field)[-1] in (running, version)
            assert field.device(thing)["version"] in (running, version)
            agent.start()
        wait_until(lambda: field.update(thing)["state"] in ENDS, 30, "the update's end")
        update = field.update(thing)
        if update["state"] != "succeeded":
            # Too many cuts fell into the trial itself: the device went back on purpose, and may be asked again.
            assert update["reason"] == "trial interrupted too often"
            assert field.user()["firmware_version"] == running == field.desired_version(thing)
            assert field.put_user(firmware_version=version).status_code == 200
        field.wait_version(thing, version, 30)
        running = version


# A stock device: no phases, no identity at the download

@pytest.fixture
def stock(field, thing):
    with Puppet(field.server, field.add_device(thing), thing) as device:
        device.runs("1.0.4")
        yield device


def url(field, version):
    return f"https://localhost:{field.server.addresses['https'][1]}/firmware/{field.product}/{version}.bin"


def order(field, version, size):
    field.publish(version, b"\x00" + random.Random(version).randbytes(size - 1))
    assert field.put_user(firmware_version=version).status_code == 200


def test_stock_device_asks_and_is_told(field, stock, thing):
    """[AWS-20-3]"""
    order(field, "1.0.5", 100_000)
    assert stock.peer.subscribe(stock.prefix + "/get/accepted") < 0x80
    stock.peer.publish(stock.prefix + "/get", b"")
    document = stock.peer.expect_json(stock.prefix + "/get/accepted")
    assert document["state"]["delta"] == {"config": {"firmware_version": "1.0.5"}}


def test_percentages_come_from_the_bytes_and_stay_at_99(field, stock, thing):
    """[AWS-20-4]"""
    with Listener(field.server, field.session) as events:
        order(field, "1.0.5", 3_000_000)
        stock.download(url(field, "1.0.5"), pace=lambda count: time.sleep(0.004))  # A device writes to flash.
        events.wait("progress", device=thing, percent=99)
        percents = [e[2]["percent"] for e in events.of(thing) if e[1] == "progress"]
        assert percents == sorted(percents) and len(set(percents)) > 10
        assert field.update(thing)["percent"] == 99
        stock.runs("1.0.5")
        events.wait("done", device=thing, percent=100)
        assert max(e[2]["percent"] for e in events.of(thing) if e[1] == "progress") == 99


def test_unrelated_report_during_the_download_proves_nothing(field, stock, thing):
    order(field, "1.0.5", 100_000)
    stock.download(url(field, "1.0.5"))
    wait_until(lambda: field.update(thing)["percent"] == 99, 5, "all bytes")
    stock.report(temperature=21)
    assert field.update(thing)["state"] == "restarting"
    stock.runs("1.0.5")
    assert field.update(thing)["state"] == "succeeded"


def test_two_devices_at_one_address_get_no_percentage(field, stock, thing):
    second = thing + "-b"
    with Puppet(field.server, field.add_device(second), second) as other:
        other.runs("1.0.4")
        order(field, "1.0.5", 100_000)
        answer = requests.put(f"{field.server.url}/app/devices/{second}", headers=field.session,
                              json={"firmware_version": "1.0.5"}, timeout=10)
        assert answer.status_code == 200
        stock.download(url(field, "1.0.5"))
        for name in (thing, second):
            assert field.update(name)["state"] == "queued" and field.update(name)["percent"] == 0
        stock.runs("1.0.5")
        assert field.update(thing)["state"] == "succeeded"
        assert field.update(second)["state"] == "queued"


def test_label_that_lies(field, stock, thing):
    order(field, "1.0.5", 100_000)
    reason = "reports 1.0.4 after installing 1.0.5"
    with Listener(field.server, field.session) as events:
        for attempt in range(1, 4):
            stock.download(url(field, "1.0.5"))
            wait_until(lambda: field.update(thing)["percent"] == 99, 5, "all bytes")
            stock.runs("1.0.4")
            assert field.update(thing)["reason"] == reason
            assert field.update(thing)["attempts"] == attempt
        told = events.wait("failed", device=thing)[2]
    assert told["reason"] == reason and told["state"] == "failed"
    assert field.user()["firmware_version"] == "1.0.4" == field.desired_version(thing)
    # A person decides: the owner asks again.
    assert field.put_user(firmware_version="1.0.5").status_code == 200
    assert field.desired_version(thing) == "1.0.5"


def test_download_that_breaks_three_times_and_is_asked_again_ends_the_update(field, stock, thing):
    order(field, "1.0.5", 3_000_000)
    for _ in range(4):
        with requests.get(url(field, "1.0.5"), verify=field.server.ca, stream=True, timeout=20) as answer:
            assert len(answer.raw.read(1000)) == 1000
    update = field.wait_state(thing, "failed", 10)
    assert update["reason"]
    assert field.desired_version(thing) == "1.0.4"
