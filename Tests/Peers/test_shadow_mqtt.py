"""The shadow dialogue over MQTT 3.1.1 and 5."""

import json

import pytest

from aws import Shadows
from mqtt_peer import V3, V5, Peer, Refused, ShadowTalk

BOTH = pytest.mark.parametrize("version", [V3, V5], ids=["3.1.1", "5"])


@pytest.fixture
def peer(dev, connect, version):
    return connect(dev.addresses["mqtt"], version=version)


@BOTH
def test_get_update_delete(peer, thing):
    """[AWS-3-5] [AWS-3-4] [AWS-8-3] [AWS-8-4]"""
    talk = ShadowTalk(peer, thing).listen()
    accepted, answer = talk.ask("get")
    assert not accepted
    assert answer["code"] == 404 and answer["message"].startswith("No shadow exists with name")

    accepted, answer = talk.ask("update", {"state": {"desired": {"a": 1}}})
    assert accepted and answer["version"] == 1 and answer["state"] == {"desired": {"a": 1}}
    assert isinstance(answer["timestamp"], int) and answer["timestamp"] < 1e11

    accepted, answer = talk.ask("get")
    assert accepted and answer["state"] == {"desired": {"a": 1}, "delta": {"a": 1}}

    accepted, answer = talk.ask("update", {"state": {"desired": {"a": 2}}, "version": 7})
    assert not accepted and answer["code"] == 409 and answer["message"] == "Version conflict"

    accepted, answer = talk.ask("delete")
    assert accepted and answer["version"] == 1 and "state" not in answer


@BOTH
def test_named_shadow_has_its_own_topics(peer, thing):
    """[AWS-2.1-2] [AWS-3-1]"""
    classic = ShadowTalk(peer, thing).listen()
    named = ShadowTalk(peer, thing, "zone:1").listen()
    assert named.ask("update", {"state": {"reported": {"a": 1}}})[0]
    assert not classic.ask("get")[0]
    assert named.ask("get")[1]["state"] == {"reported": {"a": 1}}


@BOTH
def test_order_of_one_version(peer, thing):
    """Delta first: several SDKs drop a delta of a version they have seen accepted (field report 6). [AWS-3.7-4]"""
    talk = ShadowTalk(peer, thing).listen("update/+")
    for number in range(1, 11):  # ten at once: as many as may be in flight
        payload = json.dumps({"state": {"desired": {"n": number}}})
        peer.client.publish(talk.prefix + "/update", payload, qos=1)
    for version in range(1, 11):
        words = ("delta", "accepted", "documents")
        messages = [peer.expect() for _ in words]
        assert [m.topic for m in messages] == [f"{talk.prefix}/update/{word}" for word in words]
        delta, accepted, documents = (json.loads(m.payload) for m in messages)
        assert delta["version"] == accepted["version"] == documents["current"]["version"] == version
        assert delta["state"] == {"n": version}
        assert not any(m.retain for m in messages)


@BOTH
def test_documents_show_before_and_after(peer, thing):
    """[AWS-3.4-1] [AWS-3.4-2] [AWS-3.4-5]"""
    talk = ShadowTalk(peer, thing).listen("update/documents")
    peer.publish(talk.prefix + "/update", {"state": {"reported": {"a": 1}}})
    first = peer.expect_json(talk.prefix + "/update/documents")
    assert first["previous"] is None
    assert first["current"]["state"] == {"reported": {"a": 1}}
    peer.publish(talk.prefix + "/update", {"state": {"reported": {"a": 1}}})
    second = peer.expect_json(talk.prefix + "/update/documents")
    assert second["previous"] == first["current"]
    assert second["current"]["version"] == 2


@BOTH
def test_no_delta_when_both_agree(peer, thing):
    """[AWS-3.3-1]"""
    talk = ShadowTalk(peer, thing).listen("update/+")
    peer.publish(talk.prefix + "/update", {"state": {"desired": {"a": 1}, "reported": {"a": 1}}})
    assert peer.expect().topic.endswith("/update/accepted")
    assert peer.expect().topic.endswith("/update/documents")
    peer.expect_nothing()


@BOTH
@pytest.mark.parametrize("payload, code", [
    (b"{", 400),
    (b"\xff\xfe", 415),
    (b'{"state":{"x":1}}', 400),
    (b'{"state":{"desired":{"a":"' + b"x" * 8300 + b'"}}}', 413),
])
def test_refused_updates_say_why_and_change_nothing(peer, thing, payload, code):
    """[AWS-2.6-2] [AWS-3.6-1] [AWS-3.6-3]"""
    talk = ShadowTalk(peer, thing).listen()
    peer.publish(talk.prefix + "/update", payload)
    answer = peer.expect_json(talk.prefix + "/update/rejected")
    assert answer["code"] == code and isinstance(answer["message"], str)
    assert not talk.ask("get")[0]
    peer.expect_nothing()


@BOTH
def test_token_of_a_refused_update_is_echoed(peer, thing):
    """[AWS-3.6-2]"""
    talk = ShadowTalk(peer, thing).listen()
    accepted, answer = talk.ask("update", {"state": {"foo": 1}})
    assert not accepted and answer["message"] == "State contains an invalid node: 'foo'"


