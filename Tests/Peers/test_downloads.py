"""Images as firmware that cannot be changed any more fetches them: bytes on a socket (field reports 1 to 4)."""

import base64
import hashlib
import json
import random
import re
import time
import uuid

import pytest

from mqtt_peer import tls_context
from raw_http import Answer, open_socket, read_head, request

MEGABYTE = 1 << 20


class Image:
    """One published image, and requests for it."""

    def __init__(self, server, folder, size):
        tag = uuid.uuid4().hex[:8]
        self.server = server
        self.product = "lamp-" + tag
        self.bytes = b"\x00\x01" + random.Random(tag).randbytes(size - 2)
        self.path = f"/firmware/{self.product}/1.0.5.bin"
        file = folder / f"{tag}.bin"
        file.write_bytes(self.bytes)
        server.cli("product", "add", self.product, "--hardware", "board")
        server.cli("release", "publish", file, "--product", self.product, "--version", "1.0.5")

    def ask(self, *headers, method="GET", version="1.1", path=None):
        return request(self.server.addresses["http"], path or self.path, method, version, headers)


@pytest.fixture(scope="module")
def image(strict, tmp_path_factory):
    return Image(strict, tmp_path_factory.mktemp("image"), 100_003)


@pytest.fixture(scope="module")
def large(strict, tmp_path_factory):
    return Image(strict, tmp_path_factory.mktemp("large"), 4 * MEGABYTE)


@pytest.fixture(scope="module")
def tag(image):
    return image.ask(method="HEAD").header("ETag")


