"""Refresh tokens that several tabs use at once."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, select, update

from app.accounts.auth.models import RefreshToken
from app.base.opaque_tokens import digest
from app.core.db.models import Model
from tests.across.races.competing import statuses
from tests.across.races.fleet import SIZE, Fleet, Wish
from tests.support.clients import PASSWORD, ApiClient, Tenant


def test_several_tabs_refresh_at_once_and_all_go_on(acme: Tenant, fleet: Fleet) -> None:
    for _ in range(3):
        tokens = [_sign_in(acme)] * SIZE
        for _ in range(3):
            answers = fleet.race(*(_refresh(token) for token in tokens))

            assert statuses(answers) == [200] * SIZE
            tokens = [answer.body["refresh_token"] for answer in answers]
            assert len(set(tokens)) == 1
            access = [ApiClient(acme.app, answer.body["access_token"]) for answer in answers]
            assert [client.get("/users/me").status_code for client in access] == [200] * SIZE


def test_twenty_right_sign_ins_at_once_all_pass(acme: Tenant, crowd: Fleet) -> None:
    for _ in range(5):
        login = Wish("POST", "/auth/login", {"email": acme.user().email, "password": PASSWORD})

        answers = crowd.rush([login] * 20)

        assert statuses(answers) == [200] * 20


def test_twenty_uses_at_once_leave_one_chain(acme: Tenant, crowd: Fleet, everything: Engine) -> None:
    for _ in range(5):
        token = _sign_in(acme)

        answers = crowd.rush([_refresh(token)] * 20)

        assert statuses(answers) == [200] * 20
        [successor] = {answer.body["refresh_token"] for answer in answers}
        assert _generations(everything, successor) == [1, 2]


def test_token_used_again_later_ends_the_session_for_everybody(acme: Tenant, fleet: Fleet, everything: Engine) -> None:
    for _ in range(3):
        stolen = _sign_in(acme)
        [renewed] = fleet.race(_refresh(stolen))
        _let_time_pass(everything)

        answers = fleet.race(*[_refresh(stolen)] * SIZE)

        assert statuses(answers) == [401] * SIZE
        assert statuses(fleet.race(_refresh(renewed.body["refresh_token"]))) == [401]
        assert ApiClient(acme.app, renewed.body["access_token"]).get("/users/me").status_code == 401


def _sign_in(company: Tenant) -> str:
    login = {"email": company.admin.email, "password": PASSWORD}
    answer = ApiClient(company.app).post("/auth/login?token=body", login)
    return str(answer.get_json()["refresh_token"])


def _refresh(token: str) -> Wish:
    return Wish("POST", "/auth/refresh", {"refresh_token": token})


def _generations(everything: Engine, token: str) -> list[int]:
    """Those of all tokens of the session that the token belongs to."""
    table: Any = Model.metadata.tables[RefreshToken.__tablename__]
    session = select(table.c.session_id).where(table.c.token_hash == digest(token)).scalar_subquery()
    with everything.connect() as connection:
        return list(
            connection.scalars(select(table.c.generation).where(table.c.session_id == session).order_by("generation"))
        )


def _let_time_pass(everything: Engine) -> None:
    table: Any = Model.metadata.tables[RefreshToken.__tablename__]
    with everything.begin() as connection:
        for row in connection.execute(select(table).where(table.c.rotated_at.is_not(None))).all():
            earlier = (
                update(table).where(table.c.id == row.id).values(rotated_at=row.rotated_at - timedelta(seconds=11))
            )
            connection.execute(earlier)
