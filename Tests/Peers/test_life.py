"""Starting, stopping, and what is there without asking."""

import os
import re
import stat
import subprocess

import requests

from apus_server import BINARY, READY


def test_ready_line_is_all_that_goes_to_stdout(fresh):
    assert len([line for line in fresh.output if READY.match(line)]) == 1
    assert len(fresh.output) == 1


def test_health_and_metrics_answer(strict):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert requests.get(strict.url + path, timeout=5).status_code == 200, path


def test_first_start_leaves_a_private_token_and_a_public_authority(strict):
    mode = stat.S_IMODE(os.stat(strict.data / "admin.token").st_mode)
    assert mode == 0o600
    served = requests.get(strict.url + "/ca.pem", timeout=5)
    assert served.status_code == 200
    assert served.text == (strict.data / "ca.pem").read_text()


def test_setup_link_goes_to_stderr_once(strict):
    assert len(re.findall(r"/setup#k=\S+", strict.log())) == 1


def test_second_server_on_the_same_data_is_refused(fresh):
    command = [BINARY, "serve", "--data-dir", str(fresh.data)]
    for name in ("http", "https", "mqtt", "mqtts"):
        command += ["--" + name, "127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=15)
    assert done.returncode != 0
    assert not done.stdout
    assert done.stderr


def test_stop_and_start_on_the_same_ports(fresh):
    before = dict(fresh.addresses)
    fresh.stop()
    fresh.start()
    assert fresh.addresses == before
    fresh.kill()
    fresh.start()
    assert fresh.addresses == before


def test_operator_routes_need_a_token_even_with_dev(dev):
    assert requests.get(dev.url + "/api/v1/devices", timeout=5).status_code == 401
    assert requests.get(dev.url + "/api/v1/devices", timeout=5, headers=dev.admin).status_code == 200


def test_unknown_command_and_unreachable_server_have_their_exit_codes(strict):
    assert subprocess.run([BINARY, "no-such-command"], capture_output=True, timeout=15).returncode == 64
    command = [BINARY, "device", "list", "--server", "http://127.0.0.1:1", "--token", "x"]
    assert subprocess.run(command, capture_output=True, timeout=30).returncode == 69
    strict.cli("device", "list", token="wrong", expect=4)
