"""An address that an administrator changes: not verified any more, links die, and the old one is told."""

from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.letters import Letters
from tests.support.marks import both_databases, one_database

pytestmark = one_database

NEW = "new@example.com"


def test_old_address_is_told_and_the_new_one_is_not_verified(acme: Tenant, letters: Letters) -> None:
    user = acme.user(is_verified=True)

    changed = acme.admin.patch(f"/users/{user.user_id}", {"email": NEW})

    assert (changed.get_json()["email"], changed.get_json()["is_verified"]) == (NEW, False)
    mail = letters.one(user.email)
    assert mail.subject == "The e-mail address of your account was changed"
    assert NEW not in mail.text + mail.html


def test_administrator_may_say_that_the_new_address_is_verified(acme: Tenant) -> None:
    user = acme.user(is_verified=True)

    changed = acme.admin.put(f"/users/{user.user_id}", {"email": NEW, "is_verified": True})

    assert changed.get_json()["is_verified"] is True


def test_same_address_is_no_change(acme: Tenant, letters: Letters) -> None:
    user = acme.user(is_verified=True)

    same = acme.admin.put(f"/users/{user.user_id}", {"email": user.email.upper(), "first_name": "Wile"})

    assert (same.status_code, same.get_json()["is_verified"]) == (200, True)
    assert letters.received() == []


@both_databases
def test_pending_change_of_address_dies(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()
    user.post("/users/me/email", {"new_email": "wished@example.com", "current_password": PASSWORD})
    token = letters.to("wished@example.com").token

    acme.admin.patch(f"/users/{user.user_id}", {"email": NEW})

    assert anonymous.post("/auth/confirm-email", {"token": token}).status_code == 400
    assert acme.admin.get(f"/users/{user.user_id}").get_json()["email"] == NEW


def test_refused_change_tells_nobody(acme: Tenant, globex: Tenant, letters: Letters) -> None:
    user = acme.user()

    assert acme.admin.patch(f"/users/{user.user_id}", {"email": globex.admin.email}).status_code == 409

    assert letters.received() == []
