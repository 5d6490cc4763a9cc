from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BaseConfig(AppConfig):
    name = "essaim.base"
    label = "base"

    def ready(self) -> None:
        from essaim.base import guard

        post_migrate.connect(guard.reinstall, sender=self, dispatch_uid="essaim.base.guard")
