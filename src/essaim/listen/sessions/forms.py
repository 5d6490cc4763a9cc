"""What facilitators fill in. A form only says what a field may hold; the actions decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from essaim.listen.sessions.models import Moderation, Privacy
from essaim.listen.sessions.presets import PRESETS, SCRATCH, every_kind, every_scale
from essaim.live.invitations import MOST as MOST_CODES
from essaim.ui.forms import AccessibleForm

LANGUAGES = [("fr", "Français"), ("en", "English")]


def _in_language(label: dict[str, str]) -> str:
    return label["en" if get_language() == "en" else "fr"]


class NewSessionForm(AccessibleForm, forms.Form):
    """Two minutes: a template, a title, a language."""

    template = forms.ChoiceField(label=_("Start from"), widget=forms.RadioSelect, required=False)
    title = forms.CharField(label=_("Title"), max_length=120, help_text=_("People see it when they join."))
    language = forms.ChoiceField(
        label=_("Language of the session"),
        choices=LANGUAGES,
        widget=forms.RadioSelect,
        help_text=_("Each person can still read the buttons in French or in English."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(p.name, _in_language(p.label)) for p in (*PRESETS.values(), SCRATCH)]
        self.fields["template"].choices = choices  # type: ignore[attr-defined]


class SettingsForm(AccessibleForm, forms.Form):
    """Everything that a session promises to those who join."""

    title = forms.CharField(label=_("Title"), max_length=120)
    question = forms.CharField(
        label=_("Question"),
        max_length=400,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("The question that everybody answers, in one sentence."),
    )
    language = forms.ChoiceField(label=_("Language of the session"), choices=LANGUAGES)
    draft_minutes = forms.IntegerField(
        label=_("Draft: minutes to contribute and rate"),
        min_value=0,
        max_value=1440,
        help_text=_("0: no planned end, you move on when you decide."),
    )
    compare_minutes = forms.IntegerField(
        label=_("Compare: minutes to vote"), min_value=0, max_value=1440, help_text=_("0: no planned end.")
    )
    privacy = forms.ChoiceField(
        label=_("Who can be known"), choices=Privacy.choices, widget=forms.RadioSelect
    )
    by_invitation = forms.BooleanField(
        label=_("Only with an invitation code: one person, one voice"),
        required=False,
        help_text=_(
            "For anonymous and pseudonymous sessions. Make the codes in the preparation, and give one to each person."
        ),
    )
    moderation = forms.ChoiceField(
        label=_("Moderation"), choices=Moderation.choices, widget=forms.RadioSelect
    )
    kinds = forms.MultipleChoiceField(label=_("Kinds of contribution"), widget=forms.CheckboxSelectMultiple)
    scales = forms.MultipleChoiceField(
        label=_("People rate the items of the frame on"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Nothing chosen: no assessment grid."),
    )
    ask_unit = forms.BooleanField(
        label=_("Ask each person for their unit"),
        required=False,
        help_text=_("Results by unit are shown from five people on, never below."),
    )
    compare_ideas = forms.BooleanField(label=_("People can still contribute while they vote"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kinds"].choices = [(k, _in_language(label)) for k, label in every_kind()]  # type: ignore[attr-defined]
        self.fields["scales"].choices = [(s, _in_language(label)) for s, label, *_ends in every_scale()]  # type: ignore[attr-defined]

    def changes(self) -> dict[str, Any]:
        """The settings as the action takes them."""
        values = dict(self.cleaned_data)
        values.pop("draft_minutes"), values.pop("compare_minutes")
        values["kinds"] = [{"id": k, "label": label} for k, label in every_kind() if k in values["kinds"]]
        values["scales"] = [
            {"id": s, "label": label, "low": low, "high": high, "top": 5}
            for s, label, low, high in every_scale()
            if s in values["scales"]
        ]
        return values


class FrameForm(AccessibleForm, forms.Form):
    """The frame, typed or pasted as an outline, or as a CSV file."""

    outline = forms.CharField(
        label=_("The frame, one item a line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "true", "class": "outline"}),
        help_text=_("Indent a line with spaces to put it under the one above. People rate the lowest items."),
    )
    file = forms.FileField(
        label=_("Or a CSV file"),
        required=False,
        help_text=_("Columns “label” and “parent”, or one column a level."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )


class StatementsForm(AccessibleForm, forms.Form):
    """Statements to put to the vote."""

    texts = forms.CharField(
        label=_("Statements, one a line"),
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_(
            "280 characters at most. A good statement says one thing that one can agree or disagree with."
        ),
    )


class CodesForm(AccessibleForm, forms.Form):
    """More invitation codes."""

    count = forms.IntegerField(
        label=_("How many codes"),
        min_value=1,
        max_value=MOST_CODES,
        help_text=_("One for each person, and some to spare. You can make more later."),
    )


class CodeForm(AccessibleForm, forms.Form):
    """The code read on a screen."""

    code = forms.CharField(
        label=_("Session code"),
        max_length=12,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "class": "code",
            }
        ),
    )
