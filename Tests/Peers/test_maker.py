"""The maker's command line: products, releases, devices, accounts, tokens; its documents and exit codes."""

import json
import os
import pathlib
import random
import socket
import stat
import subprocess
import uuid

import pytest

from apus_server import BINARY, LISTENERS, REPOSITORY
from mqtt_peer import V5, Peer, Refused

TESTDATA = pathlib.Path(os.environ.get("APUS_TESTDATA", REPOSITORY.parent / "shared/testdata"))


def image(folder, name="image.bin", size=5000, seed=0):
    path = folder / name
    path.write_bytes(b"\x00" + random.Random(seed).randbytes(size - 1))
    return path


def three_parts(done):
    """What, why and what to do, on stderr: `apus: WHAT: WHY` and `-> ADVICE`; nothing on stdout."""
    lines = done.stderr.strip().splitlines()
    lines = [line for line in lines if not line.startswith("upload ")]
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("apus: ") and lines[0].count(": ") >= 2
    assert lines[1].startswith("  -> ") and len(lines[1]) > 8
    assert done.stdout == ""
    return done.stderr


class Maker:
    def __init__(self, server, folder):
        self.server = server
        self.folder = folder
        self.product = "lamp-" + uuid.uuid4().hex[:8]

    def publish(self, path, version, *options, expect=0):
        return self.server.cli("release", "publish", path, "--product", self.product, "--version", version, *options,
                               expect=expect)

    def show(self, version):
        return self.server.cli_json("release", "show", version, "--product", self.product)

    def versions(self):
        return [r["version"] for r in self.server.cli_json("release", "list", "--product", self.product)["releases"]]


@pytest.fixture
def maker(strict, tmp_path):
    """A product with one hardware model."""
    maker = Maker(strict, tmp_path)
    strict.cli("product", "add", maker.product, "--name", "Desk lamp", "--hardware", "board")
    return maker


# Products

def test_product(strict, maker):
    listed = {p["slug"]: p for p in strict.cli_json("product", "list")["products"]}
    assert listed[maker.product]["name"] == "Desk lamp"
    assert listed[maker.product]["hardware"] == ["board"]
    again = strict.cli_json("product", "add", maker.product, "--hardware", "board-2")
    assert again["hardware"] == ["board", "board-2"]
    rows = [line.split("\t") for line in strict.cli("product", "list").stdout.splitlines()]
    assert [maker.product, "Desk lamp", "board,board-2", "any"] in rows


def test_product_names_and_formats_that_are_none(strict):
    for slug in ("", "a/b", "a b", "x" * 65, "größe"):
        strict.cli("product", "add", slug, expect=(5, 64))
    strict.cli("product", "add", "fine", "--format", "floppy", expect=64)


# Publishing

def test_publish_shows_progress_on_stderr_and_the_result_on_stdout(maker):
    done = maker.publish(image(maker.folder, size=2_000_000), "1.0.5")
    assert "upload 0 %" in done.stderr or "upload 10 %" in done.stderr
    assert "upload 100 %" in done.stderr
    assert "upload" not in done.stdout
    assert maker.product in done.stdout and "1.0.5" in done.stdout


def test_publish_as_json(maker):
    path = image(maker.folder)
    notes = maker.folder / "NOTES.md"
    notes.write_text("# Better\n* Wi-Fi & <b>\"more\"</b> ä\n")
    release = json.loads(maker.publish(path, "1.0.5", "--notes", notes, "--json").stdout)
    assert release == maker.show("1.0.5")
    assert release["product"] == maker.product and release["version"] == "1.0.5" and release["state"] == "active"
    assert release["notes"] == notes.read_text()
    artifact, = release["artifacts"]
    assert artifact["size"] == 5000 and artifact["hardware"] == "board" and len(artifact["sha256"]) == 64


def test_same_bytes_again_are_the_same_answer(maker):
    path = image(maker.folder)
    first = maker.publish(path, "1.0.5", "--json")
    second = maker.publish(path, "1.0.5", "--json")
    assert first.stdout == second.stdout
    assert maker.versions() == ["1.0.5"]


def test_other_bytes_are_refused_and_change_nothing(maker):
    maker.publish(image(maker.folder), "1.0.5")
    before = maker.show("1.0.5")
    text = three_parts(maker.publish(image(maker.folder, "other.bin", seed=1), "1.0.5", expect=5))
    assert "1.0.5" in text and before["artifacts"][0]["sha256"][:12] in text
    assert maker.show("1.0.5") == before


