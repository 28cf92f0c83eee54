"""Accounts, products and hardware models are changed and removed."""

import subprocess

import pytest
import requests

from apus_server import BINARY
from field import Field


@pytest.fixture
def field(strict, tmp_path):
    field = Field(strict, tmp_path)
    yield field
    field.close()


def sign_in(field, uid, password):
    return requests.post(field.server.url + "/app/session", json={"uid": uid, "password": password}, timeout=20)


def test_an_account_changes(field):
    cli, name = field.server.cli, "staff-" + field.owner
    cli("user", "add", name, "--password", "first password")
    token = {"Authorization": "Bearer " + sign_in(field, name, "first password").json()["token"]}
    devices = field.server.url + "/api/v1/devices"
    assert requests.get(devices, headers=token, timeout=10).status_code == 403
    assert "operator" in cli("user", "set", name, "--role", "operator").stdout
    assert requests.get(devices, headers=token, timeout=10).status_code == 200
    command = [BINARY, "user", "set", name, "--password-stdin", "--server", field.server.url, "--token", field.server.admin_token]
    subprocess.run(command, input="second password\n", text=True, check=True, timeout=30)
    assert requests.get(devices, headers=token, timeout=10).status_code == 401
    assert sign_in(field, name, "first password").status_code == 401
    assert sign_in(field, name, "second password").status_code == 200
    answer = requests.put(f"{field.server.url}/api/v1/users/{name}", headers=field.server.admin, json={"password": "short"}, timeout=10)
    assert answer.status_code == 400
    cli("user", "set", "nobody-" + name, "--role", "admin", expect=3)


def test_a_removed_account_leaves_its_devices(field, thing):
    field.add_device(thing)
    session = dict(field.session)
    assert requests.get(field.server.url + "/app/user", headers=session, timeout=10).ok
    field.server.cli("user", "remove", field.owner)
    assert requests.get(field.server.url + "/app/user", headers=session, timeout=10).status_code == 401
    assert field.device(thing).get("owner") is None
    field.server.cli("user", "remove", field.owner, expect=3)


def test_only_what_nothing_needs_is_removed(field, thing):
    cli = field.server.cli
    cli("product", "add", field.product, "--hardware", "spare")
    cli("product", "remove", field.product, "--hardware", "spare")
    cli("product", "remove", field.product, "--hardware", "spare", expect=3)
    cli("device", "add", thing, "--product", field.product, "--hardware", "board", "--token")
    for arguments in ([field.product], [field.product, "--hardware", "board"]):
        assert "1 devices" in cli("product", "remove", *arguments, expect=(1, 5)).stderr
    cli("device", "remove", thing)
    cli("product", "remove", field.product)
    assert field.product not in cli("product", "list").stdout
