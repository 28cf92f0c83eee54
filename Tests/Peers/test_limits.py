"""AWS IoT's broker limits, on request."""

import pytest

from apus_server import Server
from mqtt_peer import V5


@pytest.fixture
def limited(tmp_path):
    server = Server(tmp_path / "data", "--dev", "--aws-limits").start()
    yield server.addresses["mqtt"]
    server.stop()


def test_aws_limits(limited, connect):
    """[AWS-1.2-8]"""
    peer = connect(limited, version=V5)
    assert peer.subscribe("1/2/3/4/5/6/7/8") < 0x80
    assert peer.subscribe("1/2/3/4/5/6/7/8/9") == 0x8F
    assert peer.subscribe("$aws/things/t/shadow/name/n/update/delta") < 0x80
    codes = [peer.subscribe(f"many/{number}") for number in range(60)]
    assert codes.count(0x97) == 12, "50 subscriptions in all"
    peer.try_publish("1/2/3/4/5/6/7/8/9")
    assert peer.wait_end() is not None
    crowd = connect(limited, version=V5)
    crowd.client.subscribe([(f"at-once/{number}", 0) for number in range(9)])
    assert crowd.wait_end() is not None
