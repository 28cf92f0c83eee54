"""Jobs and the registry: boto3's `iot` and `iot-jobs-data` as they are, devices over MQTT."""

import json
import time
import uuid

import pytest

from apus_server import Server, wait_until
from aws import Shadows, clients, iot_data
from mqtt_peer import V3, V5


@pytest.fixture(scope="module")
def iot(dev):
    return clients(dev.url)("iot")


@pytest.fixture(scope="module")
def jobs_data(dev):
    return clients(dev.url)("iot-jobs-data")


@pytest.fixture
def registered(iot, thing):
    """A thing and its ARN."""
    return thing, iot.create_thing(thingName=thing)["thingArn"]


@pytest.fixture
def job_id():
    return "job-" + uuid.uuid4().hex[:12]


def create(iot, job_id, *targets, document=None, **more):
    return iot.create_job(jobId=job_id, targets=list(targets), document=json.dumps(document or {"op": "x"}), **more)


def base(thing):
    return f"$aws/things/{thing}/jobs"


class Device:
    """A device that asks for its jobs over MQTT."""

    def __init__(self, peer, thing):
        self.peer, self.base = peer, base(thing)
        peer.subscribe(self.base + "/notify", 1)
        peer.subscribe(self.base + "/notify-next", 1)

    def ask(self, suffix, body=None):
        """The answer to a request, as (`accepted` or `rejected`, payload)."""
        body = dict(body or {}, clientToken=uuid.uuid4().hex)
        self.peer.publish(f"{self.base}/{suffix}", json.dumps(body), 1)
        while True:
            topic, payload = self.hear(f"{self.base}/{suffix}/")
            if payload.get("clientToken") == body["clientToken"]:
                return topic.rsplit("/", 1)[1], payload

    def hear(self, prefix):
        message = self.peer.expect(prefix)
        return message.topic, json.loads(message.payload)


# Registry (section 10)


def test_things(iot, thing):
    """[AWS-10-2] [AWS-10-3] [AWS-10-4] [AWS-10-5] [AWS-6.3-2]"""
    made = iot.create_thing(thingName=thing, attributePayload={"attributes": {"colour": "red"}})
    assert made["thingArn"].endswith(":thing/" + thing) and made["thingId"]
    again = iot.create_thing(thingName=thing, attributePayload={"attributes": {"colour": "red"}})
    assert again["thingId"] == made["thingId"]
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException) as other:
        iot.create_thing(thingName=thing, attributePayload={"attributes": {"colour": "blue"}})
    assert other.value.response["resourceId"] == made["thingId"]
    iot.update_thing(thingName=thing, attributePayload={"attributes": {"size": "7"}, "merge": True}, expectedVersion=1)
    shown = iot.describe_thing(thingName=thing)
    assert shown["attributes"] == {"colour": "red", "size": "7"} and shown["version"] == 2
    assert shown["defaultClientId"] == thing
    with pytest.raises(iot.exceptions.VersionConflictException):
        iot.update_thing(thingName=thing, attributePayload={"attributes": {}}, expectedVersion=1)
    found = iot.list_things(attributeName="size", attributeValue="7")["things"]
    assert thing in [row["thingName"] for row in found]
    iot.delete_thing(thingName=thing)
    iot.delete_thing(thingName=thing)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_thing(thingName=thing)


def test_a_device_of_the_fleet_is_a_thing(dev, iot, thing):
    dev.cli("device", "add", thing, "--token")
    assert iot.describe_thing(thingName=thing)["thingId"]
    iot.update_thing(thingName=thing, attributePayload={"attributes": {"floor": "2"}})
    assert dev.cli_json("device", "show", thing)["thing"] == thing


def test_a_thing_becomes_a_device(dev, iot, thing, tmp_path):
    made = iot.create_thing(thingName=thing, attributePayload={"attributes": {"floor": "2"}})
    dev.cli("device", "add", thing, "--out", tmp_path)
    shown = iot.describe_thing(thingName=thing)
    assert shown["thingId"] == made["thingId"] and shown["attributes"] == {"floor": "2"}
    dev.cli("device", "add", thing, "--token", expect=5)


def test_lists_have_pages(iot):
    prefix = "page-" + uuid.uuid4().hex[:8]
    names = sorted(f"{prefix}-{index}" for index in range(5))
    for name in names:
        iot.create_thing_group(thingGroupName=name)
    pages = iot.get_paginator("list_thing_groups").paginate(
        namePrefixFilter=prefix, PaginationConfig={"PageSize": 2})
    shown = [[group["groupName"] for group in page["thingGroups"]] for page in pages]
    assert [len(page) for page in shown] == [2, 2, 1] and sum(shown, []) == names
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.list_thing_groups(nextToken="garbage")


