"""The database's own refusal to change the audit trail, whatever talks to it (SQLite, PostgreSQL triggers).

A row can never be altered, except that the name of an erased person may be blanked; it can only be deleted
with its organisation, while that is being erased. Both need a row of `Erasure`, which stays as the proof.
"""

from __future__ import annotations

from typing import Any

TABLE = "base_auditentry"
REFUSAL = "an audit entry is never changed nor deleted"

# ruff: noqa: S608 (constants only)
_SQLITE = {
    "audit_no_update": f"""
        CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON {TABLE}
        WHEN NOT (
            NEW.member_name = '' AND NEW.id IS OLD.id AND NEW.organisation_id IS OLD.organisation_id
            AND NEW.at IS OLD.at AND NEW.member_id IS OLD.member_id AND NEW.verb IS OLD.verb
            AND NEW.subject IS OLD.subject AND NEW.details IS OLD.details
            AND EXISTS (SELECT 1 FROM base_erasure WHERE subject = 'member:' || OLD.member_id)
        )
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
    "audit_no_delete": f"""
        CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON {TABLE}
        WHEN NOT EXISTS (SELECT 1 FROM base_erasure WHERE subject = 'organisation:' || OLD.organisation_id)
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
    # INSERT OR REPLACE deletes without firing the trigger above.
    "audit_no_replace": f"""
        CREATE TRIGGER IF NOT EXISTS audit_no_replace BEFORE INSERT ON {TABLE}
        WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
}

_POSTGRESQL = [
    f"""
    CREATE OR REPLACE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF EXISTS (SELECT 1 FROM base_erasure WHERE subject = 'organisation:' || OLD.organisation_id) THEN
                RETURN OLD;
            END IF;
        ELSIF TG_OP = 'UPDATE' THEN
            IF NEW.member_name = '' AND to_jsonb(NEW) - 'member_name' = to_jsonb(OLD) - 'member_name'
               AND EXISTS (SELECT 1 FROM base_erasure WHERE subject = 'member:' || OLD.member_id) THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
    END $$""",
    f"DROP TRIGGER IF EXISTS audit_no_change ON {TABLE}",
    f"""
    CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION audit_guard()""",
    f"DROP TRIGGER IF EXISTS audit_no_truncate ON {TABLE}",
    f"""
    CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION audit_guard()""",
]


def install(connection: Any) -> None:
    """Put the triggers in place; doing it again changes nothing."""
    statements = {"sqlite": list(_SQLITE.values()), "postgresql": _POSTGRESQL}.get(connection.vendor, [])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def remove(connection: Any) -> None:
    """Take the triggers away: only to empty or dismantle a whole database."""
    statements = {
        "sqlite": [f"DROP TRIGGER IF EXISTS {name}" for name in _SQLITE],
        "postgresql": [
            f"DROP TRIGGER IF EXISTS audit_no_change ON {TABLE}",
            f"DROP TRIGGER IF EXISTS audit_no_truncate ON {TABLE}",
            "DROP FUNCTION IF EXISTS audit_guard()",
        ],
    }.get(connection.vendor, [])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def reinstall(*, using: str, **_: Any) -> None:
    """After every `migrate`: SQLite alters a table by making a new one, without the old one's triggers."""
    from django.db import connections

    connection = connections[using]
    if TABLE in connection.introspection.table_names():
        install(connection)
