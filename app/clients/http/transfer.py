"""One request on one handle of libcurl: what it may do, and what each of its failures means."""

from __future__ import annotations

import time
from math import ceil
from typing import BinaryIO

import pycurl

from app.base.errors import ApiError, BadGateway, GatewayTimeout, Unavailable
from app.clients.http.message import FileBody, Request, Response

NO_SOCKET = -1

_ERRORS: dict[int, type[ApiError]] = {
    pycurl.E_OPERATION_TIMEDOUT: GatewayTimeout,
    pycurl.E_COULDNT_RESOLVE_HOST: Unavailable,
    pycurl.E_COULDNT_CONNECT: Unavailable,
    pycurl.E_SSL_CONNECT_ERROR: Unavailable,
    pycurl.E_PEER_FAILED_VERIFICATION: Unavailable,
    pycurl.E_SSL_CACERT_BADFILE: Unavailable,
    pycurl.E_SEND_ERROR: Unavailable,
    pycurl.E_RECV_ERROR: Unavailable,
    pycurl.E_GOT_NOTHING: Unavailable,
    pycurl.E_ABORTED_BY_CALLBACK: Unavailable,
    pycurl.E_READ_ERROR: Unavailable,
    pycurl.E_WRITE_ERROR: Unavailable,
}
"""Every other failure is BadGateway: a reply that is no HTTP, or not as long as it says."""
_LOST = (pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR, pycurl.E_GOT_NOTHING, pycurl.E_ABORTED_BY_CALLBACK)


class CallFailed(Exception):
    """``error`` is GatewayTimeout, Unavailable or BadGateway."""

    def __init__(self, error: type[ApiError], cause: str) -> None:
        super().__init__(cause)
        self.error, self.cause = error, cause


def seconds_left(deadline: float) -> float:
    """More than 0. Raises CallFailed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise CallFailed(GatewayTimeout, "The deadline has passed.")
    return seconds


class Transfer:
    """``sink`` receives the body of the response."""

    def __init__(self, request: Request, deadline: float, sink: BinaryIO) -> None:
        self.request, self.deadline, self.sink = request, deadline, sink
        self.attempts = 0
        self._prepare()

    def _prepare(self) -> None:
        self._head: list[bytes] = []
        self._refusal = ""
        self._has_begun = False

    def configure(self, handle: pycurl.Curl) -> None:
        """Begin an attempt. Raises CallFailed after the deadline, and ValueError for what cannot be sent."""
        self._prepare()
        self.attempts += 1
        for option, value in _OPTIONS:
            handle.setopt(option, value)
        handle.setopt(pycurl.URL, self.request.url)
        handle.setopt(pycurl.HTTPHEADER, self.request.lines())
        handle.setopt(pycurl.MAXFILESIZE_LARGE, self.request.max_bytes)
        handle.setopt(pycurl.WRITEFUNCTION, self.sink.write)
        handle.setopt(pycurl.HEADERFUNCTION, self._take_line)
        handle.setopt(pycurl.PREREQFUNCTION, self._allow_once)
        handle.setopt(pycurl.TIMEOUT_MS, ceil(seconds_left(self.deadline) * 1000))
        _set_body(handle, self.request)

    def may_repeat(self, handle: pycurl.Curl, code: int) -> bool:
        """Whether the connection was lost before the whole request went out, at the first attempt."""
        if code not in _LOST or self._head or not self._has_begun or self.attempts > 1:
            return False
        return _sent_bytes(handle) <= len(self.request.body)

    def response(self, handle: pycurl.Curl, code: int) -> Response:
        """By libcurl's ``code`` for the end of a transfer. Raises CallFailed."""
        if code and code != pycurl.E_FILESIZE_EXCEEDED:
            raise CallFailed(self._error_of(handle, code), self._refusal or handle.errstr())
        response = Response(
            handle.getinfo(pycurl.RESPONSE_CODE), _parse_headers(self._head), self.sink, is_cut=code != 0
        )
        if not self._is_whole_head():
            raise CallFailed(BadGateway, "The head is not that of an HTTP/1 response.")
        if not response.is_cut and self._has_surplus(handle, response):
            raise CallFailed(BadGateway, "The response is longer than it says.")
        return response

    def _take_line(self, line: bytes) -> int | None:
        """Keeps the lines of the last head and of the trailers.

        libcurl would wait behind a 101 for what follows, and pass on a compressed body as it is.
        """
        if line.startswith(b"HTTP/"):
            self._head.clear()
            if line.split(b" ", 2)[1:2] == [b"101"]:
                self._refusal = "The peer changed the protocol."
        elif line[:17].lower() == b"content-encoding:" and line[17:].strip().lower() != b"identity":
            self._refusal = "The response is compressed."
        self._head.append(line)
        return 0 if self._refusal else None

    def _allow_once(self, *_addresses: object) -> int:
        """libcurl sends again what got no reply on a kept connection, even when all of it had gone out."""
        if self._has_begun:
            return pycurl.PREREQFUNC_ABORT
        self._has_begun = True
        return pycurl.PREREQFUNC_OK

    def _error_of(self, handle: pycurl.Curl, code: int) -> type[ApiError]:
        is_malformed = code == pycurl.E_RECV_ERROR and self._head and not handle.getinfo(pycurl.OS_ERRNO)
        return BadGateway if is_malformed or self._refusal else _ERRORS.get(code, BadGateway)

    def _is_whole_head(self) -> bool:
        """libcurl takes a head that is cut off after a line, and any version."""
        return self._head[0].startswith(b"HTTP/1.") and (b"\r\n" in self._head or b"\n" in self._head)

    def _has_surplus(self, handle: pycurl.Curl, response: Response) -> bool:
        """libcurl gives up a connection when it has received surplus bytes, and tells it in no other way.

        It also gives up one whose peer replied before the whole request was sent.
        """
        if handle.getinfo(pycurl.ACTIVESOCKET) != NO_SOCKET:
            return False
        is_sent = _sent_bytes(handle) > len(self.request.body)
        return is_sent and self._head[0].startswith(b"HTTP/1.1") and response.is_persistent()


_OPTIONS: tuple[tuple[int, int | str], ...] = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.PROXY, ""),  # or libcurl takes the environment's
    (pycurl.PATH_AS_IS, 1),
)


def _set_body(handle: pycurl.Curl, request: Request) -> None:
    body = request.body
    if isinstance(body, FileBody):
        handle.setopt(pycurl.UPLOAD, 1)
        handle.setopt(pycurl.INFILESIZE_LARGE, len(body))
        handle.setopt(pycurl.READFUNCTION, body.reader().read)
    elif body or request.method == "POST":
        handle.setopt(pycurl.POSTFIELDS, body)
    elif request.method == "HEAD":
        handle.setopt(pycurl.NOBODY, 1)
    handle.setopt(pycurl.CUSTOMREQUEST, request.method)


def _sent_bytes(handle: pycurl.Curl) -> int:
    """Of head and body together."""
    return int(handle.getinfo(pycurl.REQUEST_SIZE))


def _parse_headers(head: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
