"""What a new session starts from: three templates (and none), in French and in English. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

Text = dict[str, str]


@dataclass(frozen=True)
class Preset:
    """A template. `frame` and `seeds` are in both languages; the session takes the one it speaks."""

    name: str
    label: Text
    purpose: Text
    question: Text
    kinds: tuple[tuple[str, Text], ...]
    scales: tuple[tuple[str, Text, Text, Text], ...]  # id, label, low end, high end
    frame: Text
    seeds: dict[str, tuple[str, ...]]
    minutes: tuple[int, int]  # Draft, Compare


PROBLEM = ("problem", {"fr": "Problème", "en": "Problem"})
CAUSE = ("cause", {"fr": "Cause", "en": "Cause"})
IDEA = ("idea", {"fr": "Idée", "en": "Idea"})
STRENGTH = ("strength", {"fr": "Point fort", "en": "Strength"})
QUESTION = ("question", {"fr": "Question", "en": "Question"})
SURPRISE = ("surprise", {"fr": "Surprise", "en": "Surprise"})

MATURITY = (
    "maturity",
    {"fr": "Maturité", "en": "Maturity"},
    {"fr": "Débute", "en": "Starting"},
    {"fr": "Exemplaire", "en": "Exemplary"},
)
IMPORTANCE = (
    "importance",
    {"fr": "Importance", "en": "Importance"},
    {"fr": "Secondaire", "en": "Minor"},
    {"fr": "Vitale", "en": "Vital"},
)
SATISFACTION = (
    "satisfaction",
    {"fr": "Satisfaction", "en": "Satisfaction"},
    {"fr": "Déçu", "en": "Let down"},
    {"fr": "Ravi", "en": "Delighted"},
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="diagnosis",
            label={"fr": "Diagnostic des processus", "en": "Diagnosis of processes"},
            purpose={
                "fr": "Chacun évalue les processus de l’organisation, dit ce qui bloque et pourquoi.",
                "en": "Everybody rates the organisation’s processes and says what gets in the way, and why.",
            },
            question={
                "fr": "Qu’est-ce qui nous empêche de bien travailler, et où agir d’abord ?",
                "en": "What keeps us from working well, and where should we act first?",
            },
            kinds=(PROBLEM, CAUSE, IDEA, STRENGTH),
            scales=(MATURITY, IMPORTANCE),
            frame={
                "fr": "Décider\n    Fixer les priorités\n    Arbitrer vite\nProduire\n    Planifier la charge\n    Assurer la qualité\n"
                "Coopérer\n    Partager l’information\n    Travailler entre services\nDévelopper\n    Former\n    Reconnaître",
                "en": "Decide\n    Set priorities\n    Settle quickly\nProduce\n    Plan the workload\n    Ensure quality\n"
                "Cooperate\n    Share information\n    Work across departments\nDevelop\n    Train\n    Recognise",
            },
            seeds={
                "fr": (
                    "Nos priorités changent trop souvent pour être tenues.",
                    "Nous passons plus de temps à rendre compte qu’à servir nos clients.",
                    "Je sais qui décide quoi dans mon service.",
                    "L’information utile arrive trop tard aux équipes de terrain.",
                    "Nous avons les compétences ; il nous manque le temps de les partager.",
                ),
                "en": (
                    "Our priorities change too often to be kept.",
                    "We spend more time reporting than serving our customers.",
                    "I know who decides what in my department.",
                    "Useful information reaches the field teams too late.",
                    "We have the skills; what we lack is the time to share them.",
                ),
            },
            minutes=(12, 12),
        ),
        Preset(
            name="ideas",
            label={"fr": "Idées pour un défi", "en": "Ideas for a challenge"},
            purpose={
                "fr": "Une question ouverte, des idées courtes, et l’on voit ce qui rassemble.",
                "en": "One open question, short ideas, and one sees what brings people together.",
            },
            question={
                "fr": "Que pourrions-nous changer dès ce trimestre pour simplifier la vie de nos clients ?",
                "en": "What could we change this quarter to make our customers’ life simpler?",
            },
            kinds=(IDEA, PROBLEM, QUESTION),
            scales=(),
            frame={
                "fr": "Avant l’achat\nPendant l’usage\nQuand quelque chose ne va pas\nEntre nous",
                "en": "Before buying\nWhile using\nWhen something goes wrong\nAmong ourselves",
            },
            seeds={
                "fr": (
                    "Un client ne devrait jamais avoir à répéter deux fois la même chose.",
                    "Chaque équipe devrait passer une journée par an avec les clients.",
                    "Il faut d’abord supprimer des étapes avant d’ajouter des outils.",
                ),
                "en": (
                    "A customer should never have to say the same thing twice.",
                    "Every team should spend one day a year with customers.",
                    "We should remove steps before adding tools.",
                ),
            },
            minutes=(10, 10),
        ),
        Preset(
            name="feedback",
            label={"fr": "Retour après un lancement", "en": "Feedback after a launch"},
            purpose={
                "fr": "Ce que le terrain a vu depuis le lancement : ce qui marche, ce qui coince, ce qui surprend.",
                "en": "What the field has seen since the launch: what works, what gets stuck, what surprises.",
            },
            question={
                "fr": "Depuis le lancement, qu’avez-vous vu que les chiffres ne montrent pas ?",
                "en": "Since the launch, what have you seen that the figures do not show?",
            },
            kinds=(STRENGTH, PROBLEM, SURPRISE, IDEA),
            scales=(SATISFACTION,),
            frame={
                "fr": "Découverte\nPrise en main\nUsage quotidien\nAssistance\nRésultat pour le client",
                "en": "Discovery\nFirst use\nDaily use\nSupport\nResult for the customer",
            },
            seeds={
                "fr": (
                    "Le lancement répond à un besoin que j’entends souvent.",
                    "La prise en main demande plus de temps que prévu.",
                    "Je recommanderais ce lancement à un collègue d’un autre site.",
                ),
                "en": (
                    "The launch answers a need that I often hear.",
                    "Getting started takes longer than planned.",
                    "I would recommend this launch to a colleague on another site.",
                ),
            },
            minutes=(8, 10),
        ),
    )
}

SCRATCH = Preset(
    name="",
    label={"fr": "Partir d’une page blanche", "en": "Start from scratch"},
    purpose={
        "fr": "Votre question, votre cadre, vos affirmations.",
        "en": "Your question, your frame, your statements.",
    },
    question={"fr": "", "en": ""},
    kinds=(IDEA, PROBLEM, STRENGTH),
    scales=(),
    frame={"fr": "", "en": ""},
    seeds={"fr": (), "en": ()},
    minutes=(10, 10),
)


def preset(name: str) -> Preset:
    """Return the template called `name`, or the blank one."""
    return PRESETS.get(name, SCRATCH)


def every_scale() -> tuple[tuple[str, Text, Text, Text], ...]:
    """The scales that a facilitator can choose from."""
    return (MATURITY, IMPORTANCE, SATISFACTION)


def every_kind() -> tuple[tuple[str, Text], ...]:
    """The kinds of contribution that a facilitator can choose from."""
    return (PROBLEM, CAUSE, IDEA, STRENGTH, QUESTION, SURPRISE)
