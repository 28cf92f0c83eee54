"""The list of devices, and what an operator orders for one."""

import pytest
import requests

from agent import Puppet
from field import Field


@pytest.fixture
def field(strict, tmp_path):
    field = Field(strict, tmp_path)
    yield field
    field.close()


def devices(field, **query):
    query.setdefault("product", field.product)
    answer = requests.get(field.server.url + "/api/v1/devices", headers=field.server.admin, params=query, timeout=10)
    assert answer.ok, answer.text
    return answer.json()


def names(field, **query):
    return [device["thing"] for device in devices(field, **query)["devices"]]


def test_pages_by_cursor_miss_and_repeat_nothing(field, thing):
    things = [f"{thing}-{n:02}" for n in range(23)]
    for name in things:
        field.server.cli("device", "add", name, "--product", field.product, "--token")
    seen_last = field.add_device(thing + "-05a")
    with Puppet(field.server, seen_last, thing + "-05a") as puppet:
        puppet.runs("1.0.4")
    by_name = sorted(things + [thing + "-05a"])
    by_time = things + [thing + "-05a"]
    orders = (("thing", by_name), ("-thing", by_name[::-1]), ("last_seen", by_time), ("-last_seen", by_time[::-1]))
    for sort, expected in orders:
        seen, cursor = [], {}
        while True:
            page = devices(field, sort=sort, limit=5, **cursor)
            assert page["total"] == 24
            seen += [device["thing"] for device in page["devices"]]
            if "next" not in page:
                break
            cursor = {"cursor": page["next"]}
        assert seen == expected, sort
    assert names(field, q=thing.upper() + "-0", limit=1000) == by_name[:11]
    assert names(field, q="%") == []


@pytest.mark.parametrize("query", ["state=odd", "presence=odd", "sort=odd", "limit=0", "limit=x", "cursor=bm9uZQ", "cursor=%00"])
def test_wrong_queries_are_refused(strict, query):
    answer = requests.get(strict.url + "/api/v1/devices?" + query, headers=strict.admin, timeout=10)
    assert answer.status_code == 400 and "title" in answer.json()


def check_states(field):
    """Filters and rows say the same: what a filter finds has that state, and each device is found by one."""
    found = []
    for state in ("revoked", "updating", "attention", "unseen", "behind", "current", "unassigned"):
        page = devices(field, state=state)
        assert {device["state"] for device in page["devices"]} <= {state}
        assert page["total"] == len(page["devices"])
        found += [device["thing"] for device in page["devices"]]
    assert sorted(found) == names(field)


def test_states_orders_and_removal(field, thing):
    folder = field.add_device(thing)
    silent = thing + "-silent"
    field.add_device(silent)
    cli = field.server.cli
    with Puppet(field.server, folder, thing) as puppet:
        puppet.runs("1.0.4")
        assert names(field, state="unassigned") == [thing]
        assert names(field, state="unseen") == [silent]
        field.publish("1.0.5")
        assert names(field, state="behind") == [thing]
        check_states(field)
        assert "waits for the owner" in cli("device", "why", thing).stderr
        assert cli("device", "retry", thing, expect=(1, 5)).returncode
        cli("device", "update", thing, "1.0.9", expect=5)
        cli("device", "update", thing, "1.0.5")
        assert field.desired_version(thing) == "1.0.5"
        assert names(field, state="updating") == [thing]
        check_states(field)
        cli("device", "cancel", thing)
        assert field.desired_version(thing) == "1.0.4"
        assert "waits for the owner" in cli("device", "why", thing).stderr
        cli("device", "retry", thing)
        puppet.report(update={"version": "1.0.5", "state": "rolledBack", "error": "no health in time"})
        assert names(field, state="attention") == [thing]
        check_states(field)
        cli("device", "retry", thing)
        puppet.runs("1.0.5")
        assert names(field, state="current") == [thing]
        check_states(field)
        assert names(field, presence="online") == [thing]
        assert names(field, presence="offline") == [silent]
        assert names(field, version="1.0.5", state="current", presence="online") == [thing]
        cli("device", "remove", thing)
        puppet.peer.wait_end()
    cli("device", "show", thing, expect=3)
    assert field.user()["device_id"] is None
    assert names(field) == [silent]
    cli("device", "revoke", silent)
    assert names(field, state="revoked") == [silent]
    check_states(field)


def test_many_versions_in_the_field(field, thing):
    """Each version is compared; none is left out, however many there are."""
    with Puppet(field.server, field.add_device(thing), thing) as puppet:
        puppet.runs("1.0.4")
        field.publish("1.0.5")
    field.server.cli("device", "add", thing + "-none", "--token")
    assert thing + "-none" in names(field, product="", state="unseen", limit=1000)
    assert names(field, state="behind") == [thing]
    assert names(field, state="current") == []
