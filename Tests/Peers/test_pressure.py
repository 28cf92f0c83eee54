"""The broker under pressure: many who never finish, floods, readers who do not read, full queues."""

import asyncio
import resource
import selectors
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from apus_server import Server, wait_until
from mqtt_peer import V3 as PAHO_V3
from mqtt_peer import Peer
from raw_mqtt import (
    CONNACK, DISCONNECT, PUBACK, PUBLISH, PUBREC, V3, V5, Wire, background, connect, numbered, packet, parts, puback,
    publish,
)

PATIENCE = 10
"""Seconds that a client has from its handshake to an accepted CONNECT."""
SLACK = 5
"""Clients and server share a machine that may have other work too."""
PROMPT = 3
"""Seconds that an unharmed client waits at most, there."""
MIB = 1 << 20


@pytest.fixture
def server(fresh):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield fresh
    assert fresh.runs, fresh.log()[-2000:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def careless_tls():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def watch(server, stop):
    """The longest answer of /healthz and of a message to oneself while others press."""
    wire = await Wire.client(server.addresses["mqtt"], "watcher")
    await wire.subscribe("watch", 0)
    longest = 0
    while not stop.is_set():
        longest = max(longest, await wire.round_trip("watch"), await asyncio.to_thread(healthz, server.url))
        await asyncio.sleep(0.02)
    wire.close()
    return longest


def healthz(url):
    began = time.monotonic()
    with urllib.request.urlopen(url + "/healthz", timeout=10) as answer:
        assert answer.status == 200
    return time.monotonic() - began


# Before CONNECT


class Dribblers:
    """Connections that send a CONNECT byte by byte and never the last one; one thread for all of them."""

    def __init__(self):
        self.opened = {}
        self.lives = []

    def open(self, address, count, tls=None):
        for _ in range(count):
            link = socket.create_connection(address, timeout=20)
            if tls:
                link = tls.wrap_socket(link)
            link.setblocking(False)
            self.opened[link] = time.monotonic()

    def run(self):
        """Dribbles until the server has closed all of them; notes how long it bore each."""
        bytes_ = iter(connect("x" * 60))
        sources = selectors.DefaultSelector()
        for link in self.opened:
            sources.register(link, selectors.EVENT_READ)
        while self.opened:
            byte, until = bytes([next(bytes_)]), time.monotonic() + 1
            for link in list(self.opened):
                try:
                    link.send(byte)
                except OSError:
                    self._ended(link, sources)
            while self.opened and (left := until - time.monotonic()) > 0:
                for key, _ in sources.select(left):
                    if self._is_at_end(key.fileobj):
                        self._ended(key.fileobj, sources)

    @staticmethod
    def _is_at_end(link):
        try:
            return link.recv(1) == b""
        except ssl.SSLWantReadError:
            return False
        except OSError:
            return True

    def _ended(self, link, sources):
        self.lives.append(time.monotonic() - self.opened.pop(link))
        sources.unregister(link)
        link.close()


def test_two_thousand_that_never_finish_their_connect(server):
    """There is no limit per address on loopback: what bounds them is the time until CONNECT."""
    crowd = Dribblers()

    def press():
        crowd.open(server.addresses["mqtt"], 1800)
        crowd.open(server.addresses["mqtts"], 200, careless_tls())
        crowd.run()

    async def run():
        before, grown, rounds = server.resident_bytes, 0, 0
        stop = asyncio.Event()
        async with background(watch(server, stop)) as watching:
            pressing = asyncio.create_task(asyncio.to_thread(press))
            with await asyncio.to_thread(lambda: Peer(server.addresses["mqtt"], version=PAHO_V3).connect()) as peer:
                while not pressing.done():
                    await asyncio.to_thread(peer.fence)
                    rounds += 1
                    grown = max(grown, server.resident_bytes - before)
            await pressing
            stop.set()
        assert len(crowd.lives) == 2000
        # The server counts from its accept, which may be well before ours where the machine is busy.
        assert min(crowd.lives) > PATIENCE / 2, "closed too early"
        assert max(crowd.lives) < PATIENCE + SLACK, "borne too long"
        assert watching.result() < PROMPT
        assert rounds > 10
        assert grown < 100 * MIB
        wait_until(lambda: server.metric("apus_mqtt_connections") == 0, what="the end of every connection")

    asyncio.run(run())


def test_little_is_held_before_connect(server):
    async def run():
        address = server.addresses["mqtt"]
        large = await Wire.open(address)
        large.send(connect("large", user="u" * (15 << 10)))
        assert (await large.expect(CONNACK)).body[1] == 0
        for data in [connect("too-large", user="u" * (17 << 10)), b"\x10\xff\xff\xff\x7f" + bytes(4096)]:
            wire = await Wire.open(address)
            wire.send(data)
            assert await wire.rest() == []
        large.send(b"\xc0\x00")
        assert (await large.next()).type == 13

    asyncio.run(run())
    assert "too large" in server.log()


# Retained messages

RETAINED = 100_000


async def retain_all(server, count):
    """Publishes retained messages as fast as they are taken, each on a topic of its own."""
    wire = await Wire.client(server.addresses["mqtt"], "keeper")

    async def send():
        for start in range(0, count, 500):
            wire.send(b"".join(
                publish(f"kept/{n % 100}/{n}", b"%d" % n, packet_id=n % 65_535 + 1, retain=True)
                for n in range(start, start + 500)))
            await wire.flush()

    async with background(send()):
        for expected in numbered(count):
            acknowledged = await wire.expect(PUBACK)
            assert int.from_bytes(acknowledged.body[:2], "big") == expected
    wire.close()


async def take_retained(wire, count):
    """Reads retained messages, and acknowledges them; answers their numbers."""
    seen = set()
    while len(seen) < count:
        message = await wire.expect(PUBLISH)
        topic, packet_id, payload = parts(message)
        assert message.flags & 1, "not marked as retained"
        seen.add(int(payload))
        if packet_id:
            wire.send(puback(packet_id))
    return seen


def mosquitto_sub(address, filter, count):
    """The payloads that mosquitto's own client gets, at QoS 1."""
    command = ["mosquitto_sub", "-h", address[0], "-p", str(address[1]), "-t", filter, "-q", "1", "-C", str(count)]
    return subprocess.run([*command, "-W", "20"], check=True, capture_output=True, timeout=30).stdout.split()


def test_a_hundred_thousand_retained_messages(server):
    async def run():
        address = server.addresses["mqtt"]
        await retain_all(server, RETAINED)
        before = server.resident_bytes
        stop = asyncio.Event()
        async with background(watch(server, stop)) as watching:
            slow = [await Wire.client(address, f"slow-{n}", receive_bytes=4096) for n in range(5)]
            for wire in slow:
                await wire.subscribe("kept/#", 0)
            quick = await Wire.client(address, "quick")
            await quick.subscribe("kept/#", 1)
            assert await take_retained(quick, RETAINED) == set(range(RETAINED))
            if shutil.which("mosquitto_sub"):
                lines = await asyncio.to_thread(mosquitto_sub, address, "kept/#", RETAINED)
                assert set(map(int, lines)) == set(range(RETAINED))
            grown = server.resident_bytes - before
            # The slow ones were fed as far as their sockets went, and get the rest when they read.
            assert await take_retained(slow[0], RETAINED) == set(range(RETAINED))
            stop.set()
        assert watching.result() < PROMPT
        assert grown < 150 * MIB
        assert server.metric("apus_mqtt_dropped_total") == 0

    asyncio.run(run())


# Readers that do not read


def test_a_dead_subscriber_of_quality_0_harms_nobody(server):
    """What does not fit is dropped and counted; the silence of its client ends the connection."""
    async def run():
        address = server.addresses["mqtt"]
        dead = await Wire.client(address, "dead", V5, keep_alive=4, receive_bytes=4096)
        await dead.subscribe("flood", 0)
        alive = await Wire.client(address, "alive")
        await alive.subscribe("flood", 0)
        speaker = await Wire.client(address, "speaker")
        before = server.resident_bytes
        message, rounds, crowd = publish("flood", bytes(1000), 0), 100, 400
        stop = asyncio.Event()
        async with background(watch(server, stop)) as watching:
            for _ in range(rounds):  # in step with the one who reads, so that it has no reason to lose any
                speaker.send(message * crowd)
                for _ in range(crowd):
                    await alive.expect(PUBLISH)
            dropped = server.metric("apus_mqtt_dropped_total")
            assert 0 < dropped < rounds * crowd
            assert server.resident_bytes - before < 50 * MIB
            connections = server.metric("apus_mqtt_connections")
            await asyncio.to_thread(
                wait_until, lambda: server.metric("apus_mqtt_connections") < connections, 10, "the end of the dead one")
            stop.set()
        assert watching.result() < PROMPT

    asyncio.run(run())


def test_a_subscriber_of_quality_1_that_does_not_read_is_closed_with_its_reason(server):
    async def run():
        address = server.addresses["mqtt"]
        dead = await Wire.client(address, "dead", V5, receive_bytes=4096)
        await dead.subscribe("flood", 1)
        alive = await Wire.client(address, "alive")
        await alive.subscribe("flood", 1)
        speaker = await Wire.client(address, "speaker")
        connections = server.metric("apus_mqtt_connections")
        count = 0
        while server.metric("apus_mqtt_connections") == connections:
            assert count < 20_000, "it is borne for ever"
            for packet_id in range(1, 101):
                speaker.send(publish("flood", bytes(200), packet_id=packet_id))
            for _ in range(100):
                message = await alive.expect(PUBLISH)
                alive.send(puback(parts(message)[1]))
            for _ in range(100):
                await speaker.expect(PUBACK)
            count += 100
        assert count > 10_000
        packets = await dead.rest()
        assert packets[-1].type == DISCONNECT and packets[-1].body[0] == 0x97, packets[-1]

    asyncio.run(run())
    assert server.metric("apus_mqtt_dropped_total") > 0
    assert server.metric("apus_mqtt_slow_closed_total") == 1
    assert "too much waits for the client" in server.log()


# Publishers that press


def test_a_full_queue_refuses_its_publishers(server):
    """256 MiB for one kept session; there is no flag to lower it."""
    async def run():
        address = server.addresses["mqtt"]
        sleeper = await Wire.client(address, "sleeper", clean=False)
        await sleeper.subscribe("work", 1)
        sleeper.close()
        new = await Wire.client(address, "new", V5)
        payload, window = bytes(128 << 10), 50
        taken, reason = 0, 0
        while reason == 0:
            assert taken < 2200, "the queue never fills"
            for packet_id in range(1, window + 1):
                new.send(publish("work", payload, packet_id=packet_id, version=V5))
            for _ in range(window):
                answer = await new.expect(PUBACK)
                reason = answer.body[2] if len(answer.body) > 2 else 0
                taken += reason == 0
        assert reason == 0x97
        assert taken * len(payload) > 250 * MIB
        # QoS 0 is not kept, and so not refused; nor is what goes elsewhere.
        new.send(publish("work", b"x", 0, version=V5) + publish("other", b"x", packet_id=1, version=V5))
        assert len((await new.expect(PUBACK)).body) == 2
        old = await Wire.client(address, "old", source="127.0.0.2")
        old.send(publish("work", b"x"))
        assert await old.rest() == [], "closed without PUBACK"
        assert "the queue of a subscriber that is away is full" in server.log()
        sleeper = await Wire.client(address, "sleeper", clean=False)
        assert sleeper.session_present
        sleeper.send(puback(parts(await sleeper.expect(PUBLISH))[1]))
        sleeper.send(b"\xc0\x00")
        await sleeper.expect(13)
        new.send(publish("work", b"again", packet_id=2, version=V5))
        assert len((await new.expect(PUBACK)).body) == 2, "there is room again"

    asyncio.run(run())


def test_a_publisher_that_does_not_wait_is_slowed_and_not_refused(server):
    """MQTT 3.1.1 knows no window: reading stops while the disk has enough to do."""
    async def run():
        wire = await Wire.client(server.addresses["mqtt"], "eager")
        before, highest = server.resident_bytes, 0
        count, payload = 100_000, bytes(1000)

        async def send():
            for start in range(0, count, 1000):
                wire.send(b"".join(
                    publish("kept/one", payload, packet_id=packet_id, retain=True)
                    for packet_id in numbered(1000, start)))
            await wire.flush()

        stop = asyncio.Event()
        async with background(watch(server, stop)) as watching:
            async with background(send()):
                for position, expected in enumerate(numbered(count)):
                    answer = await wire.expect(PUBACK)
                    assert int.from_bytes(answer.body, "big") == expected
                    if position % 1000 == 0:
                        highest = max(highest, server.resident_bytes)
            stop.set()
        assert watching.result() < PROMPT
        assert highest - before < 60 * MIB, "what was sent ahead waits in the server"

    asyncio.run(run())


def test_more_than_the_receive_maximum_ends_the_connection(server):
    async def run():
        wire = await Wire.client(server.addresses["mqtt"], "greedy", V5)
        # A QoS 2 message is open until PUBCOMP, which never comes without PUBREL.
        wire.send(b"".join(publish("t", b"x", 2, packet_id, version=V5) for packet_id in range(1, 101)))
        for _ in range(100):
            await wire.expect(PUBREC)
        wire.send(publish("t", b"x", 2, 101, version=V5))
        packets = await wire.rest()
        assert [(p.type, p.body[0]) for p in packets] == [(DISCONNECT, 0x93)]

    asyncio.run(run())


# Takeover


def test_takeovers_under_load_lose_nothing(server):
    """One client comes again and again without a goodbye while messages for it arrive."""
    async def run():
        address, count = server.addresses["mqtt"], 6000
        seen, took = [], 0
        wire = await Wire.client(address, "flapper", V5, clean=False)
        await wire.subscribe("work", 1)

        async def send():
            speaker = await Wire.client(address, "speaker")
            for start in range(0, count, 50):
                for number in range(start, start + 50):
                    speaker.send(publish("work", b"%d" % number, packet_id=number % 50 + 1))
                for _ in range(50):
                    await speaker.expect(PUBACK)

        async with background(send()):
            while len(set(seen)) < count:
                for _ in range(150):
                    if len(set(seen)) == count:
                        break
                    message = await wire.expect(PUBLISH)
                    packet_id, payload = parts(message, V5)[1:]
                    seen.append(int(payload))
                    wire.send(puback(packet_id))
                old, wire = wire, await Wire.client(address, "flapper", V5, clean=False)
                assert wire.session_present
                packets = await old.rest()
                assert packets[-1].type == DISCONNECT and packets[-1].body[0] == 0x8E
                took += 1
        assert took > 10
        assert list(dict.fromkeys(seen)) == list(range(count)), "first sight of each is in order"

    asyncio.run(run())


def test_a_long_queue_lies_on_disk_and_not_in_memory(fresh):
    """90 MB wait for a client that is away, through a kill; it comes back to all of them in order."""
    count, body = 30_000, b"x" * 3000
    asyncio.run(queue_up(fresh.addresses["mqtt"], 10, body))
    before = fresh.resident_bytes
    asyncio.run(queue_up(fresh.addresses["mqtt"], count, body, start=10))
    assert fresh.resident_bytes - before < 40 * MIB
    assert (fresh.data / "apus.sqlite-wal").stat().st_size < 16 * MIB, "the log is copied back while messages come"
    fresh.kill()
    fresh.start()
    assert fresh.resident_bytes - before < 40 * MIB
    assert fresh.ready_seconds < 5 + SLACK
    most = asyncio.run(take_all(fresh, count + 10))
    assert most - before < 60 * MIB


async def queue_up(address, count, body, start=0):
    """Publishes numbered messages for a kept session whose client is away; all are acknowledged."""
    away = await Wire.client(address, "away", clean=False)
    await away.subscribe("long", 1)
    away.close()
    sender, open_ids = await Wire.client(address, "sender"), set()

    async def acknowledged(most):
        while len(open_ids) > most:
            answer = await sender.expect(PUBACK)
            open_ids.remove(int.from_bytes(answer.body[:2], "big"))

    for number in range(start, start + count):
        packet_id = number % 60_000 + 1
        open_ids.add(packet_id)
        sender.send(publish("long", b"%08d" % number + body, 1, packet_id))
        await acknowledged(80)
    await acknowledged(0)
    sender.close()


async def take_all(server, count):
    """Receives what waits, in order; answers the most memory that the server took meanwhile."""
    back, most = await Wire.client(server.addresses["mqtt"], "away", clean=False), 0
    for number in range(count):
        _, packet_id, payload = parts(await back.expect(PUBLISH))
        assert int(payload[:8]) == number
        back.send(puback(packet_id))
        if number % 100 == 0:
            most = max(most, server.resident_bytes)
            await back.flush()
    await back.flush()
    back.close()
    return most


def ready(server):
    try:
        return urllib.request.urlopen(server.url + "/readyz", timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def may_write(server, size):
    """Limits the files of the server: beyond it writing fails, as on a full disk."""
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_a_full_disk_costs_nothing_that_was_acknowledged(fresh):
    """A commit that fails ends all connections; clients are let in again when the disk takes writes, to all that was promised."""
    acknowledged = asyncio.run(publish_until_the_end(fresh))
    assert len(acknowledged) > 10 and acknowledged == list(range(len(acknowledged)))
    assert ready(fresh) == 503
    assert fresh.metric("apus_mqtt_failed_commits_total") >= 1
    may_write(fresh, resource.RLIM_INFINITY)
    wait_until(lambda: ready(fresh) == 200, 20, "the way back")
    asyncio.run(take_first(fresh, acknowledged))


async def publish_until_the_end(server):
    """Numbers that were acknowledged until a commit failed."""
    mqtt = server.addresses["mqtt"]
    away = await Wire.client(mqtt, "away", clean=False)
    await away.subscribe("long", 1)
    away.close()
    sender, acknowledged = await Wire.client(mqtt, "sender"), []
    for number in range(20_000):
        if number == 200:
            largest = max(path.stat().st_size for path in server.data.glob("apus.sqlite*"))
            may_write(server, largest + (64 << 10))
        sender.send(publish("long", b"%08d" % number + b"x" * 2000, 1, number + 1))
        if number - len(acknowledged) < 20:
            continue
        answer = await sender.next()
        if answer is None:
            return acknowledged
        if answer.type == PUBACK:
            acknowledged.append(int.from_bytes(answer.body[:2], "big") - 1)
    raise AssertionError("no commit failed")


async def take_first(server, numbers):
    back = await Wire.client(server.addresses["mqtt"], "away", clean=False)
    for number in numbers:
        _, packet_id, payload = parts(await back.expect(PUBLISH))
        assert int(payload[:8]) == number
        back.send(puback(packet_id))
    await back.flush()
    back.close()
