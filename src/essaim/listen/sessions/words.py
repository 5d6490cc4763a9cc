"""What the pages say of sessions: phases, verbs of the history, buttons of the clock."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

PHASES = {"draft": pgettext_lazy("phase", "Draft"), "compare": pgettext_lazy("phase", "Compare")}
#: The verbs of the history, added to those of `people.words` when the product starts.
VERBS = {
    "session.create": gettext_lazy("Session created"),
    "session.edit": gettext_lazy("Settings changed"),
    "session.set-frame": gettext_lazy("Frame changed"),
    "session.add-statements": gettext_lazy("Statements added"),
    "session.show-statement": gettext_lazy("Statement shown or taken back"),
    "session.make-codes": gettext_lazy("Invitation codes made"),
    "session.duplicate": gettext_lazy("Duplicated from another session"),
    "session.archive": gettext_lazy("Put away"),
    "session.restore": gettext_lazy("Brought back"),
    "session.import": gettext_lazy("Imported"),
    "session.open-replay": gettext_lazy("Replay opened"),
    "session.start": gettext_lazy("Started"),
    "session.next-phase": gettext_lazy("Next phase"),
    "session.extend": gettext_lazy("Time changed"),
    "session.pause": gettext_lazy("Paused"),
    "session.resume": gettext_lazy("Resumed"),
    "session.close": gettext_lazy("Closed"),
    "session.reopen": gettext_lazy("Reopened"),
    "session.freeze": gettext_lazy("Results frozen"),
    "session.unfreeze": gettext_lazy("Results unfrozen"),
    "session.end": gettext_lazy("Ended for good"),
    "session.show-contribution": gettext_lazy("Contribution shown"),
    "session.hide-contribution": gettext_lazy("Contribution hidden"),
    "session.record-result": gettext_lazy("Result recorded"),
}
#: The buttons of the clock: label, icon, whether it is the main one.
BUTTONS: dict[str, tuple[Promise, str, bool]] = {
    "start": (gettext_lazy("Start now"), "play", True),
    "next": (gettext_lazy("Next phase"), "next", True),
    "pause": (gettext_lazy("Pause"), "pause", False),
    "resume": (gettext_lazy("Resume"), "play", True),
    "close": (gettext_lazy("Close"), "stop", False),
    "freeze": (gettext_lazy("Freeze the results"), "lock", True),
    "unfreeze": (gettext_lazy("Unfreeze"), "undo", False),
    "end": (gettext_lazy("End for good"), "lock", True),
}
