"""A device with the AWS IoT Device SDK for Python v2 as it is: mutual TLS, shadows and jobs, MQTT 3.1.1 and 5."""

import queue
import uuid

import awscrt.auth
import awscrt.exceptions
import awscrt.mqtt
import pytest
from awscrt import mqtt5
from awscrt.mqtt_request_response import ClientOptions, SubscriptionStatusEventType
from awsiot import (
    ServiceStreamOptions, V2ServiceException, iotjobs, iotshadow, mqtt5_client_builder, mqtt_connection_builder)

from aws import clients

SECONDS = 10
AT_LEAST_ONCE = awscrt.mqtt.QoS.AT_LEAST_ONCE


@pytest.fixture(scope="module")
def iot(strict):
    key = strict.cli_json("token", "create", "sdk-tests", "--aws")
    return clients(strict.url, key["access_key_id"], key["secret_access_key"])("iot")


@pytest.fixture
def settings(strict, tmp_path, thing):
    """What a builder of the SDK needs to connect as `thing`."""
    strict.cli("device", "add", thing, "--out", tmp_path)
    return {
        "endpoint": "localhost", "port": strict.addresses["mqtts"][1], "client_id": thing,
        "cert_filepath": str(tmp_path / f"{thing}.crt"), "pri_key_filepath": str(tmp_path / f"{thing}.key"),
        "ca_filepath": strict.ca}


@pytest.fixture
def connection(settings):
    """MQTT 3.1.1."""
    connection = mqtt_connection_builder.mtls_from_path(**settings, clean_session=False, keep_alive_secs=30)
    assert connection.connect().result(SECONDS)["session_present"] is False
    yield connection
    connection.disconnect().result(SECONDS)


@pytest.fixture
def client5(settings):
    """MQTT 5."""
    connected, stopped = queue.Queue(), queue.Queue()
    client = mqtt5_client_builder.mtls_from_path(
        **settings, on_lifecycle_connection_success=connected.put, on_lifecycle_connection_failure=connected.put,
        on_lifecycle_stopped=stopped.put)
    client.start()
    connack = connected.get(timeout=SECONDS).connack_packet
    assert connack.reason_code == mqtt5.ConnectReasonCode.SUCCESS
    yield client
    client.stop()
    stopped.get(timeout=SECONDS)


@pytest.fixture(params=["3.1.1", "5"])
def anyone(request):
    """A connection of either version, for the clients of the second generation."""
    return request.getfixturevalue("connection" if request.param == "3.1.1" else "client5")


OPTIONS = ClientOptions(
    max_request_response_subscriptions=4, max_streaming_subscriptions=2, operation_timeout_in_seconds=SECONDS)


def service(kind, connection):
    return kind(connection, OPTIONS)


def stream(create, request):
    """Opens a stream and answers the queue of its events."""
    events, states = queue.Queue(), queue.Queue()
    operation = create(request, ServiceStreamOptions(
        incoming_event_listener=events.put, subscription_status_listener=states.put,
        deserialization_failure_listener=events.put))
    operation.open()
    assert states.get(timeout=SECONDS).type == SubscriptionStatusEventType.SUBSCRIPTION_ESTABLISHED
    events.operation = operation
    return events


def test_shadow_with_the_first_generation(connection, thing):
    """The sequence of the SDK's `shadow` sample. [AWS-8-1] [AWS-8-3] [AWS-8-4]"""
    client = iotshadow.IotShadowClient(connection)
    heard = queue.Queue()
    answers = {
        "update accepted": (client.subscribe_to_update_shadow_accepted, iotshadow.UpdateShadowSubscriptionRequest),
        "update rejected": (client.subscribe_to_update_shadow_rejected, iotshadow.UpdateShadowSubscriptionRequest),
        "get accepted": (client.subscribe_to_get_shadow_accepted, iotshadow.GetShadowSubscriptionRequest),
        "get rejected": (client.subscribe_to_get_shadow_rejected, iotshadow.GetShadowSubscriptionRequest),
        "delta": (client.subscribe_to_shadow_delta_updated_events,
                  iotshadow.ShadowDeltaUpdatedSubscriptionRequest)}
    for word, (subscribe, request) in answers.items():
        future, _ = subscribe(request=request(thing_name=thing), qos=AT_LEAST_ONCE,
                              callback=lambda event, word=word: heard.put((word, event)))
        future.result(SECONDS)

    def ask(publish, request):
        request.client_token = uuid.uuid4().hex
        publish(request=request, qos=AT_LEAST_ONCE).result(SECONDS)
        return request.client_token

    token = ask(client.publish_get_shadow, iotshadow.GetShadowRequest(thing_name=thing))
    word, error = heard.get(timeout=SECONDS)
    assert (word, error.code, error.client_token) == ("get rejected", 404, token)
    token = ask(client.publish_update_shadow, iotshadow.UpdateShadowRequest(
        thing_name=thing, state=iotshadow.ShadowState(reported={"color": "off"}, desired={"color": "red"})))
    words = dict(heard.get(timeout=SECONDS) for _ in range(2))
    assert words["delta"].state == {"color": "red"} and words["update accepted"].client_token == token
    ask(client.publish_update_shadow, iotshadow.UpdateShadowRequest(
        thing_name=thing, state=iotshadow.ShadowState(reported={"color": "red"})))
    assert heard.get(timeout=SECONDS)[1].version == 2
    ask(client.publish_get_shadow, iotshadow.GetShadowRequest(thing_name=thing))
    word, document = heard.get(timeout=SECONDS)
    assert document.state.desired == document.state.reported == {"color": "red"} and document.state.delta is None
    assert document.timestamp.year >= 2024