def test_groups(iot, registered):
    """[AWS-10-8] [AWS-10-10] [AWS-10-12] [AWS-10-14] [AWS-10-16]"""
    thing, _ = registered
    parent, child = ("group-" + uuid.uuid4().hex[:8] for _ in range(2))
    iot.create_thing_group(thingGroupName=parent)
    iot.create_thing_group(thingGroupName=child, parentGroupName=parent,
                           thingGroupProperties={"thingGroupDescription": "upstairs"})
    iot.add_thing_to_thing_group(thingGroupName=child, thingName=thing)
    iot.add_thing_to_thing_group(thingGroupName=child, thingName=thing)
    assert iot.list_things_in_thing_group(thingGroupName=parent)["things"] == []
    assert iot.list_things_in_thing_group(thingGroupName=parent, recursive=True)["things"] == [thing]
    assert [g["groupName"] for g in iot.list_thing_groups_for_thing(thingName=thing)["thingGroups"]] == [child]
    shown = iot.describe_thing_group(thingGroupName=child)
    assert shown["thingGroupMetadata"]["parentGroupName"] == parent
    assert shown["thingGroupMetadata"]["rootToParentThingGroups"][0]["groupName"] == parent
    assert iot.update_thing_group(
        thingGroupName=child, thingGroupProperties={"thingGroupDescription": "down"})["version"] == 2
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_thing_group(thingGroupName=parent)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.add_thing_to_thing_group(thingGroupName="nowhere", thingName=thing)
    iot.update_thing_groups_for_thing(thingName=thing, thingGroupsToAdd=[parent], thingGroupsToRemove=[child])
    iot.delete_thing_group(thingGroupName=child)
    iot.delete_thing_group(thingGroupName=parent)
    iot.delete_thing_group(thingGroupName=parent)
    assert iot.list_thing_groups_for_thing(thingName=thing)["thingGroups"] == []


def test_endpoint_and_event_configurations(dev, iot):
    """[AWS-10-17] [AWS-10-18]"""
    assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"] == "{}:{}".format(
        *dev.addresses["http"])
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.describe_endpoint(endpointType="iot:Nonsense")
    iot.update_event_configurations(eventConfigurations={"JOB": {"Enabled": True}})
    assert iot.describe_event_configurations()["eventConfigurations"]["JOB"] == {"Enabled": True}


def test_things_and_shadows_come_and_go_alone(dev, iot, registered):
    """[AWS-2.1-5]"""
    thing, _ = registered
    shadows = Shadows(dev.url)
    shadows.update(thing, {"state": {"desired": {"a": 1}}})
    shadows.update(thing, {"state": {"desired": {"b": 1}}}, "net")
    shadows.delete(thing, "net")
    assert iot.describe_thing(thingName=thing)["thingName"] == thing
    iot.delete_thing(thingName=thing)
    assert shadows.get(thing)["state"]["desired"] == {"a": 1}


def test_events_can_be_switched_off(fresh, connect):
    """[AWS-10-18] [AWS-16-1]"""
    iot = clients(fresh.url)("iot")
    iot.update_event_configurations(eventConfigurations={"THING": {"Enabled": False}})
    assert iot.describe_event_configurations()["eventConfigurations"]["THING"] == {"Enabled": False}
    listener = connect(fresh.addresses["mqtt"])
    listener.subscribe("$aws/events/thing/#", 1)
    listener.subscribe("$aws/events/thingGroup/#", 1)
    iot.create_thing(thingName="quiet")
    iot.create_thing_group(thingGroupName="loud")
    assert listener.expect().topic == "$aws/events/thingGroup/loud/created"
    listener.expect_nothing()


# Devices (sections 11 to 13, 17)


