"""The specification of a live room, compiled from what facilitators decided (the database is the truth of that)."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from django.conf import settings

from essaim.listen.sessions.models import Session
from essaim.live.plan import Plan
from essaim.live.spec import FrameItem, Kind, Moderation, Privacy, RoomSpec, Scale, Seed, Unit
from essaim.people import queries as people


def plan_of(session: Session) -> Plan:
    """Return the session's plan of phases."""
    return msgspec.convert(session.plan, Plan)


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as it is kept in the database."""
    return dict(msgspec.to_builtins(plan))


def room_spec(session: Session) -> RoomSpec:
    """Compile what the live room of `session` must know. Costs one read of the frame, seeds, verdicts and units."""
    verdicts = list(session.verdicts.values_list("statement", "shown"))
    return RoomSpec(
        room=session.id,
        number=session.number,
        code=session.code,
        rev=session.spec_rev,
        title=session.title,
        question=session.question,
        lang="en" if session.language == "en" else "fr",
        privacy=cast(Privacy, session.privacy),
        plan=plan_of(session),
        kinds=tuple(Kind(id=kind["id"], label=kind["label"]) for kind in session.kinds),
        frame=tuple(
            FrameItem(id=item.number, parent=item.parent, label=item.label, rated=item.rated)
            for item in session.frame.all()
        ),
        scales=tuple(msgspec.convert(scale, Scale) for scale in session.scales),
        units=tuple(
            Unit(id=number, label=name) for number, name in people.unit_names(session.organisation_id)
        )
        if session.ask_unit
        else (),
        seeds=tuple(
            Seed(id=seed.number, text=seed.text, item=seed.item, shown=seed.shown)
            for seed in session.seeds.all()
        ),
        moderation=cast(Moderation, session.moderation),
        shown=tuple(sorted(number for number, shown in verdicts if shown)),
        hidden=tuple(sorted(number for number, shown in verdicts if not shown)),
        compare_ideas=session.compare_ideas,
        codes=session.codes if session.by_invitation else None,
        public_url=settings.PUBLIC_URL,
    )
