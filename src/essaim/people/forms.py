"""What people type about members, units and organisations. The rules are the actions'; forms only read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from essaim.base.actor import Actor, Role
from essaim.base.errors import Refused
from essaim.people import queries
from essaim.people.models import ROLE_CHOICES, ROLE_LABELS
from essaim.people.words import ROLE_MEANINGS
from essaim.ui.forms import AccessibleForm

LANGUAGES = [("fr", "Français"), ("en", "English")]


def refuse(form: forms.Form, refusal: Refused) -> None:
    """Show an action's refusal where it belongs: at the field at fault, else on top of the form."""
    form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))


def role_choices_explained() -> list[tuple[str, str]]:
    """Each role with what it may do, for radio buttons."""
    return [(role.value, f"{ROLE_LABELS[role]} — {ROLE_MEANINGS[role]}") for role in Role]


def _unit_choices(by: Actor) -> list[tuple[str, Any]]:
    return [("", _("No unit")), *queries.unit_choices(by=by)]


class MemberFilter(forms.Form):
    """The filters of the list of members, read from the address. What is not understood is left out."""

    q = forms.CharField(required=False, max_length=120)
    role = forms.ChoiceField(required=False, choices=[("", ""), *ROLE_CHOICES])
    unit = forms.CharField(required=False, max_length=16)
    gone = forms.BooleanField(required=False)

    def criteria(self) -> dict[str, Any]:
        """The arguments of `queries.members`."""
        self.is_valid()
        cleaned = self.cleaned_data
        role = cleaned.get("role")
        return {
            "text": cleaned.get("q", ""),
            "role": Role(role) if role else None,
            "unit_id": cleaned.get("unit", ""),
            "gone": cleaned.get("gone", False),
        }


class Form(AccessibleForm, forms.Form):
    """An accessible form."""


class InviteForm(Form):
    emails = forms.CharField(
        label=_("E-mail addresses"),
        help_text=_("One or many, separated by spaces, commas or lines. Paste them as they are."),
        widget=forms.Textarea(attrs={"rows": 5, "autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(
        label=_("Role"), choices=role_choices_explained, widget=forms.RadioSelect, initial=Role.PEER.value
    )
    unit_id = forms.ChoiceField(label=_("Unit"), required=False)

    def __init__(self, *args: Any, by: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit_id"].choices = _unit_choices(by)  # type: ignore[attr-defined]


class RoleForm(Form):
    role = forms.ChoiceField(label=_("Role"), choices=role_choices_explained, widget=forms.RadioSelect)


class MemberUnitForm(Form):
    unit_id = forms.ChoiceField(label=_("Unit"), required=False)

    def __init__(self, *args: Any, by: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit_id"].choices = _unit_choices(by)  # type: ignore[attr-defined]


class ProfileForm(Form):
    name = forms.CharField(
        label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    unit_id = forms.ChoiceField(label=_("Your unit"), required=False)

    def __init__(self, *args: Any, by: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit_id"].choices = _unit_choices(by)  # type: ignore[attr-defined]


class UnitForm(Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    parent_id = forms.ChoiceField(label=_("Part of"), required=False)
    headcount = forms.IntegerField(
        label=_("Headcount"),
        required=False,
        min_value=0,
        help_text=_("How many people work there. Used to say what share of them took part."),
    )

    def __init__(self, *args: Any, by: Actor, unit_id: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        below = set()
        if unit_id:
            below = {node.id for node in queries.unit(unit_id=unit_id, by=by).walk()}
        offered = [choice for choice in queries.unit_choices(by=by) if choice[0] not in below]
        self.fields["parent_id"].choices = [("", _("Nothing: it is on top")), *offered]  # type: ignore[attr-defined]


class ImportForm(Form):
    text = forms.CharField(
        label=_("Units, one a line"),
        required=False,
        help_text=_("Name; part of; headcount. The last two may be left out."),
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
    )
    file = forms.FileField(label=_("Or a CSV file"), required=False)


class OrganisationForm(Form):
    name = forms.CharField(label=_("Name of the organisation"), max_length=120)
    language = forms.ChoiceField(
        label=_("Language of its e-mails"), choices=LANGUAGES, widget=forms.RadioSelect
    )


class FoundForm(Form):
    name = forms.CharField(
        label=_("Name of the organisation"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    member_name = forms.CharField(
        label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    language = forms.ChoiceField(
        label=_("Language of its e-mails"), choices=LANGUAGES, widget=forms.RadioSelect
    )


class JoinForm(Form):
    """An invited person who has an account."""

    name = forms.CharField(
        label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )


class OpenAccountForm(JoinForm):
    """An invited person who has none yet."""

    password = forms.CharField(
        label=_("Choose a password"),
        help_text=_("At least 8 characters; a few words that only you would put together are best."),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class HistoryFilter(forms.Form):
    """The filters of the history, read from the address."""

    verb = forms.CharField(required=False, max_length=60)
    name = forms.CharField(required=False, max_length=200)
    subject = forms.CharField(required=False, max_length=80)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    page = forms.IntegerField(required=False, min_value=1)

    def criteria(self) -> dict[str, Any]:
        """The arguments of `queries.history`; what is not understood is left out."""
        self.is_valid()
        found = {key: value for key, value in self.cleaned_data.items() if value}
        return {"page": 1, **found}
