"""Shadows through boto3 as it is: `iot-data` against a `--dev` server."""

import concurrent.futures
import json

import pytest

from aws import Shadows, iot_data


@pytest.fixture(scope="module")
def shadows(dev):
    return Shadows(dev.url)


def test_life_of_a_shadow(shadows, thing):
    """Of a thing that nobody registered. [AWS-2.1-4] [AWS-18-10] [AWS-4-1] [AWS-4-2] [AWS-4-3]"""
    with pytest.raises(shadows.exceptions.ResourceNotFoundException) as missing:
        shadows.get(thing)
    assert missing.value.response["Error"]["Message"].startswith("No shadow exists with name")

    state = {"desired": {"a": 1, "b": {"c": [1, 2]}}, "reported": {"a": 0}}
    accepted = shadows.update(thing, {"state": state})
    assert accepted["version"] == 1
    assert accepted["state"] == state

    document = shadows.get(thing)
    assert document["state"]["delta"] == {"a": 1, "b": {"c": [1, 2]}}
    assert document["version"] == 1
    assert set(document["metadata"]["desired"]["b"]["c"][0]) == {"timestamp"}

    shadows.update(thing, {"state": {"desired": {"b": None}, "reported": {"a": 1}}})
    document = shadows.get(thing)
    assert document["state"] == {"desired": {"a": 1}, "reported": {"a": 1}}

    assert shadows.delete(thing)["version"] == 2
    with pytest.raises(shadows.exceptions.ResourceNotFoundException):
        shadows.get(thing)
    with pytest.raises(shadows.exceptions.ResourceNotFoundException):
        shadows.delete(thing)
    assert shadows.update(thing, {"state": {"desired": {"a": 1}}})["version"] > 2


def test_null_state_clears_and_counts(shadows, thing):
    """[AWS-2.3-11] [AWS-3.2-2]"""
    shadows.update(thing, {"state": {"desired": {"a": 1}}})
    accepted = shadows.update(thing, {"state": None})
    assert accepted["state"] is None and accepted["version"] == 2
    assert shadows.get(thing)["state"] == {}


def test_token_is_echoed_and_request_id_is_there(shadows, thing):
    """[AWS-8-3]"""
    answer = shadows.client.update_thing_shadow(
        thingName=thing, payload=json.dumps({"state": {}, "clientToken": "abc"}))
    assert json.loads(answer["payload"].read())["clientToken"] == "abc"
    assert answer["ResponseMetadata"]["RequestId"]
    assert "clientToken" not in shadows.get(thing)


def test_version_lock(shadows, thing):
    """[AWS-2.6-3] [AWS-2.8-14]"""
    shadows.update(thing, {"state": {"desired": {"a": 1}}})
    shadows.update(thing, {"state": {"desired": {"a": 2}}, "version": 1})
    for version in (1, 3):
        with pytest.raises(shadows.exceptions.ConflictException) as conflict:
            shadows.update(thing, {"state": {"desired": {"a": 3}}, "version": version})
        assert conflict.value.response["Error"]["Message"] == "Version conflict"
    assert shadows.get(thing)["version"] == 2


@pytest.mark.parametrize("document, message", [
    ("{", "Invalid JSON"),
    ("[]", "Invalid JSON"),
    ('{"state":{"desired":{"a":[null]}}}', "Invalid JSON"),
    ({"foo": 1}, "Missing required node: state"),
    ({"state": 1}, "State node must be an object"),
    ({"state": {"foo": {}}}, "State contains an invalid node: 'foo'"),
    ({"state": {"delta": {}}}, "State contains an invalid node: 'delta'"),
    ({"state": {"desired": 1}}, "Desired node must be an object"),
    ({"state": {"reported": []}}, "Reported node must be an object"),
    ({"state": {}, "version": "1"}, "Invalid version"),
    ({"state": {}, "clientToken": "x" * 65}, "Invalid clientToken"),
    ('{"state":{"desired":' + '{"a":' * 9 + "1" + "}" * 9 + "}}",
     "JSON contains too many levels of nesting; maximum is 8"),
])
def test_refusals_name_their_reason(shadows, thing, document, message):
    """[AWS-6.3-1]"""
    with pytest.raises(shadows.exceptions.InvalidRequestException) as refused:
        shadows.update(thing, document)
    assert refused.value.response["Error"]["Message"] == message
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(shadows.exceptions.ResourceNotFoundException):
        shadows.get(thing)


