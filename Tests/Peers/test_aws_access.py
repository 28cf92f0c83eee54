"""Who may use AWS's services on a server with all its rules: access keys, tokens, certificates."""

import json

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import pytest
import requests
from botocore.exceptions import ClientError

from aws import clients, iot_data


@pytest.fixture(scope="module")
def key(strict):
    return strict.cli_json("token", "create", "backend", "--aws")


@pytest.fixture(scope="module")
def client(strict, key):
    return clients(strict.url, key["access_key_id"], key["secret_access_key"])


def test_all_three_clients_with_a_key(client, thing):
    """[AWS-6.1-1] [AWS-6.1-4]"""
    iot, data, jobs = (client(name) for name in ("iot", "iot-data", "iot-jobs-data"))
    arn = iot.create_thing(thingName=thing, attributePayload={"attributes": {"a": "b"}})["thingArn"]
    data.update_thing_shadow(thingName=thing, payload=b'{"state":{"desired":{"a":1}}}')
    assert json.loads(data.get_thing_shadow(thingName=thing)["payload"].read())["state"]["delta"] == {"a": 1}
    data.publish(topic="a/b c/ü", payload=b"x", qos=1, retain=True)
    assert data.get_retained_message(topic="a/b c/ü")["payload"] == b"x"
    iot.create_job(jobId="for-" + thing, targets=[arn], document="{}")
    assert jobs.start_next_pending_job_execution(thingName=thing)["execution"]["jobId"] == "for-" + thing
    assert iot.list_job_executions_for_thing(thingName=thing)["executionSummaries"]
    assert jobs.describe_job_execution(thingName=thing, jobId="$next")["execution"]["status"] == "IN_PROGRESS"
    iot.list_things(attributeName="a", attributeValue="b")


def test_a_key_is_listed_and_revoked(strict, thing):
    made = strict.cli_json("token", "create", "gone", "--aws")
    rows = {row["label"]: row for row in strict.cli_json("token", "list")["tokens"]}
    assert rows["gone"]["access_key_id"] == made["access_key_id"] and "secret" not in json.dumps(rows)
    strict.cli("token", "create", "gone", expect=5)
    iot = clients(strict.url, made["access_key_id"], made["secret_access_key"])("iot")
    iot.list_things()
    strict.cli("token", "revoke", "gone")
    with pytest.raises(ClientError) as refused:
        iot.list_things()
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_key_has_an_operators_rights_and_no_others(strict):
    for flags in (("--role", "owner"), ("--role", "admin"), ("--user", "bob")):
        strict.cli("token", "create", "odd", "--aws", *flags, expect=5)


def test_wrong_keys_are_refused(strict, key, thing):
    """[AWS-2.8-11]"""
    wrong = clients(strict.url, key["access_key_id"], "x" * 40)
    with pytest.raises(ClientError) as refused:
        wrong("iot").list_things()
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"
    data = wrong("iot-data")
    with pytest.raises(data.exceptions.UnauthorizedException):
        data.get_thing_shadow(thingName=thing)
    data = iot_data(strict.url)
    with pytest.raises(data.exceptions.UnauthorizedException):
        data.publish(topic="a", payload=b"x")


def test_what_is_not_offered_is_said_in_awss_words(client):
    for call in (lambda: client("iot").create_thing_type(thingTypeName="x"), lambda: client("iot").list_policies(),
                 lambda: client("iot").list_tags_for_resource(resourceArn="x")):
        with pytest.raises(ClientError) as unknown:
            call()
        assert unknown.value.response["Error"]["Code"] == "UnknownOperationException"
        assert unknown.value.response["Error"]["Message"]


