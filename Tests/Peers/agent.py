"""What the tests of owners, logs and flows share: event streams that close at once, and stand-in devices."""

import json

import requests

from field import Events
from mqtt_peer import Peer, tls_context


class Listener(Events):
    """Reads `/app/listen`; leaving it does not wait for the next line."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self.response.raw.shutdown()
        self.response.close()

    def ids(self):
        return [id for id, _, _ in self.events]

    def of(self, device):
        return [event for event in self.events if event[2].get("device") == device]


class Puppet:
    """A registered device that does just what a test says: it has an MQTT connection by certificate, and reports."""

    def __init__(self, server, folder, thing):
        self.server = server
        self.thing = thing
        self.prefix = f"$aws/things/{thing}/shadow"
        self.pair = (str(folder / f"{thing}.crt"), str(folder / f"{thing}.key"))
        tls = tls_context(str(folder / "ca.pem"), *self.pair)
        self.peer = Peer(("localhost", server.addresses["mqtts"][1]), thing, tls=tls)

    def __enter__(self):
        self.peer.connect()
        return self

    def __exit__(self, *error):
        if self.peer.ended is None:
            self.peer.disconnect()

    def report(self, **reported):
        """Updates `reported` and waits for the server's answer."""
        answer = self.prefix + "/update/accepted"
        assert self.peer.subscribe(answer) < 0x80
        self.peer.publish(self.prefix + "/update", {"state": {"reported": reported}})
        self.peer.expect(answer)

    def runs(self, version):
        self.report(config={"firmware_version": version})

    def log(self, payload, prefix="mia"):
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        self.peer.publish(f"{prefix}/things/{self.thing}/logs", body)

    def download(self, url, pace=None):
        """Fetches a whole image over TLS without showing the certificate, as the article's device does."""
        with requests.get(url, verify=self.server.ca, stream=True, timeout=30) as answer:
            answer.raise_for_status()
            count = 0
            for piece in answer.iter_content(16384):
                count += len(piece)
                if pace:
                    pace(count)
        assert count == int(answer.headers["Content-Length"])
        return count
