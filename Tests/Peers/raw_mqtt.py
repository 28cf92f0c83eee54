"""MQTT as bytes on asyncio streams: clients that do what no library would, and fast ones."""

import asyncio
import collections
import contextlib
import socket

V3, V5 = 4, 5
CONNACK, PUBLISH, PUBACK, PUBREC, SUBACK, DISCONNECT = 2, 3, 4, 5, 9, 14
SECONDS = 10

Packet = collections.namedtuple("Packet", "type flags body")


# Packets


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def packet(first, body):
    """One packet; `first` is its first byte."""
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length.append(digit | (0x80 if rest else 0))
        if not rest:
            return bytes([first]) + bytes(length) + body


def connect(client_id, version=V3, clean=True, keep_alive=60, user=None):
    """CONNECT; with `clean=False` the session is kept for an hour."""
    flags = (2 if clean else 0) | (0x80 if user is not None else 0)
    body = text("MQTT") + bytes([version, flags]) + keep_alive.to_bytes(2, "big")
    if version == V5:
        body += b"\x00" if clean else b"\x05\x11" + (3600).to_bytes(4, "big")
    return packet(0x10, body + text(client_id) + (text(user) if user is not None else b""))


def subscribe(filter, qos=1, version=V3, packet_id=1):
    empty = b"\x00" if version == V5 else b""
    return packet(0x82, packet_id.to_bytes(2, "big") + empty + text(filter) + bytes([qos]))


def publish(topic, payload, qos=1, packet_id=1, retain=False, version=V3):
    body = text(topic) + (packet_id.to_bytes(2, "big") if qos else b"") + (b"\x00" if version == V5 else b"")
    return packet(0x30 | qos << 1 | retain, body + payload)


def puback(packet_id):
    return packet(0x40, packet_id.to_bytes(2, "big"))


def numbered(count, start=0):
    """Packet identifiers for `count` messages, from 1 to 65 535 and round."""
    return ((start + n) % 65_535 + 1 for n in range(count))


# Connections


class Wire:
    """One connection; what arrives is read only when a test asks for it."""

    def __init__(self, reader, writer, version):
        self.reader, self.writer, self.version = reader, writer, version
        self.held, self.position = b"", 0

    @classmethod
    async def open(cls, address, version=V3, source=None, receive_bytes=None, tls=None):
        """A connection without CONNECT; `source` is the address that it comes from."""
        link = socket.socket()
        link.setblocking(False)
        if receive_bytes:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if source:
            link.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(link, address)
        more = {"ssl": tls, "server_hostname": "localhost"} if tls else {}
        # The stream's own limit is small, so that the kernel's buffers fill when nobody reads.
        return cls(*await asyncio.open_connection(sock=link, limit=4096, **more), version)

    @classmethod
    async def client(cls, address, client_id, version=V3, clean=True, keep_alive=60, **more):
        """A connection that CONNECT was accepted on."""
        wire = await cls.open(address, version, **more)
        wire.send(connect(client_id, version, clean, keep_alive))
        answer = await wire.expect(CONNACK)
        assert answer.body[1] == 0, answer
        wire.session_present = answer.body[0] == 1
        return wire

    def send(self, data):
        self.writer.write(data)

    async def flush(self):
        await self.writer.drain()

    async def subscribe(self, filter, qos=1):
        self.send(subscribe(filter, qos, self.version))
        answer = await self.expect(SUBACK)
        assert answer.body[-1] < 0x80, answer

    async def next(self):
        """The next packet; None at the end of the connection."""
        while (found := self._cut()) is None:
            try:
                piece = await self.reader.read(1 << 18)
            except ConnectionError:
                piece = b""
            if not piece:
                return None
            self.held, self.position = self.held[self.position:] + piece, 0
        return found

    def _cut(self):
        """The first packet of what is held, if it is whole."""
        place, length, shift = self.position + 1, 0, 0
        while place < len(self.held):
            digit = self.held[place]
            length, shift, place = length | (digit & 0x7F) << shift, shift + 7, place + 1
            if digit < 0x80:
                if len(self.held) < place + length:
                    return None
                first, self.position = self.held[self.position], place + length
                return Packet(first >> 4, first & 15, self.held[place:place + length])
        return None

    async def expect(self, type, seconds=SECONDS):
        """The next packet of this type; others before it are passed over."""
        async with asyncio.timeout(seconds):
            while (packet := await self.next()) is not None:
                if packet.type == type:
                    return packet
        raise AssertionError(f"the connection ended before a packet of type {type}")

    async def rest(self, seconds=SECONDS):
        """All packets up to the end of the connection."""
        packets = []
        async with asyncio.timeout(seconds):
            while (packet := await self.next()) is not None:
                packets.append(packet)
        return packets

    async def round_trip(self, topic):
        """Seconds that a message to oneself takes; the topic must be subscribed."""
        began = asyncio.get_running_loop().time()
        self.send(publish(topic, b"x", 0, version=self.version))
        await self.expect(PUBLISH)
        return asyncio.get_running_loop().time() - began

    def close(self):
        self.writer.transport.abort()


def parts(message, version=V3):
    """Topic, packet identifier (0 at QoS 0) and payload of a PUBLISH without properties."""
    body, end = message.body, 2 + int.from_bytes(message.body[:2], "big")
    topic, packet_id = body[2:end], 0
    if message.flags & 6:
        packet_id, end = int.from_bytes(body[end:end + 2], "big"), end + 2
    if version == V5:
        assert body[end] == 0
        end += 1
    return topic, packet_id, body[end:]


@contextlib.asynccontextmanager
async def background(task):
    """Runs `task` beside the block; its failure fails the block."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(task)
        yield running
        await running
