"""The present server on the data of earlier versions: everything is there."""

import json
import pathlib
import tarfile

import pytest

from apus_server import Server
from mqtt_peer import Peer
from old_data import THING, WAITING

ARCHIVES = sorted((pathlib.Path(__file__).parent / "data").glob("*.tar.gz"))


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def old(request, tmp_path):
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    server = Server(tmp_path / "data").start()
    yield server
    server.stop()


def test_the_data_of_an_earlier_version_goes_on(old):
    secrets = json.loads((old.data / "secrets.json").read_text())
    mqtt = old.addresses["mqtt"]
    shown = old.cli_json("device", "show", THING)
    assert shown["product"] == "lamp" and not shown["revoked"]
    assert old.cli_json("release", "list", "--product", "lamp")["releases"][0]["version"] == "1.2.0"
    assert [user["uid"] for user in old.cli_json("user", "list")["users"] if user["uid"] == "ann"]
    assert "hello" in old.cli("device", "logs", THING).stdout
    old.cli("product", "list", token=secrets["token"])
    with Peer(mqtt, THING, user=THING, password=secrets["device"]) as lamp:
        lamp.subscribe(f"$aws/things/{THING}/shadow/get/accepted")
        lamp.publish(f"$aws/things/{THING}/shadow/get", "", qos=1)
        state = json.loads(lamp.expect(f"$aws/things/{THING}/shadow/get/accepted").payload)
        assert state["state"]["reported"]["on"] is True
    with Peer(mqtt, "away", clean=False, user="build", password=secrets["token"]) as away:
        assert away.session_present
        numbers = [int(away.expect("queue/a").payload) for _ in range(WAITING)]
        assert numbers == list(range(WAITING))
        away.subscribe("kept")
        assert away.expect("kept").payload == b"retained"
