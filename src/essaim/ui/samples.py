"""What the style guide shows: every chart and component with invented data, in French or English."""

import math
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from essaim.ui import charts, numbers
from essaim.ui.components import Entry, GroupCard, Says, Step
from essaim.ui.forms import AccessibleForm
from essaim.ui.tables import Column, Filter

NOW = datetime(2026, 3, 12, 9, 40, tzinfo=UTC)


def say(french: str, english: str) -> str:
    """A sample text in the active language (samples are not worth a message catalogue)."""
    return french if (get_language() or "").startswith("fr") else english


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the sample table."""

    text: str
    agrees: int
    seen: int
    at: datetime
    state: str

    @property
    def share(self) -> float:
        """Share of agreement."""
        return self.agrees / self.seen


class SampleForm(AccessibleForm, forms.Form):
    """One field of each kind."""

    title = forms.CharField(
        label=_("Title"), help_text=_("Short and concrete: people read it on a phone."), max_length=80
    )
    email = forms.EmailField(label=_("E-mail"))
    language = forms.ChoiceField(label=_("Language"), choices=(("fr", "Français"), ("en", "English")))
    privacy = forms.ChoiceField(
        label=_("Privacy"),
        widget=forms.RadioSelect,
        choices=(
            ("anonymous", _("Anonymous")),
            ("pseudonymous", _("Under a pseudonym")),
            ("named", _("Under one’s name")),
        ),
        help_text=_("Anonymous voices are freer; names help to come back to people."),
    )
    starts = forms.DateField(label=_("Date"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 3}))
    agree = forms.BooleanField(label=_("Tell the team by e-mail"), required=False)


def statements() -> list[str]:
    """Statements of very different lengths, one with a very long word."""
    return [
        say(
            "Les réunions du lundi pourraient tenir en vingt minutes.",
            "Monday meetings could fit in twenty minutes.",
        ),
        say(
            "La dématérialisation des bons d’intervention a ralenti les équipes de maintenance plus qu’elle "
            "ne les a aidées, surtout sur les sites sans réseau.",
            "Turning work orders into online forms slowed the maintenance teams down more than it helped "
            "them, especially on sites without a network.",
        ),
        say(
            "Anticonstitutionnellementinterdépartementalisation",
            "Pneumonoultramicroscopicsilicovolcanoconiosis",
        ),
        say("Nous savons à qui poser une question.", "We know whom to ask."),
        say("Personne n’a encore voté ici.", "Nobody has voted here yet."),
    ]


def people(count: int = 1400) -> tuple[Any, Any, Any]:
    """Points in three groups."""
    rng = np.random.default_rng(7)
    group = rng.choice(3, size=count, p=[0.5, 0.32, 0.18])
    centres = np.array([[-1.1, 0.3], [1.0, 0.8], [0.5, -1.2]])
    places = centres[group] + rng.normal(scale=0.42, size=(count, 2))
    return places[:, 0], places[:, 1], group


def group_cards() -> list[GroupCard]:
    """Three groups, one that nothing sets apart."""
    texts = statements()
    return [
        GroupCard(
            "A", 698, (Says(texts[0], True, numbers.interval(0.82, 0.79, 0.85, 611)), Says(texts[1], True))
        ),
        GroupCard(
            "B",
            447,
            (Says(texts[3], False, numbers.interval(0.71, 0.66, 0.75, 402)),),
            say("Les ateliers", "The workshops"),
        ),
        GroupCard("C", 255),
    ]


def all_charts() -> list[charts.Chart]:
    """Every chart, each with its difficult cases (holes, nothing yet, long names, suppressed cells)."""
    days = [date(2026, 1, 5) + timedelta(days=7 * i) for i in range(10)]
    wave = [0.42 + 0.03 * i + 0.03 * math.sin(i * 1.7) for i in range(10)]
    first = charts.Series(
        say("Confiance", "Trust"),
        tuple(
            charts.Point(d, None if i == 4 else v, v - 0.06, v + 0.06, 180 + i)
            for i, (d, v) in enumerate(zip(days, wave, strict=True))
        ),
    )
    second = charts.Series(
        say("Charge de travail soutenable", "Bearable workload"),
        tuple(charts.Point(d, 0.71 - v / 3, None, None, 150) for d, v in zip(days, wave, strict=True)),
    )
    votes = [
        charts.Votes(t, *v)
        for t, v in zip(
            statements(), [(612, 93, 121), (240, 251, 35), (9, 2, 0), (12, 88, 4), (0, 0, 0)], strict=True
        )
    ]
    effects = [
        charts.Effect(say("Délai de réponse", "Time to answer"), 0.12, 0.04, 0.21, 214),
        charts.Effect(
            say("Réclamations répétées dans le même trimestre", "Complaints repeated within a quarter"),
            -0.08,
            -0.15,
            -0.01,
            214,
        ),
        charts.Effect(say("Satisfaction", "Satisfaction"), 0.02, -0.05, 0.09, 96),
        charts.Effect(say("Absentéisme", "Absenteeism"), None, None, None, 3),
    ]
    items = [
        say("Entraide entre les équipes", "Help between teams"),
        say("Outils de travail", "Tools"),
        say(
            "Clarté des responsabilités et des circuits de validation",
            "Clarity of responsibilities and approvals",
        ),
        say("Sécurité", "Safety"),
    ]
    units = [
        say("Tous", "All"),
        "Atelier Nord",
        "Atelier Sud",
        "Direction des systèmes d’information",
        "Logistique",
        "Ressources humaines",
    ]
    values: list[list[float | None]] = [
        [3.4, 3.9, 2.1, 4.6, 3.0, None],
        [2.2, 1.4, 2.6, 3.1, None, 2.0],
        [2.9, 3.0, 2.8, 1.8, 3.2, 4.2],
        [4.4, 4.8, 4.1, 4.0, 4.5, 4.3],
    ]
    cells = [
        [charts.Cell(v, 0 if v is None else 140 // (1 + i), suppressed=v is None) for i, v in enumerate(row)]
        for row in values
    ]
    x, y, group = people()
    blobs = [
        charts.Blob(c.label, c.size, float(x[group == i].mean()), float(y[group == i].mean()))
        for i, c in enumerate(group_cards())
    ]
    hour = timedelta(hours=1)
    spans = [
        charts.Phase(say("Proposer", "Suggest"), NOW - hour, NOW - hour / 2, "done"),
        charts.Phase(say("Comparer et voter", "Compare and vote"), NOW - hour / 2, NOW + hour / 3, "current"),
        charts.Phase(
            say("Restitution devant la direction", "Report to the board"), NOW + hour / 3, None, "todo"
        ),
    ]
    signed = {"fmt": lambda v: numbers.percent(v) if v is None or v <= 0 else f"+{numbers.percent(v)}"}
    return [
        charts.line(
            say("Confiance et charge, semaine après semaine", "Trust and workload, week after week"),
            [first, second],
            fmt=numbers.percent,
            summary=say("La confiance monte de 42 à 69 %.", "Trust rises from 42 to 69%."),
            reference=(say("Objectif", "Target"), 0.6),
        ),
        charts.opinion_bars(say("Les affirmations", "Statements"), votes),
        charts.forest(
            say("Effet de l’essai", "Effect of the trial"),
            effects,
            reference=(say("aucune différence", "no difference"), 0.0),
            summary=say("Estimation et intervalle à 95 %.", "Estimate and 95% interval."),
            **signed,
        ),
        charts.heat_map(say("Maturité par unité", "Maturity by unit"), items, units, cells),
        charts.opinion_map(
            say("Carte des opinions", "Opinion map"),
            blobs,
            x=x,
            y=y,
            group=group,
            you=(0.1, 0.4),
            summary=say("Trois groupes.", "Three groups."),
        ),
        charts.phases(say("Déroulé", "Phases"), spans, now=NOW),
        charts.line(say("Rien encore", "Nothing yet"), [charts.Series("–", ())]),
    ]


def components() -> dict[str, Any]:
    """The context of the style guide apart from the request."""
    return {
        "charts": all_charts(),
        "spark": charts.sparkline(say("Votes par minute", "Votes a minute"), [3, 8, 21, 40, 38, 52, 47, 60]),
        "steps": [
            Step(say("Préparer", "Prepare"), "done", say("12 mars", "12 March"), url="#steps"),
            Step(say("Proposer", "Suggest"), "current", say("encore 8 min", "8 min left")),
            Step(say("Comparer et voter", "Compare and vote"), "todo", "20 min"),
            Step(say("Restituer", "Report"), "todo"),
        ],
        "entries": [
            Entry(
                say("Session ouverte", "Session opened"),
                NOW,
                say("214 personnes ont rejoint.", "214 people joined."),
                "good",
                "play",
                meta="Awa Diop",
            ),
            Entry(say("Contribution masquée", "Contribution hidden"), NOW, "", "warn", "hide", "#timeline"),
            Entry(say("Session créée", "Session created"), NOW - timedelta(days=1), icon="plus"),
        ],
        "groups": group_cards(),
        "statements": statements(),
        "ends_at": int((time.time() + 754) * 1000),
    }


def rows() -> list[Row]:
    """Rows of the sample table."""
    texts = statements()[:4]
    return [
        Row(
            f"{texts[i % 4]} ({i + 1})",
            10 + 7 * i,
            40 + 9 * i,
            NOW - timedelta(hours=i),
            ("shown", "hidden")[i % 3 == 0],
        )
        for i in range(23)
    ]


COLUMNS = (
    Column("text", _("Statement"), "text", heading=True, wide=True),
    Column("agree", _("Agree"), "share", kind="percent"),
    Column("seen", _("Votes"), "seen", kind="number"),
    Column("at", _("Received"), "at", kind="datetime"),
)
FILTERS = (
    Filter(
        "state",
        _("State"),
        (("shown", _("Shown")), ("hidden", _("Hidden"))),
        lambda row, value: row.state == value,
    ),
)
