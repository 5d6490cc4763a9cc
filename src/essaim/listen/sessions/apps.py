from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "essaim.listen.sessions"
    label = "listen_sessions"  # "sessions" is Django's own

    def ready(self) -> None:
        from essaim.listen.sessions.actions.record import listen
        from essaim.listen.sessions.words import VERBS
        from essaim.people import words

        listen()
        words.VERBS.update(VERBS)