class Connection:
    """One connection that carries several requests, plain or over TLS."""

    def __init__(self, server, secure=False, receive_bytes=None):
        address = server.addresses["https" if secure else "http"]
        self.socket = open_socket(address, receive_bytes)
        if secure:
            self.socket = tls_context(server.ca).wrap_socket(self.socket, server_hostname="localhost")
        self.rest = b""

    def send(self, *paths, headers=()):
        heads = ["\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]) for path in paths]
        self.socket.sendall("".join(heads).encode())

    def receive(self, pause=None):
        """Reads the next answer; `pause` is called once in the middle of its body."""
        if b"\r\n\r\n" not in self.rest:
            head, body = read_head(self)
        else:
            end = self.rest.index(b"\r\n\r\n") + 4
            head, body, self.rest = self.rest[:end], self.rest[end:], b""
        length = int(re.search(rb"(?im)^content-length: *(\d+)", head)[1])
        pieces, count = [body], len(body)
        while count < length:
            if pause and count > length // 2:
                pause()
                pause = None
            piece = self.socket.recv(65536)
            assert piece, f"closed after {count} of {length} bytes"
            pieces.append(piece)
            count += len(piece)
        whole = b"".join(pieces)
        self.rest = whole[length:]
        return Answer(head, whole[:length])

    def recv(self, count):
        data, self.rest = self.rest or self.socket.recv(count), b""
        return data


# Heads

def every_status(image, tag):
    return {
        200: image.ask(),
        206: image.ask("Range: bytes=5-9"),
        304: image.ask(f"If-None-Match: {tag}"),
        404: image.ask(path=f"/firmware/{image.product}/9.9.9.bin"),
        416: image.ask("Range: bytes=100003-"),
    }


def test_heads_are_short(image, tag):
    for status, answer in every_status(image, tag).items():
        assert answer.status == status
        assert len(answer.head) <= 500, answer.head
        assert max(map(len, answer.head.split(b"\r\n"))) <= 256
        for name in ("Set-Cookie", "Content-Security-Policy", "Alt-Svc", "Transfer-Encoding", "Content-Encoding"):
            assert not answer.has(name), (status, name)


def test_names_are_spelled_as_small_firmware_reads_them(image, tag):
    for method in ("GET", "HEAD"):
        answer = image.ask(method=method)
        assert answer.header("Content-Length") == "100003"
        assert answer.header("Content-Type") == "application/octet-stream"
        assert re.fullmatch(r'"[^"\s]{1,64}"', answer.header("ETag"))
        assert answer.header("Accept-Ranges") == "bytes"
    part = image.ask("Range: bytes=0-1")
    assert part.header("Content-Range") == "bytes 0-1/100003"
    assert part.header("Content-Length") == "2"
    assert part.header("Content-Type") == "application/octet-stream"
    for status in (404, 416):
        assert every_status(image, tag)[status].header("Content-Length") is not None


def test_body_is_the_image_and_its_digest_is_told(image):
    answer = image.ask()
    assert answer.body == image.bytes
    digest = base64.b64encode(hashlib.sha256(image.bytes).digest()).decode()
    assert answer.header("Repr-Digest") == f"sha-256=:{digest}:"


@pytest.mark.parametrize("header", [
    "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Encoding: identity;q=0, *", "TE: chunked, trailers"])
def test_never_chunked_or_encoded(image, header):
    for version in ("1.0", "1.1"):
        answer = image.ask(header, version=version)
        assert answer.status == 200
        assert not answer.has("Transfer-Encoding") and not answer.has("Content-Encoding")
        assert answer.header("Content-Length") == "100003"
        assert answer.body == image.bytes


def test_http_1_0_without_host_is_answered_and_closed(image):
    with open_socket(image.server.addresses["http"]) as connection:
        connection.sendall(f"GET {image.path} HTTP/1.0\r\n\r\n".encode())
        head, body = read_head(connection)
        while piece := connection.recv(65536):
            body += piece
    assert Answer(head, body).header("Content-Length") == "100003"
    assert body == image.bytes


def test_connection_close_is_kept(image):
    with open_socket(image.server.addresses["http"]) as connection:
        connection.sendall(f"GET {image.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, body = read_head(connection)
        while piece := connection.recv(65536):
            body += piece
    assert body == image.bytes
    assert Answer(head, body).header("Connection") == "close"


def test_head_tells_the_same_without_a_body(image):
    get, head = image.ask(), image.ask(method="HEAD")
    assert head.status == 200
    without_date = [[line for line in answer.lines if not line.startswith("Date")] for answer in (get, head)]
    assert without_date[0] == without_date[1]
    assert head.body == b""


def test_get_with_an_empty_body_is_normal(image):
    assert image.ask("Content-Length: 0").body == image.bytes


def test_other_methods_are_refused(image):
    for method in ("POST", "PUT", "DELETE"):
        answer = image.ask("Content-Length: 0", method=method)
        assert answer.status == 405 and answer.header("Allow") == "GET, HEAD"


# Ranges

@pytest.mark.parametrize("asked, first, last", [
    ("bytes=0-0", 0, 0),
    ("bytes=50000-50999", 50000, 50999),
    ("bytes=99000-", 99000, 100002),
    ("bytes=-10", 99993, 100002),
    ("bytes=-999999", 0, 100002),
    ("bytes=100000-100999", 100000, 100002),
    ("bytes=0-18446744073709551616", 0, 100002),
], ids=lambda value: str(value))
def test_range(image, asked, first, last):
    answer = image.ask(f"Range: {asked}")
    assert answer.status == 206
    assert answer.body == image.bytes[first:last + 1]
    assert answer.header("Content-Range") == f"bytes {first}-{last}/100003"
    assert answer.header("Content-Length") == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=100003-", "bytes=200000-300000", "bytes=-0"])
def test_range_that_cannot_be_satisfied(image, asked):
    answer = image.ask(f"Range: {asked}")
    assert answer.status == 416
    assert answer.header("Content-Range") == "bytes */100003"
    assert answer.body == b""


@pytest.mark.parametrize("asked", [
    "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "bytes=1--2", "lines=0-1", "0-1", "bytes=0x10-0x20",
    "bytes=0-1,5-6"])
def test_range_that_is_malformed_or_several_is_as_if_absent(image, asked):
    answer = image.ask(f"Range: {asked}")
    assert answer.status == 200 and answer.body == image.bytes


def test_if_range(image, tag):
    range = "Range: bytes=10-19"
    assert image.ask(range, f"If-Range: {tag}").body == image.bytes[10:20]
    for other in ('"0123"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        answer = image.ask(range, f"If-Range: {other}")
        assert answer.status == 200 and answer.body == image.bytes, other


def test_if_none_match(image, tag):
    for known in (tag, f'"other", {tag}', "*", f"W/{tag}"):
        answer = image.ask(f"If-None-Match: {known}")
        assert answer.status == 304 and answer.body == b"", known
        assert answer.header("ETag") == tag
    assert image.ask('If-None-Match: "other"').status == 200
    assert image.ask(f"If-None-Match: {tag}", method="HEAD").status == 304


# Readers

@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_reader_that_pauses_gets_every_byte(large, secure):
    connection = Connection(large.server, secure, receive_bytes=8192)
    with connection.socket:
        connection.send(large.path)
        answer = connection.receive(pause=lambda: time.sleep(5))  # Flash is being erased.
        assert hashlib.sha256(answer.body).digest() == hashlib.sha256(large.bytes).digest()


def test_reader_that_goes_away_does_no_harm(large):
    for _ in range(20):
        with open_socket(large.server.addresses["http"], receive_bytes=4096) as connection:
            connection.sendall(f"GET {large.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            read_head(connection)
    assert large.ask().body == large.bytes


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_two_downloads_in_one_connection(image, large, secure):
    connection = Connection(image.server, secure)
    with connection.socket:
        for one in (image, large, image):
            connection.send(one.path)
            assert connection.receive().body == one.bytes


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_pipelined_requests_are_answered_in_order(image, secure):
    connection = Connection(image.server, secure)
    product = f"/api/v1/products/{image.product}"
    with connection.socket:
        connection.socket.settimeout(5)
        connection.send(image.path, product, image.path, "/firmware/none/1.0.0.bin", product, product, image.path,
                        headers=[f"Authorization: Bearer {image.server.admin_token}"])
        kinds = []
        for _ in range(7):
            answer = connection.receive()
            if answer.body == image.bytes:
                kinds.append("image")
            elif answer.status == 404:
                kinds.append("missing")
            else:
                assert json.loads(answer.body)["slug"] == image.product
                kinds.append("product")
    assert kinds == ["image", "product", "image", "missing", "product", "product", "image"]


# Addresses

def test_hardware_path_names_the_same_image(image):
    answer = image.ask(path=f"/firmware/{image.product}/board/1.0.5.bin")
    assert answer.body == image.bytes
    assert answer.header("ETag") == image.ask().header("ETag")
    assert image.ask(path=f"/firmware/{image.product}/other/1.0.5.bin").status == 404


def test_two_hardware_models_need_the_hardware_path(strict, tmp_path):
    product = "twin-" + uuid.uuid4().hex[:8]
    strict.cli("product", "add", product, "--hardware", "one", "--hardware", "two")
    address = strict.addresses["http"]
    for model in ("one", "two"):
        file = tmp_path / model
        file.write_bytes(b"\x00" + model.encode() * 100)
        strict.cli("release", "publish", file, "--product", product, "--version", "1.0.5", "--hardware", model)
    assert request(address, f"/firmware/{product}/1.0.5.bin").status == 404
    for model in ("one", "two"):
        answer = request(address, f"/firmware/{product}/{model}/1.0.5.bin")
        assert answer.body == b"\x00" + model.encode() * 100


def test_withdrawn_release_is_gone(strict, tmp_path):
    image = Image(strict, tmp_path, 5000)
    assert image.ask().status == 200
    strict.cli("release", "withdraw", "1.0.5", "--product", image.product)
    for path in (image.path, f"/firmware/{image.product}/board/1.0.5.bin"):
        for method in ("GET", "HEAD"):
            assert image.ask(path=path, method=method).status == 404


@pytest.mark.parametrize("path", [
    "/firmware/", "/firmware/x", "/firmware/../../etc/passwd", "/firmware/%2e%2e/%2e%2e%2fadmin.token.bin",
    "/firmware/a/b/c/1.0.5.bin", "/firmware/{product}/.bin", "/firmware/{product}/1.0.5",
    "/firmware/{product}/%ff.bin"])
def test_paths_that_name_no_image(image, path):
    answer = image.ask(path=path.format(product=image.product))
    assert answer.status == 404
    assert len(answer.head) <= 500


def test_version_with_escapes_and_query(strict, tmp_path):
    product = "plus-" + uuid.uuid4().hex[:8]
    strict.cli("product", "add", product)
    file = tmp_path / "image"
    file.write_bytes(b"\x00image")
    strict.cli("release", "publish", file, "--product", product, "--version", "1.0.5+lab.1")
    for written in ("1.0.5+lab.1", "1.0.5%2Blab.1", "1.0.5%2blab.1"):
        answer = request(strict.addresses["http"], f"/firmware/{product}/{written}.bin?mac=00:11")
        assert answer.body == b"\x00image", written