def test_refusal_as_json(maker):
    maker.publish(image(maker.folder), "1.0.5")
    done = maker.publish(image(maker.folder, "other.bin", seed=1), "1.0.5", "--json", expect=5)
    problem = json.loads([line for line in done.stderr.splitlines() if line.startswith("{")][0])
    assert problem["code"] == 5 and problem["error"] and problem["why"] and problem["advice"]
    assert done.stdout == ""


def test_files_that_are_no_firmware(maker):
    files = {
        "empty.bin": b"",
        "build.log": b"Linking firmware.elf\nwarning: unused variable\n" * 50,
        "page.html": b"<!doctype html><html><body>Not found</body></html>",
        "image.zip": b"PK\x03\x04" + bytes(500),
        "image.bin.gz": b"\x1f\x8b\x08\x00" + bytes(500),
    }
    for name, content in files.items():
        path = maker.folder / name
        path.write_bytes(content)
        text = three_parts(maker.publish(path, "1.0.5", expect=5))
        assert "firmware" in text, name
    assert maker.versions() == []


def test_file_that_is_missing(maker):
    for path in (maker.folder / "missing.bin", maker.folder):
        text = three_parts(maker.publish(path, "1.0.5", expect=1))
        assert str(path) in text


@pytest.mark.parametrize("size", [1000, 8_000_000])
def test_unknown_product(maker, size):
    path = image(maker.folder, size=size)
    done = maker.server.cli("release", "publish", path, "--product", "no-such", "--version", "1.0.5", expect=3)
    assert "no-such" in done.stderr


def test_hardware_model(maker):
    path = image(maker.folder)
    assert "no-such" in three_parts(maker.publish(path, "1.0.5", "--hardware", "no-such", expect=5))
    maker.server.cli("product", "add", maker.product, "--hardware", "board-2")
    text = three_parts(maker.publish(path, "1.0.5", expect=5))
    assert "board" in text and "board-2" in text
    maker.publish(path, "1.0.5", "--hardware", "board-2")
    maker.publish(path, "1.0.5", "--hardware", "board")
    assert [a["hardware"] for a in maker.show("1.0.5")["artifacts"]] == ["board", "board-2"]


@pytest.mark.parametrize("version", ["", "latest", "1", "1.0", "1.0.5.6", "v1.0.5", "01.0.5", "1.0.5-", "1.0.5 ",
                                     "1.0.5/../6", "1.0.-5", "1.0.5-01", "١.٠.٥"])
def test_version_that_is_none(maker, version):
    done = maker.publish(image(maker.folder), version, expect=(5, 64))
    assert version in done.stderr
    assert maker.versions() == []


# Images that name their version

needs_images = pytest.mark.skipif(not (TESTDATA / "images").exists(), reason="no sample images")


@needs_images
def test_label_that_lies_is_refused_naming_both(maker):
    path = TESTDATA / "images/esp32c3-1.2.3.bin"
    text = three_parts(maker.publish(path, "1.2.4", expect=5))
    assert "1.2.3" in text and "1.2.4" in text
    assert maker.versions() == []
    maker.publish(path, "1.2.3")
    maker.publish(path, "1.2.4", "--ignore-image-version")
    assert maker.versions() == ["1.2.4", "1.2.3"]


@needs_images
def test_damaged_images_are_refused(maker):
    for name in ("bad-bitflip-data", "bad-hash-digest", "bad-trunc-segment", "bad-merged-flash", "bad-mcuboot-body"):
        text = three_parts(maker.publish(TESTDATA / f"images/{name}.bin", "1.2.3", expect=5))
        assert "firmware" in text, name
    assert maker.versions() == []


@needs_images
def test_strict_product_takes_known_formats_only(maker):
    product = maker.product + "-strict"
    maker.server.cli("product", "add", product, "--format", "microcontroller")

    def publish(path, expect):
        return maker.server.cli("release", "publish", path, "--product", product, "--version", "1.2.3", expect=expect)

    three_parts(publish(image(maker.folder), 5))
    publish(TESTDATA / "images/esp32c3-1.2.3.bin", 0)


# Lists

def test_list_is_by_version_not_by_text(maker):
    ordered = ["2.0.0", "1.10.0", "1.9.0", "1.0.10", "1.0.9", "1.0.9-rc.11", "1.0.9-rc.2", "1.0.9-rc", "1.0.9-beta",
               "1.0.9-1", "1.0.0"]
    for number, version in enumerate(random.Random(1).sample(ordered, len(ordered))):
        maker.publish(image(maker.folder, seed=number), version)
    assert maker.versions() == ordered
    rows = [line.split("\t") for line in
            maker.server.cli("release", "list", "--product", maker.product).stdout.splitlines()]
    assert [row[1] for row in rows] == ordered


