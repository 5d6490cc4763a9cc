"""Components and forms: the markup that assistive technology relies on; no text escapes its place."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from django import forms
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation

from essaim.ui import icons, samples, shell
from essaim.ui.components import SHAPES, Entry, GroupCard, Says, Step
from essaim.ui.forms import AccessibleForm
from essaim.ui.toasts import toast

NASTY = '<i>&"'


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def shown(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


def test_icons_are_silent_unless_named() -> None:
    assert 'aria-hidden="true"' in shown('{% icon "plus" %}')
    assert 'role="img" aria-label="&lt;i&gt;&amp;&quot;"' in shown('{% icon "plus" text %}', text=NASTY)
    with pytest.raises(KeyError, match="known: agree"):
        icons.icon("unicorn")


def test_every_icon_is_well_formed() -> None:
    import xml.etree.ElementTree as ET

    assert len(icons.ICONS) >= 25
    for name in icons.ICONS:
        assert len(ET.fromstring(icons.icon(name))) >= 1, name


def test_badge_and_stat_escape_their_texts() -> None:
    assert shown('{% badge t "good" "check" %}', t=NASTY).count("&lt;i&gt;") == 1
    html = shown('{% stat t t hint=t trend=t tone="good" url=t %}', t=NASTY)
    assert "<i>" not in html
    assert html.count("&lt;i&gt;") == 5


def test_stepper_says_its_states_in_words() -> None:
    steps = [Step("One", "done"), Step("Two", "current", "8 min"), Step("Three", "todo")]
    html = shown("{% stepper steps %}", steps=steps)
    assert html.count('aria-current="step"') == 1
    assert [w for w in ("(done)", "(current)", "(to come)") if w in html] == [
        "(done)",
        "(current)",
        "(to come)",
    ]


def test_timeline_gives_machine_readable_times() -> None:
    entry = Entry(NASTY, datetime(2026, 3, 1, 9, 5, tzinfo=UTC), tone="good")
    html = shown("{% timeline entries %}", entries=[entry])
    assert 'datetime="2026-03-01T10:05:00+01:00"' in html
    assert "<i>" not in html


def test_groups_have_a_letter_a_shape_and_words() -> None:
    cards = [GroupCard("A", 12, (Says(NASTY, True), Says("x", False))), GroupCard("Z", 1)]
    html = shown("{% group_cards cards %}", cards=cards)
    assert SHAPES["A"] in html
    assert SHAPES["H"] in html  # a letter beyond the eighth still has a shape
    assert 'aria-label="Agrees"' in html
    assert 'aria-label="Disagrees"' in html
    assert "12 people" in html
    assert "1 person" in html
    assert len(set(SHAPES.values())) == len(SHAPES)


def test_opinion_bar_says_its_shares() -> None:
    html = shown("{% opinion_bar 62 20 18 %}")
    assert 'class="disagree" x="80.00" width="20.00"' in html
    assert re.findall(r"(\d+)%", html) == ["62", "20", "18"]
    assert "No votes yet" in shown("{% opinion_bar 0 0 0 %}")


def test_short_code_is_spelled_and_copied() -> None:
    html = shown('{% short_code "AB2" %}')
    assert 'data-copy="AB2"' in html
    assert ">A B 2<" in html


def test_countdown_reads_without_javascript(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("essaim.ui.templatetags.ui.time.time", lambda: 1_000.0)
    assert (
        shown("{% countdown ends %}", ends=1_065_000)
        == '<span role="timer" data-countdown="1065000">1:05</span>'
    )
    assert ">0:00<" in shown("{% countdown ends %}", ends=5)


def test_numbers_of_progress_are_not_localised() -> None:
    with translation.override("fr"):
        html = shown('{% progress_bar 1234.5 10000 "x" %}')
    assert 'value="1234.5" max="10000"' in html
    assert "1\u202f234,5 / 10\u202f000" in html


def test_query_keeps_the_rest_of_the_address() -> None:
    request = RequestFactory().get("/?q=a&page=3")
    assert shown("{% query page=None sort='x' %}", request=request) == "?q=a&amp;sort=x"
    assert shown("{% query page=2 %}") == "?"


class Example(AccessibleForm, forms.Form):
    name = forms.CharField(help_text="Short.")
    note = forms.CharField(required=False)
    kind = forms.ChoiceField(widget=forms.RadioSelect, choices=(("a", "A"), ("b", "B")), help_text="One.")
    sure = forms.BooleanField(required=False)

    def clean(self) -> None:
        raise forms.ValidationError("Nothing fits.")


class Ids(HTMLParser):
    """Collects ids and what refers to them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.refers: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.refers |= {found["for"] or ""} if "for" in found else set()
        self.refers |= set((found.get("aria-describedby") or "").split())
        if tag == "a":
            self.refers.add((found.get("href") or "").removeprefix("#"))


