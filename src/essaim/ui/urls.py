"""The style guide's address; the project includes it in the demo and for developers only."""

from django.urls import path

from essaim.ui import views

app_name = "ui"
urlpatterns = [
    path("", views.style_guide, name="style_guide"),
    path("screen/", views.sample_screen, name="sample_screen"),
    path("map/", views.sample_map, name="sample_map"),
]
