"""Messages, retained messages and connections over HTTP: boto3's `iot-data` as it is, and plain requests."""

import base64
import json
import urllib.parse
import uuid

import pytest
import requests
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from aws import iot_data
from mqtt_peer import V5, Refused


@pytest.fixture(scope="module")
def data(dev):
    return iot_data(dev.url)


@pytest.fixture
def topic():
    return "data/" + uuid.uuid4().hex[:12]


# Publish (5.1)


def test_publish_reaches_subscribers(dev, data, connect, topic):
    """[AWS-5.1-1] [AWS-5.1-2] [AWS-5.1-3] [AWS-5.1-6]"""
    peer = connect(dev.addresses["mqtt"])
    peer.subscribe(topic + "/#", 1)
    data.publish(topic=topic + "/a", payload=b"one")
    data.publish(topic=topic + "/b", payload=b"\x00\xff", qos=1)
    message = peer.expect(topic + "/a")
    assert (message.payload, message.qos, message.retain) == (b"one", 0, False)
    message = peer.expect(topic + "/b")
    assert (message.payload, message.qos) == (b"\x00\xff", 1)
    # curl sends slashes as they are.
    answer = requests.post(f"{dev.url}/topics/{topic}/c/d?qos=1", data=b"two", timeout=10)
    assert answer.status_code == 200 and answer.json()["message"] == "OK" and answer.json()["traceId"]
    assert peer.expect(topic + "/c/d").payload == b"two"


def test_mqtt5_properties_travel(dev, data, connect, topic):
    """[AWS-5.1-5]"""
    peer = connect(dev.addresses["mqtt"], version=V5)
    peer.subscribe(topic, 1)
    data.publish(
        topic=topic, payload=b"{}", qos=1, contentType="application/json", responseTopic="answers/1", messageExpiry=60,
        payloadFormatIndicator="UTF8_DATA", correlationData=base64.b64encode(b"\x01\x02").decode(),
        userProperties=[{"a": "1"}, {"b": "2"}, {"a": "3"}])
    properties = peer.expect(topic).properties
    assert properties.ContentType == "application/json" and properties.ResponseTopic == "answers/1"
    assert properties.PayloadFormatIndicator == 1 and properties.CorrelationData == b"\x01\x02"
    assert properties.UserProperty == [("a", "1"), ("b", "2"), ("a", "3")]
    assert 0 < properties.MessageExpiryInterval <= 60


def test_publish_to_a_shadow_is_an_update(dev, data, connect, thing):
    """[AWS-5.1-7] [AWS-7-4]"""
    prefix = f"$aws/things/{thing}/shadow/update"
    peer = connect(dev.addresses["mqtt"])
    peer.subscribe(prefix, 1)
    peer.subscribe(prefix + "/accepted", 1)
    peer.subscribe(prefix + "/rejected", 1)
    data.publish(topic=prefix, payload=b'{"state":{"desired":{"a":1}}}', qos=1)
    assert peer.expect(prefix).payload == b'{"state":{"desired":{"a":1}}}'
    assert peer.expect_json(prefix + "/accepted")["version"] == 1
    data.publish(topic=prefix, payload=b'[]')
    assert peer.expect_json(prefix + "/rejected")["code"] == 400


@pytest.mark.parametrize("topic,query,status", [
    ("a/+", "", 400), ("a/%23", "", 400), ("", "", 400), ("a" * 257, "", 400), ("%00", "", 400), ("a", "?qos=2", 400),
    ("a", "?qos=x", 400), ("a", "?retain=maybe", 400), ("a", "?messageExpiry=-1", 400), ("a%ff", "", 400),
    ("$aws/things/T/shadow/update/accepted", "", 403), ("$aws/things/T/shadow/update", "?retain=true", 400),
    ("$aws/events/presence/connected/T", "", 403), ("$SYS/x", "", 403),
])
def test_publish_is_refused(dev, topic, query, status):
    """[AWS-5.1-3] [AWS-5.1-4] [AWS-5.1-8] [AWS-7-3]"""
    answer = requests.post(f"{dev.url}/topics/{topic}{query}", data=b"x", timeout=10)
    assert answer.status_code == status, answer.text
    assert answer.headers["x-amzn-ErrorType"] and answer.json()["message"]


