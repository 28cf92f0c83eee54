"""Settings from the environment, and cookies of the pages."""

import os
import subprocess

import pytest
import requests

from apus_server import BINARY
from field import Field


@pytest.fixture
def field(strict, tmp_path):
    return Field(strict, tmp_path)


def test_cookies_count_only_from_the_own_pages(field):
    token = field.session["Authorization"].split()[1]
    cookie = {"Cookie": "apus_session=" + token}
    url = field.server.url + "/app/user"
    assert requests.get(url, headers=cookie, timeout=10).status_code == 200
    assert requests.put(url, headers=cookie, json={}, timeout=10).status_code == 403
    foreign = dict(cookie, Origin="http://evil.example")
    assert requests.put(url, headers=foreign, json={}, timeout=10).status_code == 403
    assert requests.put(url, headers=dict(cookie, Origin=field.server.url), json={}, timeout=10).status_code == 200


def test_settings_come_from_the_environment_too(tmp_path):
    env = {k: v for k, v in os.environ.items() if not k.startswith("APUS_")}
    env.update(APUS_HTTP="127.0.0.1:0", APUS_HTTPS="127.0.0.1:0", APUS_MQTT="127.0.0.1:0")
    (tmp_path / "apus.env").write_text("# comment\nAPUS_MQTTS=127.0.0.1:0\nAPUS_HTTP=256.0.0.1:1\n")
    server = subprocess.Popen(
        [BINARY, "serve", "--data-dir", tmp_path / "data", "--env-file", tmp_path / "apus.env"], env=env,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout.readline().startswith("ready http=127.0.0.1:")
    server.terminate()
    assert server.wait(timeout=15) == 0
