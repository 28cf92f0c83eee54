"""mosquitto's own clients, as a person at a shell would use them."""

import shutil
import subprocess

import pytest

from aws import Shadows

pytestmark = pytest.mark.skipif(not shutil.which("mosquitto_pub"), reason="needs mosquitto-clients")
VERSIONS = pytest.mark.parametrize("version", ["311", "5"])


@pytest.fixture(params=["plain", "TLS"])
def where(request, dev):
    """The arguments that reach the broker, plain or over TLS with the server's authority."""
    if request.param == "plain":
        host, port = dev.addresses["mqtt"]
        return ["-h", host, "-p", str(port)]
    return ["-h", "localhost", "-p", str(dev.addresses["mqtts"][1]), "--cafile", dev.ca]


def publish(where, *arguments):
    subprocess.run(["mosquitto_pub", *where, *arguments], check=True, capture_output=True, timeout=20)


def subscribe(where, *arguments):
    return subprocess.run(
        ["mosquitto_sub", *where, "-W", "10", *arguments], check=True, capture_output=True, timeout=20).stdout


@VERSIONS
def test_retained_message_travels(where, thing, version):
    publish(where, "-V", version, "-t", f"shell/{thing}", "-q", "1", "-r", "-m", "hello")
    assert subscribe(where, "-V", version, "-t", f"shell/{thing}", "-q", "1", "-C", "1") == b"hello\n"
    publish(where, "-V", version, "-t", f"shell/{thing}", "-q", "1", "-r", "-n")


@VERSIONS
def test_live_message_travels(where, thing, version):
    topic = f"live/{thing}"
    # Line by line: what it says is waited for.
    command = ["stdbuf", "-oL", "mosquitto_sub", *where, "-d", "-V", version, "-t", topic, "-q", "1", "-C", "1", "-W", "10"]
    listener = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in listener.stdout:
            if "Subscribed" in line:
                break
        publish(where, "-V", version, "-t", topic, "-q", "1", "-m", "now")
        assert "now" in listener.communicate(timeout=15)[0]
        assert listener.returncode == 0
    finally:
        listener.kill()


@VERSIONS
def test_shadow_from_the_shell(dev, where, thing, version):
    topic = f"$aws/things/{thing}/shadow/update"
    document = '{"state":{"reported":{"firmware_version":"1.0.4"}}}'
    publish(where, "-V", version, "-t", topic, "-q", "1", "-m", document)
    shadows = Shadows(dev.url)
    assert shadows.get(thing)["state"]["reported"] == {"firmware_version": "1.0.4"}


def test_foreign_authority_is_not_trusted(dev, thing):
    port = str(dev.addresses["mqtts"][1])
    command = ["mosquitto_pub", "-h", "localhost", "-p", port, "--capath", "/etc/ssl/certs"]
    command += ["-t", f"x/{thing}", "-m", "x"]
    assert subprocess.run(command, capture_output=True, timeout=20).returncode != 0
