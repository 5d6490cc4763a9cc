"""The project's addresses, the style guide, and a page with a stream that the tests can break."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import Context, Template
from django.urls import include, path

from essaim.config.urls import urlpatterns as project

PAGE = """{% load django_htmx %}<!doctype html><html lang="en"><head><title>Stream</title>
{% include "ui/_assets.html" %}{% htmx_script %}</head><body>
<div data-stream="/stream/" data-events="counts">
<p id="count" hx-get="/count/" hx-trigger="essaim:counts">none</p></div>
<p id="stream-hint" role="status" data-text="Reconnecting"></p></body></html>"""


class Line:
    """The state of the fake stream."""

    broken = False
    served = 0
    asked = 0
    leave = threading.Event()


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Template(PAGE).render(Context()))


def count(request: HttpRequest) -> HttpResponse:
    Line.asked += 1
    return HttpResponse(f"asked {Line.asked}")


def stream(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    if Line.broken:
        return HttpResponse(status=503)
    Line.served += 1

    def events() -> Iterator[str]:
        yield "retry: 100\n\n"
        yield "event: counts\ndata: 1\n\n"
        Line.leave.wait(5)

    return StreamingHttpResponse(events(), content_type="text/event-stream")


urlpatterns = [
    *[one for one in project if "style" not in str(one.pattern)],
    path("style/", include("essaim.ui.urls")),
    path("page/", page),
    path("count/", count),
    path("stream/", stream),
]
