"""Devices by certificate and by token: their own thing, and nothing else."""

import json
import uuid

import pytest
import requests

from mqtt_peer import V3, V5, Peer, Refused, ShadowTalk, tls_context

BOTH = pytest.mark.parametrize("version", [V3, V5], ids=["3.1.1", "5"])


class Device:
    """A registered device with its certificate files."""

    def __init__(self, server, folder):
        self.server = server
        self.name = "lamp-" + uuid.uuid4().hex[:10]
        server.cli("device", "add", self.name, "--out", str(folder))
        self.certificate = str(folder / (self.name + ".crt"))
        self.key = str(folder / (self.name + ".key"))
        self.ca = str(folder / "ca.pem")

    @property
    def address(self):
        return ("localhost", self.server.addresses["mqtts"][1])

    def peer(self, client_id=None, **settings):
        tls = tls_context(self.ca, self.certificate, self.key)
        return Peer(self.address, client_id or self.name, tls=tls, **settings)

    def http(self, method, path, **more):
        url = self.server.https_url + path
        pair = (self.certificate, self.key)
        return requests.request(method, url, cert=pair, verify=self.ca, timeout=10, **more)


@pytest.fixture(scope="module")
def lamps(strict, tmp_path_factory):
    """Two devices of one server."""
    return [Device(strict, tmp_path_factory.mktemp("lamp")) for _ in range(2)]


@pytest.fixture(scope="module")
def token_device(strict):
    """A device that signs in with a token: (name, token)."""
    name = "bulb-" + uuid.uuid4().hex[:10]
    printed = strict.cli("device", "add", name, "--token").stdout
    return name, printed.split()[-1].strip('"')


@BOTH
def test_certificate_opens_the_own_shadow(lamps, version):
    with lamps[0].peer(version=version) as peer:
        talk = ShadowTalk(peer, lamps[0].name).listen()
        assert talk.ask("update", {"state": {"reported": {"version": str(version)}}})[0]
        accepted, document = talk.ask("get")
        assert accepted and document["state"]["reported"] == {"version": str(version)}


@BOTH
def test_token_opens_the_own_shadow(strict, token_device, version):
    name, token = token_device
    for address, tls in [
        (strict.addresses["mqtt"], None),
        (("localhost", strict.addresses["mqtts"][1]), tls_context(strict.ca)),
    ]:
        with Peer(address, name, version=version, user=name, password=token, tls=tls) as peer:
            talk = ShadowTalk(peer, name).listen()
            assert talk.ask("update", {"state": {"reported": {"a": 1}}})[0]


@BOTH
def test_metrics_behind_the_user_name_do_not_count(strict, token_device, version):
    """As AWS's device SDKs send them. [AWS-8-1]"""
    name, token = token_device
    user = name + "?SDK=IoTDeviceSDK/Python&Platform=Unix&Metadata=(a=b)"
    with Peer(strict.addresses["mqtt"], name, version=version, user=user, password=token) as peer:
        talk = ShadowTalk(peer, name).listen()
        assert talk.ask("update", {"state": {"reported": {"a": 1}}})[0]


@BOTH
def test_no_entry_without_a_credential(strict, token_device, version):
    name, token = token_device
    plain = strict.addresses["mqtt"]
    for settings in [
        {},
        {"user": name, "password": "wrong"},
        {"user": "nobody", "password": token},
        {"user": name, "password": ""},
    ]:
        with pytest.raises(Refused):
            Peer(plain, name, version=version, **settings).connect()
    with pytest.raises(Refused):
        address = ("localhost", strict.addresses["mqtts"][1])
        Peer(address, name, version=version, tls=tls_context(strict.ca)).connect()


@BOTH
def test_another_thing_stays_closed(lamps, version):
    own, other = lamps
    theirs = f"$aws/things/{other.name}/shadow/#", f"+/things/{other.name}/logs"
    for filter in (*theirs, "$aws/things/+/shadow/#", "#"):
        peer = own.peer(version=version).connect()
        assert peer.subscribe(filter) >= 0x80, filter
        peer.disconnect()
    before = other.http("GET", f"/things/{other.name}/shadow")
    peer = own.peer(version=version).connect()
    peer.try_publish(f"$aws/things/{other.name}/shadow/update", b'{"state":{"reported":{"stolen":true}}}')
    peer.disconnect()
    after = other.http("GET", f"/things/{other.name}/shadow")
    assert after.status_code == before.status_code
    assert "stolen" not in after.text


@BOTH
def test_rights_follow_the_credential_not_the_client_id(lamps, version):
    own, other = lamps
    try:
        peer = own.peer(client_id=other.name, version=version).connect()
    except Refused:
        return
    assert peer.subscribe(f"$aws/things/{other.name}/shadow/#") >= 0x80
    peer.disconnect()


@BOTH
def test_answer_topics_are_closed_to_the_device_itself(lamps, version):
    own = lamps[0]
    with own.peer(version=version) as listener:
        talk = ShadowTalk(listener, own.name).listen("update/delta", "get/+")
        forger = own.peer(client_id=own.name + "-2", version=version)
        try:
            forger.connect().try_publish(talk.prefix + "/update/delta", b'{"state":{"stolen":true}}')
            forger.disconnect()
        except Refused:
            pass
        talk.ask("get")
        assert not listener.messages


@BOTH
def test_logs_are_taken_from_the_own_thing(lamps, version):
    with lamps[0].peer(version=version) as peer:
        line = {"timestamp": 0, "message": "hello", "level": "INFO", "thingName": lamps[0].name}
        peer.publish(f"mia/things/{lamps[0].name}/logs", line)


def test_https_with_the_certificate(lamps):
    own, other = lamps
    path = f"/things/{own.name}/shadow"
    posted = own.http("POST", path + "?name=door", data=json.dumps({"state": {"reported": {"open": True}}}))
    assert posted.status_code == 200, posted.text
    assert own.http("GET", path + "?name=door").json()["state"] == {"reported": {"open": True}}
    foreign = other.http("GET", path + "?name=door")
    assert foreign.status_code == 403
    assert foreign.headers["x-amzn-ErrorType"].startswith("ForbiddenException")
    nobody = requests.get(own.server.https_url + path, verify=own.ca, timeout=10)
    assert nobody.status_code in (401, 403)


def test_certificate_of_another_authority_is_refused(strict, dev, tmp_path):
    foreign = Device(dev, tmp_path)
    tls = tls_context(strict.ca, foreign.certificate, foreign.key)
    with pytest.raises(Refused):
        Peer(("localhost", strict.addresses["mqtts"][1]), foreign.name, tls=tls).connect()


def test_names_that_are_none(strict, tmp_path):
    for name in ("a/b", "+", "#", "x" * 129, "../escape"):
        done = strict.cli("device", "add", name, "--out", str(tmp_path), expect=(5, 64))
        assert done.stderr, name
    assert not list(tmp_path.iterdir())
