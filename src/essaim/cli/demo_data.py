"""Filling the demo organisation: people, units, a session held, one in progress, one ready to start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from essaim.base.actor import Actor, Role
from essaim.base.ids import new_id
from essaim.cli import altura, simulate
from essaim.cli.altura import Line
from essaim.listen.sessions import actions
from essaim.listen.sessions.actions.publishing import publish
from essaim.listen.sessions.frames import parse_outline
from essaim.listen.sessions.models import Session
from essaim.listen.sessions.presets import PRESETS, every_kind
from essaim.listen.sessions.queries.specification import plan_as_json
from essaim.live.offline import append_records
from essaim.live.plan import PhaseWindow, Plan
from essaim.live.records import BatchRecord, IdeaRecord, JoinRecord, Record
from essaim.live.spec import FIRST_CONTRIBUTION
from essaim.people.actions import found_organisation, make_account
from essaim.people.models import Member, Unit

MINUTE = 60_000
SEED = 20_26
LIVE_MINUTES = 45


def live_session() -> Session | None:
    """The demo's session in progress, if the demo is filled."""
    return Session.objects.filter(title=altura.LIVE_TITLE).first()


def fill(password: str) -> None:
    """Create the organisation, its people (all with `password`) and its three sessions."""
    now = timezone.now()
    with transaction.atomic():
        by = _organisation(password, now)
    _held(by, now)
    _running(by, now)
    actions.create_session(
        title=altura.ENGLISH_TITLE, template="ideas", language="en", by=by, now=now - timedelta(hours=2)
    )


def _organisation(password: str, now: datetime) -> Actor:
    made = now - timedelta(days=200)
    accounts = [
        make_account(email=email, name=name, password=password, now=made)
        for email, name, _role in altura.PEOPLE
    ]
    organisation = found_organisation(
        user=accounts[0],
        name=altura.NAME,
        member_name=altura.PEOPLE[0][1],
        language="fr",
        now=made,
        by_operator=True,
    )
    units = [
        Unit.objects.create(id=new_id(made), organisation=organisation, name=name, number=number)
        for number, name in enumerate(altura.UNITS, 1)
    ]
    first = Member.objects.get(organisation=organisation)
    Member.objects.filter(pk=first.pk).update(unit=units[0])
    for position, (_email, name, role) in enumerate(altura.PEOPLE[1:], 1):
        Member.objects.create(
            id=new_id(made),
            organisation=organisation,
            user=accounts[position],
            name=name,
            role=role,
            unit=units[position],
            joined_at=made + timedelta(minutes=position),
        )
    return Actor(organisation.id, Role.OWNER, first.name, first.id, first.user_id)


def _session(
    by: Actor,
    now: datetime,
    *,
    title: str,
    question: str,
    template: str,
    frame: str,
    seeds: Sequence[Line],
    **changes: Any,
) -> Session:
    """A session with its own frame and statements in place of the template's."""
    session = actions.create_session(title=title, template=template, language="fr", by=by, now=now)
    if frame:
        actions.set_frame(session_id=session.id, lines=parse_outline(frame), by=by, now=now)
    session.seeds.all().delete()
    actions.add_statements(session_id=session.id, texts=[seed.text for seed in seeds], by=by, now=now)
    actions.edit_session(session_id=session.id, changes={"question": question, **changes}, by=by, now=now)
    session.refresh_from_db()
    return session


def _set_plan(session: Session, plan: Plan) -> None:
    session.plan, session.plan_rev = plan_as_json(plan), plan.rev
    session.save()
    publish(session)


def _running(by: Actor, now: datetime) -> None:
    """Draft is over with its contributions and ratings; Compare is running, and the crowd is on its way."""
    session = _session(
        by,
        now - timedelta(days=2),
        title=altura.LIVE_TITLE,
        question=altura.LIVE_QUESTION,
        template="diagnosis",
        frame=altura.FRAME,
        seeds=altura.SEEDS,
        ask_unit=True,
        kinds=[
            {"id": k, "label": label}
            for k, label in every_kind()
            if k in ("problem", "cause", "idea", "strength")
        ],
    )
    at = int(now.timestamp() * 1000)
    begun, turned = at - 16 * MINUTE, at - 4 * MINUTE
    _set_plan(
        session,
        Plan(
            rev=2,
            phases=(
                PhaseWindow("draft", 12, begun, turned),
                PhaseWindow("compare", LIVE_MINUTES, turned, turned + LIVE_MINUTES * MINUTE),
            ),
        ),
    )
    rng = np.random.default_rng(SEED)
    crowd = Crowd(rng, begun)
    crowd.join(620, begun, turned)
    crowd.rate(0.8, begun, turned)
    crowd.contribute(altura.VOICES, begun, turned)
    crowd.vote([*enumerate(altura.SEEDS), *crowd.numbered], 0.35, turned, at)
    append_records(settings.LIVE_STORE, session.id, crowd.records)


