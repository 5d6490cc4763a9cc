"""Every sentence of the phone page, in French and English.

French is typed with ordinary spaces; `french` puts the narrow no-break ones where French typography wants them.
A text with two forms is (one, other): French counts 0 and 1 as one, English only 1.
"""

from __future__ import annotations

import re
from typing import Final

Phrase = str | tuple[str, str]

NARROW: Final = "\u202f"
NO_BREAK: Final = "\u00a0"
LANGUAGES: Final = {"fr": "Français", "en": "English"}

_FRENCH: Final[dict[str, Phrase]] = {
    # Coming in
    "join": "Participer",
    "anonymous": "Anonyme : rien n’est gardé sur vous, seulement ce que vous répondez.",
    "pseudonymous": "Sous le nom que vous choisissez : ce nom et vos réponses sont gardés, rien d’autre.",
    "enter": "Entrer avec mon compte",
    "identified": "Sous votre nom, donné par votre organisation : il est gardé avec ce que vous répondez.",
    "pass": "Cette session est réservée aux membres. Entrez par le lien que votre organisation vous a donné.",
    "code": "Votre code d’invitation",
    "once": "Il laisse entrer une personne. On garde qu’il a servi, jamais avec ce que vous répondez.",
    "name": "Le nom que les autres verront",
    "unit": "Votre unité",
    "unit_none": "Je préfère ne pas le dire",
    "room": ("{n} personne dans la salle", "{n} personnes dans la salle"),
    "crowd": "Beaucoup de monde arrive. Devant vous : {n}. Patience…",
    # Waiting
    "waiting": "La session va commencer",
    "between": "La suite arrive",
    "wait": "Gardez cette page ouverte : elle changera toute seule.",
    "refresh": "Actualiser la page",
    "starts": "Début dans",
    # Phases, clock
    "draft": "Collecte",
    "compare": "Confrontation",
    "left": "Temps restant",
    "sections": "Que voulez-vous faire ?",
    "paused": "Pause. Vous pourrez répondre dès la reprise.",
    "frozen": "Les résultats sont figés : plus rien n’est pris.",
    # Contribute
    "tab_idea": "Contribuer",
    "idea": "Qu’avez-vous à dire ?",
    "item": "À quel sujet ?",
    "item_none": "La question en général",
    "kind": "C’est plutôt…",
    "text": "En une ou deux phrases",
    "re": "En réponse à :",
    "send": "Envoyer",
    "thanks": "C’est noté, merci !",
    "mine": "Vos contributions",
    "mine_none": "Rien pour l’instant. Une phrase suffit.",
    "pending": "En attente d’envoi",
    "shown": "Visible de tous",
    "status_waiting": "En attente de relecture",
    "hidden": "Non affichée",
    "seen": ("{n} réponse", "{n} réponses"),
    "agrees": "{n} d’accord",
    "disagrees": "{n} pas d’accord",
    # Rate
    "tab_rate": "Évaluer",
    "rate": "Où en est-on ?",
    "rate_item": "Évaluer",
    "reason": "Pourquoi ? (facultatif)",
    "save": "Enregistrer et continuer",
    "rated": "{n} sur {m} évalués",
    "all_rated": "Tout est évalué, merci !",
    # Vote
    "tab_vote": "Voter",
    "vote": "Qu’en pensez-vous ?",
    "agree": "D’accord",
    "disagree": "Pas d’accord",
    "skip": "Passer",
    "last": "Votre réponse : {n}",
    "undo": "Annuler",
    "reply": "Répondre par un argument",
    "none": "Plus rien pour l’instant",
    "none_more": "Vous avez répondu à tout. Les nouvelles idées s’afficheront ici.",
    "votes": "Réponses données : {n}",
    "to_place": "Réponses avant de voir votre place : {n}",
    # My place
    "tab_me": "Ma place",
    "me": "Votre place dans le débat",
    "in_group": "Vous êtes proche du groupe {n}.",
    "no_group": "Vous ne penchez vers aucun groupe en particulier.",
    "not-enough-votes": "Répondez encore à quelques idées et vous verrez où vous vous situez.",
    "too-few-people": "La carte apparaîtra quand assez de personnes auront répondu.",
    "group": "Groupe {n}",
    "people": ("{n} personne", "{n} personnes"),
    "you": "Vous",
    "yours": "votre groupe",
    "map": "Carte des groupes",
    "says_agree": "D’accord avec",
    "says_disagree": "Pas d’accord avec",
    # The end
    "end": "Merci !",
    "end_joined": (
        "Vos réponses comptent. L’équipe d’animation présentera ce qui rassemble, ce qui divise "
        "et ce qui sera fait."
    ),
    "end_late": "Cette session est terminée. Pour les résultats, adressez-vous à l’équipe d’animation.",
    # Network
    "offline": "Hors connexion : tout partira au retour du réseau.",
    "queue": "{n} avis en attente d’envoi",
    "lost": "Avis arrivés après la fin, donc non comptés : {n}",
    # Refusals, by code
    "refused": "Réponse refusée. Rechargez la page et recommencez.",
    "out-of-phase": "Arrivé après la fin de l’étape, donc non compté.",
    "unknown-statement": "Cette idée n’existe plus : réponse non comptée.",
    "text-empty": "Écrivez au moins un mot.",
    "text-too-long": "Le texte est trop long : 280 caractères au plus.",
    "too-many-ideas": "Vous avez atteint le nombre maximal de contributions.",
    "name-required": "Indiquez le nom que les autres verront.",
    "name-too-long": "Ce nom est trop long : 40 caractères au plus.",
    "bad-code": "Ce code n’est pas valable ici. Vérifiez chaque caractère.",
    "code-used": "Ce code a déjà servi sur un autre appareil. Demandez-en un autre à votre équipe d’animation.",
    "code-required": "Indiquez votre code d’invitation.",
    "bad-pass": "Ce lien ne permet pas d’entrer. Demandez-en un nouveau à votre organisation.",
    "bad-ticket": "Votre accès a expiré. Participez à nouveau : vos textes sont gardés, vos dernières réponses sont peut-être à redonner.",
    "closed": "La session est terminée.",
    "not-started": "La session n’a pas encore commencé.",
    "too-many": "Trop de réponses à la fois. Revenez en arrière et renvoyez dans quelques secondes.",
    "unavailable": "La salle est très demandée. Revenez en arrière et renvoyez dans quelques secondes.",
    # No such room
    "unknown": "Cette session n’existe pas",
    "unknown_more": "Vérifiez le code ou le lien, ou demandez-le à la personne qui vous invite.",
}