@BOTH
def test_empty_get_is_a_request(peer, thing):
    """[AWS-3-2] [AWS-20-3]"""
    talk = ShadowTalk(peer, thing).listen("get/+")
    peer.publish(talk.prefix + "/get", b"")
    assert peer.expect_json(talk.prefix + "/get/rejected")["code"] == 404


@BOTH
def test_change_over_http_is_announced(dev, peer, thing):
    """[AWS-3.7-6] [AWS-3.7-7]"""
    talk = ShadowTalk(peer, thing).listen("update/+", "delete/+")
    shadows = Shadows(dev.url)
    shadows.update(thing, {"state": {"desired": {"firmware_version": "1.0.5"}}, "clientToken": "t"})
    for word in ("delta", "accepted", "documents"):
        message = peer.expect()
        assert message.topic == f"{talk.prefix}/update/{word}"
        assert json.loads(message.payload)["clientToken"] == "t"
    shadows.delete(thing)
    assert peer.expect().topic == f"{talk.prefix}/delete/accepted"
    with pytest.raises(shadows.exceptions.InvalidRequestException):
        shadows.update(thing, {"state": {"foo": 1}})
    peer.expect_nothing()


@BOTH
def test_delta_waits_for_a_sleeping_device(dev, connect, thing, version):
    """[AWS-3.7-2] [AWS-8-8]"""
    settings = {"version": version, "clean": False, "expiry": 3600}
    device = connect(dev.addresses["mqtt"], thing, **settings)
    talk = ShadowTalk(device, thing).listen("update/delta")
    device.disconnect()
    Shadows(dev.url).update(thing, {"state": {"desired": {"firmware_version": "1.0.5"}}})
    device = connect(dev.addresses["mqtt"], thing, **settings)
    assert device.session_present
    delta = device.expect_json(talk.prefix + "/update/delta")
    assert delta["state"] == {"firmware_version": "1.0.5"}


@BOTH
def test_nobody_can_forge_an_answer(dev, connect, peer, thing, version):
    """[AWS-7-3]"""
    talk = ShadowTalk(peer, thing).listen()
    for word in ("update/delta", "update/accepted", "update/documents", "get/accepted", "delete/rejected"):
        forger = connect(dev.addresses["mqtt"], version=version)
        forger.try_publish(f"{talk.prefix}/{word}", b'{"state":{"firmware_version":"6.6.6"}}')
    peer.expect_nothing()


@BOTH
def test_retain_on_a_reserved_topic_stores_nothing(dev, connect, peer, thing, version):
    """[AWS-7-5]"""
    talk = ShadowTalk(peer, thing)
    peer.try_publish(talk.prefix + "/update/delta", b"{}", retain=True)
    late = connect(dev.addresses["mqtt"], version=version)
    ShadowTalk(late, thing).listen()
    late.expect_nothing()


@BOTH
def test_will_on_an_answer_topic_is_no_way_in(dev, connect, peer, thing, version):
    """[AWS-7-6] [AWS-18-11]"""
    talk = ShadowTalk(peer, thing).listen()
    will = {"topic": talk.prefix + "/update/delta", "payload": b"{}", "qos": 1}
    forger = Peer(dev.addresses["mqtt"], version=version, will=will)
    try:
        forger.connect().drop()
    except Refused:
        pass
    peer.expect_nothing()


@BOTH
def test_case_of_a_topic_counts(peer, thing):
    """[AWS-7-7]"""
    talk = ShadowTalk(peer, thing).listen()
    peer.try_publish(f"$aws/things/{thing}/shadow/Update", b'{"state":{"desired":{"a":1}}}')
    assert peer.ended is not None or not talk.ask("get")[0]


def test_small_device(dev, connect, thing):
    """Arduino's PubSubClient: 3.1.1, clean session, QoS 0 alone, a keep-alive of 15 s, small packets. [AWS-20-1] [AWS-20-2]"""
    shadows = Shadows(dev.url)
    shadows.update(thing, {"state": {"desired": {"config": {"firmware_version": "1.0.4"}},
                                     "reported": {"config": {"firmware_version": "1.0.4"}}}})
    device = connect(dev.addresses["mqtt"], thing, version=V3, keepalive=15)
    prefix = f"$aws/things/{thing}/shadow"
    for word in ("get/accepted", "get/rejected", "update/delta"):
        assert device.subscribe(f"{prefix}/{word}", 0) == 0
    device.publish(prefix + "/get", b"", qos=0)
    document = device.expect(prefix + "/get/accepted")
    assert document.qos == 0 and b" " not in document.payload
    assert set(json.loads(document.payload)["state"]) == {"desired", "reported"}
    shadows.update(thing, {"state": {"desired": {"config": {"firmware_version": "1.0.5"}}}})
    delta = device.expect(prefix + "/update/delta")
    assert len(delta.payload) < 256
    assert json.loads(delta.payload)["state"] == {"config": {"firmware_version": "1.0.5"}}
    device.publish(prefix + "/update", b'{"state":{"reported":{"config":{"firmware_version":"1.0.5"}}}}', qos=0)
    device.publish(f"mia/things/{thing}/logs", b'{"message":"done"}', qos=0)
    device.publish(prefix + "/get", b"", qos=0)
    assert "delta" not in device.expect_json(prefix + "/get/accepted")["state"]
    device.expect_nothing()
