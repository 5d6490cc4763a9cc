"""What one can do with a session, one keyword-only function a verb: `prepare` it, `steer` it, `moderate` what is said."""

from essaim.listen.sessions.actions.importing import import_session
from essaim.listen.sessions.actions.moderate import hide_contribution, show_contribution
from essaim.listen.sessions.actions.prepare import (
    add_statements,
    archive_session,
    create_session,
    duplicate_session,
    edit_session,
    make_codes,
    restore_session,
    set_frame,
    show_statement,
)
from essaim.listen.sessions.actions.record import record_result
from essaim.listen.sessions.actions.replaying import open_replay
from essaim.listen.sessions.actions.steer import (
    close_session,
    end_session,
    extend_phase,
    freeze_session,
    next_phase,
    pause_session,
    reopen_session,
    resume_session,
    start_session,
    unfreeze_session,
)

__all__ = [
    "add_statements",
    "archive_session",
    "close_session",
    "create_session",
    "duplicate_session",
    "edit_session",
    "end_session",
    "extend_phase",
    "freeze_session",
    "hide_contribution",
    "import_session",
    "make_codes",
    "next_phase",
    "open_replay",
    "pause_session",
    "record_result",
    "reopen_session",
    "restore_session",
    "resume_session",
    "set_frame",
    "show_contribution",
    "show_statement",
    "start_session",
    "unfreeze_session",
]
