"""A product whose updates go out as jobs: the same machine, history and owner's progress as by shadow."""

import hashlib
import json

import pytest
import requests

from agent import Listener
from apus_server import wait_until
from aws import clients
from field import Field, program
from mqtt_peer import Peer, tls_context


@pytest.fixture
def field(strict, tmp_path):
    field = Field(strict, tmp_path)
    strict.cli("product", "set", field.product, "--delivery", "job")
    yield field
    field.close()


class JobDevice:
    """A device that listens to jobs alone, with its certificate."""

    def __init__(self, field, thing):
        folder = field.add_device(thing)
        self.field, self.thing, self.base = field, thing, f"$aws/things/{thing}/jobs"
        context = tls_context(field.server.ca, folder / f"{thing}.crt", folder / f"{thing}.key")
        self.peer = Peer(("localhost", field.server.addresses["mqtts"][1]), client_id=thing, tls=context).connect()
        self.peer.subscribe(self.base + "/notify-next", 1)
        self.report("1.0.4")

    def report(self, version):
        update = f"$aws/things/{self.thing}/shadow/update"
        self.peer.subscribe(update + "/accepted", 1)
        self.peer.publish(update, {"state": {"reported": {"config": {"firmware_version": version}}}})
        self.peer.expect(update + "/accepted")

    def next(self):
        return self.peer.expect_json(self.base + "/notify-next").get("execution")

    def start(self):
        self.peer.publish(self.base + "/start-next", {"clientToken": "s"})
        return self.peer.expect_json(self.base + "/start-next/accepted")["execution"]

    def say(self, job, status, **details):
        body = {"status": status, **({"statusDetails": details} if details else {})}
        self.peer.publish(f"{self.base}/{job}/update", body)
        answer = self.peer.expect(f"{self.base}/{job}/update/")
        assert answer.topic.endswith("/accepted"), answer.payload


@pytest.fixture
def device(field, thing):
    device = JobDevice(field, thing)
    yield device
    device.peer.disconnect()


def test_from_install_to_done(field, device):
    image = program("1.0.5")
    field.publish("1.0.5", image)
    listener = Listener(field.server, field.session)
    field.put_user(firmware_version="1.0.5")
    execution = device.next()
    document = execution["jobDocument"]
    assert document["operation"] == "install" and document["version"] == "1.0.5"
    assert document["size"] == len(image) and document["sha256"] == hashlib.sha256(image).hexdigest()
    assert requests.get(document["url"], timeout=10).content == image
    assert field.desired_version(device.thing) is None
    job = device.start()["jobId"]
    listener.wait("progress", state="downloading")
    device.say(job, "IN_PROGRESS", state="downloading", percent="42")
    listener.wait("progress", percent=42)
    device.say(job, "IN_PROGRESS", state="installing")
    listener.wait("progress", state="installing")
    device.say(job, "SUCCEEDED")
    listener.wait("done", version="1.0.5")
    assert field.update(device.thing)["state"] == "succeeded"
    assert field.device(device.thing)["version"] == "1.0.5"
    history = field.server.cli_json("device", "history", device.thing)
    assert "1.0.5" in json.dumps(history) and "installing" in json.dumps(history)
    listener.close()


def test_three_failures_end_it(field, device):
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    for attempt in range(3):
        assert device.next()["executionNumber"] == attempt + 1
        job = device.start()["jobId"]
        device.say(job, "FAILED", error=f"no room {attempt}")
    assert device.next() is None
    update = field.update(device.thing)
    assert update["state"] == "failed" and update["attempts"] == 3 and update["reason"] == "no room 2"


def test_a_device_may_refuse(field, device):
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    device.next()
    device.say(device.start()["jobId"], "REJECTED", error="battery is low")
    update = field.update(device.thing)
    assert update["state"] == "failed" and update["reason"] == "battery is low"


def test_what_is_taken_back_is_cancelled(field, device):
    field.publish("1.0.5")
    field.publish("1.0.6")
    field.put_user(firmware_version="1.0.5")
    first = device.next()["jobId"]
    assert device.start()["jobId"] == first
    field.put_user(firmware_version="1.0.6")
    second = device.next()
    assert second is None or second["jobId"] != first
    assert wait_until(lambda: field.update(device.thing)["version"] == "1.0.6")
    key = field.server.cli_json("token", "create", "jobs-" + device.thing, "--aws")
    iot = clients(field.server.url, key["access_key_id"], key["secret_access_key"])("iot")
    shown = iot.describe_job_execution(jobId=first, thingName=device.thing)["execution"]
    assert shown["status"] == "CANCELED" and shown["forceCanceled"] is True
    job = device.start()["jobId"]
    assert job != first
    iot.cancel_job(jobId=job, force=True)
    assert field.update(device.thing)["state"] == "cancelled"


@pytest.fixture
def iot(field):
    key = field.server.cli_json("token", "create", "jobs-" + field.product, "--aws")
    return clients(field.server.url, key["access_key_id"], key["secret_access_key"])("iot")


def begin(field, device):
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    return device.next()["jobId"]


def test_a_job_that_is_deleted_ends_it(field, device, iot):
    job = begin(field, device)
    iot.delete_job_execution(jobId=job, thingName=device.thing, executionNumber=1, force=True)
    assert field.update(device.thing)["state"] == "cancelled"


def test_a_job_that_is_cancelled_is_not_tried_again(field, device, iot):
    job = begin(field, device)
    device.start()
    iot.cancel_job(jobId=job)
    assert field.update(device.thing)["state"] != "cancelled"
    device.say(job, "FAILED", error="no room")
    assert field.update(device.thing)["state"] == "cancelled"


def test_what_is_taken_back_after_a_soft_cancel_is_not_handed_out(field, device, iot):
    job = begin(field, device)
    device.start()
    iot.cancel_job(jobId=job)
    field.server.cli("device", "cancel", device.thing)
    assert iot.describe_job_execution(jobId=job, thingName=device.thing)["execution"]["status"] == "CANCELED"


def test_the_servers_job_ids_are_its_own(field, device, iot):
    arn = iot.describe_thing(thingName=device.thing)["thingArn"]
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.create_job(jobId="apus-update-99999", targets=[arn], document="{}")


def test_a_full_shadow_does_not_hold_up_its_update(field, device):
    """Taking the version back would not fit: the member goes instead, and the update ends."""
    field.server.cli("product", "set", field.product, "--delivery", "shadow")
    device.report("1.0.4-rc.12345")
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    update = f"$aws/things/{device.thing}/shadow/update"
    room = 8192 - len(json.dumps(field.shadow(device.thing)["state"]["reported"], separators=(",", ":"))) \
        - len(json.dumps(field.shadow(device.thing)["state"]["desired"], separators=(",", ":")))
    device.peer.publish(update, {"state": {"reported": {"x": "x" * (room - len(',"x":""'))}}})
    device.peer.expect(update + "/accepted")
    field.server.cli("device", "cancel", device.thing)
    assert field.update(device.thing)["state"] == "cancelled"
    assert field.desired_version(device.thing) is None


def test_a_shadow_report_ends_it_too(field, device):
    field.publish("1.0.5")
    field.put_user(firmware_version="1.0.5")
    device.next()
    device.report("1.0.5")
    assert field.update(device.thing)["state"] == "succeeded"
    assert device.next() is None


def test_delivery_is_checked(field):
    done = field.server.cli("product", "set", field.product, "--delivery", "pigeon", expect=5)
    assert "expected shadow or job" in done.stderr
    products = {row["slug"]: row for row in field.server.cli_json("product", "list")["products"]}
    assert products[field.product]["delivery"] == "job"