@pytest.mark.parametrize("version", [V3, V5])
def test_two_jobs_over_mqtt(dev, iot, connect, registered, version):
    """The worked example of section 17 with a real client. [AWS-12.1-7] [AWS-12.3-2] [AWS-12.3-4] [AWS-18-9] [AWS-18-13]"""
    thing, arn = registered
    device = Device(connect(dev.addresses["mqtt"], version=version), thing)
    first, second = ("job-" + uuid.uuid4().hex[:8] for _ in range(2))

    create(iot, first, arn)
    assert list(device.hear(base(thing) + "/notify")[1]["jobs"]) == ["QUEUED"]
    next_ = device.hear(base(thing) + "/notify-next")[1]["execution"]
    assert next_["jobId"] == first and next_["jobDocument"] == {"op": "x"} and "thingName" not in next_
    create(iot, second, arn)
    rows = device.hear(base(thing) + "/notify")[1]["jobs"]["QUEUED"]
    assert [row["jobId"] for row in rows] == [first, second]

    word, answer = device.ask("start-next", {"statusDetails": {"step": "one"}})
    assert word == "accepted" and answer["execution"]["jobId"] == first
    assert answer["execution"]["status"] == "IN_PROGRESS" and answer["execution"]["versionNumber"] == 2
    assert answer["execution"]["statusDetails"] == {"step": "one"}
    word, answer = device.ask(f"{first}/update", {"status": "SUCCEEDED", "includeJobExecutionState": True})
    assert word == "accepted" and answer["executionState"]["status"] == "SUCCEEDED"
    assert device.hear(base(thing) + "/notify-next")[1]["execution"]["jobId"] == second
    assert wait_until(lambda: iot.describe_job(jobId=first)["job"]["status"] == "COMPLETED")

    assert device.ask("start-next")[1]["execution"]["jobId"] == second
    assert device.ask(f"{second}/update", {"status": "FAILED", "expectedVersion": "2"})[0] == "accepted"
    assert device.hear(base(thing) + "/notify-next")[1].keys() == {"timestamp"}
    assert "execution" not in device.ask("start-next")[1]
    assert device.ask(f"{first}/get")[1]["code"] == "TerminalStateReached"
    assert device.ask(f"{first}/update", {"status": "FAILED"})[1]["code"] == "InvalidStateTransition"
    assert device.ask("$next/get")[0] == "accepted"
    assert device.ask("nonsense")[1]["code"] == "InvalidTopic"
    assert device.ask("nowhere/get")[1]["code"] == "ResourceNotFound"


def test_answers_go_to_the_asking_connection_alone_and_once(dev, iot, connect, registered):
    """[AWS-12.1-11] [AWS-12.1-12] [AWS-12.1-2]"""
    thing, _ = registered
    asking, subscribed, other = (connect(dev.addresses["mqtt"]) for _ in range(3))
    other.subscribe(base(thing) + "/#", 1)
    subscribed.subscribe(base(thing) + "/get/accepted", 1)
    subscribed.subscribe(base(thing) + "/+/+", 1)
    # Without a subscription, as FreeRTOS devices do.
    asking.publish(base(thing) + "/get", '{"clientToken":"a"}', 1)
    assert json.loads(asking.expect(base(thing) + "/get/accepted").payload)["clientToken"] == "a"
    subscribed.publish(base(thing) + "/get", '{"clientToken":"b"}', 1)
    answer = subscribed.expect(base(thing) + "/get/accepted")
    assert json.loads(answer.payload) == {
        "clientToken": "b", "timestamp": json.loads(answer.payload)["timestamp"], "inProgressJobs": [],
        "queuedJobs": []}
    for peer, heard in ((asking, []), (subscribed, []), (other, [base(thing) + "/get"] * 2)):
        peer.fence()
        assert [message.topic for message in peer.messages] == heard


def test_a_request_by_http_publish_has_nobody_to_answer(dev, iot, connect, registered, job_id):
    """It is carried out, and told to those who hear of it. [AWS-12.1-13]"""
    thing, arn = registered
    create(iot, job_id, arn)
    data = iot_data(dev.url)
    data.publish(topic=base(thing) + "/start-next", payload=b"{}", qos=1)
    shown = iot.describe_job_execution(jobId=job_id, thingName=thing)["execution"]
    assert shown["status"] == "IN_PROGRESS"
    listener = connect(dev.addresses["mqtt"])
    listener.subscribe(base(thing) + "/notify-next", 1)
    data.publish(topic=f"{base(thing)}/{job_id}/update", payload=b'{"status":"SUCCEEDED"}', qos=1)
    assert "execution" not in listener.expect_json(base(thing) + "/notify-next")


