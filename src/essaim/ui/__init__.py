"""The interface kit: style sheet, page shell, components, forms, tables, exports and charts.

Where to look first:

- `templates/ui/base.html`   a page of the application; `bare.html` login and errors; `screen.html` projector
- `shell.py`                 what the top bar shows (given by a context processor)
- `templatetags/ui.py`       `{% load ui %}`: icon, badge, stat, notice, stepper, field, table, chart...
- `forms.py` `tables.py` `export.py` `numbers.py` `toasts.py`   the Python side
- `charts/`                  server-rendered SVG charts with their table twin
- `views.style_guide`        every component in every state

Rule of the house: no inline style and no inline script anywhere (the CSP forbids both).
"""
