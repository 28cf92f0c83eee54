"""A product in the field for one test: an owner, releases, and devices that are real agents with real programs."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import uuid

import requests

from apus_server import BINARY, wait_until

AGENT = str(pathlib.Path(BINARY).parent / "apus-agent")

READY = """
import os, signal, socket
address = os.environ["NOTIFY_SOCKET"]
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.sendto(b"READY=1", "\\0" + address[1:] if address[0] == "@" else address)
signal.pause()
"""
EXITS = "raise SystemExit(3)\n"
HANGS = "import signal\nsignal.pause()\n"


def program(version, body=READY, size=300_000):
    """A firmware image: a script that runs, made as large as an image by comments."""
    text = f"#!{sys.executable} -S\n# {version}\n{body}".encode()
    noise = random.Random(version + body)
    lines = (size - len(text)) // 83 + 1
    return text + b"".join(b"# " + noise.randbytes(40).hex().encode() + b"\n" for _ in range(max(0, lines)))


class Field:
    """One product with one owner on a server."""

    def __init__(self, server, folder):
        self.server = server
        self.folder = folder
        tag = uuid.uuid4().hex[:8]
        self.product, self.owner = "lamp-" + tag, "owner-" + tag
        server.cli("product", "add", self.product, "--hardware", "board")
        self.session = self.sign_in(self.owner)
        self.agents = []

    def sign_in(self, name):
        """Adds an account and answers the headers of its session."""
        link = self.server.cli_json("user", "add", name, "--link")["token"]
        answer = requests.post(self.server.url + "/app/session", json={"link": link}, timeout=10)
        answer.raise_for_status()
        return {"Authorization": "Bearer " + answer.json()["token"]}

    def publish(self, version, image=None, expect=0):
        path = self.folder / f"{version}.bin"
        path.write_bytes(program(version) if image is None else image)
        return self.server.cli("release", "publish", path, "--product", self.product, "--version", version, expect=expect)

    def add_device(self, thing, owner=None):
        folder = self.folder / thing
        self.server.cli(
            "device", "add", thing, "--product", self.product, "--owner", owner or self.owner, "--out", folder)
        return folder

    def agent(self, thing, mqtts=None, https=None, speed=None):
        """A device on 1.0.4 with its agent, not started."""
        folder = self.add_device(thing)
        image = self.folder / "factory.bin"
        if not image.exists():
            image.write_bytes(program("1.0.4"))
        agent = Agent(self, thing, folder, image, mqtts or self.server.addresses["mqtts"],
                      https or self.server.addresses["https"], speed)
        self.agents.append(agent)
        return agent

    def close(self):
        for agent in self.agents:
            agent.stop()

    # The owner's side

    def user(self):
        return requests.get(self.server.url + "/app/user", headers=self.session, timeout=10).json()

    def put_user(self, **wishes):
        return requests.put(self.server.url + "/app/user", headers=self.session, json=wishes, timeout=10)

    def device(self, thing):
        return self.server.cli_json("device", "show", thing)

    def update(self, thing):
        return self.device(thing).get("update") or {}

    def shadow(self, thing):
        answer = requests.get(f"{self.server.url}/things/{thing}/shadow", headers=self.server.admin, timeout=10)
        return answer.json()

    def desired_version(self, thing):
        return self.shadow(thing)["state"].get("desired", {}).get("config", {}).get("firmware_version")

    def wait_version(self, thing, version, seconds=30):
        wait_until(lambda: self.device(thing).get("version") == version, seconds, f"{thing} on {version}")

    def wait_state(self, thing, state, seconds=40):
        return wait_until(
            lambda: (lambda update: update if update.get("state") == state else None)(self.update(thing)), seconds,
            f"update of {thing} in state {state}")


class Agent:
    """One apus-agent process."""

    def __init__(self, field, thing, folder, image, mqtts, https, speed):
        self.thing = thing
        self.log_path = folder / "agent.log"
        self.process = None
        self.command = [
            AGENT, "--server-mqtt", "localhost:%d" % mqtts[1],
            "--firmware-url", "https://localhost:%d/firmware/%s/board/" % (https[1], field.product),
            "--thing", thing, "--cert", folder / f"{thing}.crt", "--key", folder / f"{thing}.key",
            "--ca", folder / "ca.pem", "--dir", folder / "state", "--initial-image", image, "--initial-version", "1.0.4",
            "--retry-seconds", "1", "--trial-seconds", "3", "--health-seconds", "1", "--reach-seconds", "5",
        ]
        if speed:
            self.command += ["--link-speed", str(speed)]

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(list(map(str, self.command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=15)

    def log(self):
        return self.log_path.read_text(errors="replace")


class Proxy:
    """A TCP proxy whose link can be cut: after some bytes towards the client, or altogether."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.cuts = []
        self.is_down = False
        self.links = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, *counts):
        """The next connections end after so many bytes each."""
        self.cuts = list(counts)

    def down(self):
        self.is_down = True
        for link in self.links:
            _close(link)

    def up(self):
        self.is_down = False

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            server = socket.create_connection(self.target)
            self.links += [client, server]
            limit = self.cuts.pop(0) if self.cuts else None
            threading.Thread(target=_pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client, limit), daemon=True).start()


def _pump(source, sink, limit):
    passed = 0
    try:
        while data := source.recv(16384):
            if limit is not None and passed + len(data) > limit:
                sink.sendall(data[:limit - passed])
                break
            sink.sendall(data)
            passed += len(data)
    except OSError:
        pass
    _close(source)
    _close(sink)


def _close(link):
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Events:
    """Reads `/app/listen` in the background."""

    def __init__(self, server, session, last=None):
        headers = dict(session)
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.response = requests.get(server.url + "/app/listen", headers=headers, stream=True, timeout=30)
        self.response.raise_for_status()
        self.events, self.comments = [], 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        event = {}
        try:
            for raw in self.response.iter_lines(chunk_size=1):
                line = raw.decode()
                if not line and "data" in event:
                    self.events.append((int(event["id"]), event["event"], json.loads(event["data"])))
                    event = {}
                elif line.startswith(":"):
                    self.comments += 1
                elif ": " in line:
                    name, value = line.split(": ", 1)
                    event[name] = value
        except (requests.RequestException, AttributeError):
            pass

    def wait(self, kind, seconds=20, **members):
        """The first event of a kind whose data has these members."""
        def found():
            return next((e for e in list(self.events)
                         if e[1] == kind and all(e[2].get(k) == v for k, v in members.items())), None)
        return wait_until(found, seconds, f"the event {kind} {members}; had {self.events}")

    def kinds(self, device=None):
        return [e[1] for e in self.events if device is None or e[2].get("device") == device]

    def close(self):
        self.response.close()