def test_show_and_withdraw(maker):
    path = image(maker.folder)
    maker.publish(path, "1.0.5")
    shown = maker.server.cli("release", "show", "1.0.5", "--product", maker.product).stdout
    assert "active" in shown and maker.show("1.0.5")["artifacts"][0]["sha256"] in shown
    withdrawn = maker.server.cli_json(
        "release", "withdraw", "1.0.5", "--product", maker.product, "--reason", "Wi-Fi drops")
    assert withdrawn["state"] == "withdrawn" and withdrawn["reason"] == "Wi-Fi drops"
    assert maker.server.cli_json("release", "withdraw", "1.0.5", "--product", maker.product) == withdrawn
    assert "Wi-Fi drops" in maker.server.cli("release", "show", "1.0.5", "--product", maker.product).stdout
    assert "withdrawn" in three_parts(maker.publish(path, "1.0.5", expect=5))
    for word in ("show", "withdraw"):
        maker.server.cli("release", word, "9.9.9", "--product", maker.product, expect=3)
    maker.server.cli("release", "list", "--product", "no-such", expect=3)


# Devices

def test_device(maker):
    name = "press-" + uuid.uuid4().hex[:8]
    folder = maker.folder / "keys"
    added = maker.server.cli("device", "add", name, "--product", maker.product, "--out", folder)
    assert f"{name}.crt" in added.stdout
    assert {p.name for p in folder.iterdir()} == {f"{name}.crt", f"{name}.key", "ca.pem"}
    assert stat.S_IMODE((folder / f"{name}.key").stat().st_mode) == 0o600
    shown = maker.server.cli_json("device", "show", name)
    assert shown["thing"] == name and shown["product"] == maker.product and shown["hardware"] == "board"
    assert shown.get("owner") is None and shown["connected"] is False and shown["revoked"] is False
    assert name in [d["thing"] for d in maker.server.cli_json("device", "list", "--product", maker.product)["devices"]]
    three_parts(maker.server.cli("device", "add", name, "--out", folder, expect=5))
    assert maker.server.cli_json("device", "revoke", name)["revoked"] is True
    for word in ("show", "revoke", "logs"):
        maker.server.cli("device", word, "no-such-thing", expect=3)


def test_device_that_cannot_be(maker):
    for options, expect in ([("--product", "no-such"), 3], [("--product", maker.product, "--hardware", "no-such"), 5],
                            [("--owner", "nobody"), 3]):
        maker.server.cli("device", "add", "press-x", *options, "--out", maker.folder / "none", expect=expect)
    maker.server.cli("device", "show", "press-x", expect=3)
    assert not (maker.folder / "none").exists()


def test_device_token_is_shown_once(maker):
    name = "press-" + uuid.uuid4().hex[:8]
    token = maker.server.cli("device", "add", name, "--token").stdout.strip()
    assert token and "\n" not in token
    assert token not in json.dumps(maker.server.cli_json("device", "show", name))


# Accounts and tokens

def test_accounts(strict):
    name = "ann-" + uuid.uuid4().hex[:8]
    made = strict.cli_json("user", "add", name, "--password", "correct horse")
    assert made["uid"] == name and made["role"] == "owner" and made["has_password"] is True
    assert name in [u["uid"] for u in strict.cli_json("user", "list")["users"]]
    three_parts(strict.cli("user", "add", name, "--link", expect=5))
    text = three_parts(strict.cli("user", "add", name + "-2", "--password", "short", expect=5))
    assert "8" in text and "short\n" not in text
    strict.cli("user", "add", "a b", "--link", expect=5)
    strict.cli("user", "link", "nobody", expect=3)


def test_password_from_standard_input(strict):
    name = "bob-" + uuid.uuid4().hex[:8]
    command = [BINARY, "user", "add", name, "--password-stdin", "--server", strict.url, "--token", strict.admin_token]
    done = subprocess.run(command, input="correct horse\n", capture_output=True, text=True, timeout=15)
    assert done.returncode == 0, done.stderr
    users = {u["uid"]: u for u in strict.cli_json("user", "list")["users"]}
    assert users[name]["has_password"] is True


def test_tokens(strict):
    label = "build-" + uuid.uuid4().hex[:8]
    token = strict.cli("token", "create", label).stdout.strip()
    strict.cli("product", "list", token=token)
    refused = strict.cli("user", "list", token=token, expect=(4, 5))
    assert "admin" in refused.stderr
    listed = [t for t in strict.cli_json("token", "list")["tokens"] if t["label"] == label]
    assert listed[0]["role"] == "operator" and token not in json.dumps(listed)
    strict.cli("token", "create", label, expect=5)
    assert strict.cli_json("token", "revoke", label) == {}
    strict.cli("product", "list", token=token, expect=4)
    strict.cli("token", "revoke", label, expect=3)


