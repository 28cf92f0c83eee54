"""Downloads as small firmware sees them: bytes on a socket (header spelling, lengths, ranges, slow readers)."""

import base64
import hashlib
import random
import ssl
import time

import pytest

from field import Field
from raw_http import open_socket, read_head, request

IMAGE = random.Random(4).randbytes(1_500_000)
TAG = '"' + hashlib.sha256(IMAGE).hexdigest()[:32] + '"'


@pytest.fixture(scope="module")
def shop(strict, tmp_path_factory):
    field = Field(strict, tmp_path_factory.mktemp("shop"))
    field.publish("1.0.4", IMAGE)
    return field


@pytest.fixture
def get(shop):
    path = f"/firmware/{shop.product}/1.0.4.bin"

    def ask(*headers, method="GET", version="1.1", where=path):
        return request(shop.server.addresses["http"], where, method, version, headers)
    return ask


def test_whole_image(get):
    answer = get()
    assert answer.status == 200 and answer.body == IMAGE
    assert answer.header("Content-Length") == str(len(IMAGE))
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("ETag") == TAG
    digest = base64.b64encode(hashlib.sha256(IMAGE).digest()).decode()
    assert answer.header("Repr-Digest") == f"sha-256=:{digest}:"


@pytest.mark.parametrize("headers", [
    ["Accept-Encoding: gzip, deflate, br"], ["TE: chunked"], ["Content-Length: 0"], ["Accept: text/html"],
    ["Range: lines=1-2"], ["Range: bytes=5-2"], ["Range: bytes=0-1,5-6"], ["If-Range: \"other\"", "Range: bytes=0-9"],
    ["If-Range: Wed, 21 Oct 2015 07:28:00 GMT", "Range: bytes=0-9"],
])
def test_whatever_is_asked_for_the_length_is_there(get, headers):
    answer = get(*headers)
    assert answer.status == 200 and answer.header("Content-Length") == str(len(IMAGE)) and answer.body == IMAGE
    assert not answer.has("Transfer-Encoding") and not answer.has("Content-Encoding")


@pytest.mark.parametrize("wanted, first, last", [
    ("bytes=0-1", 0, 1), ("bytes=1000-1999", 1000, 1999), ("bytes=1499990-", 1499990, 1499999),
    ("bytes=-10", 1499990, 1499999), ("bytes=1499999-9999999999", 1499999, 1499999), ("bytes=-9999999", 0, 1499999),
])
def test_ranges(get, wanted, first, last):
    answer = get("Range: " + wanted, "If-Range: " + TAG)
    assert answer.status == 206
    assert answer.header("Content-Range") == f"bytes {first}-{last}/{len(IMAGE)}"
    assert answer.body == IMAGE[first:last + 1] and answer.header("Content-Length") == str(last + 1 - first)


@pytest.mark.parametrize("wanted", ["bytes=1500000-", "bytes=-0", "bytes=99999999999999999999-"])
def test_ranges_that_cannot_be(get, wanted):
    answer = get("Range: " + wanted)
    if answer.status == 416:
        assert answer.header("Content-Range") == f"bytes */{len(IMAGE)}" and not answer.body
    else:
        assert answer.status == 200 and answer.body == IMAGE


def test_heads_are_short(get, shop):
    product = shop.product
    answers = [get(), get("Range: bytes=0-1"), get("If-None-Match: " + TAG), get("Range: bytes=1500000-"),
               get(where=f"/firmware/{product}/9.9.9.bin"), get(where="/firmware/x"), get(method="POST")]
    assert [a.status for a in answers] == [200, 206, 304, 416, 404, 404, 405]
    for answer in answers:
        assert len(answer.head) <= 500 and max(map(len, answer.lines)) <= 256
        for name in ("Set-Cookie", "Content-Security-Policy", "Alt-Svc"):
            assert not answer.has(name)


def test_head_and_http_1_0(get):
    answer = get(method="HEAD")
    assert answer.status == 200 and answer.header("Content-Length") == str(len(IMAGE)) and not answer.body
    old = get(version="1.0")
    assert old.status == 200 and old.body == IMAGE and old.header("Content-Length") == str(len(IMAGE))


def test_keep_alive_and_pipelining(shop):
    address = shop.server.addresses["http"]
    one = f"GET /firmware/{shop.product}/1.0.4.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99999\r\n\r\n".encode()
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with open_socket(address) as link:
        link.sendall(one + health + one + health)
        rest = b""
        for body in (IMAGE[:100000], b"ok\n", IMAGE[:100000], b"ok\n"):
            while b"\r\n\r\n" not in rest:
                rest += link.recv(65536)
            head, rest = rest.split(b"\r\n\r\n", 1)
            assert b"Content-Length: %d" % len(body) in head
            while len(rest) < len(body):
                rest += link.recv(65536)
            assert rest[:len(body)] == body
            rest = rest[len(body):]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_reader_that_pauses_gets_everything(shop, secure):
    address = shop.server.addresses["https" if secure else "http"]
    link = open_socket(address, receive_bytes=8192)
    if secure:
        context = ssl.create_default_context(cafile=shop.server.ca)
        link = context.wrap_socket(link, server_hostname="localhost")
    with link:
        link.sendall(f"GET /firmware/{shop.product}/1.0.4.bin HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        _, body = read_head(link)
        time.sleep(5)  # The device erases its flash.
        while len(body) < len(IMAGE):
            piece = link.recv(65536)
            assert piece, f"cut after {len(body)} bytes"
            body += piece
    assert body == IMAGE


def test_withdrawn_release_is_gone(strict, tmp_path):
    field = Field(strict, tmp_path)
    field.publish("1.0.4", IMAGE)
    path = f"/firmware/{field.product}/1.0.4.bin"
    assert request(strict.addresses["http"], path, "HEAD").status == 200
    strict.cli("release", "withdraw", "1.0.4", "--product", field.product, "--reason", "test")
    assert request(strict.addresses["http"], path).status == 404


def test_hardware_models_have_paths_of_their_own(strict, tmp_path):
    field = Field(strict, tmp_path)
    strict.cli("product", "add", field.product, "--hardware", "other")
    for model in ("board", "other"):
        path = tmp_path / f"{model}.bin"
        path.write_bytes(IMAGE + model.encode())
        strict.cli("release", "publish", path, "--product", field.product, "--version", "1.0.4", "--hardware", model)
    base = f"/firmware/{field.product}"
    for model in ("board", "other"):
        assert request(strict.addresses["http"], f"{base}/{model}/1.0.4.bin").body == IMAGE + model.encode()
    assert request(strict.addresses["http"], f"{base}/1.0.4.bin").status == 404, "the short path would be a guess"