def test_shadow_with_the_second_generation(anyone, thing):
    """The sequence of the SDK's `shadowv2` sample, classic and named. [AWS-8-1] [AWS-8-2] [AWS-8-3] [AWS-8-4]"""
    client = service(iotshadow.IotShadowClientV2, anyone)
    deltas = stream(client.create_shadow_delta_updated_stream,
                    iotshadow.ShadowDeltaUpdatedSubscriptionRequest(thing_name=thing))
    updates = stream(client.create_shadow_updated_stream,
                     iotshadow.ShadowUpdatedSubscriptionRequest(thing_name=thing))
    with pytest.raises(V2ServiceException) as missing:
        client.get_shadow(iotshadow.GetShadowRequest(thing_name=thing)).result(SECONDS)
    assert missing.value.modeled_error.code == 404
    answer = client.update_shadow(iotshadow.UpdateShadowRequest(
        thing_name=thing, state=iotshadow.ShadowState(desired={"color": "green"}))).result(SECONDS)
    assert answer.version == 1 and answer.state.desired == {"color": "green"}
    assert deltas.get(timeout=SECONDS).state == {"color": "green"}
    assert updates.get(timeout=SECONDS).current.state.desired == {"color": "green"}
    answer = client.get_shadow(iotshadow.GetShadowRequest(thing_name=thing)).result(SECONDS)
    assert answer.state.delta == {"color": "green"}
    with pytest.raises(V2ServiceException) as stale:
        client.update_shadow(iotshadow.UpdateShadowRequest(
            thing_name=thing, version=7, state=iotshadow.ShadowState(desired={}))).result(SECONDS)
    assert stale.value.modeled_error.code == 409
    assert client.delete_shadow(iotshadow.DeleteShadowRequest(thing_name=thing)).result(SECONDS).version == 1
    named = {"thing_name": thing, "shadow_name": "extra"}
    client.update_named_shadow(iotshadow.UpdateNamedShadowRequest(
        **named, state=iotshadow.ShadowState(reported={"n": 1}))).result(SECONDS)
    found = client.get_named_shadow(iotshadow.GetNamedShadowRequest(**named)).result(SECONDS)
    assert found.state.reported == {"n": 1}
    client.delete_named_shadow(iotshadow.DeleteNamedShadowRequest(**named)).result(SECONDS)


def test_jobs_with_the_first_generation(connection, iot, thing):
    """The sequence of the SDK's `jobs` sample. [AWS-8-4] [AWS-12.3-4]"""
    client = iotjobs.IotJobsClient(connection)
    heard = queue.Queue()
    for word, subscribe, request in (
            ("next", client.subscribe_to_next_job_execution_changed_events,
             iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=thing)),
            ("started", client.subscribe_to_start_next_pending_job_execution_accepted,
             iotjobs.StartNextPendingJobExecutionSubscriptionRequest(thing_name=thing)),
            ("refused", client.subscribe_to_start_next_pending_job_execution_rejected,
             iotjobs.StartNextPendingJobExecutionSubscriptionRequest(thing_name=thing)),
            ("updated", client.subscribe_to_update_job_execution_accepted,
             iotjobs.UpdateJobExecutionSubscriptionRequest(thing_name=thing, job_id="+")),
            ("not updated", client.subscribe_to_update_job_execution_rejected,
             iotjobs.UpdateJobExecutionSubscriptionRequest(thing_name=thing, job_id="+"))):
        future, _ = subscribe(request=request, qos=AT_LEAST_ONCE,
                              callback=lambda event, word=word: heard.put((word, event)))
        future.result(SECONDS)
    job = "sdk-" + thing
    iot.create_job(jobId=job, targets=[iot.describe_thing(thingName=thing)["thingArn"]], document='{"op":"blink"}')
    word, event = heard.get(timeout=SECONDS)
    assert word == "next" and event.execution.job_id == job and event.execution.job_document == {"op": "blink"}
    client.publish_start_next_pending_job_execution(
        request=iotjobs.StartNextPendingJobExecutionRequest(thing_name=thing), qos=AT_LEAST_ONCE).result(SECONDS)
    word, answer = heard.get(timeout=SECONDS)
    assert word == "started" and answer.execution.status == "IN_PROGRESS"
    client.publish_update_job_execution(
        request=iotjobs.UpdateJobExecutionRequest(
            thing_name=thing, job_id=job, execution_number=answer.execution.execution_number,
            status=iotjobs.JobStatus.SUCCEEDED, expected_version=answer.execution.version_number),
        qos=AT_LEAST_ONCE).result(SECONDS)
    words = [heard.get(timeout=SECONDS) for _ in range(2)]
    assert sorted(word for word, _ in words) == ["next", "updated"]
    assert dict(words)["next"].execution is None
    assert iot.describe_job(jobId=job)["job"]["status"] == "COMPLETED"


