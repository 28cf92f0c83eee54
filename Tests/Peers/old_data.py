"""Fills a server's data directory with a bit of everything and packs it: `old_data.py ARCHIVE`, see `data/README.md`."""

import json
import pathlib
import sys
import tarfile
import tempfile

from apus_server import Server
from mqtt_peer import Peer

THING = "lamp-1"
WAITING = 300
"""Messages that wait for the kept session `away`."""


def fill(server, folder):
    """Answers the secrets that are needed to come back."""
    image = folder / "lamp-1.2.0.bin"
    image.write_bytes(b"lamp" + bytes(range(256)) * 16)
    server.cli("product", "add", "lamp", "--hardware", "board")
    device = server.cli("device", "add", THING, "--product", "lamp", "--device-token").stdout.strip()
    token = server.cli("token", "create", "build").stdout.strip()
    server.cli("user", "add", "ann", "--password", "correct horse")
    server.cli("release", "publish", image, "--product", "lamp", "--version", "1.2.0")
    mqtt = server.addresses["mqtt"]
    with Peer(mqtt, THING, user=THING, password=device) as lamp:
        lamp.publish(f"$aws/things/{THING}/shadow/update", '{"state":{"reported":{"on":true}}}', qos=1)
        lamp.publish(f"lamp/things/{THING}/logs", '{"level":"INFO","message":"hello"}', qos=1)
    with Peer(mqtt, "away", clean=False, password=token, user="build") as away:
        away.subscribe("queue/#", 1)
    with Peer(mqtt, "sender", password=token, user="build") as sender:
        sender.publish("kept", "retained", qos=1, retain=True)
        for number in range(WAITING):
            sender.publish("queue/a", str(number), qos=1)
    return {"device": device, "token": token}


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(folder / "data").start()
        secrets = fill(server, folder)
        server.stop()
        (server.data / "secrets.json").write_text(json.dumps(secrets))
        with tarfile.open(sys.argv[1], "w:gz") as archive:
            archive.add(server.data, "data")


if __name__ == "__main__":
    main()
