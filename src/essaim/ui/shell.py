"""What the page shell shows around a page: navigation, organisation and account.

The project gives it once, from a context processor, under the name `shell`; `base.html` copes without it:

    def shell(request):
        return {"shell": Shell(
            home_url="/",
            nav=(NavItem(_("Sessions"), "/sessions/", icon="listen", current=True, key="s"),),
            organisation="Altura",
            organisations=(Link("Altura", "/o/altura/", current=True), Link(_("Manage"), "/o/")),
            account="Awa Diop",
            account_links=(Link(_("My account"), "/account/", icon="user"),),
            logout_url="/accounts/logout/",
        )}

The theme, the languages and the server's clock need nothing: the templates ask for them by tags.
"""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import get_language, get_language_info

THEME_COOKIE = "essaim-theme"
THEMES = ("light", "dark")
Label = str | Promise


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of a menu. `current` marks where one is; `icon` is a name known to `icons.py`."""

    label: Label
    url: str
    icon: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True)
class NavItem:
    """A section of the product in the top bar. `key`: the letter typed after `g` to go there."""

    label: Label
    url: str
    icon: str = ""
    current: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Shell:
    """Everything the top bar and the footer show; an empty value leaves its place out."""

    home_url: str = "/"
    nav: tuple[NavItem, ...] = ()
    organisation: str = ""
    organisations: tuple[Link, ...] = ()
    account: str = ""
    account_links: tuple[Link, ...] = ()
    login_url: str = ""
    logout_url: str = ""
    footer_links: tuple[Link, ...] = ()

    @property
    def initials(self) -> str:
        """At most two capitals of the account's name, for the round badge."""
        words = [word for word in self.account.replace("@", " ").split() if word[:1].isalnum()]
        return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


@dataclass(frozen=True, slots=True)
class Language:
    """A language offered by the switch: its code and its name in itself."""

    code: str
    name: str
    current: bool


def theme_of(request: HttpRequest | None) -> str:
    """The theme the person chose ("light" or "dark"), or "" to follow the system."""
    theme = request.COOKIES.get(THEME_COOKIE, "") if request is not None else ""
    return theme if theme in THEMES else ""


def languages() -> tuple[Language, ...]:
    """The languages offered, each under its own name."""
    active = (get_language() or settings.LANGUAGE_CODE)[:2]
    return tuple(
        Language(code, get_language_info(code)["name_local"].capitalize(), code[:2] == active)
        for code, _name in settings.LANGUAGES
    )
