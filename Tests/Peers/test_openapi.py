"""The OpenAPI document: it names what there is, and what comes back fits it, whatever is sent (schemathesis)."""

import pathlib
import re
import subprocess
import sys

import pytest
import requests

from apus_server import Server
from field import program


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "data").start()
    yield server
    if server.runs:
        server.stop()


@pytest.fixture
def document(server):
    answer = requests.get(server.url + "/api/v1/openapi.json", headers=server.admin, timeout=10)
    assert answer.ok and answer.headers["Content-Type"] == "application/json"
    return answer.json()


def test_it_names_every_route(document):
    """The routes of the sources and the operations of the document are the same; a new one without a description is red."""
    folder = pathlib.Path(__file__).resolve().parents[2] / "Sources/HTTPAPI"
    routes = set()
    for name in ("MakerRoutes.swift", "AdminRoutes.swift"):
        found = re.findall(r'group\.(get|post|put|delete)\("([^"]+)"\)', (folder / name).read_text())
        routes |= {(method, "/" + re.sub(r":(\w+)", r"{\1}", path)) for method, path in found}
    described = {(method, path) for path, operations in document["paths"].items() for method in operations}
    assert routes == described
    assert document["openapi"].startswith("3.1")


def test_every_operation_asks_for_a_credential(server, document):
    for path, operations in document["paths"].items():
        for method in operations:
            url = server.url + "/api/v1" + path.replace("{", "").replace("}", "")
            assert requests.request(method, url, timeout=10).status_code == 401, (method, path)


def test_no_answer_breaks_the_document(server, tmp_path):
    """Some thousand generated requests: no 5xx, and every answer has the form that is described."""
    image = tmp_path / "1.0.5.bin"
    image.write_bytes(program("1.0.5"))
    server.cli("product", "add", "lamp", "--hardware", "board")
    server.cli("release", "publish", image, "--product", "lamp", "--version", "1.0.5")
    server.cli("user", "add", "ann", "--link")
    server.cli("device", "add", "lamp-1", "--product", "lamp", "--owner", "ann", "--token")
    done = subprocess.run(
        [
            pathlib.Path(sys.executable).parent / "st", "run", server.url + "/api/v1/openapi.json",
            "--header", "Authorization: Bearer " + server.admin_token,
            "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            "--exclude-path-regex", "(follow|listen)$", "--max-examples", "20", "--seed", "7", "--no-color",
            "--phases", "examples,coverage,fuzzing", "--request-timeout", "20",
        ],
        capture_output=True, text=True, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert server.runs
