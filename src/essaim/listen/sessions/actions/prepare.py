"""Preparing a session: create it from a template, say its frame and its first statements, choose who can be known."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from essaim.base.actions import Done, action
from essaim.base.actor import Actor, Role
from essaim.base.errors import Conflict, NotFound, Refused
from essaim.base.evidence import Relation, address, link
from essaim.base.ids import new_code, new_id
from essaim.listen.sessions.actions.publishing import publish
from essaim.listen.sessions.frames import FrameLine, parse_outline
from essaim.listen.sessions.models import FrameItem, Moderation, Privacy, Seed, Session
from essaim.listen.sessions.presets import every_kind, every_scale, preset
from essaim.listen.sessions.queries.room import room_view
from essaim.listen.sessions.queries.sessions import find, frame_lines, milliseconds
from essaim.listen.sessions.queries.specification import plan_as_json, plan_of
from essaim.live.invitations import MOST
from essaim.live.plan import PhaseWindow, Plan, phase_at
from essaim.live.text import tidy

MAX_SEEDS = 5_000
MAX_STATEMENT = 280
MAX_MINUTES = 24 * 60

#: What can be changed before the start, and what still can once people are in.
SETTINGS = {
    "title",
    "question",
    "language",
    "privacy",
    "moderation",
    "compare_ideas",
    "ask_unit",
    "by_invitation",
    "kinds",
    "scales",
}
ALWAYS = {"title", "question", "moderation", "compare_ideas"}


@action("session.create", may=[Role.FACILITATOR])
def create_session(
    *, title: str, template: str, language: str, by: Actor, now: datetime, origin: str = ""
) -> Done[Session]:
    """Create a session from a template (or from scratch with an empty one), ready to start.

    Raises:
        Refused: no title, or a language that Essaim does not speak.
    """
    if language not in ("fr", "en"):
        raise Refused("language", _("Choose French or English."), field="language")
    base = preset(template)
    scales = [
        {"id": name, "label": label, "low": low, "high": high, "top": 5}
        for name, label, low, high in base.scales
    ]
    plan = Plan(
        rev=0,
        phases=(
            PhaseWindow(name="draft", minutes=base.minutes[0]),
            PhaseWindow(name="compare", minutes=base.minutes[1]),
        ),
    )
    session = _with_free_code(
        id=new_id(now),
        organisation_id=by.organisation_id,
        title=_title(title),
        question=base.question[language],
        language=language,
        template=base.name,
        kinds=[{"id": name, "label": label} for name, label in base.kinds],
        scales=scales,
        plan=plan_as_json(plan),
        screen_key=secrets.token_urlsafe(12),
        origin=origin,
        created_by=by.name,
        created_at=now,
    )
    if base.frame[language]:
        _write_frame(session, parse_outline(base.frame[language]))
    _write_seeds(session, base.seeds[language])
    publish(session)
    return Done(session, address("session", session.id), {"title": session.title, "template": base.name})


@action("session.edit", may=[Role.FACILITATOR])
def edit_session(
    *,
    session_id: str,
    changes: Mapping[str, Any],
    minutes: tuple[int, int] | None = None,
    by: Actor,
    now: datetime,
) -> Done[Session]:
    """Change the session's settings.

    Once it has started only title, question and moderation can change: the rest was promised to those who joined.

    Raises:
        Refused: an unknown setting or a value that is not offered. Conflict: the session has started, or somebody
            is in it without the invitation code that would be asked for.
    """
    session = find(session_id=session_id, by=by)
    started = phase_at(plan_of(session), milliseconds(now)).name != "waiting"
    unknown = set(changes) - SETTINGS
    if unknown:
        raise Refused("setting", _("Unknown setting: %s.") % ", ".join(sorted(unknown)))
    changed = {name: value for name, value in changes.items() if getattr(session, name) != value}
    if started and (set(changed) - ALWAYS or minutes):
        raise Conflict("started", _("The session has started: this can no longer be changed."))
    for name, value in changed.items():
        setattr(session, name, _valid(name, value))
    if session.by_invitation and session.privacy == Privacy.IDENTIFIED:
        raise Refused(
            "by-invitation",
            _("Members of an identified session enter with their account: it needs no invitation code."),
            field="by_invitation",
        )
    if session.by_invitation and "by_invitation" in changed and room_view(session).participants:
        raise Conflict(
            "people-in",
            _("People are already in without a code. Duplicate the session to ask for one."),
            field="by_invitation",
        )
    if minutes:
        plan = plan_of(session)
        if len(minutes) != len(plan.phases) or not all(0 <= m <= MAX_MINUTES for m in minutes):
            raise Refused(
                "minutes", _("Give each phase between 0 (no planned end) and 1,440 minutes."), field="minutes"
            )
        session.plan = plan_as_json(
            Plan(
                rev=plan.rev,
                phases=tuple(
                    PhaseWindow(name=window.name, minutes=length)
                    for window, length in zip(plan.phases, minutes, strict=True)
                ),
            )
        )
    session.save()
    publish(session)
    return Done(session, address("session", session.id), {"changed": sorted(changed)})


@action("session.set-frame", may=[Role.FACILITATOR])
def set_frame(*, session_id: str, lines: Sequence[FrameLine], by: Actor, now: datetime) -> Done[Session]:
    """Replace the whole frame (before the session starts: contributions and ratings refer to its items afterwards).

    Raises:
        Conflict: the session has started.
    """
    session = find(session_id=session_id, by=by)
    _not_started(session, now)
    session.frame.all().delete()
    _write_frame(session, lines)
    session.seeds.exclude(item=None).exclude(item__in=[line.number for line in lines]).update(item=None)
    publish(session)
    return Done(session, address("session", session.id), {"items": len(lines)})


@action("session.add-statements", may=[Role.FACILITATOR])
def add_statements(*, session_id: str, texts: Sequence[str], by: Actor, now: datetime) -> Done[int]:
    """Put statements to the vote (also while the session runs); return how many were new.

    Raises:
        Refused: an empty or too long text (which one is said), or too many statements.
    """
    session = find(session_id=session_id, by=by)
    known = {text.casefold() for text in session.seeds.values_list("text", flat=True)}
    fresh: list[str] = []
    for position, raw in enumerate(texts, 1):
        text = tidy(raw)
        if not text:
            continue
        if len(text) > MAX_STATEMENT:
            raise Refused(
                "too-long",
                _(
                    "Statement %(position)d has %(length)d characters; %(most)d at most. It begins with “%(start)s”."
                )
                % {"position": position, "length": len(text), "most": MAX_STATEMENT, "start": text[:40]},
                field="texts",
            )
        if text.casefold() not in known:
            known.add(text.casefold())
            fresh.append(text)
    if session.seeds.count() + len(fresh) > MAX_SEEDS:
        raise Refused("too-many", _("A session has at most 5,000 prepared statements."), field="texts")
    _write_seeds(session, fresh)
    publish(session)
    return Done(len(fresh), address("session", session.id), {"added": len(fresh)})


@action("session.show-statement", may=[Role.FACILITATOR])
def show_statement(*, session_id: str, number: int, shown: bool, by: Actor, now: datetime) -> Done[Session]:
    """Put a prepared statement to the vote, or take it back. Votes already given on it are kept.

    Raises:
        NotFound: the session has no such statement.
    """
    session = find(session_id=session_id, by=by)
    if not session.seeds.filter(number=number).update(shown=shown):
        raise NotFound("statement", _("There is no such statement in this session."))
    publish(session)
    return Done(session, address("session", session.id), {"statement": number, "shown": shown})


@action("session.duplicate", may=[Role.FACILITATOR])
def duplicate_session(*, session_id: str, title: str, by: Actor, now: datetime) -> Done[Session]:
    """Make a new session with the same settings, frame and prepared statements, and none of what people said."""
    source = find(session_id=session_id, by=by)
    plan = plan_of(source)
    fresh = Plan(rev=0, phases=tuple(PhaseWindow(name=w.name, minutes=w.minutes) for w in plan.phases))
    copy = _with_free_code(
        id=new_id(now),
        organisation_id=by.organisation_id,
        title=_title(title or source.title),
        plan=plan_as_json(fresh),
        screen_key=secrets.token_urlsafe(12),
        origin=address("session", source.id),
        created_by=by.name,
        created_at=now,
        template=source.template,
        **{name: getattr(source, name) for name in sorted(SETTINGS - {"title"})},
    )
    _write_frame(copy, frame_lines(source))
    Seed.objects.bulk_create(
        [
            Seed(session=copy, number=s.number, text=s.text, item=s.item, shown=s.shown)
            for s in source.seeds.all()
        ]
    )
    link(
        causes=[address("session", source.id)],
        effect=address("session", copy.id),
        relation=Relation.LEADS_TO,
        by=by,
        now=now,
    )
    publish(copy)
    return Done(copy, address("session", copy.id), {"from": source.id})


@action("session.make-codes", may=[Role.FACILITATOR])
def make_codes(*, session_id: str, count: int, by: Actor, now: datetime) -> Done[Session]:
    """Make more invitation codes (also while the session runs); those made before stay good.

    Raises:
        Refused: none, or more than 100,000 in all. Conflict: the session asks for no code, or has ended for good.
    """
    session = find(session_id=session_id, by=by)
    if not session.by_invitation:
        raise Conflict("no-codes", _("This session asks for no invitation code."))
    if plan_of(session).ended_at is not None:
        raise Conflict("ended", _("The session has ended for good."))
    if count < 1:
        raise Refused("count", _("Make at least one code."), field="count")
    made = Session.objects.filter(pk=session.pk, codes__lte=MOST - count).update(codes=F("codes") + count)
    if not made:
        raise Refused("count", _("A session has at most 100,000 invitation codes."), field="count")
    session.refresh_from_db()
    publish(session)
    return Done(session, address("session", session.id), {"made": count, "codes": session.codes})


@action("session.archive", may=[Role.FACILITATOR])
def archive_session(*, session_id: str, by: Actor, now: datetime) -> Done[Session]:
    """Put a session away: it leaves the lists and its code no longer opens. Nothing is deleted; `restore_session` undoes it.

    Raises:
        Conflict: people are in it (close it first).
    """
    session = find(session_id=session_id, by=by)
    if phase_at(plan_of(session), milliseconds(now)).name in ("draft", "compare", "between"):
        raise Conflict("running", _("Close the session before putting it away."))
    session.archived_at = now
    session.save(update_fields=["archived_at"])
    return Done(session, address("session", session.id))


@action("session.restore", may=[Role.FACILITATOR])
def restore_session(*, session_id: str, by: Actor, now: datetime) -> Done[Session]:
    """Bring back a session that was put away."""
    session = find(session_id=session_id, by=by)
    session.archived_at = None
    session.save(update_fields=["archived_at"])
    publish(session)
    return Done(session, address("session", session.id))


def _not_started(session: Session, now: datetime) -> None:
    if phase_at(plan_of(session), milliseconds(now)).name != "waiting":
        raise Conflict("started", _("The session has started: this can no longer be changed."))


def _title(raw: str) -> str:
    title = tidy(raw)
    if not title:
        raise Refused("title", _("Give the session a title."), field="title")
    if len(title) > 120:
        raise Refused("title", _("The title has at most 120 characters."), field="title")
    return title


def _valid(name: str, value: Any) -> Any:
    if name == "title":
        return _title(value)
    if name == "question":
        question = tidy(value)
        if len(question) > 400:
            raise Refused("question", _("The question has at most 400 characters."), field="question")
        return question
    if name in ("compare_ideas", "ask_unit", "by_invitation"):
        return bool(value)
    offered: dict[str, set[str]] = {
        "language": {"fr", "en"},
        "privacy": set(Privacy.values),
        "moderation": set(Moderation.values),
        "kinds": {kind for kind, _label in every_kind()},
        "scales": {scale for scale, *_labels in every_scale()},
    }
    if name in ("kinds", "scales"):
        chosen = [entry["id"] for entry in value]
        if name == "kinds" and not chosen:
            raise Refused("kinds", _("Choose at least one kind of contribution."), field="kinds")
        if not set(chosen) <= offered[name]:
            raise Refused(name, _("This is not one of the choices."), field=name)
        return list(value)
    if value not in offered[name]:
        raise Refused(name, _("This is not one of the choices."), field=name)
    return value


def _with_free_code(**values: Any) -> Session:
    """Create the session with a code and a number that no other has."""
    for _attempt in range(20):
        try:
            with transaction.atomic():
                return Session.objects.create(number=secrets.randbits(32), code=new_code(), **values)
        except IntegrityError:
            continue
    raise RuntimeError("no free session code found in 20 tries")


def _write_frame(session: Session, lines: Sequence[FrameLine]) -> None:
    FrameItem.objects.bulk_create(
        [
            FrameItem(
                session=session, number=line.number, parent=line.parent, label=line.label, rated=line.rated
            )
            for line in lines
        ]
    )


def _write_seeds(session: Session, texts: Sequence[str]) -> None:
    first = 1 + max(session.seeds.values_list("number", flat=True), default=-1)
    Seed.objects.bulk_create(
        [Seed(session=session, number=first + i, text=text) for i, text in enumerate(texts)]
    )
