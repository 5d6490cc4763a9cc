"""The opinion map: where people stand, who stands together, what unites and what divides them.

An independent implementation of the published Polis mathematics (Small, Bjorkegren, Erkkila, Shaw, Megill,
"Polis: scaling deliberation by mapping high dimensional opinion spaces", Recerca 26, 2021), cold: a function
of the votes alone, never of their order of arrival or of an earlier result.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from essaim.engines import clusters, representative
from essaim.engines.pca import principal_axes
from essaim.engines.representative import Consensus, Representative
from essaim.engines.votes import AGREE, DISAGREE, VoteMatrix

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MIN_VOTES = 7
MIN_PEOPLE = 15


@dataclass(frozen=True)
class Group:
    """People who stand together. id: 0-based, largest group first; centre: mean of its members on the map."""

    id: int
    label: str
    size: int
    centre: tuple[float, float]
    representative: tuple[Representative, ...]


@dataclass(frozen=True, eq=False)
class Opinion:
    """Everything computed from a vote matrix of P participants and C statements, with G groups.

    coordinates (P, 2); counted (P,) who takes part in groups; group (P,) int8, -1 = not counted.
    means (C,) mean vote; components (2, C) unit axes; rejected (C,) statements moderated out.
    statement_coordinates (C, 2) where a person would stand whose only vote is an agree on that statement;
    extremity (C,) the distance of that place from the centre.
    agrees, disagrees, passes (C,) over everybody.
    group_agrees, group_disagrees, group_seen (G, C) over the members of each group.
    group_aware (C,) product over groups of (A+1)/(S+2).
    priorities (C,) routing weight over the members of groups (0 if rejected).
    variance (2,) share of the variance on each axis; silhouette of the groups; k their number.
    anchors (a, 2), anchor_group (a,): a person belongs to the group of the nearest anchor.
    """

    participants: Ints
    coordinates: Floats
    counted: Flags
    group: npt.NDArray[np.int8]
    statements: Ints
    rejected: Flags
    means: Floats
    components: Floats
    statement_coordinates: Floats
    extremity: Floats
    groups: tuple[Group, ...]
    agrees: Ints
    disagrees: Ints
    passes: Ints
    group_agrees: Ints
    group_disagrees: Ints
    group_seen: Ints
    consensus_agree: tuple[Consensus, ...]
    consensus_disagree: tuple[Consensus, ...]
    group_aware: Floats
    priorities: Floats
    variance: Floats
    silhouette: float
    k: int
    anchors: Floats
    anchor_group: Ints

    @property
    def seen(self) -> Ints:
        """(C,) votes on each statement, passes included."""
        return self.agrees + self.disagrees + self.passes


def analyse(
    votes: VoteMatrix,
    *,
    rejected: Iterable[int] = (),
    grouping: Literal["grid", "polis"] = "grid",
    min_votes: int = MIN_VOTES,
    level: float = 0.95,
) -> Opinion:
    """The opinion map of a vote matrix.

    rejected: ids of statements moderated out. They no longer shape the map and are never shown as
        representative or consensual, but votes on them count towards `min_votes`. Unknown ids are ignored.
    grouping: "grid" (default, independent of how participants are numbered) or "polis" (published steps).
    min_votes: votes needed to be counted in a group; if fewer than 15 people have them, the most active join.
    level: of the intervals around shares, 0.90 or 0.95 as a rule.
    An empty matrix gives an empty map with k = 0; people who all stand in one place form one group.
    Raises ValueError for another grouping, min_votes < 1 or an impossible level.
    """
    if min_votes < 1:
        raise ValueError(f"min_votes: at least 1, got {min_votes}")
    people, cards = votes.shape
    out = np.isin(votes.statements, np.fromiter((int(i) for i in rejected), dtype=np.int64))
    row, column, value = votes.rows(), votes.indices, votes.values
    agrees = np.bincount(column[value == AGREE], minlength=cards)
    disagrees = np.bincount(column[value == DISAGREE], minlength=cards)
    seen = np.bincount(column, minlength=cards)

    means = np.where(out, 0.0, (agrees - disagrees) / np.maximum(seen, 1))
    entries = value - means[column]
    if bool(out.any()):
        entries[out[column]] = 0.0
    centred = votes.with_values(entries)
    axes = principal_axes(centred)
    spread = _spread(_answered(votes, out, row), cards)
    coordinates = (centred @ axes.components.T) * spread[:, None]
    # Published as a vote of -1, which is how its database writes an agree.
    statement_coordinates = (np.sqrt(cards) * (1 - means) * axes.components).T
    statement_coordinates[out] = 0.0
    extremity = np.hypot(statement_coordinates[:, 0], statement_coordinates[:, 1])

    counted = _counted(votes, min_votes)
    found = clusters.group(coordinates[counted], method=grouping)
    labels, anchor_group = _by_size(found, coordinates[counted])
    group = np.full(people, -1, dtype=np.int8)
    group[counted] = labels
    k = int(labels.max()) + 1 if len(labels) else 0
    group_agrees, group_disagrees, group_seen = _group_counts(group, k, row, column, value, cards)

    shown = representative.of_groups(
        votes.statements, group_agrees, group_disagrees, group_seen, out, level=level
    )
    return Opinion(
        participants=votes.participants,
        coordinates=coordinates,
        counted=counted,
        group=group,
        statements=votes.statements,
        rejected=out,
        means=means,
        components=axes.components,
        statement_coordinates=statement_coordinates,
        extremity=extremity,
        groups=tuple(_group(g, coordinates[group == g], shown[g]) for g in range(k)),
        agrees=agrees,
        disagrees=disagrees,
        passes=seen - agrees - disagrees,
        group_agrees=group_agrees,
        group_disagrees=group_disagrees,
        group_seen=group_seen,
        consensus_agree=representative.of_everybody(votes.statements, agrees, seen, out, level=level),
        consensus_disagree=representative.of_everybody(votes.statements, disagrees, seen, out, level=level),
        group_aware=np.prod(representative.smoothed(group_agrees, group_seen), axis=0),
        priorities=_priorities(group_agrees, group_disagrees, group_seen, extremity, out),
        variance=axes.variance,
        silhouette=found.silhouette,
        k=k,
        anchors=found.anchors,
        anchor_group=anchor_group,
    )


def position(opinion: Opinion, statements: npt.ArrayLike, values: npt.ArrayLike) -> tuple[float, float, int]:
    """Where one person's votes put them on a map already made: (x, y, group).

    statements: ids, each at most once (those the map does not know are left out); values: -1, 0 or +1 for
    each. With the votes a participant of the map had, this is that participant's own place and, if counted,
    own group. The group is the nearest one whatever the number of votes: the caller decides when that is too
    few to say. No known vote gives (0, 0, -1). Raises ValueError for unequal lengths, a repeated statement or
    another vote value.
    """
    ids, given = np.asarray(statements, dtype=np.int64).ravel(), np.asarray(values, dtype=np.int64).ravel()
    if len(ids) != len(given):
        raise ValueError(f"unequal lengths: {len(ids)} statements, {len(given)} votes")
    if len(np.unique(ids)) != len(ids):
        raise ValueError("a statement is repeated: give the last vote on each only")
    if bool(np.any((given < -1) | (given > 1))):
        raise ValueError("a vote is 1 (agree), -1 (disagree) or 0 (pass)")
    cards = len(opinion.statements)
    place = np.searchsorted(opinion.statements, ids)
    known = place < cards
    known[known] = opinion.statements[place[known]] == ids[known]
    order = np.argsort(place[known], kind="stable")
    column, vote = place[known][order], given[known][order]
    if not len(column):
        return 0.0, 0.0, -1
    kept = ~opinion.rejected[column]
    answered = int(np.count_nonzero(kept)) + int(np.count_nonzero(opinion.rejected))
    x, y = 0.0, 0.0
    for j, v in zip(column[kept].tolist(), vote[kept].tolist(), strict=True):
        entry = v - float(opinion.means[j])  # in the order of the sparse product, for the same bits
        x += entry * float(opinion.components[0, j])
        y += entry * float(opinion.components[1, j])
    scale = float(_spread(np.array([answered]), cards)[0])
    here = np.array([[x * scale, y * scale]])
    if not len(opinion.anchors):
        return float(here[0, 0]), float(here[0, 1]), -1
    group = int(opinion.anchor_group[clusters.nearest(here, opinion.anchors)[0]])
    return float(here[0, 0]), float(here[0, 1]), group


def _answered(votes: VoteMatrix, out: Flags, row: npt.NDArray[np.int32]) -> Ints:
    """(P,) answers the projection divides by: a rejected column counts as answered (with 0) by everybody."""
    if not bool(out.any()):
        return votes.votes_of_participant
    kept = np.bincount(row[~out[votes.indices]], minlength=votes.shape[0])
    return kept + int(np.count_nonzero(out))


def _spread(answered: Ints, cards: int) -> Floats:
    """sqrt(C / n): those who answered little are pushed outwards as much as mean filling pulled them in."""
    return np.where(answered > 0, np.sqrt(cards / np.maximum(answered, 1)), 0.0)


def _counted(votes: VoteMatrix, min_votes: int) -> Flags:
    cast = votes.votes_of_participant
    counted = cast >= min(min_votes, max(votes.shape[1], 1))
    if int(counted.sum()) < MIN_PEOPLE:
        order = np.lexsort((votes.participants, -cast))[:MIN_PEOPLE]
        counted[order[cast[order] > 0]] = True
    return counted


def _by_size(found: clusters.Grouping, points: Floats) -> tuple[Ints, Ints]:
    """Labels and anchor groups renumbered: largest group first, then from left to right."""
    count = int(max(found.labels.max(initial=-1), found.anchor_group.max(initial=-1))) + 1
    if not count:
        return found.labels, found.anchor_group
    sizes = np.bincount(found.labels, minlength=count)
    x = np.bincount(found.labels, weights=points[:, 0], minlength=count) / np.maximum(sizes, 1)
    y = np.bincount(found.labels, weights=points[:, 1], minlength=count) / np.maximum(sizes, 1)
    rank = np.empty(count, dtype=np.int64)
    rank[np.lexsort((y, x, -sizes))] = np.arange(count)
    return rank[found.labels], rank[found.anchor_group]


def _group_counts(
    group: npt.NDArray[np.int8],
    k: int,
    row: npt.NDArray[np.int32],
    column: npt.NDArray[np.int32],
    value: npt.NDArray[np.int8],
    cards: int,
) -> tuple[Ints, Ints, Ints]:
    """Agrees, disagrees and votes (k, C) of the members of each group."""
    three = 3 * cards
    cell = (group.astype(np.int64) * three)[row] + (value.astype(np.int64) + 1) * cards + column
    counts = np.bincount(cell[cell >= 0], minlength=k * three)[: k * three].reshape(k, 3, cards)
    return counts[:, 2], counts[:, 0], counts.sum(axis=1)


def _priorities(agrees: Ints, disagrees: Ints, seen: Ints, extremity: Floats, out: Flags) -> Floats:
    a, d, s = agrees.sum(axis=0), disagrees.sum(axis=0), seen.sum(axis=0)
    smoothed = representative.smoothed
    importance = (1 - smoothed(s - a - d, s)) * (extremity + 1) * smoothed(a, s)
    weight = np.asarray((importance * (1 + 8 * 2 ** (-s / 5.0))) ** 2)
    return np.where(out, 0.0, weight)


def _group(number: int, members: Floats, shown: tuple[Representative, ...]) -> Group:
    x, y = float(members[:, 0].mean()), float(members[:, 1].mean())
    return Group(number, chr(ord("A") + number), len(members), (x, y), shown)
