"""MQTT over WebSocket on the HTTP ports: paho as the client, and raw sockets for what no client would send."""

import base64
import os
import socket
import struct
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from apus_server import Server, wait_until

KEY = base64.b64encode(b"0123456789abcdef").decode()
CONNECT = bytes([0x10, 13, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 0, 0, 1]) + b"r"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("ws") / "data", "--dev").start()
    yield server
    server.stop()


def client(server, name, tls=False, version=mqtt.MQTTv311):
    """A connected paho client over WebSocket, its loop running."""
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=name, transport="websockets", protocol=version)
    client.ws_set_options(path="/mqtt")
    if tls:
        client.tls_set(ca_certs=server.ca)
    host, port = server.addresses["https" if tls else "http"]
    client.got, client.is_ready = [], threading.Event()
    client.on_message = lambda _, __, message: client.got.append(message.payload)
    client.on_subscribe = lambda *_: client.is_ready.set()
    client.connect("localhost" if tls else host, port)
    client.loop_start()
    return client


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5])
def test_messages_go_both_ways(server, tls, version):
    peer = client(server, f"ws-{tls}-{version}", tls, version)
    topic = f"ws/{tls}/{version}"
    peer.subscribe(topic, qos=1)
    assert peer.is_ready.wait(10)
    sent = [os.urandom(size) for size in (0, 1, 125, 126, 65_535, 65_536, 120_000)] + [b"%d" % n for n in range(300)]
    for payload in sent:
        peer.publish(topic, payload, qos=1)
    wait_until(lambda: len(peer.got) == len(sent), 20, "every message")
    assert peer.got == sent
    peer.disconnect()
    peer.loop_stop()


def test_a_device_is_who_its_certificate_says(tmp_path):
    """Without --dev: nobody without a credential gets in, a device has its own thing and nothing else, a revoked one is closed."""
    strict = Server(tmp_path / "data").start()
    try:
        strict.cli("product", "add", "lamp", "--hardware", "board")
        for thing in ("lamp-1", "lamp-2"):
            strict.cli("device", "add", thing, "--product", "lamp", "--out", tmp_path)
        answers, ended = [], threading.Event()

        def device(name, certificate=None):
            peer = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, transport="websockets",
                               reconnect_on_failure=False)
            peer.ws_set_options(path="/mqtt")
            peer.tls_set(strict.ca, *([str(tmp_path / f"{certificate}.{end}") for end in ("crt", "key")] if certificate else []))
            peer.on_connect = lambda _, __, ___, reason, ____: answers.append(reason.value)
            peer.on_disconnect = lambda *_: ended.set()
            peer.connect("localhost", strict.addresses["https"][1])
            peer.loop_start()
            return peer

        nobody = device("nobody")
        wait_until(lambda: answers, 10, "the answer to nobody")
        assert answers.pop() != 0
        nobody.loop_stop()
        peer, got = device("lamp-1", "lamp-1"), []
        wait_until(lambda: answers == [0], 10, "the answer to the device")
        peer.on_message = lambda _, __, message: got.append(message.topic)
        peer.subscribe("$aws/things/lamp-1/shadow/update/accepted", qos=1)
        peer.publish("$aws/things/lamp-1/shadow/update", '{"state":{"reported":{"on":true}}}', qos=1)
        wait_until(lambda: got, 10, "the shadow's answer")
        assert strict.cli_json("device", "show", "lamp-1")["connected"]
        ended.clear()
        peer.publish("$aws/things/lamp-2/shadow/update", '{"state":{"reported":{"on":true}}}', qos=1)
        assert ended.wait(10), "it may speak for another thing"
        peer.loop_stop()
        answers.clear()
        peer = device("lamp-1", "lamp-1")
        wait_until(lambda: answers == [0], 10, "the device again")
        ended.clear()
        strict.cli("device", "revoke", "lamp-1")
        assert ended.wait(10), "a revoked device stays"
        peer.loop_stop()
    finally:
        strict.stop()


def test_a_quiet_client_is_not_closed(server):
    """Neither the patience for requests nor that for downloads ends a connection that has become MQTT."""
    stream = upgraded(server)
    send(stream, 2, CONNECT)
    assert read_frame(stream) == (2, bytes([0x20, 2, 0, 0]))
    send(stream, 9, b"are you there")
    assert read_frame(stream) == (10, b"are you there")
    # The same packet in pieces, in frames of one byte each.
    for byte in b"\xc0\x00":
        send(stream, 2, bytes([byte]))
    assert read_frame(stream) == (2, b"\xd0\x00")
    send(stream, 8, struct.pack(">H", 1000))
    assert read_frame(stream)[0] == 8


