"""The icon set: 24 x 24 line icons drawn for Essaim, used by `{% icon "name" %}` or `icon("name")`.

An icon is decoration by default (hidden from assistive technology); give `label` when it stands alone.
"""

# ruff: noqa: E501 (a drawing stays on its line)

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# Each value is the inside of an <svg viewBox="0 0 24 24">; strokes come from the `.icon` class.
ICONS: dict[str, str] = {
    "home": '<path d="M4 11l8-7 8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z"/>',
    "listen": '<path d="M5 6h14v9h-8l-4 4v-4H5z"/><path d="M9 9.5h6M9 12h4"/>',
    "understand": '<circle cx="8" cy="9" r="3.5"/><circle cx="16.5" cy="7" r="2.5"/><circle cx="14.5" cy="16" r="3.5"/>',
    "prove": '<path d="M9 3h6M10 3v6l-5 9a2 2 0 0 0 2 3h10a2 2 0 0 0 2-3l-5-9V3M7.5 15h9"/>',
    "scale": '<path d="M4 20h16M6 16v4M11 12v8M16 7v13M4 11l6-5 3 2 6-5M15 3h4v4"/>',
    "learn": '<path d="M12 6c-2-1.6-5-2-8-1.5v13c3-.5 6 0 8 1.5 2-1.5 5-2 8-1.5v-13c-3-.5-6-.1-8 1.5zM12 6v13"/>',
    "search": '<circle cx="11" cy="11" r="6.5"/><path d="M16 16l4.5 4.5"/>',
    "plus": '<path d="M12 5v14M5 12h14"/>',
    "check": '<path d="M5 12.5l4.5 4.5L19 7"/>',
    "cross": '<path d="M6 6l12 12M18 6L6 18"/>',
    "minus": '<path d="M6 12h12"/>',
    "agree": '<path d="M7 20V11l4-7c1.7 0 2.5 1 2.3 2.6L13 9.5h5a2 2 0 0 1 2 2.3l-1 6.5a2 2 0 0 1-2 1.7zM7 11H4v9h3"/>',
    "disagree": '<path d="M7 4v9l4 7c1.7 0 2.5-1 2.3-2.6L13 14.5h5a2 2 0 0 0 2-2.3l-1-6.5A2 2 0 0 0 17 4zM7 13H4V4h3"/>',
    "pass": '<circle cx="12" cy="12" r="8.5"/><path d="M8 12h8"/>',
    "edit": '<path d="M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19zM13.5 7l3.5 3.5"/>',
    "trash": '<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5"/>',
    "download": '<path d="M12 4v11M7.5 11l4.5 4.5 4.5-4.5M4 20h16"/>',
    "print": '<path d="M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z"/>',
    "copy": '<path d="M9 9h11v11H9zM15 9V4H4v11h5"/>',
    "settings": '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>',
    "user": '<circle cx="12" cy="8" r="4"/><path d="M4.5 20c.8-4 3.8-6 7.5-6s6.7 2 7.5 6"/>',
    "users": '<circle cx="9" cy="8.5" r="3.5"/><path d="M2.5 20c.6-3.8 3-5.5 6.5-5.5s5.9 1.7 6.5 5.5M15.5 5.3a3.5 3.5 0 0 1 0 6.4M18 14.8c2 .8 3.2 2.5 3.5 5.2"/>',
    "building": '<path d="M5 20V4h9v16M14 9h5v11M3 20h18M8 8h3M8 12h3M8 16h3"/>',
    "clock": '<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5.5l3.5 2"/>',
    "calendar": '<path d="M4 6h16v14H4zM4 10.5h16M8 3.5v4M16 3.5v4"/>',
    "info": '<circle cx="12" cy="12" r="8.5"/><path d="M12 11v5.5"/><circle class="solid" cx="12" cy="7.8" r="1.1"/>',
    "warning": '<path d="M12 4l9 16H3zM12 10v4.5"/><circle class="solid" cx="12" cy="17.2" r="1.1"/>',
    "lock": '<path d="M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3"/>',
    "eye": '<path d="M2.5 12c2.5-4.3 5.7-6.5 9.5-6.5s7 2.2 9.5 6.5c-2.5 4.3-5.7 6.5-9.5 6.5S5 16.3 2.5 12z"/><circle cx="12" cy="12" r="3"/>',
    "hide": '<path d="M4 4l16 16M9 6c1-.3 2-.5 3-.5 3.8 0 7 2.2 9.5 6.5-.8 1.4-1.7 2.6-2.7 3.5M6 7.5C4.7 8.6 3.5 10.1 2.5 12c2.5 4.3 5.7 6.5 9.5 6.5 1.3 0 2.5-.3 3.7-.8"/>',
    "play": '<path d="M7 4.5l12 7.5-12 7.5z"/>',
    "stop": '<path d="M6 6h12v12H6z"/>',
    "pause": '<path d="M8 5v14M16 5v14"/>',
    "screen": '<path d="M3 5h18v11H3zM8 20h8M12 16v4"/>',
    "link": '<path d="M10 14a4 4 0 0 0 6 .3l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-6-.3l-3 3a4 4 0 0 0 5.7 5.7l1-1"/>',
    "undo": '<path d="M8.5 5L4 9.5 8.5 14M4.5 9.5H14a5 5 0 0 1 0 10H9"/>',
    "up": '<path d="M12 19V5M6 11l6-6 6 6"/>',
    "down": '<path d="M12 5v14M6 13l6 6 6-6"/>',
    "chevron": '<path d="M6 9.5l6 6 6-6"/>',
    "next": '<path d="M9.5 6l6 6-6 6"/>',
    "previous": '<path d="M14.5 6l-6 6 6 6"/>',
    "menu": '<path d="M4 7h16M4 12h16M4 17h16"/>',
    "help": '<circle cx="12" cy="12" r="8.5"/><path d="M9.5 9.7a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1.9-1.1 1.8"/><circle class="solid" cx="12" cy="16.8" r="1.1"/>',
    "qr": '<path d="M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2.5v2.5M20 14v2M14 20h2M18.5 18.5H20V20"/>',
}


