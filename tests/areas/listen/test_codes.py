"""Invitation codes of a session: who may make and see them, what is refused, what is downloaded and printed."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import openpyxl
import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from essaim.base.errors import Conflict, Forbidden, NotFound, Refused
from essaim.base.models import AuditEntry
from essaim.listen.sessions import actions
from essaim.listen.sessions.queries import codes
from essaim.listen.sessions.queries.specification import room_spec
from essaim.live import invitations
from essaim.live.store import open_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def invited(session, facilitator, now, django_capture_on_commit_callbacks):
    """The session, asking for a code, with 130 of them."""
    with django_capture_on_commit_callbacks(execute=True):
        actions.edit_session(session_id=session.id, changes={"by_invitation": True}, by=facilitator, now=now)
        actions.make_codes(session_id=session.id, count=130, by=facilitator, now=now)
    session.refresh_from_db()
    return session


def log_in(client, actor):
    client.force_login(get_user_model().objects.get(id=actor.user_id))
    return client


def make(session, by, now, count=1):
    return actions.make_codes(session_id=session.id, count=count, by=by, now=now)


def test_the_room_asks_for_a_code_as_soon_as_the_session_does(session, facilitator, now):
    assert room_spec(session).codes is None
    with pytest.raises(Conflict):
        make(session, facilitator, now)
    changed = actions.edit_session(
        session_id=session.id, changes={"by_invitation": True}, by=facilitator, now=now
    )
    assert room_spec(changed).codes == 0, "nobody enters before there are codes"
    assert room_spec(make(session, facilitator, now, 20)).codes == 20
    assert room_spec(make(session, facilitator, now, 5)).codes == 25
    assert AuditEntry.objects.filter(verb="session.make-codes").count() == 2


def test_how_many_can_be_made(invited, facilitator, observer, stranger, now):
    for count in (0, -1, 100_000):
        with pytest.raises(Refused) as refusal:
            make(invited, facilitator, now, count)
        assert refusal.value.field == "count"
    assert make(invited, facilitator, now, 100_000 - 130).codes == 100_000
    with pytest.raises(Forbidden):
        make(invited, observer, now)
    with pytest.raises(NotFound):
        make(invited, stranger, now)


def test_codes_are_promised_like_the_rest(invited, session, facilitator, now):
    with pytest.raises(Refused) as refusal:
        actions.edit_session(
            session_id=session.id, changes={"privacy": "identified"}, by=facilitator, now=now
        )
    assert refusal.value.field == "by_invitation"
    actions.start_session(session_id=session.id, expected_rev=0, by=facilitator, now=now)
    with pytest.raises(Conflict):
        actions.edit_session(session_id=session.id, changes={"by_invitation": False}, by=facilitator, now=now)
    assert make(invited, facilitator, now).codes == 131, "latecomers can be invited"
    copy = actions.duplicate_session(session_id=session.id, title="", by=facilitator, now=now)
    assert (copy.by_invitation, copy.codes) == (True, 0)


def test_people_who_are_in_without_a_code_stay_alone(filled, facilitator, now):
    """Asking for codes once people are in would let them vote a second time."""
    actions.close_session(
        session_id=filled.id, expected_rev=1, by=facilitator, now=now + timedelta(minutes=5)
    )
    with pytest.raises(Conflict):
        actions.edit_session(session_id=filled.id, changes={"by_invitation": True}, by=facilitator, now=now)


def test_none_is_made_nor_shown_after_the_end_for_good(invited, facilitator, now, settings):
    for rev, verb in enumerate(("start_session", "close_session", "freeze_session", "end_session")):
        getattr(actions, verb)(
            session_id=invited.id, expected_rev=rev, by=facilitator, now=now + timedelta(minutes=rev)
        )
    with pytest.raises(Conflict):
        make(invited, facilitator, now + timedelta(minutes=9))
    store = open_store(settings.LIVE_STORE)
    store.key(invited.id)
    store.destroy_key(invited.id)
    assert list(codes.cards(invited, "https://x")) == []


def test_the_page_prints_cards_and_makes_more(invited, client, facilitator):
    log_in(client, facilitator)
    address = reverse("sessions:codes", args=[invited.id])
    for language in ("fr", "en"):
        page = client.get(address, HTTP_ACCEPT_LANGUAGE=language).content.decode()
        assert f'lang="{language}"' in page
        assert " style=" not in page
        assert page.count('class="qr"') == 120
        assert 'start="1"' in page
    last = client.get(address + "?page=2").content.decode()
    assert last.count('class="qr"') == 10
    found = re.findall(r'invitation-code">([^<]+)<', last)
    assert found == [card.code for card in codes.cards(invited, "", 120)]
    for wrong in ("0", "100001", "", "x"):
        assert client.post(address, {"count": wrong}).status_code == 422
    assert client.post(address, {"count": "99999"}).status_code == 422
    assert client.post(address, {"count": "3"}).status_code == 302
    invited.refresh_from_db()
    assert invited.codes == 133
    assert address in client.get(reverse("sessions:overview", args=[invited.id])).content.decode()


def test_the_list_is_downloaded(invited, client, facilitator, settings):
    log_in(client, facilitator)
    key = open_store(settings.LIVE_STORE).key(invited.id)
    text = b"".join(
        client.get(reverse("sessions:codes_export", args=[invited.id, "csv"])).streaming_content
    ).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert len(rows) == 130
    for number, code, link in rows:
        assert invitations.read(key, invited.codes, code) == int(number) - 1
        assert link.endswith(f"/s/{invited.code}#code={code}")
    answer = client.get(reverse("sessions:codes_export", args=[invited.id, "xlsx"]))
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
    assert sheet.max_row == 131
    assert sheet["B2"].value == rows[0][1]
    assert client.get(f"/sessions/{invited.id}/codes.pdf").status_code == 404


def test_codes_are_for_the_facilitators_of_the_organisation(invited, session, client, observer, stranger):
    addresses = [
        reverse("sessions:codes", args=[invited.id]),
        reverse("sessions:codes_export", args=[invited.id, "csv"]),
    ]
    for address in addresses:
        assert client.get(address).status_code == 302
    for actor in (observer, stranger):
        log_in(client, actor)
        for address in addresses:
            assert client.get(address).status_code == 404
        assert client.post(addresses[0], {"count": "3"}).status_code == 404
    log_in(client, observer)
    assert addresses[0] not in client.get(reverse("sessions:overview", args=[invited.id])).content.decode()


def test_there_is_no_page_where_no_code_is_asked_for(session, client, facilitator):
    log_in(client, facilitator)
    assert client.get(reverse("sessions:codes", args=[session.id])).status_code == 404


def test_how_many_were_used_is_shown_from_five_on(invited, client, facilitator, settings):
    log_in(client, facilitator)
    store = open_store(settings.LIVE_STORE)
    address = reverse("sessions:codes", args=[invited.id])
    store.burn(invited.id, [(index, b"x" * 12) for index in range(4)])
    assert codes.used(invited) is None
    assert "&lt; 5" in client.get(address).content.decode()
    store.burn(invited.id, [(99, b"x" * 12)])
    assert codes.used(invited) == 5
    assert "&lt; 5" not in client.get(address).content.decode()


def test_the_settings_form_asks_for_codes(session, client, facilitator):
    log_in(client, facilitator)
    address = reverse("sessions:settings", args=[session.id])
    form = client.get(address).context["form"]
    given = {name: value for name, value in form.initial.items() if value not in (None, False)}
    assert client.post(address, {**given, "by_invitation": "on"}).status_code == 302
    session.refresh_from_db()
    assert session.by_invitation
    answer = client.post(address, {**given, "by_invitation": "on", "privacy": "identified"})
    assert answer.status_code == 422
    assert answer.context["form"].errors["by_invitation"]
