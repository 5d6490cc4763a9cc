"""Django application of the interface kit."""

from django.apps import AppConfig


class UiConfig(AppConfig):
    """Templates, static files, template tags and translations shared by every area."""

    name = "essaim.ui"
    label = "ui"
    verbose_name = "Interface"
