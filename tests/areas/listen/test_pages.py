"""The pages of live sessions: each answers in both languages, to those it is for, and says what is wrong with bad input."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from essaim.listen.sessions import actions
from essaim.listen.sessions.models import Session

pytestmark = pytest.mark.django_db

PAGES = ("overview", "settings", "frame", "statements", "console", "screen", "results")


@pytest.fixture
def as_facilitator(client, facilitator):
    client.force_login(_user(facilitator))
    return client


def _user(actor):
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(id=actor.user_id)


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_answers_in_both_languages(page, language, filled, as_facilitator):
    answer = as_facilitator.get(reverse(f"sessions:{page}", args=[filled.id]), HTTP_ACCEPT_LANGUAGE=language)
    assert answer.status_code == 200
    assert f'lang="{language}"' in answer.content.decode()
    assert " style=" not in answer.content.decode()  # the content security policy refuses inline styles


@pytest.mark.parametrize("page", PAGES)
def test_another_organisation_sees_nothing(page, filled, client, stranger):
    client.force_login(_user(stranger))
    assert client.get(reverse(f"sessions:{page}", args=[filled.id])).status_code == 404


@pytest.mark.parametrize("page", [p for p in PAGES if p != "screen"])
def test_a_visitor_is_sent_to_the_login(page, filled, client):
    answer = client.get(reverse(f"sessions:{page}", args=[filled.id]))
    assert answer.status_code == 302 and "login" in answer["Location"]


def test_the_screen_opens_with_its_key_only(filled, client):
    address = reverse("sessions:screen", args=[filled.id])
    assert client.get(address).status_code == 404
    assert client.get(f"{address}?key=wrong").status_code == 404
    assert client.get(f"{address}?key={filled.screen_key}").status_code == 200
    for part in ("screen_clock", "screen_opinion", "screen_voices"):
        part_address = reverse("sessions:screen_part", args=[filled.id, part])
        assert client.get(f"{part_address}?key={filled.screen_key}").status_code == 200
        assert client.get(part_address).status_code == 404


def test_an_observer_reads_but_does_not_steer(filled, client, observer):
    client.force_login(_user(observer))
    console = client.get(reverse("sessions:console", args=[filled.id])).content.decode()
    assert f'action="/sessions/{filled.id}/clock/' not in console
    answer = client.post(reverse("sessions:clock", args=[filled.id, "close"]), {"rev": 1})
    assert answer.status_code == 403
    assert client.get(reverse("sessions:export", args=[filled.id, "ballots", "csv"])).status_code == 404


def test_s3_1_a_session_is_created_from_the_page_and_listed(as_facilitator, facilitator):
    answer = as_facilitator.post(
        reverse("sessions:create"), {"template": "ideas", "title": "Nos idées", "language": "fr"}
    )
    session = Session.objects.get(title="Nos idées")
    assert answer["Location"] == reverse("sessions:overview", args=[session.id])
    assert "Nos idées" in as_facilitator.get(reverse("sessions:list") + "?q=idées").content.decode()
    assert "Nos idées" not in as_facilitator.get(reverse("sessions:list") + "?q=autre").content.decode()


def test_a_frame_is_previewed_before_it_is_saved(session, as_facilitator):
    address = reverse("sessions:frame", args=[session.id])
    upload = SimpleUploadedFile("frame.csv", "label;parent\nUn;\nDeux;Un\n".encode("cp1252"))
    preview = as_facilitator.post(address, {"file": upload})
    assert "Deux" in preview.content.decode()
    assert session.frame.count() == 12
    as_facilitator.post(address, {"outline": "Un\n    Deux", "save": "1"})
    assert list(session.frame.values_list("label", flat=True)) == ["Un", "Deux"]


@pytest.mark.parametrize(
    "content", [b"id,parent,label\n1,2,A\n2,1,B\n", b"\x00\x01\x02", b"", b"x" * 4_000_001]
)
def test_a_bad_frame_file_says_why_and_keeps_what_was_there(content, session, as_facilitator):
    answer = as_facilitator.post(
        reverse("sessions:frame", args=[session.id]), {"file": SimpleUploadedFile("frame.csv", content)}
    )
    assert answer.status_code == 422
    assert session.frame.count() == 12


def test_the_clock_answers_a_late_press_with_who_was_first(session, as_facilitator, make_actor, now):
    other = make_actor("facilitator", name="Awa Diop")
    actions.start_session(session_id=session.id, expected_rev=0, by=other, now=now)
    answer = as_facilitator.post(
        reverse("sessions:clock", args=[session.id, "start"]), {"rev": 0}, follow=True
    )
    assert "Awa Diop" in answer.content.decode()
    session.refresh_from_db()
    assert session.plan_rev == 1


@pytest.mark.parametrize(
    ("verb", "given"),
    [("start", {}), ("start", {"rev": "x"}), ("extend", {"rev": 0}), ("extend", {"rev": 0, "seconds": "1e9"}),
     ("reopen", {"rev": 0, "minutes": 999_999})],
)  # fmt: skip
def test_a_bad_press_is_refused(verb, given, session, as_facilitator):
    assert as_facilitator.post(reverse("sessions:clock", args=[session.id, verb]), given).status_code == 400


def test_moderation_from_the_console_can_be_undone(filled, as_facilitator):
    address = reverse("sessions:moderate", args=[filled.id, 100_000])
    answer = as_facilitator.post(address, {"shown": "no"}, HTTP_HX_REQUEST="true")
    assert f"{address}?shown=yes" in answer.content.decode()
    assert filled.verdicts.get().shown is False
    as_facilitator.post(f"{address}?shown=yes")
    assert filled.verdicts.get().shown is True


def test_s3_5_results_describe_groups_what_unites_and_what_divides(filled, as_facilitator):
    page = as_facilitator.get(
        reverse("sessions:results", args=[filled.id]), HTTP_ACCEPT_LANGUAGE="en"
    ).content.decode()
    assert "What unites" in page and "What divides" in page
    united = page.split("What unites")[1].split("What divides")[0]
    assert filled.seeds.get(number=2).text in united.replace("&#x27;", "'")


@pytest.mark.parametrize("what", ["statements", "groups", "grid", "ballots"])
def test_exports_in_csv_json_and_xlsx_hold_the_same_rows(what, filled, as_facilitator):
    def fetch(form):
        answer = as_facilitator.get(reverse("sessions:export", args=[filled.id, what, form]))
        assert answer.status_code == 200
        return b"".join(answer.streaming_content)

    rows = list(csv.DictReader(io.StringIO(fetch("csv").decode("utf-8-sig"))))
    records = json.loads(fetch("json"))
    sheet = openpyxl.load_workbook(io.BytesIO(fetch("xlsx"))).active
    assert len(rows) == len(records) == sheet.max_row - 1 > 0
    assert list(rows[0]) == list(records[0]) == [cell.value for cell in sheet[1]]
    assert as_facilitator.get(reverse("sessions:export", args=[filled.id, what, "pdf"])).status_code == 404


def test_exported_ballots_hold_every_vote_and_no_room_number(filled, as_facilitator):
    answer = as_facilitator.get(reverse("sessions:export", args=[filled.id, "ballots", "json"]))
    ballots = json.loads(b"".join(answer.streaming_content))
    assert len(ballots) == 270
    sides = {who: -1 if who % 2 else 1 for who in range(30)}
    exported = {b["participant"]: b["vote"] for b in ballots if b["statement"] == 0}
    assert sorted(exported.values()) == sorted(sides.values())
    assert exported != sides  # the numbers are others than those of the room


def test_a_formula_in_a_statement_is_harmless_in_a_spreadsheet(session, facilitator, as_facilitator, now):
    actions.add_statements(session_id=session.id, texts=["=HYPERLINK(1)"], by=facilitator, now=now)
    answer = as_facilitator.get(reverse("sessions:export", args=[session.id, "statements", "csv"]))
    assert "'=HYPERLINK(1)" in b"".join(answer.streaming_content).decode()


def test_hostile_texts_stay_text(session, facilitator, as_facilitator, now):
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    actions.add_statements(session_id=session.id, texts=[hostile], by=facilitator, now=now)
    actions.edit_session(
        session_id=session.id, changes={"title": hostile, "question": hostile}, by=facilitator, now=now
    )
    for page in PAGES:
        assert (
            "<script>alert"
            not in as_facilitator.get(reverse(f"sessions:{page}", args=[session.id])).content.decode()
        )


def test_the_code_on_the_screen_opens_the_session(session, client):
    typed = session.code[:3].lower() + " " + session.code[3:]
    assert client.get(reverse("sessions:join"), {"code": typed})["Location"] == f"/s/{session.code}"
    assert client.get(reverse("sessions:join"), {"code": "NOSUCH"}).status_code == 404


def test_an_identified_session_is_entered_with_a_pass(session, facilitator, as_facilitator, now):
    assert (
        as_facilitator.get(reverse("sessions:enter", args=[session.id]))["Location"] == f"/s/{session.code}"
    )
    actions.edit_session(session_id=session.id, changes={"privacy": "identified"}, by=facilitator, now=now)
    assert "?pass=" in as_facilitator.get(reverse("sessions:enter", args=[session.id]))["Location"]


def test_put_away_and_brought_back_from_the_page(session, as_facilitator):
    answer = as_facilitator.post(reverse("sessions:archive", args=[session.id]), follow=True)
    assert session.title not in answer.content.decode().split("toast")[0]
    assert reverse("sessions:restore", args=[session.id]) in answer.content.decode()
    as_facilitator.post(reverse("sessions:restore", args=[session.id]))
    assert session.title in as_facilitator.get(reverse("sessions:list")).content.decode()


def test_a_count_of_fewer_than_five_is_not_shown(
    session, facilitator, as_facilitator, now, at, settings, django_capture_on_commit_callbacks
):
    from essaim.live.offline import append_records
    from essaim.live.records import BatchRecord, JoinRecord

    with django_capture_on_commit_callbacks(execute=True):
        actions.start_session(session_id=session.id, expected_rev=0, by=facilitator, now=now)
        actions.next_phase(
            session_id=session.id, expected_rev=1, by=facilitator, now=now + timedelta(seconds=1)
        )
    records = []
    for who in range(4):
        records += [JoinRecord(who, at, "fr", None), BatchRecord(who, 1, at, ((0, 1),), (), ())]
    append_records(settings.LIVE_STORE, session.id, records)
    answer = as_facilitator.get(reverse("sessions:export", args=[session.id, "statements", "json"]))
    first = json.loads(b"".join(answer.streaming_content))[0]
    assert (first["seen"], first["agrees"], first["agree_share"]) == (4, None, None)


def test_a_hidden_group_is_not_left_by_taking_the_others_from_everybody():
    from essaim.listen.sessions.queries.results import FLOOR, Share, _without_differences

    def share(n):
        return Share(0.5, 0.2, 0.8, n)

    # 41 people answered; groups of 21 and 17 would leave three by difference: the smaller one goes too.
    assert _without_differences((share(21), share(17), None), 41) == (share(21), None, None)
    # Nobody, or five and more, are left: nothing more is hidden.
    assert _without_differences((share(21), share(17)), 38) == (share(21), share(17))
    assert _without_differences((share(21), share(17), None), 38 + FLOOR) == (share(21), share(17), None)


def test_the_demo_door_is_shut_behind_a_proxy(client, settings):
    settings.DEMO = True
    settings.ALLOWED_HOSTS = ["*"]
    from django.test import RequestFactory

    from essaim.home.views import _demo_door

    make = RequestFactory(SERVER_NAME="127.0.0.1", SERVER_PORT="8000")
    assert _demo_door(make.get("/"))
    assert not _demo_door(make.get("/", HTTP_X_FORWARDED_FOR="203.0.113.9"))
    assert not _demo_door(make.get("/", HTTP_HOST="essaim.example.org"))
    assert not _demo_door(make.get("/", REMOTE_ADDR="192.168.1.20"))


def test_an_identified_session_is_joined_through_the_members_page(session, facilitator, as_facilitator, now):
    actions.edit_session(session_id=session.id, changes={"privacy": "identified"}, by=facilitator, now=now)
    page = as_facilitator.get(reverse("sessions:overview", args=[session.id])).content.decode()
    assert f"http://testserver/sessions/{session.id}/enter/" in page