def test_publish_has_a_limit(dev, data, topic):
    """[AWS-1.2-7]"""
    data.publish(topic=topic, payload=b"x" * (128 << 10))
    answer = requests.post(f"{dev.url}/topics/{topic}", data=b"x" * ((128 << 10) + 1), timeout=10)
    assert answer.status_code == 413 and answer.headers["x-amzn-ErrorType"] == "RequestEntityTooLargeException"
    assert requests.put(f"{dev.url}/topics/{topic}", data=b"x", timeout=10).status_code == 405


# Retained messages (5.2)


def test_retained_messages(fresh, connect):
    """[AWS-5.2-1] [AWS-5.2-2] [AWS-5.2-3] [AWS-5.2-4] [AWS-5.2-5]"""
    data = iot_data(fresh.url)
    assert data.list_retained_messages()["retainedTopics"] == []
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_retained_message(topic="a/1")
    peer = connect(fresh.addresses["mqtt"])
    peer.subscribe("a/1", 1)
    data.publish(topic="a/1", payload=b"\x00one", qos=1, retain=True, userProperties=json.dumps([{"k": "v"}]))
    assert peer.expect("a/1").retain is False
    peer.publish("a/2", b"two", 1, retain=True)
    later = connect(fresh.addresses["mqtt"])
    later.subscribe("a/+", 1)
    assert later.expect("a/1").retain is True
    found = data.get_retained_message(topic="a/1")
    assert (found["topic"], found["payload"], found["qos"]) == ("a/1", b"\x00one", 1)
    assert json.loads(found["userProperties"]) == [{"k": "v"}] and found["lastModifiedTime"] > 1_700_000_000_000
    first = data.list_retained_messages(maxResults=1)
    assert [row["topic"] for row in first["retainedTopics"]] == ["a/1"]
    second = data.list_retained_messages(maxResults=1, nextToken=first["nextToken"])
    assert [(row["topic"], row["payloadSize"]) for row in second["retainedTopics"]] == [("a/2", 3)]
    assert "nextToken" not in second
    # What was answered is on disk.
    data.publish(topic="a/3", payload=b"three", qos=1, retain=True)
    fresh.kill()
    fresh.start()
    data = iot_data(fresh.url)
    assert data.get_retained_message(topic="a/3")["payload"] == b"three"
    data.publish(topic="a/3", payload=b"", retain=True)
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_retained_message(topic="a/3")


# Connections (5.3)


def test_connections(dev, data, connect, topic):
    """[AWS-5.3-1] [AWS-5.3-2] [AWS-9-14]"""
    watcher = connect(dev.addresses["mqtt"])
    client = "client-" + uuid.uuid4().hex[:12]
    watcher.subscribe(f"$aws/events/presence/disconnected/{client}", 1)
    watcher.subscribe(topic + "/will", 1)
    peer = connect(dev.addresses["mqtt"], client_id=client, version=V5, clean=False, expiry=600,
                   will={"topic": topic + "/will", "payload": b"gone", "qos": 1})
    peer.subscribe(topic + "/b", 1)
    peer.subscribe(topic + "/a", 0)
    found = data.get_connection(clientId=client, includeSocketInformation=True)
    assert found["connected"] and not found["cleanSession"] and found["sessionExpiry"] == 600
    assert found["sourceIp"] == "127.0.0.1" and found["sourcePort"] > 0 and found["keepAliveDuration"] == 60
    assert "sourceIp" not in data.get_connection(clientId=client)
    rows = data.list_subscriptions(clientId=client)["subscriptions"]
    assert rows == [{"topicFilter": topic + "/a", "qos": 0}, {"topicFilter": topic + "/b", "qos": 1}]
    page = data.list_subscriptions(clientId=client, maxResults=1)
    assert data.list_subscriptions(clientId=client, nextToken=page["nextToken"])["subscriptions"] == rows[1:]
    data.send_direct_message(clientId=client, topic="for/you/alone", payload=b"hello")
    assert peer.expect("for/you/alone").payload == b"hello"
    with pytest.raises(data.exceptions.ForbiddenException):
        data.send_direct_message(clientId=client, topic="$aws/things/T/jobs/notify", payload=b"forged")

    data.delete_connection(clientId=client, preventWillMessage=True)
    peer.wait_end()
    event = watcher.expect_json(f"$aws/events/presence/disconnected/{client}")
    assert event["disconnectReason"] == "API_INITIATED_DISCONNECT"
    watcher.expect_nothing()
    assert data.get_connection(clientId=client)["connected"] is False
    data.delete_connection(clientId=client, cleanSession=True)
    for call in (data.get_connection, data.delete_connection, data.list_subscriptions):
        with pytest.raises(data.exceptions.ResourceNotFoundException):
            call(clientId=client)


