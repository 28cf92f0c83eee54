"""The AWS SDK as a device maker's backend uses it: unmodified, only its address set."""

import json

import boto3
import botocore.config


def iot_data(url, verify=None):
    """A client for shadows, messages and retained messages that tries each call once."""
    return boto3.client(
        "iot-data", endpoint_url=url, region_name="us-east-1", verify=verify, aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret", config=botocore.config.Config(retries={"total_max_attempts": 1}))


class Shadows:
    """The shadow calls with parsed documents."""

    def __init__(self, url, verify=None):
        self.client = iot_data(url, verify)
        self.exceptions = self.client.exceptions

    @staticmethod
    def _named(thing, name):
        return {"thingName": thing, **({"shadowName": name} if name else {})}

    def get(self, thing, name=None):
        return json.loads(self.client.get_thing_shadow(**self._named(thing, name))["payload"].read())

    def update(self, thing, document, name=None):
        payload = document if isinstance(document, (bytes, str)) else json.dumps(document)
        answer = self.client.update_thing_shadow(payload=payload, **self._named(thing, name))
        return json.loads(answer["payload"].read())

    def delete(self, thing, name=None):
        return json.loads(self.client.delete_thing_shadow(**self._named(thing, name))["payload"].read())


def clients(url, key="AKIDEXAMPLE", secret="secret", verify=None):
    """The three IoT services of boto3 as a function of their name."""
    def client(service):
        return boto3.client(
            service, endpoint_url=url, region_name="us-east-1", verify=verify, aws_access_key_id=key,
            aws_secret_access_key=secret, config=botocore.config.Config(retries={"total_max_attempts": 1}))
    return client