_ENGLISH: Final[dict[str, Phrase]] = {
    "join": "Take part",
    "anonymous": "Anonymous: nothing about you is kept, only what you answer.",
    "pseudonymous": "Under the name you choose: that name and your answers are kept, nothing else.",
    "enter": "Enter with my account",
    "identified": "Under your name, given by your organisation: it is kept with what you answer.",
    "pass": "This session is for members. Please enter through the link your organisation gave you.",
    "code": "Your invitation code",
    "once": "It lets one person in. That it was used is kept, never with what you answer.",
    "name": "The name others will see",
    "unit": "Your unit",
    "unit_none": "I would rather not say",
    "room": ("{n} person in the room", "{n} people in the room"),
    "crowd": "Many people are coming in. Ahead of you: {n}. Please wait…",
    "waiting": "The session is about to start",
    "between": "The next step is coming",
    "wait": "Keep this page open: it will change by itself.",
    "refresh": "Refresh the page",
    "starts": "Starts in",
    "draft": "Contribute",
    "compare": "Compare",
    "left": "Time left",
    "sections": "What would you like to do?",
    "paused": "Paused. You can answer as soon as it starts again.",
    "frozen": "The results are frozen: no more answers are taken.",
    "tab_idea": "Contribute",
    "idea": "What do you have to say?",
    "item": "About what?",
    "item_none": "The question in general",
    "kind": "It is rather…",
    "text": "In a sentence or two",
    "re": "In answer to:",
    "send": "Send",
    "thanks": "Noted, thank you!",
    "mine": "Your contributions",
    "mine_none": "You have not written anything yet. One sentence is enough.",
    "pending": "Waiting to be sent",
    "shown": "Visible to all",
    "status_waiting": "Waiting for review",
    "hidden": "Not shown",
    "seen": ("{n} answer", "{n} answers"),
    "agrees": "{n} agree",
    "disagrees": "{n} disagree",
    "tab_rate": "Rate",
    "rate": "Where do we stand?",
    "rate_item": "Rate",
    "reason": "Why? (optional)",
    "save": "Save and continue",
    "rated": "{n} of {m} rated",
    "all_rated": "Everything is rated, thank you!",
    "tab_vote": "Vote",
    "vote": "What do you think?",
    "agree": "Agree",
    "disagree": "Disagree",
    "skip": "Pass",
    "last": "Your answer: {n}",
    "undo": "Undo",
    "reply": "Answer with an argument",
    "none": "Nothing more for now",
    "none_more": "You have answered everything. If new ideas come, they will appear here.",
    "votes": "Answers given: {n}",
    "to_place": "Answers before you see your place: {n}",
    "tab_me": "My place",
    "me": "Your place in the debate",
    "in_group": "You are close to group {n}.",
    "no_group": "You do not lean towards any group in particular.",
    "not-enough-votes": "Answer a few more ideas and you will see where you stand.",
    "too-few-people": "The map will appear once enough people have answered.",
    "group": "Group {n}",
    "people": ("{n} person", "{n} people"),
    "you": "You",
    "yours": "your group",
    "map": "Map of the groups",
    "says_agree": "Agrees with",
    "says_disagree": "Disagrees with",
    "end": "Thank you!",
    "end_joined": (
        "Your answers count. The facilitators will present what unites, what divides and what will be done."
    ),
    "end_late": "This session is over, and the answers received count. Please ask your facilitators for the results.",
    "offline": "Offline: everything will be sent when the network is back.",
    "queue": "Waiting to be sent: {n}",
    "lost": "Answers that came after the end, so not counted: {n}",
    "refused": "Answer refused. Please reload the page and try again.",
    "out-of-phase": "Came after the end of the step, so not counted.",
    "unknown-statement": "This idea is no longer there: the answer was not counted.",
    "text-empty": "Please write at least one word.",
    "text-too-long": "The text is too long: 280 characters at most.",
    "too-many-ideas": "You have reached the largest number of contributions.",
    "name-required": "Please give the name others will see.",
    "name-too-long": "This name is too long: 40 characters at most.",
    "bad-code": "This code is not valid here. Please check each character.",
    "code-used": "This code has been used on another device. Please ask your facilitators for another one.",
    "code-required": "Please give your invitation code.",
    "bad-pass": "This link does not let you in. Please ask your organisation for a new one.",
    "bad-ticket": "Your access has expired. Please take part again: your texts are kept, your last answers may be lost.",
    "closed": "The session is over.",
    "not-started": "The session has not started yet.",
    "too-many": "Too many answers at once. Please go back and send it again in a few seconds.",
    "unavailable": "The room is very busy. Please go back and send it again in a few seconds.",
    "unknown": "This session does not exist",
    "unknown_more": "Check the code or the link, or ask the person who invites you.",
}