def test_bad_requests_are_rejected(dev, connect, registered):
    """[AWS-12.2-3] [AWS-12.2-4] [AWS-12.2-13]"""
    thing, _ = registered
    device = Device(connect(dev.addresses["mqtt"]), thing)
    for payload, code in [(b"\xff", "InvalidJson"), (b"[", "InvalidJson"), (b"[]", "InvalidJson")]:
        device.peer.publish(base(thing) + "/get", payload, 1)
        assert device.hear(base(thing) + "/get/")[1]["code"] == code
    assert device.ask("J/update", {})[1]["code"] == "InvalidRequest"
    assert device.ask("J/update", {"status": "QUEUED"})[1]["code"] == "InvalidRequest"
    assert device.ask("start-next", {"stepTimeoutInMinutes": 0})[1]["code"] == "InvalidRequest"


def test_jobs_over_http(iot, jobs_data, registered, job_id):
    """[AWS-6.1-2] [AWS-6.1-5] [AWS-13-5] [AWS-13-7] [AWS-13-8]"""
    thing, arn = registered
    assert jobs_data.get_pending_job_executions(thingName=thing)["queuedJobs"] == []
    assert "execution" not in jobs_data.start_next_pending_job_execution(thingName=thing)
    create(iot, job_id, arn, document={"afr_ota": {"protocols": ["MQTT"], "files": [{"filepath": "/x"}]}})
    assert [row["jobId"] for row in jobs_data.get_pending_job_executions(thingName=thing)["queuedJobs"]] == [job_id]
    shown = jobs_data.describe_job_execution(thingName=thing, jobId="$next")["execution"]
    assert json.loads(shown["jobDocument"])["afr_ota"]["files"] == [{"filepath": "/x"}]
    started = jobs_data.start_next_pending_job_execution(thingName=thing, statusDetails={"a": "b"})["execution"]
    assert started["jobId"] == job_id and started["thingName"] == thing and started["versionNumber"] == 2
    with pytest.raises(jobs_data.exceptions.InvalidStateTransitionException):
        jobs_data.update_job_execution(thingName=thing, jobId=job_id, status="SUCCEEDED", expectedVersion=7)
    updated = jobs_data.update_job_execution(
        thingName=thing, jobId=job_id, status="SUCCEEDED", expectedVersion=2, includeJobExecutionState=True,
        includeJobDocument=True)
    assert updated["executionState"]["versionNumber"] == 3 and "afr_ota" in updated["jobDocument"]
    with pytest.raises(jobs_data.exceptions.InvalidStateTransitionException):
        jobs_data.update_job_execution(thingName=thing, jobId=job_id, status="FAILED")
    with pytest.raises(jobs_data.exceptions.TerminalStateException):
        jobs_data.describe_job_execution(thingName=thing, jobId=job_id)
    with pytest.raises(jobs_data.exceptions.ResourceNotFoundException):
        jobs_data.describe_job_execution(thingName=thing, jobId="nowhere")
    with pytest.raises(jobs_data.exceptions.InvalidRequestException):
        jobs_data.describe_job_execution(thingName=thing, jobId="not a job")
    # The same path, other services: the scope of the signature tells them apart.
    whole = iot.describe_job_execution(thingName=thing, jobId=job_id)["execution"]
    assert whole["status"] == "SUCCEEDED" and whole["statusDetails"] == {"detailsMap": {"a": "b"}}


# Control plane (sections 14, 15)


def test_life_of_a_job(iot, registered, job_id):
    """[AWS-14-1] [AWS-14-4] [AWS-14-6] [AWS-14-7] [AWS-14-20]"""
    thing, arn = registered
    document = '{"op": "x", "url": "${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}"}'
    made = iot.create_job(jobId=job_id, targets=[arn], document=document, description="one")
    assert made["jobId"] == job_id and made["jobArn"].endswith(":job/" + job_id) and made["description"] == "one"
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException):
        create(iot, job_id, arn)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        create(iot, job_id + "-2", arn + "-nowhere")
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.create_job(jobId=job_id + "-2", targets=[arn], document="[1]")
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.create_job(jobId=job_id + "-2", targets=[arn], documentSource="https://example.org/job.json")
    assert iot.get_job_document(jobId=job_id)["document"] == document
    job = iot.describe_job(jobId=job_id)["job"]
    assert job["status"] == "IN_PROGRESS" and job["targets"] == [arn] and job["targetSelection"] == "SNAPSHOT"
    assert job["jobProcessDetails"]["numberOfQueuedThings"] == 1
    iot.update_job(jobId=job_id, description="two", timeoutConfig={"inProgressTimeoutInMinutes": 5})
    assert iot.describe_job(jobId=job_id)["job"]["description"] == "two"
    assert job_id in [row["jobId"] for page in iot.get_paginator("list_jobs").paginate(status="IN_PROGRESS")
                      for row in page["jobs"]]
    rows = iot.list_job_executions_for_job(jobId=job_id)["executionSummaries"]
    assert rows[0]["thingArn"] == arn and rows[0]["jobExecutionSummary"]["status"] == "QUEUED"
    rows = iot.list_job_executions_for_thing(thingName=thing, status="QUEUED")["executionSummaries"]
    assert [row["jobId"] for row in rows] == [job_id]
    with pytest.raises(iot.exceptions.InvalidStateTransitionException):
        iot.delete_job(jobId=job_id)
    assert iot.cancel_job(jobId=job_id, reasonCode="WRONG", comment="oops")["jobId"] == job_id
    job = iot.describe_job(jobId=job_id)["job"]
    assert job["status"] == "CANCELED" and job["reasonCode"] == "WRONG" and job["comment"] == "oops"
    assert job["jobProcessDetails"]["numberOfCanceledThings"] == 1
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.cancel_job(jobId=job_id)
    iot.delete_job(jobId=job_id)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_job(jobId=job_id)
    create(iot, job_id, arn)
    iot.delete_job(jobId=job_id, force=True)