def icon(name: str, label: str = "") -> SafeString:
    """Return the inline SVG of icon `name`; KeyError says which names exist."""
    if name not in ICONS:
        raise KeyError(f"unknown icon {name!r}; known: {', '.join(sorted(ICONS))}")
    body = mark_safe(ICONS[name])  # noqa: S308 - constants above
    if label:
        return format_html(
            '<svg class="icon" viewBox="0 0 24 24" role="img" aria-label="{}">{}</svg>', label, body
        )
    return format_html(
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>', body
    )


_CELLS = (
    "M25.27 11.00L29.60 13.50L29.60 18.50L25.27 21.00L20.94 18.50L20.94 13.50z"
    "M11.37 2.97L15.70 5.47L15.70 10.47L11.37 12.97L7.04 10.48L7.04 5.47z"
    "M6.73 11.00L11.06 13.50L11.06 18.50L6.73 21.00L2.40 18.50L2.40 13.50z"
    "M11.37 19.02L15.70 21.52L15.70 26.52L11.37 29.02L7.04 26.53L7.04 21.52z"
    "M20.63 19.02L24.96 21.52L24.96 26.52L20.63 29.02L16.30 26.53L16.30 21.52z"
)
_HONEY = "M20.63 2.98L24.96 5.48L24.96 10.48L20.63 12.98L16.30 10.48L16.30 5.48z"


def mark() -> SafeString:
    """The product's mark (the drawing of static/ui/mark.svg) in the theme's colours; always beside the name."""
    return format_html(
        '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">'
        '<path class="cells" d="{}"/><path class="honey" d="{}"/></svg>',
        _CELLS,
        _HONEY,
    )