def test_jobs_with_the_second_generation(anyone, iot, thing):
    """The sequence of the SDK's `jobsv2` sample. [AWS-8-2] [AWS-8-4] [AWS-12.2-11]"""
    client = service(iotjobs.IotJobsClientV2, anyone)
    changes = stream(client.create_job_executions_changed_stream,
                     iotjobs.JobExecutionsChangedSubscriptionRequest(thing_name=thing))
    nexts = stream(client.create_next_job_execution_changed_stream,
                   iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=thing))
    found = client.get_pending_job_executions(
        iotjobs.GetPendingJobExecutionsRequest(thing_name=thing)).result(SECONDS)
    assert found.queued_jobs == [] and found.in_progress_jobs == []
    job = "sdk2-" + thing
    iot.create_job(jobId=job, targets=[iot.describe_thing(thingName=thing)["thingArn"]], document='{"op":"blink"}')
    assert [row.job_id for row in changes.get(timeout=SECONDS).jobs["QUEUED"]] == [job]
    assert nexts.get(timeout=SECONDS).execution.job_id == job
    shown = client.describe_job_execution(
        iotjobs.DescribeJobExecutionRequest(thing_name=thing, job_id=job)).result(SECONDS)
    assert shown.execution.job_document == {"op": "blink"} and shown.execution.queued_at.year >= 2024
    started = client.start_next_pending_job_execution(
        iotjobs.StartNextPendingJobExecutionRequest(thing_name=thing)).result(SECONDS)
    assert started.execution.status == "IN_PROGRESS"
    for status in (iotjobs.JobStatus.IN_PROGRESS, iotjobs.JobStatus.SUCCEEDED):
        answer = client.update_job_execution(iotjobs.UpdateJobExecutionRequest(
            thing_name=thing, job_id=job, status=status, status_details={"step": "x"},
            include_job_execution_state=True)).result(SECONDS)
        assert answer.execution_state.status == status
    assert nexts.get(timeout=SECONDS).execution is None
    with pytest.raises(V2ServiceException) as over:
        client.describe_job_execution(
            iotjobs.DescribeJobExecutionRequest(thing_name=thing, job_id=job)).result(SECONDS)
    assert over.value.modeled_error.code == "TerminalStateReached"


def test_a_backend_over_websocket_with_an_access_key(strict, iot, thing):
    """A signed upgrade, as the SDK makes it for programs without a certificate; a wrong secret is refused
    [AWS-8-11]"""
    def connect(key):
        provider = awscrt.auth.AwsCredentialsProvider.new_static(key["access_key_id"], key["secret_access_key"])
        return mqtt_connection_builder.websockets_with_default_aws_signing(
            region="us-east-1", credentials_provider=provider, endpoint="localhost",
            port=strict.addresses["https"][1], ca_filepath=strict.ca, client_id="backend-" + thing)

    key = strict.cli_json("token", "create", "ws-" + thing, "--aws")
    connection = connect(key)
    connection.connect().result(SECONDS)
    heard = queue.Queue()
    future, _ = connection.subscribe(
        f"$aws/things/{thing}/shadow/update/accepted", AT_LEAST_ONCE,
        lambda topic, payload, **more: heard.put(payload))
    future.result(SECONDS)
    future, _ = connection.publish(
        f"$aws/things/{thing}/shadow/update", '{"state":{"desired":{"a":1}}}', AT_LEAST_ONCE)
    future.result(SECONDS)
    assert b'"version":1' in heard.get(timeout=SECONDS)
    connection.disconnect().result(SECONDS)
    with pytest.raises(awscrt.exceptions.AwsCrtError):
        connect(dict(key, secret_access_key="x" * 43)).connect().result(SECONDS)
