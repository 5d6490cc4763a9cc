"""Every address of the product, one line an area. The live path (/live/, /s/) is answered before Django (see asgi.py)."""

from django.conf import settings
from django.urls import include, path

from essaim.home import views as home

urlpatterns = [
    path("", home.home, name="home"),
    path("accessibility/", home.accessibility, name="accessibility"),
    path("", include("essaim.people.urls")),
    path("", include("essaim.listen.sessions.urls")),
    path("account/", include("allauth.urls")),
    path("language/", include("django.conf.urls.i18n")),
]
if settings.DEBUG or settings.DEMO:
    urlpatterns += [
        path("demo/enter/", home.enter_demo, name="enter_demo"),
        path("style/", include("essaim.ui.urls")),
    ]
