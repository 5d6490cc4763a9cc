"""Template components: `{% load ui %}`.

{% icon "listen" %}  {% icon "warning" label="Late" %}          icons of icons.py
{% badge "Open" "good" "check" %}                               tones: good, bad, warn, info, quiet, or none
{% stat "Participants" value hint="n = 214" trend="+12" tone="good" url="/x" chart=sparkline %}
{% empty_state "No session yet" "Ask one question to many." example="…" action="New session" url="/new" %}
{% notice "warn" %}Rich <b>content</b>{% endnotice %}
{% toolbar "Actions" %}<a class="button">…</a>{% endtoolbar %}
{% stepper steps %}          steps: Step(label, state="done|current|todo", detail, url)      (components.py)
{% timeline entries %}       entries: Entry(title, when, text, tone, icon, url)              (components.py)
{% group_cards groups %}     groups: GroupCard(label, size, says=(Says(text, agree, note),)) (components.py)
{% opinion_bar agrees disagrees passes %}                       small bar and its words
{% progress_bar value top label %}   {% short_code "ABC234" %}   {% countdown ends_at_ms %}
{% form_errors form %}  {% field form.name %}                   accessible fields (forms.py)
{% table table %}  {% chart chart %}  {% mark %}
{{ value|number }}  {{ x|number:1 }}  {{ share|percent }}  {{ x|signed }}  {% interval share low high n %}
{{ message|undo_address }}   {% query page=2 sort=None %} (the current address with parameters replaced)
"""

import time
from collections.abc import Iterable
from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.forms import BaseForm, BoundField
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from essaim.ui import numbers, shell, toasts
from essaim.ui.components import Entry, GroupCard, Step, opinion_words, shape
from essaim.ui.icons import icon as draw_icon
from essaim.ui.icons import mark as draw_mark

register = template.Library()
register.simple_tag(draw_icon, name="icon")
register.simple_tag(numbers.interval, name="interval")
register.filter("percent", numbers.percent)
register.filter("number", numbers.number)
register.filter("signed", numbers.signed)


@register.simple_tag
def mark() -> SafeString:
    """The product's mark, as an inline drawing."""
    return draw_mark()


@register.simple_tag(takes_context=True)
def page_theme(context: Context) -> str:
    """The theme chosen by the person, or ""."""
    return shell.theme_of(context.get("request"))


@register.simple_tag
def page_languages() -> tuple[shell.Language, ...]:
    """The languages of the switch."""
    return shell.languages()


@register.simple_tag
def server_now() -> int:
    """The server's clock in milliseconds, for countdowns."""
    return int(time.time() * 1000)


@register.filter
def undo_address(message: Message) -> str:
    """The address of a toast's undo, or ""."""
    return toasts.undo_address(message)


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The current query string with parameters replaced (None removes one); always starts with "?"."""
    request = context.get("request")
    params = request.GET.copy() if request is not None else None
    if params is None:
        return "?"
    for name, value in changes.items():
        if value in (None, ""):
            params.pop(name, None)
        else:
            params[name] = str(value)
    return f"?{params.urlencode()}"


@register.simple_tag
def badge(text: Any, tone: str = "", name: str = "") -> SafeString:
    """A short state. The tone is a colour: the text (and the icon) must say the state by themselves."""
    drawn = draw_icon(name) if name else ""
    tone_attribute = format_html(' data-tone="{}"', tone) if tone else ""
    return format_html('<span class="badge"{}>{}{}</span>', tone_attribute, drawn, text)


@register.inclusion_tag("ui/_stat.html")
def stat(
    label: Any,
    value: Any,
    hint: Any = "",
    trend: Any = "",
    tone: str = "",
    url: str = "",
    chart: Any = None,
) -> dict[str, Any]:
    """A number with its name; `hint`: its interval and n. `trend`: text, `tone`: its colour."""
    return {
        "label": label,
        "value": value,
        "hint": hint,
        "trend": trend,
        "tone": tone,
        "url": url,
        "chart": chart,
    }


@register.inclusion_tag("ui/_empty.html")
def empty_state(
    title: Any,
    text: Any,
    example: Any = "",
    action: Any = "",
    url: str = "",
    icon: str = "listen",
    level: int = 2,
) -> dict[str, Any]:
    """What to show where there is nothing yet: one sentence, one example, one button."""
    return {
        "title": title,
        "text": text,
        "example": example,
        "action": action,
        "url": url,
        "icon": icon,
        "level": f"h{level}",
    }


@register.simple_block_tag
def notice(content: str, tone: str = "info") -> SafeString:
    """A message inside the page. Tones: info, good, warn, bad."""
    names = {"info": "info", "good": "check", "warn": "warning", "bad": "warning"}
    return format_html(
        '<div class="notice" data-tone="{}">{}<div>{}</div></div>', tone, draw_icon(names[tone]), content
    )


@register.simple_block_tag
def toolbar(content: str, label: str = "") -> SafeString:
    """Buttons that belong together; `label` names the group for screen readers."""
    name = format_html(' role="group" aria-label="{}"', label) if label else ""
    return format_html('<div class="toolbar"{}>{}</div>', name, content)


@register.inclusion_tag("ui/_stepper.html")
def stepper(steps: Iterable[Step], label: Any = "") -> dict[str, Any]:
    """The phases of something: done, current, to do."""
    return {"steps": steps, "label": label}


@register.inclusion_tag("ui/_timeline.html")
def timeline(entries: Iterable[Entry]) -> dict[str, Any]:
    """What happened, newest first or oldest first: the caller's order is kept."""
    return {"entries": entries}


