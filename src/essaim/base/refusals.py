"""Turn a refusal that no view handled into an honest page (or a toast, when htmx asked)."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from essaim.base.errors import Refused


class RefusalMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refused):
            return None
        if getattr(request, "htmx", False):
            answer = HttpResponse(status=exception.status)
            answer["HX-Trigger"] = json.dumps({"essaim:refused": {"detail": str(exception)}})
            answer["HX-Reswap"] = "none"
            return answer
        return render(request, "ui/refused.html", {"refusal": exception}, status=exception.status)
