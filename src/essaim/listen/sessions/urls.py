"""The pages of live sessions."""

from django.urls import path

from essaim.listen.sessions.views import codes, enter, prepare, results, screen, steer

app_name = "sessions"
urlpatterns = [
    path("join/", enter.join, name="join"),
    path("sessions/", prepare.session_list, name="list"),
    path("sessions/new/", prepare.create, name="create"),
    path("sessions/<slug:session_id>/", prepare.overview, name="overview"),
    path("sessions/<slug:session_id>/settings/", prepare.settings_page, name="settings"),
    path("sessions/<slug:session_id>/frame/", prepare.frame, name="frame"),
    path("sessions/<slug:session_id>/statements/", prepare.statements, name="statements"),
    path("sessions/<slug:session_id>/statements/<int:number>/", prepare.statement, name="statement"),
    path("sessions/<slug:session_id>/codes/", codes.codes_page, name="codes"),
    path("sessions/<slug:session_id>/codes.<slug:form>", codes.export, name="codes_export"),
    path("sessions/<slug:session_id>/duplicate/", prepare.duplicate, name="duplicate"),
    path("sessions/<slug:session_id>/archive/", prepare.archive, name="archive"),
    path("sessions/<slug:session_id>/restore/", prepare.restore, name="restore"),
    path("sessions/<slug:session_id>/enter/", enter.enter, name="enter"),
    path("sessions/<slug:session_id>/console/", steer.console_page, name="console"),
    path("sessions/<slug:session_id>/console/<slug:part>/", steer.console_part, name="console_part"),
    path("sessions/<slug:session_id>/clock/<slug:verb>/", steer.clock, name="clock"),
    path("sessions/<slug:session_id>/contributions/<int:number>/", steer.moderate, name="moderate"),
    path("sessions/<slug:session_id>/screen/", screen.screen, name="screen"),
    path("sessions/<slug:session_id>/screen/<slug:part>/", screen.screen_part, name="screen_part"),
    path("sessions/<slug:session_id>/results/", results.results_page, name="results"),
    path("sessions/<slug:session_id>/results/<slug:what>.<slug:form>", results.export, name="export"),
]