@pytest.mark.parametrize("data", [None, {"name": ""}], ids=["empty", "refused"])
def test_every_label_help_error_and_link_finds_its_field(data: dict[str, str] | None) -> None:
    html = str(Example(data))
    found = Ids(html)
    assert len(found.ids) == len(set(found.ids))
    assert found.refers <= set(found.ids)
    assert "id_name_helptext" in found.refers
    assert ("id_name_error" in found.refers) is (data is not None)
    assert html.count("(optional)") == 1
    assert "unless marked" in html


def test_the_summary_lists_general_and_field_errors() -> None:
    html = str(Example({"name": ""}))
    assert 'role="alert" tabindex="-1" data-focus' in html
    assert "<li>Nothing fits.</li>" in html
    assert '<a href="#id_name">Name: This field is required.</a>' in html
    assert 'aria-invalid="true"' in html
    assert 'role="alert"' not in str(Example())


def test_field_tag_passes_attributes_and_what_was_typed_comes_back() -> None:
    html = shown("{% field form.name data_live='1' rows=3 %}", form=Example({"name": NASTY}))
    assert 'data-live="1"' in html
    assert 'value="&lt;i&gt;&amp;&quot;"' in html


def test_the_sample_form_has_one_field_of_each_kind() -> None:
    kinds = {field.widget.__class__.__name__ for field in samples.SampleForm().fields.values()}
    assert len(kinds) == 7


def test_toasts_carry_an_undo_and_survive_a_redirect() -> None:
    request = RequestFactory().get("/")
    request._messages = CookieStorage(request)
    toast(request, NASTY, undo="/undo/?a=1&b=2")
    toast(request, "Read the manual.", level=messages.ERROR)
    answer = HttpResponse()
    request._messages.update(answer)
    later = RequestFactory().get("/")
    later.COOKIES["messages"] = answer.cookies["messages"].value
    html = render_to_string("ui/_toasts.html", {"messages": CookieStorage(later)})
    assert '<form method="post" action="/undo/?a=1&amp;b=2">' in html
    assert html.count("<form") == 1
    assert re.findall(r'data-toast="(\w+)"', html) == ["undo", "stay"]
    assert "<i>" not in html


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Awa Diop", "AD"), ("Jean de La Tour", "JT"), ("claire@altura.example", "CA"), ("", "")],
)
def test_initials(name: str, initials: str) -> None:
    assert shell.Shell(account=name).initials == initials


def test_the_theme_is_one_of_two_or_the_systems() -> None:
    request = RequestFactory().get("/")
    for cookie, theme in (("dark", "dark"), ("light", "light"), ('"><script>', ""), ("", "")):
        request.COOKIES["essaim-theme"] = cookie
        assert shell.theme_of(request) == theme
    assert shell.theme_of(None) == ""


def test_error_pages_need_no_request() -> None:
    for name in ("400.html", "404.html", "403.html", "500.html", "403_csrf.html"):
        html = render_to_string(name)
        assert "<h1>" in html, name
        assert re.search(r'<html lang="\w\w"', html), name
