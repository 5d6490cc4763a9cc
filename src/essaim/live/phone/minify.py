"""Makes our own style sheet and scripts small, by plain means, once at import; the sources stay readable.

Not a minifier for any script: ours end every statement with a semicolon and have no template literal, no
shorthand property, no destructuring, no empty statement; a regular expression comes just after `(`. Tests run the
result in a real browser.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain, pairwise, product
from string import ascii_lowercase, ascii_uppercase
from typing import Final

Token = tuple[str, str]

_TOKEN: Final = re.compile(
    r"""(?P<skip>\s+|//[^\n]*)|(?P<text>"(?:\\.|[^"\\\n])*"|(?<=\()/(?:\\.|[^/\\\n])+/[a-z]*)"""
    r"""|(?P<name>[A-Za-z_$][\w$]*)|(?P<number>\d*\.?\d+(?:e-?\d+)?)|(?P<mark>=>|\.\.\.|\+\+|--|\S)"""
)
_OPEN, _CLOSE = "([{", ")]}"
_RESERVED: Final = frozenset({"as", "do", "if", "in", "is", "of"})
CAPITALS: Final = ascii_uppercase + "$_"
SMALL: Final = ascii_lowercase


def small_css(source: str) -> str:
    """Take comments and needless blanks out of a style sheet (ours: no text holds a brace)."""
    text = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" ?([{};,>]) ?", r"\1", text).replace(": ", ":").replace(";}", "}").strip()


def small_js(source: str) -> str:
    """Take comments and blanks out of a script, and give the names it declares short ones."""
    found = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(source)]
    tokens = [token for token in found if token[0] != "skip"]
    statements = _statements(tokens)
    # Names of the whole script get capitals, those inside of one statement small letters, again in each one.
    outer = _short(
        tokens, set(chain.from_iterable(_declared(one, only_outer=True) for one in statements)), CAPITALS
    )
    out: list[str] = []
    for statement in statements:
        inner = _short(statement, set(_declared(statement)) - outer.keys(), SMALL)
        for place, (kind, text) in enumerate(statement):
            if kind == "name" and not _is_property(statement, place):
                text = outer.get(text) or inner.get(text, text)
            last = out[-1] if out else ";"
            if text == "}" and last == ";":
                out.pop()
            elif (_is_word(last[-1]) and _is_word(text[0])) or (last[-1] in "+-" and text[0] == last[-1]):
                out.append(" ")
            out.append(text)
    return "".join(out)


def _statements(tokens: list[Token]) -> list[list[Token]]:
    """Cut a script, or the inside of the function that it is, into its outermost statements."""
    base = 2 if tokens[0][1] == "(" else 0
    depth, cut = 0, [0]
    for at, (_, text) in enumerate(tokens):
        depth += (text in _OPEN) - (text in _CLOSE)
        block = text == "}" and tokens[cut[-1]][1] in ("if", "for", "function")
        if depth <= base and (text in (";", "{") or block):
            cut.append(at + 1)
    return [tokens[start:end] for start, end in pairwise([*cut, len(tokens)]) if start < end]


def _short(tokens: list[Token], names: set[str], letters: str) -> dict[str, str]:
    """Give short names to `names`, the most used first."""
    used = Counter(
        text for at, (kind, text) in enumerate(tokens) if kind == "name" and not _is_property(tokens, at)
    )
    free = chain(letters, ("".join(pair) for pair in product(letters, repeat=2)))
    usable = (name for name in free if name not in _RESERVED)
    return {name: next(usable) for name, _ in used.most_common() if name in names}


def _declared(tokens: list[Token], *, only_outer: bool = False) -> list[str]:
    """The names after const, let, function and catch, and the parameters of arrows."""
    names: list[str] = []
    for at, (_, text) in enumerate(tokens):
        if only_outer and at:
            break
        if text in ("const", "let"):
            depth, here = 0, at + 1
            names.append(tokens[here][1])
            while depth or tokens[here][1] not in (";", "of", "in"):
                mark = tokens[here][1]
                depth += (mark in _OPEN) - (mark in _CLOSE)
                if mark == "," and not depth:
                    names.append(tokens[here + 1][1])
                here += 1
        elif text in ("function", "catch"):
            names += [one for _, one in tokens[at + 1 : at + 3] if one != "("]
        elif text == "=>" and tokens[at - 1][0] == "name":
            names.append(tokens[at - 1][1])
        elif text == "=>":
            here = at - 2
            while tokens[here][1] != "(":
                if tokens[here][0] == "name":
                    names.append(tokens[here][1])
                here -= 1
    return names


def _is_property(tokens: list[Token], at: int) -> bool:
    before, after = tokens[at - 1][1], tokens[at + 1][1] if at + 1 < len(tokens) else ""
    return before == "." or (after == ":" and before in ("{", ","))


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_$"