def test_packets_and_frames_need_not_agree(server):
    """Several packets in one frame, one packet in several frames [MQTT3-6.0.0-2] [MQTT5-6.0.0-2]"""
    stream = upgraded(server)
    send(stream, 2, CONNECT + b"\xc0\x00\xc0")
    send(stream, 2, b"\x00\xc0")
    send(stream, 2, b"\x00")
    answer = b""
    while len(answer) < 10:
        opcode, payload = read_frame(stream)
        assert opcode == 2
        answer += payload
    assert answer == b"\x20\x02\x00\x00" + b"\xd0\x00" * 3


def test_the_protocol_is_mqtt(server):
    """The server selects mqtt, also from a longer list [MQTT3-6.0.0-4] [MQTT5-6.0.0-4]"""
    for offered in ("mqtt", "chat, mqtt", "mqtt, mqttv3.1"):
        with socket.create_connection(server.addresses["http"], timeout=10) as stream:
            stream.sendall(request(server, **{"Sec-WebSocket-Protocol": offered}))
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += stream.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"\r\nSec-WebSocket-Protocol: mqtt\r\n" in answer


def test_pings_of_a_client_that_does_not_read_cost_no_memory(server):
    """Only as many are answered as its socket takes."""
    stream = upgraded(server)
    stream.settimeout(0.5)
    before, highest, end = server.resident_bytes, 0, time.monotonic() + 4
    pings = (b"\x89\xfd" + os.urandom(4 + 125)) * 5000
    try:
        while time.monotonic() < end:
            stream.sendall(pings)
            highest = max(highest, server.resident_bytes)
    except (TimeoutError, ConnectionError):
        pass  # the server may as well stop reading, or end it
    assert highest - before < 50 << 20
    stream.close()


def test_what_is_not_binary_ends_it(server):
    """Text, and what is no WebSocket or no MQTT, closes the connection [MQTT3-6.0.0-1] [MQTT5-6.0.0-1]"""
    stream = upgraded(server)
    send(stream, 1, b"text")
    assert read_frame(stream) == (8, struct.pack(">H", 1003))
    stream = upgraded(server)
    stream.sendall(b"\x82\x01x")  # not masked
    assert read_frame(stream) == (8, struct.pack(">H", 1002))
    stream = upgraded(server)
    stream.sendall(b"\x82\xff" + struct.pack(">Q", 1 << 40) + b"mask")
    assert read_frame(stream)[0] in (8, None)
    stream = upgraded(server)
    send(stream, 2, b"\xff\xff\xff\xff\xff")  # no MQTT
    assert read_frame(stream)[0] in (8, None)
    assert server.runs


@pytest.mark.parametrize("change, status", [
    ({"Upgrade": None}, 426), ({"Sec-WebSocket-Protocol": None}, 400), ({"Sec-WebSocket-Protocol": "chat"}, 400),
    ({"Sec-WebSocket-Version": "8"}, 400), ({"Sec-WebSocket-Key": None}, 400),
    ({"Origin": "https://evil.example"}, 403),
])
def test_refusals_say_why(server, change, status):
    with socket.create_connection(server.addresses["http"], timeout=10) as stream:
        stream.sendall(request(server, **change))
        answer = stream.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.split(b"\r\n\r\n", 1)[1].strip()


def request(server, **change):
    headers = {
        "Host": "{}:{}".format(*server.addresses["http"]), "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "mqtt", **change}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return ("GET /mqtt HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


def upgraded(server):
    """A raw socket behind the upgrade; the answer's hash is that of RFC 6455."""
    stream = socket.create_connection(server.addresses["http"], timeout=10)
    stream.sendall(request(server))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += stream.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 ") and b"chunked" not in answer.lower()
    assert b"Sec-WebSocket-Protocol: mqtt" in answer
    return stream


def send(stream, opcode, payload):
    """One masked frame."""
    mask = os.urandom(4)
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    stream.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + body)


def read_frame(stream):
    """Opcode and payload of the next small frame; (None, b"") where the server has closed."""
    def take(count):
        data = b""
        while len(data) < count:
            piece = stream.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data

    try:
        head = take(2)
        return (head[0] & 15, take(head[1] & 127)) if head else (None, b"")
    except ConnectionResetError:
        return None, b""
