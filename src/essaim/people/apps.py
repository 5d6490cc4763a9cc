from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "essaim.people"
    label = "people"
