"""One request on one handle of libcurl: its options, and the meaning of its failures."""

import time
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

    __slots__ = ("_has_begun", "_lines", "attempts", "deadline", "request", "sink")

    def __init__(self, request: Request, deadline: float, sink: BinaryIO) -> None:
        self.request, self.deadline, self.sink = request, deadline, sink
        self.attempts, self._has_begun = 0, False
        self._lines: list[bytes] = []

    def configure(self, handle: pycurl.Curl) -> None:
        """Begin an attempt. Raises CallFailed after the deadline, and ValueError for what cannot be sent."""
        seconds_left(self.deadline)
        self.attempts += 1
        self._lines, self._has_begun = [], False
        handle.setopt(pycurl.URL, self.request.url)
        handle.setopt(pycurl.HTTPHEADER, self.request.lines())
        handle.setopt(pycurl.MAXFILESIZE_LARGE, self.request.max_bytes)
        handle.setopt(pycurl.WRITEFUNCTION, self.sink.write)
        handle.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        handle.setopt(pycurl.PREREQFUNCTION, self._allow_once)
        _set_body(handle, self.request)

    def may_repeat(self, handle: pycurl.Curl, code: int) -> bool:
        """Whether the connection was lost before the whole request went out, at the first attempt."""
        if code not in _LOST or self._lines or not self._has_begun or self.attempts > 1:
            return False
        return _sent_bytes(handle) <= len(self.request.body)

    def has_changed_protocol(self) -> bool:
        """libcurl waits behind a 101 for another head, though nothing asked for one."""
        return any(line.startswith(b"HTTP/1.1 101") for line in self._lines)

    def response(self, handle: pycurl.Curl, code: int) -> Response:
        """By libcurl's ``code`` for the end of a transfer. Raises CallFailed."""
        if code and code != pycurl.E_FILESIZE_EXCEEDED:
            raise CallFailed(self._error_of(handle, code), handle.errstr())
        version, headers = _parse_head(self._lines)
        response = Response(handle.getinfo(pycurl.RESPONSE_CODE), headers, self.sink, is_cut=code != 0)
        if fault := self._fault_of(handle, version, response):
            raise CallFailed(BadGateway, fault)
        return response

    def _fault_of(self, handle: pycurl.Curl, version: bytes, response: Response) -> str:
        """Faults that libcurl lets pass: a head cut off after a line, any version, a compressed body, surplus bytes."""
        is_whole_head = b"\r\n" in self._lines or b"\n" in self._lines
        if not is_whole_head or not version.startswith(b"HTTP/1.") or response.status == 101:
            return "The head is not that of an HTTP/1 response."
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return "The response is compressed."
        if not response.is_cut and self._has_surplus(handle, version, response):
            return "The response is longer than it says."
        return ""

    def _allow_once(self, *_addresses: object) -> int:
        """libcurl repeats a request without a reply on a kept connection, even one that had gone out entirely."""
        if self._has_begun:
            return pycurl.PREREQFUNC_ABORT
        self._has_begun = True
        return pycurl.PREREQFUNC_OK

    def _error_of(self, handle: pycurl.Curl, code: int) -> type[ApiError]:
        is_malformed = code == pycurl.E_RECV_ERROR and self._lines and not handle.getinfo(pycurl.OS_ERRNO)
        return BadGateway if is_malformed else _ERRORS.get(code, BadGateway)

    def _has_surplus(self, handle: pycurl.Curl, version: bytes, response: Response) -> bool:
        """By the connection that libcurl gave up, unless the peer replied before the whole request was sent."""
        if handle.getinfo(pycurl.ACTIVESOCKET) != NO_SOCKET:
            return False
        is_sent = _sent_bytes(handle) > len(self.request.body)
        return is_sent and version == b"HTTP/1.1" and response.is_persistent()


def _set_body(handle: pycurl.Curl, request: Request) -> None:
    body = request.body
    handle.setopt(pycurl.HTTPGET, 1)  # undoes the other ways to send a body, or none
    if isinstance(body, FileBody):
        handle.setopt(pycurl.UPLOAD, 1)
        handle.setopt(pycurl.INFILESIZE_LARGE, len(body))
        handle.setopt(pycurl.READFUNCTION, body.reader())
    elif body or request.method == "POST":
        handle.setopt(pycurl.POSTFIELDS, body)
    elif request.method == "HEAD":
        handle.setopt(pycurl.NOBODY, 1)
    handle.setopt(pycurl.CUSTOMREQUEST, request.method)


def _sent_bytes(handle: pycurl.Curl) -> int:
    """Of head and body together."""
    return int(handle.getinfo(pycurl.REQUEST_SIZE))


def _parse_head(lines: list[bytes]) -> tuple[bytes, dict[str, str]]:
    """Version and headers of the last head, with the trailers."""
    version, headers = b"", dict[str, str]()
    for line in lines:
        if line.startswith(b"HTTP/"):
            version, headers = line.partition(b" ")[0], {}
            continue
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return version, headers