# The address as a whole (6)


def test_answers_have_awss_headers(dev, thing):
    """[AWS-6.2-1] [AWS-6.2-2] [AWS-6.2-3]"""
    control = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/iot/aws4_request, Signature=0"}
    shadow = f"/things/{thing}/shadow"

    def call(method, path, **more):
        answer = requests.request(method, dev.url + path, timeout=10, **more)
        assert (answer.status_code, path) == (200, path), answer.text
        assert uuid.UUID(answer.headers["x-amzn-RequestId"])
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert "null" not in answer.text
        if answer.content:
            assert answer.headers["Content-Type"].split(";")[0] == "application/json"
        return answer

    call("POST", shadow, json={"state": {"desired": {"a": 1}}})
    assert set(call("GET", shadow).json()) == {"state", "metadata", "version", "timestamp"}
    call("GET", f"/api/things/shadow/ListNamedShadowsForThing/{thing}")
    call("POST", "/topics/a", data=b"x")
    call("GET", f"/things/{thing}/jobs")
    call("DELETE", shadow)
    call("POST", f"/things/{thing}", headers=control)
    shown = call("GET", f"/things/{thing}", headers=control).json()
    assert set(shown) == {"defaultClientId", "thingName", "thingId", "thingArn", "attributes", "version"}
    for method, body in (("PATCH", "{}"), ("DELETE", "")):
        assert call(method, f"/things/{thing}", headers=control, data=body).content in (b"", b"{}")


def test_a_publish_has_no_presence(fresh, connect):
    """[AWS-5.1-9]"""
    watcher = connect(fresh.addresses["mqtt"])
    watcher.subscribe("$aws/events/presence/#", 1)
    iot_data(fresh.url).publish(topic="a", payload=b"x", qos=1)
    watcher.expect_nothing()


@pytest.mark.parametrize("client,status", [("c" * 128, 404), ("c" * 129, 400), ("$c", 400), ("a%2Fb", 404)])
def test_client_ids_in_paths(dev, client, status):
    """[AWS-1.1-3]"""
    assert requests.get(f"{dev.url}/connections/{client}", timeout=10).status_code == status


def test_unknown_paths_and_verbs(dev):
    """[AWS-4-11] [AWS-4-6]"""
    for method, path, status in [("GET", "/things/a/nothing", 404), ("PUT", "/things/T/shadow", 405),
                                 ("GET", "/jobs/J/nothing", 404), ("GET", "/connections", 404),
                                 ("GET", "/things/T/shadow?name=%ff", 400), ("GET", "/things/a%2Fb/shadow", 400)]:
        answer = requests.request(method, dev.url + path, timeout=10)
        assert (answer.status_code, path) == (status, path)
        assert answer.headers["x-amzn-ErrorType"] and answer.headers["x-amzn-RequestId"]
