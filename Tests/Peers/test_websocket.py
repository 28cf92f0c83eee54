"""MQTT over WebSocket on the HTTP ports: paho as the client, and raw sockets for what no client would send."""

import base64
import os
import socket
import ssl
import struct
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from apus_server import Server, wait_until

KEY = base64.b64encode(b"0123456789abcdef").decode()
CONNECT = bytes([0x10, 13, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 0, 0, 1]) + b"r"


def frame(opcode, payload=b"", final=True, reserved=0):
    """One masked frame, its length in as few bytes as it can be."""
    count = len(payload)
    length = bytes([0x80 | count]) if count < 126 else (
        b"\xfe" + struct.pack(">H", count) if count < 1 << 16 else b"\xff" + struct.pack(">Q", count))
    mask = os.urandom(4)
    key = int.from_bytes((mask * (count // 4 + 1))[:count], "big")
    body = (int.from_bytes(payload, "big") ^ key).to_bytes(count, "big")
    return bytes([(0x80 if final else 0) | reserved << 4 | opcode]) + length + mask + body


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
    assert messages(stream, 10) == b"\x20\x02\x00\x00" + b"\xd0\x00" * 3


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


def test_a_frame_may_be_longer_than_any_packet(server):
    """A thousand packets in one frame of 1 MiB [MQTT3-6.0.0-2] [MQTT5-6.0.0-2]"""
    reader = client(server, "reads-long-frames")
    reader.subscribe("long/frame", qos=1)
    assert reader.is_ready.wait(10)
    sent = [b"%04d" % n + os.urandom(1030) for n in range(1000)]
    packets = [publish("long/frame", payload, packet_id=n + 1) for n, payload in enumerate(sent)]
    assert len(b"".join(packets)) > 1 << 20
    stream = upgraded(server)
    send(stream, 2, CONNECT + b"".join(packets))
    answer = messages(stream, 4 + 4 * 1000)
    assert answer == b"\x20\x02\x00\x00" + b"".join(b"\x40\x02" + struct.pack(">H", n + 1) for n in range(1000))
    wait_until(lambda: len(reader.got) == 1000, 20, "every message")
    assert reader.got == sent
    reader.disconnect()
    reader.loop_stop()
    stream.close()


def test_a_packet_in_a_message_of_many_frames(server):
    """Each byte of CONNECT in a frame of its own, with frames of nothing and pings between them [MQTT5-6.0.0-2]"""
    stream = upgraded(server)
    frames = [frame(2 if n == 0 else 0, CONNECT[n:n + 1], final=n == len(CONNECT) - 1) for n in range(len(CONNECT))]
    frames.insert(7, frame(0, b"", final=False))
    stream.sendall(b"".join(frames[:9]))
    send(stream, 9, b"in between")
    assert read_frame(stream) == (10, b"in between")
    for each in frames[9:]:
        stream.sendall(each)
    assert read_frame(stream) == (2, bytes([0x20, 2, 0, 0]))
    # The same again as one byte of the network at a time.
    for byte in frame(2, b"\xc0", final=False) + frame(10) + frame(0, b"\x00"):
        stream.sendall(bytes([byte]))
    assert read_frame(stream) == (2, b"\xd0\x00")
    stream.close()


def test_frames_hold_nothing_before_connect(server):
    """A client that is not known gets the memory of a CONNECT, whatever length its frames announce."""
    streams, before = [upgraded(server) for _ in range(200)], server.resident_bytes
    began = time.monotonic()
    almost = frame(2, b"\x10" + variable_length(200_000) + bytes(200_000))[:-1]
    for stream in streams:
        stream.sendall(almost)
    assert server.resident_bytes - before < 20 << 20
    for stream in streams:
        assert read_frame(stream)[0] in (8, None), "a packet above 16 KiB before CONNECT"
        stream.close()
    assert time.monotonic() - began < 8, "only their 10 s ended them"


def test_an_announced_length_is_only_announced(server):
    """A frame of 2^40 bytes is a stream like any other: the broker's limits end it, 16 KiB or 10 s before CONNECT."""
    endless = b"\x82\xff" + struct.pack(">Q", 1 << 40) + bytes(4)
    slow, large = upgraded(server), upgraded(server)
    before, began = server.resident_bytes, time.monotonic()
    slow.sendall(endless + CONNECT[:-1])
    large.sendall(endless + b"\x10" + variable_length(20_000))
    assert read_frame(large)[0] in (8, None)
    assert time.monotonic() - began < 5
    stream = upgraded(server)
    stream.sendall(endless + CONNECT + b"\xc0\x00")
    assert messages(stream, 6) == b"\x20\x02\x00\x00\xd0\x00"
    slow.settimeout(15)
    assert read_frame(slow)[0] in (8, None)
    assert time.monotonic() - began > 8
    assert server.resident_bytes - before < 20 << 20


def test_a_ping_is_answered_once_the_client_reads(server):
    """While it does not, as much waits as its socket and the server's bound take, and the answer behind that."""
    reader = upgraded(server)
    send(reader, 2, CONNECT)
    send(reader, 2, b"\x82\x0b\x00\x01\x00\x06late/#\x01")
    assert messages(reader, 9) == b"\x20\x02\x00\x00\x90\x03\x00\x01\x01"
    writer = upgraded(server)
    send(writer, 2, CONNECT[:-1] + b"w")
    for n in range(90):
        send(writer, 2, publish("late/words", bytes(100_000), packet_id=n + 1))
    messages(writer, 4 + 4 * 90)
    send(reader, 9, b"still there?")
    reader.settimeout(10)
    while True:
        opcode, payload = read_frame(reader)
        if opcode == 10:
            break
        assert opcode == 2
    assert payload == b"still there?"
    for stream in (reader, writer):
        stream.close()


def test_a_client_that_has_to_wait_is_not_read(tmp_path):
    """What the broker does not take yet stays with the client, and goes on when it does."""
    strict = Server(tmp_path / "data", "--dev", "--aws-limits").start()
    try:
        stream = upgraded(strict)
        send(stream, 2, CONNECT)
        assert read_frame(stream) == (2, bytes([0x20, 2, 0, 0]))
        packets = b"".join(publish("too/fast", bytes(1000), packet_id=n + 1) for n in range(1000))
        flood = frame(2, packets)
        before, taken, end = strict.resident_bytes, 0, time.monotonic() + 1
        stream.settimeout(0.2)
        try:
            while time.monotonic() < end:
                taken += stream.send(flood[taken % len(flood):])
        except TimeoutError:
            pass
        assert taken < 32 << 20
        assert strict.resident_bytes - before < 10 << 20
        stream.settimeout(10)
        # 100 a second: those that were taken at once, and some of those that had to wait.
        answers = messages(stream, 4 * 250)
        assert answers[:1000] == b"".join(b"\x40\x02" + struct.pack(">H", n + 1) for n in range(250))
        stream.close()
    finally:
        strict.stop()


BROKEN = {
    "text": (frame(1, b"text"), 1003),
    "text in a message": (frame(2, b"\x10", final=False) + frame(1, b"text"), 1003),
    "not masked": (b"\x82\x01x", 1002),
    "nothing to continue": (frame(0, b"\x10"), 1002),
    "nothing to continue, with more to come": (frame(0, b"\x10", final=False), 1002),
    "a message in a message": (frame(2, b"\x10", final=False) + frame(2, b"\x0d"), 1002),
    "RSV1": (frame(2, b"\x10", reserved=4), 1002),
    "RSV2": (frame(2, b"\x10", reserved=2), 1002),
    "RSV3 in a ping": (frame(9, reserved=1), 1002),
    "a reserved opcode": (frame(3, b"\x10"), 1002),
    "a reserved opcode of a control frame": (frame(11), 1002),
    "a ping in fragments": (frame(9, b"a", final=False), 1002),
    "a ping of 126 bytes": (frame(9, bytes(126)), 1002),
    "a length in more bytes than it needs": (b"\x82\xfe\x00\x01" + bytes(5), 1002),
    "a length with its highest bit": (b"\x82\xff" + b"\xff" * 8 + bytes(4), 1002),
    "half a close code": (frame(8, b"\x03"), 1002),
    "a close code that is not sent": (frame(8, struct.pack(">H", 1005)), 1002),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_breaks_the_protocol_ends_it(server, what):
    """Text, and what RFC 6455 forbids, closes the connection with its code [MQTT3-6.0.0-1] [MQTT5-6.0.0-1]"""
    stream = upgraded(server)
    frames, code = BROKEN[what]
    stream.sendall(frames)
    assert read_frame(stream) == (8, struct.pack(">H", code))
    assert read_frame(stream) == (None, b"")
    stream.close()


def test_what_is_no_mqtt_ends_it(server):
    stream = upgraded(server)
    send(stream, 2, b"\xff\xff\xff\xff\xff")
    assert read_frame(stream)[0] in (8, None)
    assert server.runs


@pytest.mark.parametrize("payload", [b"", struct.pack(">H", 1000), struct.pack(">H", 4001) + b"enough"],
                         ids=["no code", "1000", "4001 in words"])
@pytest.mark.parametrize("tls", [False, True])
def test_who_says_goodbye_hears_it_back(server, payload, tls):
    """The same code comes back, and then the end; what is sent later is not answered."""
    stream = upgraded(server, tls)
    send(stream, 2, CONNECT)
    assert read_frame(stream) == (2, bytes([0x20, 2, 0, 0]))
    stream.sendall(frame(8, payload) + frame(9, b"late") + frame(2, b"\xc0\x00"))
    assert read_frame(stream) == (8, payload[:2])
    assert read_frame(stream) == (None, b"")
    stream.close()


@pytest.mark.parametrize("ending", [frame(8, struct.pack(">H", 1000)), b""], ids=["close frame", "closed socket"])
def test_what_came_before_the_end_counts(server, ending):
    """The last messages and DISCONNECT of a client that leaves at once reach the broker; its will does not leave."""
    reader = client(server, "reads-last-words")
    reader.subscribe("last/#", qos=1)
    assert reader.is_ready.wait(10)
    will = b"\x10" + variable_length(32) + b"\x00\x04MQTT\x04\x06\x00\x00\x00\x02lw\x00\x09last/will\x00\x05gone!"
    words = [b"%d" % n + bytes(50_000) for n in range(20)]
    stream = upgraded(server)
    stream.sendall(frame(2, will + b"".join(publish("last/words", each) for each in words) + b"\xe0\x00") + ending)
    if not ending:
        stream.shutdown(socket.SHUT_WR)
    wait_until(lambda: len(reader.got) >= len(words), 10, "the last words")
    while read_frame(stream)[0] is not None:
        pass
    time.sleep(0.3)  # the time in which a will would have come
    assert reader.got == words
    reader.disconnect()
    reader.loop_stop()
    stream.close()


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


def upgraded(server, tls=False):
    """A raw socket behind the upgrade; the answer's hash is that of RFC 6455."""
    stream = socket.create_connection(server.addresses["https" if tls else "http"], timeout=10)
    if tls:
        stream = ssl.create_default_context(cafile=server.ca).wrap_socket(stream, server_hostname="localhost")
    stream.sendall(request(server))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += stream.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 ") and b"chunked" not in answer.lower()
    assert b"Sec-WebSocket-Protocol: mqtt" in answer
    return stream


def send(stream, opcode, payload, final=True):
    stream.sendall(frame(opcode, payload, final))


def variable_length(number):
    """The remaining length of a packet."""
    digits = b""
    while number > 127:
        digits += bytes([number & 127 | 128])
        number >>= 7
    return digits + bytes([number])


def publish(topic, payload, packet_id=None):
    """PUBLISH of MQTT 3.1.1: QoS 1 with a packet identifier, QoS 0 without."""
    body = struct.pack(">H", len(topic)) + topic.encode()
    body += (b"" if packet_id is None else struct.pack(">H", packet_id)) + payload
    return bytes([0x30 if packet_id is None else 0x32]) + variable_length(len(body)) + body


def messages(stream, count):
    """The first `count` bytes of the messages that come."""
    answer = b""
    while len(answer) < count:
        opcode, payload = read_frame(stream)
        assert opcode == 2
        answer += payload
    return answer


def read_frame(stream):
    """Opcode and payload of the next frame; (None, b"") where the server has closed."""
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
        if not head:
            return None, b""
        length = head[1]
        if length > 125:
            length = int.from_bytes(take(2 if length == 126 else 8), "big")
        return head[0] & 15, take(length)
    except ConnectionResetError:
        return None, b""