def test_a_token_that_is_taken_back_ends_its_mqtt_connections(strict):
    labels = ["gone-" + uuid.uuid4().hex[:8], "stays-" + uuid.uuid4().hex[:8]]
    tokens = [strict.cli("token", "create", label).stdout.strip() for label in labels]
    mqtt = strict.addresses["mqtt"]
    gone, stays = (Peer(mqtt, label, V5, user=label, password=token).connect() for label, token in zip(labels, tokens))
    strict.cli("token", "revoke", labels[0])
    assert gone.wait_end().value == 0x87
    with pytest.raises(Refused):
        Peer(mqtt, labels[0], user=labels[0], password=tokens[0]).connect()
    assert stays.subscribe("a") == 1
    stays.disconnect()


def test_token_of_an_owner_is_no_operators(strict):
    name = "cat-" + uuid.uuid4().hex[:8]
    strict.cli("user", "add", name, "--link")
    token = strict.cli("token", "create", "of-" + name, "--role", "owner", "--user", name).stdout.strip()
    strict.cli("product", "list", token=token, expect=5)


def test_token_for_nobody_is_refused(strict):
    strict.cli("token", "create", "of-nobody-" + uuid.uuid4().hex[:8], "--user", "nobody", expect=3)


# Reaching the server

def run(*command, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("APUS_")}
    return subprocess.run([BINARY, *map(str, command)], capture_output=True, text=True, timeout=30,
                          env={**clean, **environment})


def test_exit_codes(strict):
    three_parts(strict.cli("product", "list", token="wrong", expect=4))
    done = run("product", "list", "--server", "http://127.0.0.1:1", "--token", "x")
    assert done.returncode == 69
    three_parts(done)
    for arguments in (["product", "list", "--no-such-flag"], ["release", "publish"], ["no-such-command"],
                      ["release", "show", "--product"]):
        assert run(*arguments).returncode == 64, arguments


def test_no_token_anywhere(strict, tmp_path):
    done = run("product", "list", "--server", strict.url, "--data-dir", tmp_path)
    assert done.returncode == 4
    three_parts(done)


def test_server_and_token_from_the_environment_or_the_data(strict):
    assert run("product", "list", APUS_SERVER=strict.url, APUS_TOKEN=strict.admin_token).returncode == 0
    assert run("product", "list", "--data-dir", strict.data).returncode == 0
    assert run("product", "list", "--data-dir", strict.data, APUS_TOKEN="wrong").returncode == 4


def test_over_tls(strict):
    done = run("product", "list", "--server", strict.https_url, "--token", strict.admin_token, "--ca", strict.ca)
    assert done.returncode == 0, done.stderr
    done = run("product", "list", "--server", strict.https_url, "--token", strict.admin_token, "--ca", "/dev/null")
    assert done.returncode == 69


# A server that cannot start

def serve(data, **addresses):
    flags = [part for name in LISTENERS for part in ("--" + name, addresses.get(name, "127.0.0.1:0"))]
    return run("serve", "--data-dir", data, *flags)


def failed_start(done):
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert done.stdout == ""
    text = done.stderr
    assert "apus: " in text and "  -> " in text
    assert "Fatal error" not in text and "Error Domain" not in text
    return text


def test_second_server_on_the_same_data(strict):
    text = failed_start(serve(strict.data))
    assert "in use" in text and str(strict.data) in text


@pytest.mark.parametrize("name", LISTENERS)
def test_port_in_use(tmp_path, name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        text = failed_start(serve(tmp_path / "data", **{name: address}))
    assert address in text


def test_data_directory_that_is_a_file(tmp_path):
    file = tmp_path / "data"
    file.write_text("not a folder")
    assert str(file) in failed_start(serve(file))
    assert str(file / "below") in failed_start(serve(file / "below"))
    assert file.read_text() == "not a folder"


def test_data_that_is_no_database(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "apus.sqlite").write_bytes(random.Random(3).randbytes(8192))
    failed_start(serve(data))


def test_addresses_that_are_none(tmp_path):
    for address in ("localhost", "127.0.0.1:99999", ":8080", "127.0.0.1:http"):
        assert serve(tmp_path / "data", http=address).returncode == 64, address
    assert not (tmp_path / "data").exists()
