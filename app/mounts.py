"""The list of slices, and the service that their declarations make."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import ModuleType
from typing import Any

from flask import Flask

from app import (
    access,
    accounts,
    companies,
    customers,
    document_types,
    guardian,
    organization_units,
    positions,
    subcontractors,
    system,
    users,
)
from app.base.permission import Permission
from app.config.settings import Settings
from app.core.files import stored_file
from app.core.jobs import mail, one_time_links
from app.core.services import Services
from app.core.web.endpoint import Endpoint
from app.core.web.routing import Api

Endpoints = tuple[type[Endpoint], ...]

# A slice exports what it has of ENDPOINTS, MAILS, JOBS, RECURRING (kinds of jobs with their intervals), SUBSCRIPTIONS
# and ERROR_HANDLERS. Subscribers of one event run in this order.
SLICES: tuple[ModuleType, ...] = (
    document_types,
    companies,
    organization_units,
    positions,
    users,
    customers,
    subcontractors,
    guardian,
    access,
    accounts,
    system,
)
ENGINE: Endpoints = (*guardian.ENGINE_ENDPOINTS, *system.ENGINE_ENDPOINTS)
ENGINE_PREFIX = "/guardian"
CORE_JOBS: Mapping[str, Callable[..., None]] = {
    one_time_links.EXPIRE: one_time_links.expire,
    stored_file.REMOVE: stored_file.remove_objects,
}


def mount(app: Flask, slices: Iterable[ModuleType] = SLICES) -> None:
    """Mount the whole service."""
    services: Services = app.extensions["identity"]
    slices = tuple(slices)
    endpoints = (*_endpoints(slices), *_engine_endpoints(services.settings))
    _mount_all(app, endpoints)
    services.catalogue.update(_permissions(endpoints))
    for error, handler in _exports(slices, "ERROR_HANDLERS"):
        app.register_error_handler(error, handler)
    for subscription in chain.from_iterable(getattr(module, "SUBSCRIPTIONS", ()) for module in slices):
        services.subscribers.setdefault(subscription.event, []).append(subscription.subscriber)
    services.jobs.update(CORE_JOBS)
    services.jobs.update(_exports(slices, "JOBS"))
    services.recurring.update(_exports(slices, "RECURRING"))
    services.jobs.update(mail.jobs(dict(_exports(slices, "MAILS"))))


def mount_engine(app: Flask) -> None:
    """Mount only the embedded engine: below /guardian, and at the paths of the Guardian protocol."""
    services: Services = app.extensions["identity"]
    api = _mount_all(app, (*system.PROBES, *ENGINE))
    for endpoint in ENGINE:
        api.mount(endpoint, without=ENGINE_PREFIX)
    services.catalogue.update(_permissions((*_endpoints(SLICES), *ENGINE)))


def _mount_all(app: Flask, endpoints: Endpoints) -> Api:
    api = Api(app)
    for endpoint in endpoints:
        api.mount(endpoint)
    return api


def _endpoints(slices: Iterable[ModuleType]) -> Endpoints:
    return tuple(chain.from_iterable(getattr(module, "ENDPOINTS", ()) for module in slices))


def _exports(slices: Iterable[ModuleType], name: str) -> Iterator[tuple[Any, Any]]:
    return chain.from_iterable(getattr(module, name, {}).items() for module in slices)


def _engine_endpoints(settings: Settings) -> Endpoints:
    """All endpoints of the embedded engine; only those of its roles if another engine decides by them."""
    if settings.embedded_guardian:
        return ENGINE
    return guardian.ROLES if settings.keeps_roles else ()


def _permissions(endpoints: Iterable[type[Endpoint]]) -> set[Permission]:
    return set(chain.from_iterable(endpoint.permissions() for endpoint in endpoints))
