"""Altura, the demo organisation: a fictional energy-services cooperative. Everything here was written for Essaim.

Each statement carries how three planted groups lean on it (logit of agreeing, from -2.5 to 2.5), so that the opinion map
has something true to find: those who want clear decisions, those who want time in the field, those who want tools.
"""

from __future__ import annotations

from dataclasses import dataclass

NAME = "Altura"
UNITS = (
    "Direction générale",
    "Exploitation Nord",
    "Exploitation Sud",
    "Relation clients",
    "Systèmes d’information",
    "Finance et achats",
)
UNIT_SHARES = (0.05, 0.27, 0.24, 0.22, 0.12, 0.10)
PEOPLE = (
    ("claire.morel@altura.example", "Claire Morel", "owner"),
    ("yanis.benali@altura.example", "Yanis Benali", "facilitator"),
    ("awa.diop@altura.example", "Awa Diop", "sponsor"),
    ("lucas.garnier@altura.example", "Lucas Garnier", "peer"),
    ("emma.lefevre@altura.example", "Emma Lefèvre", "observer"),
)
GROUP_SHARES = (0.44, 0.33, 0.23)

Leans = tuple[float, float, float]


@dataclass(frozen=True)
class Line:
    """A statement of the demo: its text, how the three groups lean, its place in the frame and its kind (contributions only)."""

    text: str
    leans: Leans
    item: int | None = None
    kind: str | None = None


FRAME = (
    "Décider\n    Fixer les priorités\n    Arbitrer vite\nProduire\n    Planifier la charge\n    Assurer la qualité\n"
    "Coopérer\n    Partager l’information\n    Travailler entre services\nServir\n    Répondre aux clients\n    Suivre les chantiers"
)
ITEM_MATURITY = {2: 2.1, 3: 1.8, 5: 2.9, 6: 3.6, 8: 2.3, 9: 2.0, 11: 3.4, 12: 2.7}
ITEM_IMPORTANCE = {2: 4.3, 3: 4.5, 5: 3.5, 6: 3.9, 8: 4.1, 9: 3.8, 11: 4.6, 12: 3.2}

SEEDS = (
    Line("Nos priorités changent trop souvent pour être tenues.", (2.2, 0.9, 0.4)),
    Line("Nous passons plus de temps à rendre compte qu’à servir nos clients.", (0.6, 2.3, 0.2)),
    Line("Je sais qui décide quoi dans mon service.", (-1.8, 0.3, 0.6)),
    Line("L’information utile arrive trop tard aux équipes de terrain.", (1.6, 2.0, 1.5)),
    Line("Un client ne devrait jamais avoir à répéter deux fois la même chose.", (2.1, 2.2, 2.3)),
    Line("Il faut supprimer des étapes avant d’ajouter des outils.", (1.3, 1.9, -1.7)),
    Line(
        "Un seul outil pour suivre les chantiers nous ferait gagner une demi-journée par semaine.",
        (0.2, -0.9, 2.4),
    ),
    Line("Les réunions de coordination sont la seule façon de tenir les délais.", (0.7, -2.1, -0.8)),
)