def test_executions_are_cancelled_and_deleted(iot, jobs_data, registered, job_id):
    """[AWS-14-12] [AWS-14-13] [AWS-14-14] [AWS-14-15]"""
    thing, arn = registered
    create(iot, job_id, arn)
    jobs_data.start_next_pending_job_execution(thingName=thing)
    with pytest.raises(iot.exceptions.InvalidStateTransitionException):
        iot.cancel_job_execution(jobId=job_id, thingName=thing)
    with pytest.raises(iot.exceptions.VersionConflictException):
        iot.cancel_job_execution(jobId=job_id, thingName=thing, force=True, expectedVersion=9)
    iot.cancel_job_execution(jobId=job_id, thingName=thing, force=True, statusDetails={"why": "test"})
    shown = iot.describe_job_execution(jobId=job_id, thingName=thing)["execution"]
    assert shown["status"] == "CANCELED" and shown["forceCanceled"] is True
    iot.delete_job_execution(jobId=job_id, thingName=thing, executionNumber=1)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_job_execution(jobId=job_id, thingName=thing)


def test_a_group_is_reached_at_its_rate_and_a_newcomer_at_once(iot, job_id):
    """[AWS-15.1-1] [AWS-15.1-5] [AWS-11.2-4] [AWS-14-8]"""
    group = "group-" + uuid.uuid4().hex[:8]
    group_arn = iot.create_thing_group(thingGroupName=group)["thingGroupArn"]
    things = [f"{group}-{index}" for index in range(5)]
    for name in things:
        iot.create_thing(thingName=name)
        iot.add_thing_to_thing_group(thingGroupName=group, thingName=name)
    create(iot, job_id, group_arn, targetSelection="CONTINUOUS", jobExecutionsRolloutConfig={"maximumPerMinute": 2})

    def reached():
        rows = iot.list_job_executions_for_job(jobId=job_id)["executionSummaries"]
        return [row["thingArn"].rsplit("/", 1)[1] for row in rows]

    assert len(reached()) == 2
    iot.create_thing(thingName="new-" + group)
    iot.add_thing_to_thing_group(thingGroupName=group, thingName="new-" + group)
    assert len(reached()) == 3 and "new-" + group in reached()
    iot.remove_thing_from_thing_group(thingGroupName=group, thingName="new-" + group)
    shown = iot.describe_job_execution(jobId=job_id, thingName="new-" + group)["execution"]
    assert shown["status"] == "REMOVED"
    # Who moves from one target to another keeps the job.
    inner = "inner-" + group
    iot.create_thing_group(thingGroupName=inner, parentGroupName=group)
    iot.update_thing_groups_for_thing(
        thingName=things[0], thingGroupsToAdd=[inner], thingGroupsToRemove=[group])
    assert iot.describe_job_execution(jobId=job_id, thingName=things[0])["execution"]["status"] == "QUEUED"
    other = iot.create_thing(thingName="other-" + group)["thingArn"]
    iot.associate_targets_with_job(jobId=job_id, targets=[other])
    assert iot.describe_job(jobId=job_id)["job"]["targets"] == [group_arn, other]
    iot.delete_job(jobId=job_id, force=True)


