"""A paho client with waiting instead of callbacks."""

import collections
import json
import socket
import ssl
import threading
import time
import uuid

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

SECONDS = 10
V3, V5 = mqtt.MQTTv311, mqtt.MQTTv5


class Refused(Exception):
    """The broker refused the connection; `code` is its reason."""

    def __init__(self, code):
        super().__init__(str(code))
        self.code = code


class Peer:
    """One MQTT connection. Messages wait in a list until a test takes them."""

    def __init__(self, address, client_id=None, version=V3, clean=True, expiry=None, will=None, user=None,
                 password=None, tls=None, keepalive=60):
        self.id = client_id or "peer-" + uuid.uuid4().hex[:12]
        self.version = version
        self.clean = clean
        self.expiry = expiry
        self.address = address
        self.keepalive = keepalive
        self.changed = threading.Condition()
        self.messages = collections.deque()
        self.answers = {}
        self.connack = None
        self.session_present = None
        self.ended = None
        more = {"clean_session": clean} if version == V3 else {}
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=self.id, protocol=version,
                                  reconnect_on_failure=False, **more)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = self._on_message
        self.client.on_subscribe = self._on_answer
        self.client.on_unsubscribe = self._on_answer
        if will:
            self.client.will_set(**will)
        if user is not None:
            self.client.username_pw_set(user, password)
        if tls is not None:
            self.client.tls_set_context(tls)

    # Callbacks

    def _on_connect(self, client, userdata, flags, reason, properties):
        with self.changed:
            self.connack, self.session_present = reason, flags.session_present
            self.changed.notify_all()

    def _on_disconnect(self, client, userdata, flags, reason, properties):
        with self.changed:
            self.ended = reason
            self.changed.notify_all()

    def _on_message(self, client, userdata, message):
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def _on_answer(self, client, userdata, mid, reasons, properties):
        with self.changed:
            self.answers[mid] = reasons
            self.changed.notify_all()

    def _wait(self, condition, what, seconds=SECONDS):
        with self.changed:
            assert self.changed.wait_for(condition, seconds), f"{self.id}: {what} did not come in {seconds} s"

    # Connection

    def connect(self):
        """Connects and waits for CONNACK. Raises `Refused` where the broker says no or closes."""
        more = {}
        if self.version == V5:
            properties = Properties(PacketTypes.CONNECT)
            if self.expiry is not None:
                properties.SessionExpiryInterval = self.expiry
            more = {"clean_start": self.clean, "properties": properties}
        try:
            self.client.connect(*self.address, keepalive=self.keepalive, **more)
        except (ssl.SSLError, ConnectionError) as error:
            raise Refused(error) from error
        self.client.loop_start()
        self._wait(lambda: self.connack is not None or self.ended is not None, "CONNACK")
        if self.connack is None or self.connack.is_failure:
            self.client.loop_stop()
            raise Refused(self.connack if self.connack is not None else self.ended)
        return self

    def disconnect(self):
        """Says goodbye and waits until the connection is gone."""
        if self.connack is not None and self.ended is None:
            self.client.disconnect()
            self._wait(lambda: self.ended is not None, "the end of the connection")
        self.client.loop_stop()

    def drop(self):
        """Cuts the connection without a word, as a lost link would."""
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.wait_end()
        self.client.loop_stop()

    def wait_end(self):
        """Waits until the broker or a cut ended the connection; answers the reason."""
        self._wait(lambda: self.ended is not None, "the end of the connection")
        return self.ended

    def __enter__(self):
        return self.connect()

    def __exit__(self, *error):
        self.disconnect()

    # Subscriptions and messages

    def subscribe(self, filter, qos=1, options=None):
        """Subscribes and waits for SUBACK; answers the reason code as a number."""
        asked = {"options": options} if options is not None else {"qos": qos}
        _, mid = self.client.subscribe(filter, **asked)
        self._wait(lambda: mid in self.answers or self.ended is not None, "SUBACK for " + filter)
        return self.answers[mid][0].value if mid in self.answers else 0x80

    def unsubscribe(self, filter):
        _, mid = self.client.unsubscribe(filter)
        self._wait(lambda: mid in self.answers, "UNSUBACK for " + filter)

    def publish(self, topic, payload=b"", qos=1, retain=False, properties=None):
        """Publishes and waits until the broker took it. A dictionary goes as JSON."""
        if isinstance(payload, dict):
            payload = json.dumps(payload)
        sent = self.client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        sent.wait_for_publish(SECONDS)
        assert sent.is_published(), f"{self.id}: no acknowledgement for {topic}"

    def try_publish(self, topic, payload=b"", qos=1, retain=False):
        """Publishes what the broker may refuse in any way, including by closing."""
        sent = self.client.publish(topic, payload, qos=qos, retain=retain)
        end = time.monotonic() + SECONDS
        while self.ended is None and not sent.is_published() and time.monotonic() < end:
            time.sleep(0.02)

    def expect(self, topic=None, seconds=SECONDS):
        """Takes the first waiting message, of `topic` if given; one that ends in a slash is the beginning of topics."""
        def fits(heard):
            return topic is None or (heard.startswith(topic) if topic.endswith("/") else heard == topic)

        def found():
            return next((m for m in self.messages if fits(m.topic)), None)

        self._wait(lambda: found() is not None, f"a message on {topic or 'any topic'}", seconds)
        with self.changed:
            message = found()
            self.messages.remove(message)
            return message

    def expect_json(self, topic=None, seconds=SECONDS):
        """The same, parsed."""
        return json.loads(self.expect(topic, seconds).payload)

    def fence(self):
        """Sends a message to itself and waits for it: whatever the broker had for this peer came before."""
        topic = "fence/" + self.id
        assert self.subscribe(topic) < 0x80
        word = uuid.uuid4().hex
        self.publish(topic, word)
        assert self.expect(topic).payload.decode() == word

    def expect_nothing(self):
        """Fails if a message waits, now that everything sent before has arrived."""
        self.fence()
        assert not self.messages, [m.topic for m in self.messages]


def tls_context(ca, certificate=None, key=None, alpn=None):
    """A client's TLS settings that trust only the server's own authority."""
    context = ssl.create_default_context(cafile=ca)
    if certificate:
        context.load_cert_chain(certificate, key)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


class ShadowTalk:
    """The shadow topics of one thing, on one connection."""

    def __init__(self, peer, thing, name=None):
        self.peer = peer
        self.prefix = f"$aws/things/{thing}/shadow" + (f"/name/{name}" if name else "")

    def listen(self, *parts):
        for part in parts or ("get/+", "update/+", "delete/+"):
            assert self.peer.subscribe(f"{self.prefix}/{part}") < 0x80
        return self

    def ask(self, operation, request=None):
        """Sends a request with a fresh token and takes the answer that echoes it: (accepted?, document)."""
        token = uuid.uuid4().hex
        self.peer.publish(f"{self.prefix}/{operation}", dict(request or {}, clientToken=token))
        verdicts = {f"{self.prefix}/{operation}/{word}": word for word in ("accepted", "rejected")}

        def found():
            for message in self.peer.messages:
                if message.topic in verdicts and token in message.payload.decode():
                    return message
            return None

        self.peer._wait(lambda: found() is not None, f"the answer to {operation}")
        with self.peer.changed:
            message = found()
            self.peer.messages.remove(message)
        return verdicts[message.topic] == "accepted", json.loads(message.payload)
