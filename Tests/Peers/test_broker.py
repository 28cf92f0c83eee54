"""MQTT 3.1.1 and 5 through paho: delivery, retained messages, wills, sessions, takeover."""

import socket

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from mqtt_peer import V3, V5, Peer

BOTH = pytest.mark.parametrize("version", [V3, V5], ids=["3.1.1", "5"])


@pytest.fixture
def address(dev):
    return dev.addresses["mqtt"]


@BOTH
@pytest.mark.parametrize("qos", [0, 1])
def test_delivery_in_order(connect, address, thing, version, qos):
    """Over TCP, an ordered stream of bytes [MQTT3-7.1.1-1] [MQTT3-4.6.0-6] [MQTT5-4.2.0-1] [MQTT5-4.6.0-5]"""
    listener = connect(address, version=version)
    speaker = connect(address, version=version)
    assert listener.subscribe(f"order/{thing}", qos) == qos
    for number in range(100):
        speaker.publish(f"order/{thing}", str(number), qos)
    received = [listener.expect(f"order/{thing}") for _ in range(100)]
    assert [int(m.payload) for m in received] == list(range(100))
    assert {m.qos for m in received} == {qos}


@BOTH
def test_granted_quality_is_the_lower_one(connect, address, thing, version):
    listener = connect(address, version=version)
    listener.subscribe(f"low/{thing}", 0)
    listener.publish(f"low/{thing}", b"x", qos=1)
    assert listener.expect().qos == 0


@pytest.mark.parametrize("versions", [(V3, V5), (V5, V3)], ids=["from 3.1.1 to 5", "from 5 to 3.1.1"])
def test_versions_understand_each_other(connect, address, thing, versions):
    """A client that knows nothing but the standard needs nothing else [MQTT3-7.0.0-2] [AWS-8-10]"""
    speaker = connect(address, version=versions[0])
    listener = connect(address, version=versions[1])
    listener.subscribe(f"mixed/{thing}")
    speaker.publish(f"mixed/{thing}", b"hello")
    assert listener.expect().payload == b"hello"


@BOTH
@pytest.mark.parametrize("filter, topic, matches", [
    ("{}/+/temp", "{}/a/temp", True),
    ("{}/+/temp", "{}//temp", True),
    ("{}/+/temp", "{}/a/b/temp", False),
    ("{}/#", "{}", True),
    ("{}/#", "{}/a/b", True),
    ("{}/+", "{}", False),
    ("#", "$SYS/{}", False),
])
def test_wildcards(connect, address, thing, version, filter, topic, matches):
    listener = connect(address, version=version)
    assert listener.subscribe(filter.format(thing)) < 0x80
    speaker = connect(address, version=version)
    speaker.try_publish(topic.format(thing), b"x")
    if matches:
        assert listener.expect(topic.format(thing)).payload == b"x"
    else:
        listener.fence()
        assert topic.format(thing) not in [m.topic for m in listener.messages]


@BOTH
def test_overlapping_filters_and_unsubscribe(connect, address, thing, version):
    listener = connect(address, version=version)
    listener.subscribe(f"over/{thing}/#")
    listener.publish(f"over/{thing}/a", b"1")
    assert listener.expect().payload == b"1"
    listener.unsubscribe(f"over/{thing}/#")
    listener.publish(f"over/{thing}/a", b"2")
    listener.expect_nothing()


@BOTH
def test_retained_message(connect, address, thing, version):
    speaker = connect(address, version=version)
    early = connect(address, version=version)
    early.subscribe(f"kept/{thing}/+")
    speaker.publish(f"kept/{thing}/a", b"old", retain=True)
    speaker.publish(f"kept/{thing}/a", b"new", retain=True)
    assert [early.expect().retain for _ in range(2)] == [False, False]
    late = connect(address, version=version)
    late.subscribe(f"kept/{thing}/+")
    message = late.expect()
    assert (message.payload, message.retain) == (b"new", True)
    speaker.publish(f"kept/{thing}/a", b"", retain=True)
    last = connect(address, version=version)
    last.subscribe(f"kept/{thing}/#")
    last.expect_nothing()


@BOTH
def test_will_after_a_cut_and_none_after_goodbye(connect, address, thing, version):
    listener = connect(address, version=version)
    listener.subscribe(f"will/{thing}")
    will = {"topic": f"will/{thing}", "payload": b"gone", "qos": 1}
    Peer(address, version=version, will=will).connect().drop()
    assert listener.expect(f"will/{thing}").payload == b"gone"
    Peer(address, version=version, will=will).connect().disconnect()
    listener.expect_nothing()


@BOTH
def test_takeover(connect, address, thing, version):
    listener = connect(address, version=version)
    listener.subscribe(f"will/{thing}")
    will = {"topic": f"will/{thing}", "payload": b"gone", "qos": 1}
    first = connect(address, thing, version=version, will=will)
    second = connect(address, thing, version=version)
    reason = first.wait_end()
    if version == V5:
        assert reason.value == 0x8E
    assert listener.expect().payload == b"gone"
    second.fence()
    assert second.ended is None


