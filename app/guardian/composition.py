"""The elements of roles and policies. Adding or removing one requires the permissions that it grants."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select

from app.core.db.lookup import get_row, not_found
from app.core.db.models import db
from app.guardian.escalation import check_editable, check_held, check_policy_not_above
from app.guardian.models import GuardianPermission, Policy, PolicyPermission, Role, RolePolicy

Check = Callable[[Any, UUID], None]


@dataclass(frozen=True)
class Composition:
    """``link`` connects ``element`` with ``owner`` rows; both checks take a row and the caller's id, and raise."""

    owner: type[Any]
    element: type[Any]
    link: type[Any]
    check_owner: Check
    check_element: Check

    @property
    def owner_id(self) -> str:
        return f"{self.owner.__tablename__}_id"

    @property
    def element_id(self) -> str:
        return f"{self.element.__tablename__}_id"

    def is_element_of(self, owner_id: UUID | None) -> ColumnElement[bool]:
        element_ids: Any = select(getattr(self.link, self.element_id)).filter_by(**{self.owner_id: owner_id})
        criterion: ColumnElement[bool] = self.element.id.in_(element_ids)
        return criterion

    def add(self, owner: Any, element_id: UUID, *, by: UUID) -> Any:
        """The element. Raises NotFound, Forbidden, and Conflict for an element that the owner has already."""
        element = get_row(self.element, element_id)
        self.check_owner(owner, by)
        self.check_element(element, by)
        db.session.add(self.link(**{self.owner_id: owner.id, self.element_id: element.id}))
        db.session.flush()
        return element

    def remove(self, owner: Any, element_id: UUID, *, by: UUID) -> None:
        """Raises NotFound, Conflict and Forbidden."""
        key = {self.owner_id: owner.id, self.element_id: element_id}
        link = db.session.scalar(select(self.link).filter_by(**key))
        if link is None:
            raise not_found(self.element)
        self.check_owner(owner, by)
        db.session.delete(link)
        db.session.flush()


POLICIES_OF_ROLE = Composition(Role, Policy, RolePolicy, check_editable, check_policy_not_above)
PERMISSIONS_OF_POLICY = Composition(Policy, GuardianPermission, PolicyPermission, check_policy_not_above, check_held)
