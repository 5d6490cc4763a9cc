"""What one can do with a session, what is recorded, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from essaim.base.errors import Conflict, NotFound, Refused
from essaim.base.evidence import address, causes_of
from essaim.base.models import AuditEntry
from essaim.listen.sessions import actions
from essaim.listen.sessions.frames import parse_outline
from essaim.listen.sessions.models import Session
from essaim.listen.sessions.queries.room import room_view
from essaim.listen.sessions.queries.specification import plan_of, room_spec
from essaim.live import spec as specs
from essaim.live.errors import KeyDestroyedError
from essaim.live.plan import phase_at
from essaim.live.store import open_store

pytestmark = pytest.mark.django_db


def verbs(session):
    return list(
        AuditEntry.objects.filter(subject=f"session:{session.id}")
        .order_by("id")
        .values_list("verb", flat=True)
    )


def test_s3_1_a_template_gives_a_session_ready_to_start(session):
    assert session.code and len(session.code) == 6
    assert session.frame.count() == 12
    assert session.seeds.count() == 5
    assert [scale["id"] for scale in session.scales] == ["maturity", "importance"]
    specs.encode(room_spec(session))  # the live room accepts it
    assert verbs(session) == ["session.create"]


@pytest.mark.parametrize("template", ["diagnosis", "ideas", "feedback", ""])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_template_makes_a_valid_room(template, language, facilitator, now):
    session = actions.create_session(title="T", template=template, language=language, by=facilitator, now=now)
    specs.encode(room_spec(session))


@pytest.mark.parametrize(
    ("given", "code"),
    [({"title": " "}, "title"), ({"title": "x" * 121}, "title"), ({"language": "de"}, "language")],
)
def test_a_session_needs_a_title_and_a_language(given, code, facilitator, now):
    with pytest.raises(Refused) as refusal:
        actions.create_session(
            **{"title": "T", "template": "", "language": "fr", **given}, by=facilitator, now=now
        )
    assert refusal.value.code == code


def test_what_was_promised_cannot_change_once_people_are_in(session, facilitator, now):
    actions.edit_session(session_id=session.id, changes={"privacy": "pseudonymous"}, by=facilitator, now=now)
    actions.start_session(session_id=session.id, expected_rev=0, by=facilitator, now=now)
    actions.edit_session(session_id=session.id, changes={"question": "Autrement ?"}, by=facilitator, now=now)
    for changes in ({"privacy": "anonymous"}, {"ask_unit": True}, {"kinds": []}):
        with pytest.raises(Conflict):
            actions.edit_session(session_id=session.id, changes=changes, by=facilitator, now=now)
    with pytest.raises(Conflict):
        actions.set_frame(session_id=session.id, lines=parse_outline("A"), by=facilitator, now=now)


@pytest.mark.parametrize(
    "changes",
    [{"privacy": "public"}, {"colour": 1}, {"kinds": [{"id": "x"}]}, {"question": "x" * 401}, {"kinds": []}],
)
def test_settings_that_are_not_offered_are_refused(changes, session, facilitator, now):
    with pytest.raises(Refused):
        actions.edit_session(session_id=session.id, changes=changes, by=facilitator, now=now)


def test_statements_are_added_once_cleaned_and_bounded(session, facilitator, now):
    add = lambda *texts: actions.add_statements(session_id=session.id, texts=texts, by=facilitator, now=now)  # noqa: E731
    assert add("Une   affirmation\u202e", "une affirmation", "", "<script>alert(1)</script>") == 2
    assert session.seeds.last().text == "<script>alert(1)</script>"
    with pytest.raises(Refused) as refusal:
        add("bonne", "x" * 281)
    assert "2" in str(refusal.value)
    assert session.seeds.count() == 7  # nothing of the refused call was kept


def test_a_statement_can_be_taken_back_and_put_again(session, facilitator, now):
    actions.show_statement(session_id=session.id, number=0, shown=False, by=facilitator, now=now)
    assert not room_spec(session).seeds[0].shown
    with pytest.raises(NotFound):
        actions.show_statement(session_id=session.id, number=99, shown=False, by=facilitator, now=now)


def test_s3_2_two_facilitators_who_press_at_once_make_one_step(session, facilitator, make_actor, now):
    other = make_actor("facilitator", name="Awa Diop")
    actions.start_session(session_id=session.id, expected_rev=0, by=facilitator, now=now)
    with pytest.raises(Conflict, match="Yanis Benali"):
        actions.start_session(session_id=session.id, expected_rev=0, by=other, now=now)
    actions.next_phase(session_id=session.id, expected_rev=1, by=facilitator, now=now + timedelta(minutes=1))
    with pytest.raises(Conflict):
        actions.next_phase(session_id=session.id, expected_rev=1, by=other, now=now + timedelta(minutes=1))
    session.refresh_from_db()
    assert phase_at(plan_of(session), int(now.timestamp() * 1000) + 61_000).name == "compare"


def test_the_clock_start_extend_pause_resume_close_reopen(session, facilitator, now, at):
    step = 0

    def press(verb, minute, **more):
        nonlocal step
        when = now + timedelta(minutes=minute)
        done = getattr(actions, verb)(
            session_id=session.id, expected_rev=step, by=facilitator, now=when, **more
        )
        step += 1
        return phase_at(plan_of(done), int(when.timestamp() * 1000))

    assert press("start_session", 0).ends_at == at + 12 * 60_000
    assert press("extend_phase", 1, seconds=300).ends_at == at + 17 * 60_000
    assert press("pause_session", 2).paused
    assert press("resume_session", 4).ends_at == at + 19 * 60_000
    assert press("next_phase", 5).name == "compare"
    assert press("close_session", 6).name == "closed"
    with pytest.raises(Conflict):
        press("close_session", 7)
    assert press("reopen_session", 8, minutes=3).ends_at == at + 11 * 60_000
    assert verbs(session)[1:] == [
        "session.start", "session.extend", "session.pause", "session.resume", "session.next-phase", "session.close",
        "session.reopen",
    ]  # fmt: skip


def test_the_live_room_hears_of_a_change_after_commit_only(
    session, facilitator, now, settings, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        actions.start_session(session_id=session.id, expected_rev=0, by=facilitator, now=now)
    session.refresh_from_db()
    published = open_store(settings.DATA_DIR).read_spec(session.id)
    assert published == room_spec(session)
    with django_capture_on_commit_callbacks(execute=False):
        actions.pause_session(session_id=session.id, expected_rev=1, by=facilitator, now=now)
    assert open_store(settings.DATA_DIR).read_spec(session.id) == published


def test_a_contribution_is_hidden_and_shown_again(
    filled, facilitator, now, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        actions.hide_contribution(
            session_id=filled.id, number=100_000, reason="Hors sujet", by=facilitator, now=now
        )
    assert {row.id: row.status for row in room_view(filled).statements if row.origin == "voice"} == {
        100_000: "hidden",
        100_001: "shown",
    }
    with django_capture_on_commit_callbacks(execute=True):
        actions.show_contribution(session_id=filled.id, number=100_000, by=facilitator, now=now)
    assert all(row.status == "shown" for row in room_view(filled).statements)
    for number in (0, 100_002):  # a prepared statement is not a contribution; and one that does not exist
        with pytest.raises(NotFound):
            actions.hide_contribution(session_id=filled.id, number=number, by=facilitator, now=now)


def test_freezing_puts_the_result_on_record_with_its_evidence(
    filled, facilitator, now, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        actions.freeze_session(session_id=filled.id, expected_rev=1, by=facilitator, now=now)
    result = filled.results.get()
    view = room_view(filled)
    assert (result.votes, result.participants, result.votes_digest) == (270, 30, view.vote_digest)
    assert {group["size"] for group in result.summary["groups"]} == {15}
    assert result.by == facilitator.name
    causes = {link.cause for link in causes_of(address("result", result.id), by=facilitator)}
    assert address("session", filled.id) in causes
    assert address("statement", f"{filled.id}.2") in causes
    filled.refresh_from_db()
    again = actions.record_result(session_id=filled.id, by=facilitator, now=now)
    assert again.id == result.id


def test_a_result_is_only_recorded_of_what_is_frozen(filled, facilitator, now):
    with pytest.raises(Conflict):
        actions.record_result(session_id=filled.id, by=facilitator, now=now)


def test_a_session_ended_for_good_keeps_its_results_and_loses_its_key(
    filled, facilitator, now, settings, django_capture_on_commit_callbacks
):
    store = open_store(settings.LIVE_STORE)
    store.key(filled.id)
    with pytest.raises(Conflict) as refused:
        actions.end_session(session_id=filled.id, expected_rev=1, by=facilitator, now=now)
    assert refused.value.code == "not-closed"
    for rev, verb in enumerate((actions.close_session, actions.freeze_session, actions.end_session), 1):
        store.key(filled.id)  # still there
        with django_capture_on_commit_callbacks(execute=True):
            verb(session_id=filled.id, expected_rev=rev, by=facilitator, now=now)
    with pytest.raises(KeyDestroyedError):
        store.key(filled.id)
    view = room_view(filled)
    assert (view.votes, view.participants) == (270, 30)
    for again in (actions.unfreeze_session, actions.end_session):
        with pytest.raises(Conflict) as refused:
            again(session_id=filled.id, expected_rev=4, by=facilitator, now=now)
        assert refused.value.code == "ended"


def test_duplicate_keeps_what_was_prepared_and_nothing_that_was_said(filled, facilitator, now):
    copy = actions.duplicate_session(session_id=filled.id, title="", by=facilitator, now=now)
    assert copy.code != filled.code and copy.number != filled.number
    assert copy.frame.count() == filled.frame.count() and copy.seeds.count() == filled.seeds.count()
    assert phase_at(plan_of(copy), int(now.timestamp() * 1000)).name == "waiting"
    assert [link.cause for link in causes_of(address("session", copy.id), by=facilitator)] == [
        f"session:{filled.id}"
    ]


def test_a_running_session_is_not_put_away(filled, facilitator, now):
    with pytest.raises(Conflict):
        actions.archive_session(session_id=filled.id, by=facilitator, now=now + timedelta(seconds=1))
    actions.close_session(
        session_id=filled.id, expected_rev=1, by=facilitator, now=now + timedelta(minutes=1)
    )
    actions.archive_session(session_id=filled.id, by=facilitator, now=now + timedelta(minutes=2))
    actions.restore_session(session_id=filled.id, by=facilitator, now=now + timedelta(minutes=3))
    assert Session.objects.get(id=filled.id).archived_at is None


CALLS = {
    "edit_session": {"changes": {"title": "x"}},
    "set_frame": {"lines": ()},
    "add_statements": {"texts": ["x"]},
    "show_statement": {"number": 0, "shown": False},
    "duplicate_session": {"title": ""},
    "archive_session": {},
    "restore_session": {},
    "start_session": {"expected_rev": 1},
    "close_session": {"expected_rev": 1},
    "freeze_session": {"expected_rev": 1},
    "end_session": {"expected_rev": 1},
    "hide_contribution": {"number": 100_000},
    "show_contribution": {"number": 100_000},
    "record_result": {},
}


@pytest.mark.parametrize("verb", CALLS)
def test_another_organisation_cannot_touch_it(verb, filled, stranger, now):
    with pytest.raises(NotFound):
        getattr(actions, verb)(session_id=filled.id, by=stranger, now=now, **CALLS[verb])