@BOTH
def test_session_survives_the_connection(connect, address, thing, version):
    settings = {"version": version, "clean": False, "expiry": 3600}
    first = connect(address, thing, **settings)
    assert not first.session_present
    first.subscribe(f"sleep/{thing}", 1)
    first.disconnect()
    speaker = connect(address, version=version)
    for number in range(30):
        speaker.publish(f"sleep/{thing}", str(number))
    second = connect(address, thing, **settings)
    assert second.session_present
    assert [int(second.expect().payload) for _ in range(30)] == list(range(30))
    second.disconnect()
    third = connect(address, thing, version=version, clean=True)
    assert not third.session_present
    third.expect_nothing()


@BOTH
def test_clean_session_forgets(connect, address, thing, version):
    first = connect(address, thing, version=version)
    first.subscribe(f"sleep/{thing}", 1)
    first.disconnect()
    connect(address, version=version).publish(f"sleep/{thing}", b"x")
    second = connect(address, thing, version=version, clean=False, expiry=60)
    assert not second.session_present
    second.expect_nothing()


def test_user_properties_and_correlation_pass_through(connect, address, thing):
    """[AWS-8-10]"""
    listener = connect(address, version=V5)
    listener.subscribe(f"props/{thing}")
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = ("unit", "°C")
    properties.CorrelationData = b"\x01\x02"
    properties.ResponseTopic = f"answer/{thing}"
    properties.ContentType = "text/plain"
    listener.publish(f"props/{thing}", b"x", properties=properties)
    got = listener.expect().properties
    assert got.UserProperty == [("unit", "°C")]
    assert (got.CorrelationData, got.ResponseTopic, got.ContentType) == (
        b"\x01\x02", f"answer/{thing}", "text/plain")


def test_no_local_and_retain_handling(connect, address, thing):
    speaker = connect(address, version=V5)
    speaker.publish(f"opt/{thing}", b"kept", retain=True)
    speaker.subscribe(f"opt/{thing}", options=SubscribeOptions(qos=1, noLocal=True, retainHandling=2))
    speaker.publish(f"opt/{thing}", b"own")
    speaker.expect_nothing()
    connect(address).publish(f"opt/{thing}", b"other")
    assert speaker.expect().payload == b"other"
    speaker.publish(f"opt/{thing}", b"", retain=True)


def test_metrics_in_the_user_name_do_no_harm(connect, address):
    connect(address, user="?SDK=IoTDeviceSDK/Python&Platform=Unix", password="").fence()
    connect(address, version=V5, user="alice?SDK=IoTDeviceSDK/Python").fence()


def test_silence_ends_the_connection_and_sends_the_will(connect, address, thing):
    listener = connect(address)
    listener.subscribe(f"will/{thing}")
    body = (b"\x00\x04MQTT\x04\x06\x00\x01" + _text(thing) + _text(f"will/{thing}") + _text("silent"))
    with socket.create_connection(address, timeout=10) as silent:
        silent.sendall(bytes([0x10, len(body)]) + body)
        assert silent.recv(4) == b"\x20\x02\x00\x00"
        assert silent.recv(1) == b"", "one second of keep-alive ran out and the connection stayed"
    assert listener.expect().payload == b"silent"


def _text(value):
    return len(value).to_bytes(2, "big") + value.encode()


def test_a_packet_above_the_announced_maximum_ends_it(address, thing):
    """The server names its Maximum Packet Size, and 0x95 ends the connection of who exceeds it [MQTT5-3.2.2-15]"""
    body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + _text(thing)
    with socket.create_connection(address, timeout=10) as large:
        large.sendall(bytes([0x10, len(body)]) + body)
        connack = large.recv(2)
        connack += large.recv(connack[1])
        limit = int.from_bytes(connack[connack.index(0x27, 5) + 1:][:4], "big")
        rest = limit + 1 - 4  # behind first byte and three bytes of length
        large.sendall(bytes([0x30, rest & 0x7F | 0x80, rest >> 7 & 0x7F | 0x80, rest >> 14]))
        assert large.recv(3)[:3:2] == b"\xe0\x95"
        while large.recv(100):
            pass


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x00\x00",
    b"\x30\x05\x00\x01ab",
    b"\x10\xff\xff\xff\xff\x01",
    b"\x10\x02\x00\x04",
    b"\x10\x0c\x00\x04MQTT\x09\x02\x00\x3c\x00\x00",
], ids=["HTTP", "zeros", "PUBLISH first", "overlong length", "cut CONNECT", "version 9"])
def test_nonsense_is_closed(connect, address, data):
    with socket.create_connection(address, timeout=15) as wild:
        wild.sendall(data)
        answer = b""
        try:
            while piece := wild.recv(64):
                answer += piece
        except ConnectionResetError:
            pass
        assert len(answer) <= 32
    connect(address).fence()
