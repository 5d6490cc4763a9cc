"""Accessible forms: label, help and error tied by aria-describedby, a summary of errors with links.

Either inherit the mixin:        class SessionForm(AccessibleForm, forms.Form): ...
or, for every form (allauth's too), in the settings:  FORM_RENDERER = "essaim.ui.forms.AccessibleRenderer"

In a template:   <form method="post">{% csrf_token %}{{ form }}<div class="actions">…</div></form>
or field by field:  {% form_errors form %}{% field form.title %}{% field form.question rows=3 %}

All fields are required unless marked "(optional)", and a sentence says so as soon as one is. Nothing typed is
ever lost: the page comes back filled, with the focus on the summary.
"""

from django import forms
from django.forms.renderers import BaseRenderer, DjangoTemplates


class AccessibleRenderer(DjangoTemplates):
    """Renders whole forms with `ui/form.html` and each field with `ui/field.html`."""

    form_template_name = "ui/form.html"
    field_template_name = "ui/field.html"


class AccessibleForm:
    """Mixin placed before forms.Form or forms.ModelForm. No colon after labels."""

    default_renderer: BaseRenderer | type[BaseRenderer] | None = AccessibleRenderer
    use_required_attribute = True

    @property
    def has_optional(self) -> bool:
        """Whether the sentence on optional fields is of use."""
        fields: dict[str, forms.Field] = getattr(self, "fields", {})
        return any(
            not field.required and not isinstance(field, forms.BooleanField) for field in fields.values()
        )