SCRIPT: Final = [
    "crowd",
    "waiting",
    "between",
    "draft",
    "compare",
    "paused",
    "frozen",
    "pending",
    "thanks",
    "rated",
    "all_rated",
    "last",
    "votes",
    "to_place",
    "offline",
    "queue",
    "lost",
    "refused",
    "out-of-phase",
    "too-many-ideas",
    "bad-pass",
    "bad-code",
    "code-used",
]
"""The texts that the script says by itself; the others stay in the page."""

_ALIASES: Final = {"expired-ticket": "bad-ticket", "wrong-room": "bad-ticket"}
_ALIASES.update({"pass-required": "bad-pass", "expired-pass": "bad-pass"})


def french(text: str) -> str:
    """Put no-break spaces where French typography wants them, so that no mark stands alone on a line."""
    text = re.sub(r" (?=[;!?»])|(?<=«) ", NARROW, text)
    return text.replace(" :", NO_BREAK + ":")


def _typeset(phrase: Phrase) -> Phrase:
    return french(phrase) if isinstance(phrase, str) else (french(phrase[0]), french(phrase[1]))


TEXTS: Final[dict[str, dict[str, Phrase]]] = {
    "fr": {key: _typeset(phrase) for key, phrase in _FRENCH.items()},
    "en": _ENGLISH,
}


def number(n: int, lang: str) -> str:
    """Write a whole number with the thousands separator of the language."""
    return f"{n:,}".replace(",", NARROW) if lang == "fr" else f"{n:,}"


def say(lang: str, key: str, n: int | str = "", m: int | str = "") -> str:
    """Give the text `key` with `{n}` and `{m}` filled in; the number `n` chooses singular or plural."""
    phrase = TEXTS[lang][key]
    if isinstance(phrase, tuple):
        phrase = phrase[0] if n == 1 or (n == 0 and lang == "fr") else phrase[1]
    for name, value in (("{n}", n), ("{m}", m)):
        phrase = phrase.replace(name, number(value, lang) if isinstance(value, int) else value)
    return phrase


def refusal(lang: str, code: str) -> str:
    """Give the sentence for the code of a refusal, a general one if the code is not known."""
    code = _ALIASES.get(code, code)
    return say(lang, code if code in _FRENCH and code in _REFUSALS else "refused")


_REFUSALS: Final = frozenset(
    [
        "out-of-phase",
        "unknown-statement",
        "text-empty",
        "text-too-long",
        "too-many-ideas",
        "name-required",
        "name-too-long",
        "bad-code",
        "code-used",
        "code-required",
        "bad-pass",
        "bad-ticket",
        "closed",
        "not-started",
        "paused",
        "frozen",
        "too-many",
        "unavailable",
    ]
)
