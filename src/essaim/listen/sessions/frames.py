"""The frame of a session (a tree of dimensions or processes) read from what people type, paste or upload. Pure.

Two forms are understood:
- an outline: one item a line, depth by indentation (spaces or tabs), bullets and numbering are dropped;
- a table (CSV): either columns `label` and `parent` (a label or an `id`), or one column a level.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from django.utils.translation import gettext as _

from essaim.base import tabular
from essaim.base.errors import Refused
from essaim.live.text import tidy

MAX_ITEMS = 400
MAX_DEPTH = 5
MAX_LABEL = 120

_BULLET = re.compile(r"^(?:[-*•–—‣]\s+|\d+(?:\.\d+)*[.)]?\s+(?=\D))")


@dataclass(frozen=True)
class FrameLine:
    """One item: `number` is its identifier in the session, `parent` another item's number, `rated` whether people assess it."""

    number: int
    parent: int | None
    label: str
    depth: int
    rated: bool


def parse_outline(text: str) -> tuple[FrameLine, ...]:
    """Read an indented outline. Leaves are the items that people assess.

    Raises:
        Refused: too many items, too deep, a label too long or repeated under the same parent (the line is named).
    """
    entries: list[tuple[int, int | None, str, int]] = []  # (line, parent position, label, depth)
    stack: list[tuple[int, int]] = []  # (indentation, position)
    for line_number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        expanded = raw.replace("\u00a0", " ").lstrip("\ufeff").expandtabs(4)
        content = expanded.lstrip(" ")
        if not content.strip():
            continue
        if len(entries) >= MAX_ITEMS:
            _too_many(text.count("\n") + 1)
        indentation = len(expanded) - len(content)
        while stack and stack[-1][0] >= indentation:
            stack.pop()
        label = tidy(_BULLET.sub("", content))
        entries.append((line_number, stack[-1][1] if stack else None, label, len(stack)))
        stack.append((indentation, len(entries) - 1))
    return _checked(entries)


def parse_table(content: bytes) -> tuple[FrameLine, ...]:
    """Read an uploaded CSV (any usual encoding and separator).

    Raises:
        Refused: unknown columns, unknown parent, a cycle, or what `parse_outline` refuses.
    """
    rows = tabular.rows(tabular.decode(content))
    if not rows:
        raise Refused("empty", _("This file is empty."), field="file")
    if len(rows) > MAX_ITEMS + 1:
        _too_many(len(rows) - 1)
    header = [cell.casefold() for cell in rows[0][1]]
    label_at = next(
        (header.index(n) for n in ("label", "libellé", "libelle", "item", "name", "nom") if n in header), None
    )
    parent_at = next((header.index(n) for n in ("parent", "parent_id") if n in header), None)
    if label_at is not None and parent_at is not None:
        id_at = header.index("id") if "id" in header else label_at
        return _from_parents(rows[1:], label_at, parent_at, id_at)
    if label_at is not None and len(header) > 1 and "id" in header:
        raise Refused(
            "columns", _("The column “parent” is missing. Expected columns: id, parent, label."), field="file"
        )
    return _from_levels(rows if label_at is None and not _looks_like_header(header) else rows[1:])


def _looks_like_header(header: Sequence[str]) -> bool:
    return all(
        re.fullmatch(r"(level|niveau|dimension|process|processus|item|label)\s*\d*", cell)
        for cell in header
        if cell
    )


