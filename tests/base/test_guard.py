"""The audit trail refuses every change, whatever code asks for it, and lets an erasure through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from essaim.base import audit, guard
from essaim.base.actor import Actor, Role
from essaim.base.models import AuditEntry, Erasure
from essaim.people.models import Organisation

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def entry(organisation_id: str = "a" * 16, member_id: str = "m" * 16) -> AuditEntry:
    Organisation.objects.get_or_create(
        id=organisation_id, defaults={"name": "A", "slug": organisation_id, "created_at": NOW}
    )
    by = Actor(organisation_id, Role.OWNER, "Awa", member_id=member_id)
    audit.record(verb="unit.add", by=by, now=NOW, subject="unit:1", details={"name": "Lyon"})
    found: AuditEntry = AuditEntry.objects.order_by("-id")[0]
    return found


def refused(work: object) -> None:
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        work()  # type: ignore[operator]


def raw(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.mark.django_db
def test_rows_cannot_be_changed_or_deleted() -> None:
    row = entry()
    row.verb = "other"
    refused(row.save)
    refused(lambda: AuditEntry.objects.update(member_name="X"))
    refused(lambda: AuditEntry.objects.update(details={}))
    refused(lambda: AuditEntry.objects.update(organisation_id="b" * 16))
    refused(row.delete)
    refused(lambda: raw("DELETE FROM base_auditentry"))
    refused(lambda: Organisation.objects.all().delete())
    assert AuditEntry.objects.get().verb == "unit.add"


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="INSERT OR REPLACE is SQLite's")
def test_rows_cannot_be_replaced() -> None:
    row = entry()
    others = "at, member_id, verb, subject, details, organisation_id"
    replacing = (
        f"INSERT OR REPLACE INTO base_auditentry (id, member_name, {others})"
        f" SELECT id, 'X', {others} FROM base_auditentry WHERE id = %s"
    )
    refused(lambda: raw(replacing, row.pk))
    assert AuditEntry.objects.get().member_name == "Awa"


@pytest.mark.django_db
def test_an_erased_organisation_goes_and_only_that_one() -> None:
    entry("a" * 16)
    entry("b" * 16)
    Erasure.objects.create(subject="organisation:" + "a" * 16, at=NOW, by="operator")
    refused(lambda: Organisation.objects.filter(id="b" * 16).delete())
    refused(lambda: AuditEntry.objects.filter(organisation_id="a" * 16).update(verb="x"))
    Organisation.objects.filter(id="a" * 16).delete()
    assert [row.organisation_id for row in AuditEntry.objects.all()] == ["b" * 16]


@pytest.mark.django_db
def test_the_name_of_an_erased_person_can_be_blanked_and_nothing_else() -> None:
    entry(member_id="m" * 16)
    entry(member_id="n" * 16)
    Erasure.objects.create(subject="member:" + "m" * 16, at=NOW, by="operator")
    mine = AuditEntry.objects.filter(member_id="m" * 16)
    refused(lambda: mine.update(member_name="Somebody"))
    refused(lambda: mine.update(member_name="", verb="x"))
    refused(lambda: mine.update(member_name="", details={}))
    refused(lambda: AuditEntry.objects.update(member_name=""))
    mine.update(member_name="")
    assert sorted(AuditEntry.objects.values_list("member_name", flat=True)) == ["", "Awa"]


@pytest.mark.django_db
def test_the_guard_is_put_back_after_every_migrate() -> None:
    row = entry()
    guard.remove(connection)
    call_command("migrate", verbosity=0)
    refused(row.delete)


@pytest.mark.django_db(transaction=True)
def test_flush_empties_everything_and_leaves_the_guard() -> None:
    entry()
    call_command("flush", interactive=False, verbosity=0)
    assert AuditEntry.objects.count() == 0
    refused(entry().delete)