def test_failures_are_retried_and_then_abort_the_job(iot, jobs_data, job_id):
    """[AWS-15.2-2] [AWS-15.4-2]"""
    things = {name: iot.create_thing(thingName=name)["thingArn"]
              for name in (f"abort-{uuid.uuid4().hex[:8]}" for _ in range(3))}
    first, second, third = things
    create(iot, job_id, *things.values(),
           jobExecutionsRetryConfig={"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 1}]},
           abortConfig={"criteriaList": [{"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 50,
                                          "minNumberOfExecutedThings": 2}]})
    for number in (1, 2):
        running = jobs_data.start_next_pending_job_execution(thingName=first)["execution"]
        assert running["executionNumber"] == number
        jobs_data.update_job_execution(thingName=first, jobId=job_id, status="FAILED")
    wait_until(lambda: iot.describe_job(jobId=job_id)["job"]["status"] == "CANCELED")
    for name in (second, third):
        wait_until(lambda: iot.describe_job_execution(
            jobId=job_id, thingName=name)["execution"]["status"] == "CANCELED")
    rows = iot.list_job_executions_for_thing(thingName=first)["executionSummaries"]
    assert [row["jobExecutionSummary"]["retryAttempt"] for row in rows] == [0, 1]


def test_deleting_a_thing_removes_its_executions(iot, jobs_data, registered, job_id):
    """[AWS-11.2-4]"""
    thing, arn = registered
    create(iot, job_id, arn)
    iot.delete_thing(thingName=thing)
    rows = iot.list_job_executions_for_job(jobId=job_id)["executionSummaries"]
    assert rows[0]["jobExecutionSummary"]["status"] == "REMOVED"
    assert iot.describe_job(jobId=job_id)["job"]["status"] == "COMPLETED"


def test_events_are_published(dev, iot, connect, thing, job_id):
    """[AWS-16-1] [AWS-16-2] [AWS-16-4] [AWS-16-5]"""
    listener = connect(dev.addresses["mqtt"])
    listener.subscribe(f"$aws/events/thing/{thing}/+", 1)
    listener.subscribe(f"$aws/events/job/{job_id}/+", 1)
    listener.subscribe(f"$aws/events/jobExecution/{job_id}/+", 1)
    arn = iot.create_thing(thingName=thing)["thingArn"]
    event = json.loads(listener.expect(f"$aws/events/thing/{thing}/created").payload)
    assert event["eventType"] == "THING_EVENT" and event["operation"] == "CREATED" and event["thingName"] == thing
    create(iot, job_id, arn)
    iot.cancel_job(jobId=job_id)
    for topic, status in ((f"$aws/events/job/{job_id}/cancellation_in_progress", "CANCELLATION_IN_PROGRESS"),
                          (f"$aws/events/jobExecution/{job_id}/canceled", "CANCELED"),
                          (f"$aws/events/job/{job_id}/canceled", "CANCELED")):
        assert json.loads(listener.expect(topic).payload)["status"] == status


def test_schedules_are_checked_and_kept(iot, registered, job_id):
    """[AWS-15.5-1] [AWS-15.5-2]"""
    _, arn = registered
    start = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 3600))
    create(iot, job_id, arn, schedulingConfig={"startTime": start})
    job = iot.describe_job(jobId=job_id)["job"]
    assert job["status"] == "SCHEDULED" and job["schedulingConfig"]["startTime"] == start
    assert iot.list_job_executions_for_job(jobId=job_id)["executionSummaries"] == []
    with pytest.raises(iot.exceptions.InvalidRequestException):
        create(iot, job_id + "-2", arn, schedulingConfig={"startTime": "2020-01-01 00:00"})
    iot.cancel_job(jobId=job_id)


def test_jobs_survive_a_crash(tmp_path, connect):
    server = Server(tmp_path / "data", "--dev").start()
    try:
        client = clients(server.url)
        arns = [client("iot").create_thing(thingName=f"t{index}")["thingArn"] for index in range(3)]
        create(client("iot"), "J", *arns, jobExecutionsRolloutConfig={"maximumPerMinute": 2})
        client("iot-jobs-data").start_next_pending_job_execution(thingName="t0", statusDetails={"a": "b"})
        before = [client("iot").describe_job(jobId="J")["job"],
                  client("iot").describe_job_execution(jobId="J", thingName="t0")["execution"]]
        server.kill()
        server.start()
        client = clients(server.url)
        assert before == [client("iot").describe_job(jobId="J")["job"],
                          client("iot").describe_job_execution(jobId="J", thingName="t0")["execution"]]
        device = Device(connect(server.addresses["mqtt"]), "t0")
        assert device.ask("J/update", {"status": "SUCCEEDED"})[0] == "accepted"
    finally:
        if server.runs:
            server.stop()