def _from_parents(
    rows: Sequence[tuple[int, Sequence[str]]], label_at: int, parent_at: int, id_at: int
) -> tuple[FrameLine, ...]:
    def cell(cells: Sequence[str], at: int) -> str:
        return cells[at] if at < len(cells) else ""

    by_key: dict[str, int] = {}
    for position, (line, cells) in enumerate(rows):
        key = cell(cells, id_at).casefold()
        if key in by_key:
            raise Refused(
                "duplicate",
                _("Line %(line)d: “%(label)s” is there twice.") % {"line": line, "label": cell(cells, id_at)},
            )
        by_key[key] = position
    parents: list[int | None] = []
    for line, cells in rows:
        parent = cell(cells, parent_at)
        if parent and parent.casefold() not in by_key:
            raise Refused(
                "parent",
                _("Line %(line)d: the parent “%(parent)s” is not in the file.")
                % {"line": line, "parent": parent},
            )
        parents.append(by_key[parent.casefold()] if parent else None)
    depths: list[int] = []
    for position, (line, cells) in enumerate(rows):
        depth, above, seen = 0, parents[position], {position}
        while above is not None:
            if above in seen:
                raise Refused(
                    "cycle",
                    _("Line %(line)d: “%(label)s” is its own ancestor.")
                    % {"line": line, "label": cell(cells, label_at)},
                )
            seen.add(above)
            depth, above = depth + 1, parents[above]
        depths.append(depth)
    entries = [
        (line, parents[position], tidy(cell(cells, label_at)), depths[position])
        for position, (line, cells) in enumerate(rows)
    ]
    return _checked(_depth_first(entries))


def _from_levels(rows: Sequence[tuple[int, Sequence[str]]]) -> tuple[FrameLine, ...]:
    entries: list[tuple[int, int | None, str, int]] = []
    known: dict[tuple[str, ...], int] = {}
    above: list[str] = []
    for line, cells in rows:
        # An empty cell to the left of a filled one repeats the cell above it, as in a merged sheet.
        filled = [
            cells[i] or (above[i] if i < len(above) and any(cells[i + 1 :]) else "")
            for i in range(len(cells))
        ]
        path: tuple[str, ...] = ()
        for label in map(tidy, filled):
            if not label:
                break
            path = (*path, label)
            if path not in known:
                known[path] = len(entries)
                entries.append((line, known.get(path[:-1]), label, len(path) - 1))
        above = list(path)
    return _checked(entries)


def _depth_first(
    entries: Sequence[tuple[int, int | None, str, int]],
) -> list[tuple[int, int | None, str, int]]:
    children: dict[int | None, list[int]] = {}
    for position, entry in enumerate(entries):
        children.setdefault(entry[1], []).append(position)
    ordered: list[int] = []
    pending = list(reversed(children.get(None, [])))
    while pending:
        position = pending.pop()
        ordered.append(position)
        pending.extend(reversed(children.get(position, [])))
    moved = {old: new for new, old in enumerate(ordered)}
    return [
        (line, None if parent is None else moved[parent], label, depth)
        for line, parent, label, depth in (entries[position] for position in ordered)
    ]


def _checked(entries: Sequence[tuple[int, int | None, str, int]]) -> tuple[FrameLine, ...]:
    if not entries:
        raise Refused("empty", _("Write at least one line."), field="outline")
    if len(entries) > MAX_ITEMS:
        _too_many(len(entries))
    parents = {parent for _line, parent, _label, _depth in entries}
    seen: set[tuple[int | None, str]] = set()
    lines: list[FrameLine] = []
    for position, (line, parent, label, depth) in enumerate(entries):
        where = {"line": line, "label": label[:40]}
        if not label:
            raise Refused("label", _("Line %(line)d has no text.") % where, field="outline")
        if len(label) > MAX_LABEL:
            raise Refused(
                "label",
                _("Line %(line)d: “%(label)s…” is longer than 120 characters.") % where,
                field="outline",
            )
        if depth >= MAX_DEPTH:
            raise Refused(
                "depth", _("Line %(line)d: “%(label)s” is deeper than five levels.") % where, field="outline"
            )
        if (parent, label.casefold()) in seen:
            raise Refused(
                "duplicate", _("Line %(line)d: “%(label)s” is there twice.") % where, field="outline"
            )
        seen.add((parent, label.casefold()))
        number = None if parent is None else parent + 1
        lines.append(FrameLine(position + 1, number, label, depth, rated=position not in parents))
    return tuple(lines)


def _too_many(count: int) -> NoReturn:
    raise Refused(
        "too-many",
        _("%(count)d lines: a frame has at most %(most)d. People cannot find their way in more.")
        % {"count": count, "most": MAX_ITEMS},
        field="outline",
    )


def as_outline(lines: Sequence[FrameLine]) -> str:
    """Return the outline that `parse_outline` reads back as these lines."""
    return "\n".join("    " * line.depth + line.label for line in lines)
