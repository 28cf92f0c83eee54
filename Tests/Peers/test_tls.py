"""The certificate that chips must be able to use, and protocol names they offer (field reports 5 and 8)."""

import datetime
import ipaddress
import re
import socket
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from mqtt_peer import tls_context

PORTS = pytest.mark.parametrize("port", ["https", "mqtts"])


def handshake(server, port, alpn=None, name="localhost"):
    raw = socket.create_connection(server.addresses[port], timeout=10)
    return tls_context(server.ca, alpn=alpn).wrap_socket(raw, server_hostname=name)


def leaf(server, port):
    with handshake(server, port) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True))


@PORTS
def test_key_is_p256(strict, port):
    key = leaf(strict, port).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


@PORTS
def test_names_are_proper_alternative_names(strict, port):
    names = leaf(strict, port).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    assert ipaddress.ip_address("127.0.0.1") in addresses
    assert ipaddress.ip_address("::1") in addresses
    for name in ("localhost", "127.0.0.1", "::1"):
        handshake(strict, port, name=name).close()
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(strict, port, name="elsewhere.example")


@PORTS
def test_clock_of_a_device_may_be_a_day_behind(strict, port):
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = leaf(strict, port)
    authority = x509.load_pem_x509_certificate(open(strict.ca, "rb").read())
    for one in (certificate, authority):
        assert one.not_valid_before_utc <= now - datetime.timedelta(hours=24)
        assert one.not_valid_after_utc > now + datetime.timedelta(days=30)


@PORTS
def test_at_most_two_certificates_are_sent(strict, port):
    host, number = strict.addresses[port]
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{number}", "-servername", "localhost", "-showcerts"],
        input=b"", capture_output=True, timeout=20)
    assert 1 <= len(re.findall(rb"BEGIN CERTIFICATE", done.stdout)) <= 2


@pytest.mark.parametrize("port, offered, selected", [
    ("mqtts", None, None),
    ("mqtts", ["mqtt"], "mqtt"),
    ("mqtts", ["x-amzn-mqtt-ca"], "x-amzn-mqtt-ca"),
    ("mqtts", ["foo", "mqtt"], "mqtt"),
    ("mqtts", ["foo"], None),
    ("mqtts", ["http/1.1"], None),
    ("https", None, None),
    ("https", ["http/1.1"], "http/1.1"),
    ("https", ["x-amzn-http-ca"], "x-amzn-http-ca"),
    ("https", ["foo", "http/1.1"], "http/1.1"),
    ("https", ["foo"], None),
    ("https", ["x-amzn-mqtt-ca"], None),
])
def test_protocol_names(strict, port, offered, selected):
    """An unknown name is no reason for an alert: the handshake goes on without a selection."""
    with handshake(strict, port, alpn=offered) as connection:
        assert connection.selected_alpn_protocol() == selected
        if port == "https":
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert connection.recv(15).startswith(b"HTTP/1.1 200")
        else:
            connection.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04peer")
            assert connection.recv(1) == b"\x20"


def test_http2_is_selected_only_if_spoken(strict):
    with handshake(strict, "https", alpn=["h2", "http/1.1"]) as connection:
        if connection.selected_alpn_protocol() == "h2":
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            assert connection.recv(9)[3] == 4, "the first frame of an HTTP/2 server is SETTINGS"
        else:
            assert connection.selected_alpn_protocol() == "http/1.1"


def test_certificate_and_authority_stay_over_a_restart(fresh):
    first, authority = leaf(fresh, "https"), (fresh.data / "ca.pem").read_bytes()
    fresh.stop()
    fresh.start()
    assert leaf(fresh, "https") == first
    assert (fresh.data / "ca.pem").read_bytes() == authority
