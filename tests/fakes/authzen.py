"""A policy engine of the AuthZEN protocol, made of the one that answers as told."""

from dataclasses import replace
from typing import Any

from tests.fakes.guardian import Behaviour, Exchange, answers

NOT_FOUND = answers(404, {"message": "Not Found"})
PERMITS = answers(200, {"decision": True})
SINGLE, BATCH = "/access/v1/evaluation", "/access/v1/evaluations"


def serving(evaluate: Behaviour, document: Behaviour = NOT_FOUND) -> Behaviour:
    """Discovery is a GET, everything else is asked by POST."""

    def behave(exchange: Exchange) -> bool:
        return (document if exchange.seen.method == "GET" else evaluate)(exchange)

    return behave


def spelled(raw: Behaviour) -> Behaviour:
    """The same answer with AuthZEN's name for the decision."""

    def behave(exchange: Exchange) -> bool:
        return raw(replace(exchange, socket=_Respelling(exchange.socket)))

    return behave


class _Respelling:
    """A socket on which ``access_granted`` goes out as ``decision``, padded to the same length."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def sendall(self, raw: bytes) -> None:
        self._plain.sendall(raw.replace(b'"access_granted"', b'"decision"      '))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)