def _held(by: Actor, now: datetime) -> None:
    """A session of three weeks ago: closed, frozen, its result on record."""
    then = now - timedelta(days=21)
    session = _session(
        by,
        then - timedelta(days=1),
        title=altura.LAUNCH_TITLE,
        question=altura.LAUNCH_QUESTION,
        template="feedback",
        frame=PRESETS["feedback"].frame["fr"],
        seeds=altura.LAUNCH_SEEDS,
        ask_unit=True,
    )
    at = int(then.timestamp() * 1000)
    turned, ended = at + 8 * MINUTE, at + 18 * MINUTE
    _set_plan(
        session,
        Plan(
            rev=3,
            phases=(PhaseWindow("draft", 8, at, turned), PhaseWindow("compare", 10, turned, ended)),
            closed_at=ended,
        ),
    )
    crowd = Crowd(np.random.default_rng(SEED + 1), at)
    crowd.join(412, at, turned)
    crowd.rate(0.7, at, turned, scales=("satisfaction",), items={1: 3.9, 2: 2.6, 3: 3.3, 4: 2.9, 5: 3.7})
    crowd.contribute(altura.LAUNCH_VOICES, at, turned)
    crowd.vote([*enumerate(altura.LAUNCH_SEEDS), *crowd.numbered], 1.0, turned, ended)
    append_records(settings.LIVE_STORE, session.id, crowd.records)
    session.refresh_from_db()
    actions.freeze_session(
        session_id=session.id, expected_rev=session.plan_rev, by=by, now=now - timedelta(days=20)
    )


class Crowd:
    """Simulated people writing straight into a journal, for what happened before the server starts."""

    def __init__(self, rng: np.random.Generator, begun: int) -> None:
        self.rng, self.begun = rng, begun
        self.records: list[Record] = []
        self.people: list[simulate.Person] = []
        self.units: list[int] = []
        self.seq: list[int] = []
        self.numbered: list[tuple[int, Line]] = []

    def join(self, count: int, start: int, end: int) -> None:
        self.people = simulate.people(count, self.rng)
        self.units = [
            1 + int(u) for u in self.rng.choice(len(altura.UNITS), size=count, p=altura.UNIT_SHARES)
        ]
        self.seq = [0] * count
        # Most come in the first third.
        times = np.sort(start + (end - start) * self.rng.beta(1.2, 3.0, size=count)).astype(int)
        for who, at in enumerate(times.tolist()):
            self.records.append(JoinRecord(who, at, "fr", self.units[who]))

    def _batch(self, who: int, at: int, **entries: Any) -> None:
        self.seq[who] += 1
        parts = {"votes": (), "ratings": (), "ideas": (), **entries}
        self.records.append(
            BatchRecord(who, self.seq[who], at, parts["votes"], parts["ratings"], parts["ideas"])
        )

    def rate(
        self,
        share: float,
        start: int,
        end: int,
        *,
        scales: Sequence[str] = ("maturity", "importance"),
        items: dict[int, float] | None = None,
    ) -> None:
        """Each of a share of the people rates most items around the item's mean, shifted by unit."""
        means = {scales[0]: items or altura.ITEM_MATURITY}
        if len(scales) > 1:
            means[scales[1]] = altura.ITEM_IMPORTANCE
        shift = self.rng.normal(0, 0.5, size=(len(altura.UNITS) + 1, 30))
        for who, unit in enumerate(self.units):
            if self.rng.random() > share:
                continue
            ratings = tuple(
                (item, scale, int(np.clip(round(mean + shift[unit, item] + self.rng.normal(0, 0.8)), 1, 5)))
                for scale, by_item in means.items()
                for item, mean in by_item.items()
                if self.rng.random() < 0.85
            )
            self._batch(who, int(self.rng.integers(start, end)), ratings=ratings)

    def contribute(self, lines: Sequence[Line], start: int, end: int) -> None:
        times = np.sort(self.rng.integers(start + MINUTE, end, size=len(lines))).tolist()
        for n, (line, at) in enumerate(zip(lines, times, strict=True)):
            leaning = int(np.argmax(line.leans))
            fitting = [who for who, person in enumerate(self.people) if person.group == leaning]
            who = int(self.rng.choice(fitting))
            number = FIRST_CONTRIBUTION + n
            self._batch(
                who, at, ideas=(IdeaRecord(number, f"demo-{n:04d}", line.item, line.kind, line.text, None),)
            )
            self.numbered.append((number, line))

    def vote(self, statements: Sequence[tuple[int, Line]], share: float, start: int, end: int) -> None:
        """A share of the people votes on some of the statements, each in an order of their own."""
        for who, person in enumerate(self.people):
            if self.rng.random() > share:
                continue
            at = int(self.rng.integers(start, max(start + 1, end - 2 * MINUTE)))
            chosen = self.rng.permutation(len(statements))[: person.patience]
            for place in chosen.tolist():
                number, line = statements[place]
                at = min(end, at + int(self.rng.gamma(4.0, 1500.0)))
                self._batch(who, at, votes=((number, simulate.answer(person, line.leans, self.rng)),))