def test_a_changed_request_is_refused(strict, key):
    """[AWS-6.1-7]"""
    request = botocore.awsrequest.AWSRequest("POST", strict.url + "/topics/a?qos=1", data=b"one", headers={})
    credentials = botocore.credentials.Credentials(key["access_key_id"], key["secret_access_key"])
    botocore.auth.SigV4Auth(credentials, "iotdata", "us-east-1").add_auth(request)
    headers = dict(request.headers)
    assert requests.post(strict.url + "/topics/a?qos=1", data=b"one", headers=headers, timeout=10).ok
    for url, body in (("/topics/a?qos=1", b"two"), ("/topics/b?qos=1", b"one"), ("/topics/a?qos=0", b"one")):
        answer = requests.post(strict.url + url, data=body, headers=headers, timeout=10)
        assert answer.status_code == 401 and answer.headers["x-amzn-ErrorType"] == "UnauthorizedException"


def test_without_credentials_nobody_gets_in(strict, thing):
    """[AWS-2.8-11]"""
    for method, path in (("GET", "/things"), ("GET", f"/things/{thing}/shadow"), ("GET", f"/things/{thing}/jobs"),
                         ("PUT", "/jobs/J"), ("POST", "/topics/a"), ("GET", "/retainedMessage"),
                         ("GET", "/connections/c"), ("GET", "/endpoint")):
        answer = requests.request(method, strict.url + path, timeout=10)
        assert (answer.status_code, path) == (401, path)
        assert answer.headers["x-amzn-ErrorType"] == "UnauthorizedException"


def test_an_operators_token_does_it_too(strict, thing):
    operator = strict.cli_json("token", "create", "curl-" + thing, "--role", "operator")["token"]
    owner = strict.cli_json("token", "create", "owner-" + thing, "--role", "owner")["token"]
    assert requests.get(strict.url + "/things", headers={"Authorization": "Bearer " + operator}, timeout=10).ok
    answer = requests.get(strict.url + "/things", headers={"Authorization": "Bearer " + owner}, timeout=10)
    assert answer.status_code == 403


def test_a_device_with_its_certificate(strict, client, tmp_path, thing):
    """[AWS-6.1-3] [AWS-2.8-12]"""
    strict.cli("device", "add", thing, "--out", tmp_path)
    certificate = (tmp_path / f"{thing}.crt", tmp_path / f"{thing}.key")
    iot = client("iot")
    iot.create_job(jobId="own-" + thing, targets=[iot.describe_thing(thingName=thing)["thingArn"]], document="{}")

    def call(method, path, **more):
        return requests.request(method, strict.https_url + path, cert=certificate, verify=strict.ca, timeout=10, **more)

    assert call("POST", f"/things/{thing}/shadow", json={"state": {"reported": {"a": 1}}}).json()["version"] == 1
    assert call("PUT", f"/things/{thing}/jobs/$next", json={}).json()["execution"]["jobId"] == "own-" + thing
    assert call("POST", f"/things/{thing}/jobs/own-{thing}", json={"status": "SUCCEEDED"}).ok
    assert call("POST", f"/topics/mia/things/{thing}/logs?qos=1", json={"message": "hello"}).ok
    for method, path in (("GET", "/things/other/shadow"), ("GET", "/things/other/jobs"), ("POST", "/topics/a"),
                         ("POST", "/topics/$aws/things/other/shadow/update"), ("GET", "/retainedMessage"),
                         ("GET", f"/connections/{thing}")):
        assert (call(method, path).status_code, path) == (403, path)
    assert call("GET", "/things").status_code == 401
    strict.cli("device", "revoke", thing)
    assert call("GET", f"/things/{thing}/shadow").status_code == 403


def test_expect_continue(strict, key):
    """curl asks before it sends a larger body. [AWS-6.1-8]"""
    token = strict.admin
    answer = requests.post(strict.url + "/topics/a", data=b"x" * 2000, headers={**token, "Expect": "100-continue"},
                           timeout=10)
    assert answer.ok


@pytest.mark.parametrize("config", [{"request_min_compression_size_bytes": 128}, {"connect_timeout": 5}])
def test_keep_alive_and_settings_of_boto3(strict, key, config):
    """[AWS-6.1-8]"""
    data = boto3.client(
        "iot-data", endpoint_url=strict.https_url, region_name="eu-central-1", verify=strict.ca,
        aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"],
        config=botocore.config.Config(**config))
    for _ in range(5):
        data.publish(topic="a", payload=b"x" * 1000)