def test_size_is_measured_after_merging(shadows, thing):
    """[AWS-2.7-1] [AWS-2.7-2] [AWS-2.8-15]"""
    shadows.update(thing, {"state": {"desired": {"a": "x" * 8000}}})
    with pytest.raises(shadows.exceptions.RequestEntityTooLargeException):
        shadows.update(thing, {"state": {"reported": {"b": "y" * 200}}})
    shadows.update(thing, {"state": {"desired": {"a": None}, "reported": {"b": "y" * 200}}})


def test_bytes_that_are_no_text(shadows, thing):
    """[AWS-2.8-2]"""
    with pytest.raises(shadows.exceptions.UnsupportedDocumentEncodingException):
        shadows.update(thing, b'{"state":{"desired":{"a":"\xff"}}}')


def test_named_shadows_are_independent_and_listed(shadows):
    """[AWS-2.1-2] [AWS-4-4] [AWS-4-5] [AWS-4-7] [AWS-4-8]"""
    thing = "plant:7:pump"
    names = [f"zone:{index}" for index in range(5)]
    for name in names:
        shadows.update(thing, {"state": {"desired": {"name": name}}}, name)
    shadows.update(thing, {"state": {"desired": {"name": "classic"}}})
    assert shadows.get(thing, names[3])["state"]["desired"] == {"name": names[3]}
    shadows.delete(thing, names[4])
    with pytest.raises(shadows.exceptions.ResourceNotFoundException):
        shadows.get(thing, names[4])

    listed, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = shadows.client.list_named_shadows_for_thing(thingName=thing, pageSize=3, **more)
        assert len(page["results"]) <= 3
        listed += page["results"]
        token = page.get("nextToken")
        if not token:
            break
    assert sorted(listed) == names[:4]
    assert shadows.client.list_named_shadows_for_thing(thingName="nobody-knows-it")["results"] == []


@pytest.mark.parametrize("thing_name", ["a/b", "a b", "x" * 129, "ä"])
def test_bad_thing_names(shadows, thing_name):
    """[AWS-1.1-1] [AWS-4-6]"""
    with pytest.raises(shadows.exceptions.InvalidRequestException):
        shadows.update(thing_name, {"state": {}})


def test_bad_shadow_name_and_page(shadows, thing):
    """[AWS-1.1-2] [AWS-4-6] [AWS-4-9]"""
    with pytest.raises(shadows.exceptions.InvalidRequestException):
        shadows.update(thing, {"state": {}}, "a/b")
    with pytest.raises(shadows.exceptions.InvalidRequestException):
        shadows.client.list_named_shadows_for_thing(thingName=thing, pageSize=100, nextToken="rubbish!")


def test_concurrent_updates_lose_nothing(dev, shadows, thing):
    """[AWS-2.6-10]"""
    def work(index):
        client = Shadows(dev.url)
        return [client.update(thing, {"state": {"desired": {f"k{index}": n}}})["version"] for n in range(20)]

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        versions = sorted(version for run in pool.map(work, range(6)) for version in run)
    assert versions == list(range(1, 121))
    assert shadows.get(thing)["state"]["desired"] == {f"k{index}": 19 for index in range(6)}


def test_numbers_come_back_unchanged(shadows, thing):
    """[AWS-2.3-14]"""
    members = ('"big":9007199254740991', '"one":1', '"yes":true', '"text":"1"', '"f":1.5')
    shadows.update(thing, '{"state":{"desired":{' + ",".join(members) + "}}}")
    raw = shadows.client.get_thing_shadow(thingName=thing)["payload"].read().decode()
    for member in members:
        assert member in raw


def test_the_same_over_tls(dev, thing):
    shadows = Shadows(dev.https_url, verify=dev.ca)
    assert shadows.update(thing, {"state": {"desired": {"a": 1}}})["version"] == 1
    assert shadows.get(thing)["state"]["desired"] == {"a": 1}


def test_strict_server_takes_no_unproven_request(strict, thing):
    shadows = Shadows(strict.url)
    for call in (lambda: shadows.get(thing), lambda: shadows.update(thing, {"state": {}})):
        with pytest.raises((shadows.exceptions.UnauthorizedException, shadows.exceptions.ForbiddenException)):
            call()
