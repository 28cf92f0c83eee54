"""Servers for the tests: one in `--dev` mode, one with all rules, and fresh ones for those who kill them."""

import pathlib
import re
import uuid

import pytest

from apus_server import BINARY, Server
from mqtt_peer import Peer


def pytest_configure(config):
    if not pathlib.Path(BINARY).exists():
        raise pytest.UsageError(f"no server at {BINARY}: build it first or set APUS_BIN")


def pytest_collection_modifyitems(items):
    """The rules of standards that a test proves stand in brackets in its docstring; `scripts/conformance` reads them."""
    for item in items:
        for rule in re.findall(r"\[([A-Z]+\d?-\d[\d.]*-\d+)\]", item.function.__doc__ or ""):
            item.user_properties.append(("proves", rule))


def _running(server):
    server.start()
    yield server
    if server.runs:
        server.stop()


@pytest.fixture(scope="session")
def dev(tmp_path_factory):
    """A server where every client is an administrator."""
    yield from _running(Server(tmp_path_factory.mktemp("dev") / "data", "--dev"))


@pytest.fixture(scope="session")
def strict(tmp_path_factory):
    """A server with all its rules."""
    yield from _running(Server(tmp_path_factory.mktemp("strict") / "data"))


@pytest.fixture
def fresh(tmp_path):
    """A `--dev` server of one test's own, to be killed and restarted at will."""
    yield from _running(Server(tmp_path / "data", "--dev"))


@pytest.fixture
def thing():
    """A thing name that no other test uses."""
    return "thing-" + uuid.uuid4().hex[:12]


@pytest.fixture
def connect():
    """Makes connected peers that are gone at the end of the test."""
    peers = []

    def make(address, *arguments, **settings):
        peer = Peer(address, *arguments, **settings).connect()
        peers.append(peer)
        return peer

    yield make
    for peer in peers:
        if peer.ended is None:
            peer.disconnect()
