"""HTTP as bytes on a socket: small firmware sees exactly this."""

import re
import socket


class Answer:
    """A status line, header lines as they were sent, and a body."""

    def __init__(self, head, body):
        self.head = head
        self.lines = head.decode("latin-1").split("\r\n")[1:-2]
        self.status = int(head.split(b" ", 2)[1])
        self.body = body

    def header(self, name):
        """The value of a header spelled exactly `name: `, or None."""
        values = [line[len(name) + 2:] for line in self.lines if line.startswith(name + ": ")]
        assert len(values) <= 1, f"{name} stands more than once"
        return values[0] if values else None

    def has(self, name):
        """Whether the header stands there in any spelling."""
        return any(line.lower().startswith(name.lower() + ":") for line in self.lines)


def open_socket(address, receive_bytes=None):
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(20)
    connection.connect(address)
    return connection


def read_head(connection):
    """Reads up to the empty line; answers (head, what came behind it)."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        assert piece, f"closed inside the head: {data!r}"
        data += piece
    end = data.index(b"\r\n\r\n") + 4
    return data[:end], data[end:]


def request(address, path, method="GET", version="1.1", headers=()):
    """Sends one request and reads its answer by its length."""
    lines = [f"{method} {path} HTTP/{version}"]
    if version == "1.1":
        lines.append("Host: {}:{}".format(*address))
    with open_socket(address) as connection:
        connection.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
        head, body = read_head(connection)
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        wanted = int(length[1]) if length else None
        if method == "HEAD" or head.split(b" ")[1] == b"304":
            wanted = 0
        while wanted is None or len(body) < wanted:
            piece = connection.recv(65536)
            if not piece:
                break
            body += piece
        return Answer(head, body)
