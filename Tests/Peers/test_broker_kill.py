"""The broker dies by SIGKILL fifty times under load: nothing acknowledged is lost, nothing of QoS 2 comes twice (paho)."""

import collections
import random
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import MessageState

from apus_server import Server, wait_until

KILLS = 50


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "data", "--dev").start()
    yield server
    if server.runs:
        server.stop()


class Peer:
    """A paho client with a kept session that comes back whenever its server does."""

    def __init__(self, server, name):
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, protocol=mqtt.MQTTv311)
        self.client.max_inflight_messages_set(50)
        self.client.max_queued_messages_set(0)
        self.address = server.addresses["mqtt"]
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        while not self.stopped.is_set():
            self._remember_received()
            try:
                self.client.connect(*self.address, keepalive=30)
                while not self.stopped.is_set() and self.client.loop(0.01) == mqtt.MQTT_ERR_SUCCESS:
                    self.work()
            except OSError:
                self.stopped.wait(0.02)

    def _remember_received(self):
        """paho forgets with its second attempt to connect that PUBREC was had, and would publish once more."""
        for message in self.client._out_messages.values():
            if message.state == MessageState.MQTT_MS_RESEND_PUBREL:
                message.state = MessageState.MQTT_MS_WAIT_FOR_PUBCOMP

    def work(self):
        """What this client does between two looks at its socket."""

    def stop(self):
        self.stopped.set()
        self.thread.join(timeout=10)
        self.client.disconnect()


class Publisher(Peer):
    """Publishes numbered messages and writes down which were acknowledged; all on one thread."""

    def __init__(self, server, name, qos):
        super().__init__(server, name)
        self.name, self.qos, self.number = name, qos, 0
        self.sent, self.acknowledged = {}, set()
        self.is_done = threading.Event()
        self.client.on_publish = self._on_publish

    def _on_publish(self, client, userdata, mid, reason, properties):
        if mid in self.sent:
            self.acknowledged.add(self.sent.pop(mid))

    def work(self):
        while len(self.sent) < 40 and self.client.is_connected() and not self.is_done.is_set():
            payload = f"{self.name} {self.number}"
            info = self.client.publish(f"ledger/{self.qos}", payload, qos=self.qos)
            self.sent[info.mid] = payload
            self.number += 1


class Subscriber(Peer):
    """Counts what comes."""

    def __init__(self, server, name):
        super().__init__(server, name)
        self.seen = collections.Counter()
        self.order = collections.defaultdict(list)
        self.subscribed = threading.Event()
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: self.subscribed.set()

    def _on_connect(self, client, userdata, flags, reason, properties):
        if not flags.session_present:
            client.subscribe("ledger/#", qos=2)

    def _on_message(self, client, userdata, message):
        text = message.payload.decode()
        self.seen[text] += 1
        if self.seen[text] == 1:
            name, number = text.split()
            self.order[name].append(int(number))


def test_fifty_kills_lose_nothing(server):
    chance = random.Random(50)
    subscriber = Subscriber(server, "reader").start()
    assert subscriber.subscribed.wait(10)
    publishers = [Publisher(server, f"writer-{qos}-{n}", qos).start() for qos in (1, 2) for n in range(2)]
    for kill in range(KILLS):
        before = sum(len(p.acknowledged) for p in publishers)
        # Under load means: between two kills something was acknowledged.
        wait_until(lambda: sum(len(p.acknowledged) for p in publishers) > before + 20, 30, "acknowledgements")
        time.sleep(chance.random() * 0.05)  # where in the work the kill falls is left to chance
        server.kill()
        server.start()
    for publisher in publishers:
        publisher.is_done.set()
    wait_until(lambda: not any(p.sent for p in publishers), 60, "the last acknowledgements")
    acknowledged = set().union(*(p.acknowledged for p in publishers))
    wait_until(lambda: acknowledged <= set(subscriber.seen), 60, f"{len(acknowledged - set(subscriber.seen))} messages")
    twice = {text: count for text, count in subscriber.seen.items() if count > 1 and text.startswith("writer-2")}
    assert not twice
    for name, numbers in subscriber.order.items():
        assert numbers == sorted(numbers), f"{name} came out of order"
    assert len(acknowledged) > KILLS * 20
    for peer in [*publishers, subscriber]:
        peer.stop()
    print(f"\n{KILLS} kills, {len(acknowledged)} acknowledged, {sum(subscriber.seen.values())} received")