VOICES = (
    Line(
        "Chaque demande urgente en remplace une autre : personne ne dit laquelle tombe.",
        (2.1, 0.8, 0.3),
        2,
        "problem",
    ),
    Line(
        "Une priorité par trimestre et par équipe, affichée, et l’on n’en change pas.",
        (2.3, 0.1, -0.2),
        2,
        "idea",
    ),
    Line(
        "Les objectifs sont clairs dans ma région depuis que nous les écrivons ensemble.",
        (0.2, 1.1, 0.4),
        2,
        "strength",
    ),
    Line(
        "Les arbitrages remontent au comité et reviennent trois semaines plus tard.",
        (2.2, 1.2, 0.7),
        3,
        "problem",
    ),
    Line("Que le chef d’équipe puisse engager 2 000 € sans demander.", (1.0, 2.1, 0.1), 3, "idea"),
    Line(
        "Deux directions se renvoient la décision parce que personne n’en est responsable.",
        (2.0, 0.6, 0.5),
        3,
        "cause",
    ),
    Line("Les plannings sont faits sans ceux qui connaissent le terrain.", (0.4, 2.3, 0.3), 5, "problem"),
    Line("Laisser les équipes échanger leurs tournées entre elles.", (-0.4, 2.2, 0.6), 5, "idea"),
    Line("Le logiciel de planification oublie les temps de trajet.", (0.3, 0.7, 2.2), 5, "cause"),
    Line(
        "Le travail est bien fait du premier coup, quand on nous laisse le temps.",
        (0.5, 2.0, 0.6),
        6,
        "strength",
    ),
    Line("Les contrôles qualité arrivent après la remise au client.", (1.3, 1.0, 1.2), 6, "problem"),
    Line("Une photo avant, une photo après, et le contrôle est fait.", (-0.2, 0.3, 2.3), 6, "idea"),
    Line("On apprend les changements de procédure par les clients.", (1.6, 1.9, 1.4), 8, "problem"),
    Line(
        "Dix minutes d’échange chaque lundi entre exploitation et relation clients.",
        (1.7, 0.4, 0.2),
        8,
        "idea",
    ),
    Line("Il y a sept endroits où chercher une consigne.", (1.1, 0.9, 2.3), 8, "cause"),
    Line("Chaque service a son propre vocabulaire pour le même chantier.", (1.0, 0.5, 1.6), 9, "cause"),
    Line("Passer une journée par an dans le service d’à côté.", (0.6, 1.8, -1.2), 9, "idea"),
    Line("Quand une équipe Nord-Sud se forme pour une panne, tout va vite.", (1.2, 1.5, 1.0), 9, "strength"),
    Line("Le client rappelle en moyenne trois fois avant d’avoir une date.", (1.8, 1.4, 1.7), 11, "problem"),
    Line("Donner au client le nom et l’heure du technicien la veille.", (1.6, 1.7, 1.9), 11, "idea"),
    Line(
        "Répondre à chaque réclamation sous 24 heures, même pour dire « pas encore ».",
        (2.1, 0.4, 0.8),
        11,
        "idea",
    ),
    Line("Je ressaisis la même information dans trois fichiers.", (0.8, 1.6, 2.4), 12, "problem"),
    Line("Les tablettes ne passent pas dans les sous-sols.", (0.2, 1.9, 1.3), 12, "cause"),
    Line("Arrêter le rapport hebdomadaire que personne ne lit.", (1.2, 2.4, 0.9), 12, "idea"),
    Line(
        "Les nouveaux outils ne servent à rien tant que les rôles ne sont pas clairs.",
        (2.0, 0.9, -1.8),
        3,
        "cause",
    ),
    Line(
        "Un robot conversationnel pourrait traiter la moitié des demandes simples.",
        (-0.6, -1.9, 2.0),
        11,
        "idea",
    ),
    Line("Il faudrait embaucher avant d’automatiser.", (-0.1, 1.7, -1.9), 5, "idea"),
    Line("Publier chaque mois ce qui a été décidé et pourquoi.", (2.3, 1.2, 1.1), 2, "idea"),
)

LIVE_TITLE = "Où agir d’abord ?"
LIVE_QUESTION = "Qu’est-ce qui nous empêche de bien travailler, et où agir d’abord ?"

LAUNCH_TITLE = "Six semaines avec le portail chantier"
LAUNCH_QUESTION = "Depuis l’ouverture du portail, qu’avez-vous vu que les chiffres ne montrent pas ?"
LAUNCH_SEEDS = (
    Line("Le portail répond à un besoin que j’entends souvent.", (1.9, 0.4, 2.0)),
    Line("La prise en main demande plus de temps que prévu.", (0.2, 2.1, -0.6)),
    Line("Je recommanderais le portail à un collègue d’un autre site.", (1.6, -0.8, 2.2)),
    Line("Depuis le portail, le client m’appelle moins.", (0.9, -1.2, 1.8)),
    Line("Il manque une formation sur le terrain, pas en salle.", (0.8, 2.3, 0.6)),
    Line("Les notifications arrivent au mauvais moment.", (0.1, 1.6, 0.2)),
)
LAUNCH_VOICES = (
    Line("Les clients âgés demandent un numéro de téléphone bien visible.", (1.7, 1.9, 1.1), 4, "problem"),
    Line("Voir l’avancement évite de se déplacer pour rien.", (1.4, 0.5, 2.1), 3, "strength"),
    Line("On a gardé l’ancien fichier « au cas où » : on saisit deux fois.", (1.2, 2.2, 0.9), 3, "problem"),
    Line("Un collègue formé par équipe suffit à lancer les autres.", (1.8, 1.3, 1.2), 2, "idea"),
    Line("Le mot de passe oublié bloque un chantier entier.", (0.6, 1.9, 0.8), 2, "problem"),
    Line(
        "Les photos du chantier sont ce que les clients regardent en premier.", (0.9, 0.6, 2.0), 5, "surprise"
    ),
    Line("Prévenir l’assistance avant chaque mise à jour.", (1.9, 1.6, 1.3), 4, "idea"),
    Line("Le portail se ferme tout seul au bout de dix minutes.", (0.4, 1.5, 0.7), 3, "problem"),
)

ENGLISH_TITLE = "Ideas for simpler customer journeys"