@register.inclusion_tag("ui/_groups.html")
def group_cards(groups: Iterable[GroupCard], level: int = 3) -> dict[str, Any]:
    """The opinion groups in words: letter, shape, size, what each one says."""
    return {"groups": [(group, shape(group.label)) for group in groups], "level": f"h{level}"}


@register.inclusion_tag("ui/_opinion_bar.html")
def opinion_bar(agrees: int, disagrees: int, passes: int = 0) -> dict[str, Any]:
    """A thin agree / pass / disagree bar with the numbers in words under it."""
    return opinion_words(agrees, disagrees, passes)


@register.inclusion_tag("ui/_progress.html")
def progress_bar(value: float, top: float, label: Any) -> dict[str, Any]:
    """A native progress element with its label and its figures."""
    return {
        "value": f"{value:g}",
        "top": f"{top:g}",
        "label": label,
        "text": f"{numbers.number(value)} / {numbers.number(top)}",
    }


@register.inclusion_tag("ui/_short_code.html")
def short_code(code: str) -> dict[str, Any]:
    """A code to dictate or type, spelled out for screen readers, with a copy button."""
    return {"code": code, "spelled": " ".join(code)}


@register.simple_tag
def countdown(ends_at: int) -> SafeString:
    """A clock that counts down to `ends_at` (ms since the epoch), server's time; essaim.js makes it run."""
    left = max(0, ends_at - server_now()) // 1000
    return format_html(
        '<span role="timer" data-countdown="{}">{}:{}</span>', ends_at, left // 60, f"{left % 60:02d}"
    )


@register.simple_tag
def field(bound: BoundField, **attributes: Any) -> SafeString:
    """One form field with label, help and errors. `attributes` go to the widget (_ becomes -)."""
    if attributes:
        bound.field.widget.attrs.update({name.replace("_", "-"): value for name, value in attributes.items()})
    return bound.as_field_group()


@register.inclusion_tag("ui/_form_errors.html")
def form_errors(form: BaseForm) -> dict[str, Any]:
    """The error summary of a form: links to each field at fault. It takes the focus after a refusal."""
    fields = [bound for bound in form if bound.errors and not bound.is_hidden]
    hidden = [(bound, error) for bound in form.hidden_fields() for error in bound.errors]
    return {"form": form, "fields": fields, "hidden": hidden, "general": form.non_field_errors()}


@register.inclusion_tag("ui/_table.html", takes_context=True)
def table(context: Context, table: Any) -> dict[str, Any]:
    """An accessible table (tables.py)."""
    return {"table": table, "request": context.get("request")}


@register.inclusion_tag("ui/_chart.html")
def chart(chart: Any, level: int = 3) -> dict[str, Any]:
    """A chart with its heading and its table twin (charts/)."""
    return {"chart": chart, "level": f"h{level}"}
