"""The addresses of this area."""

from django.urls import path

from essaim.people.views import invitations, members, organisation, units

app_name = "people"
urlpatterns = [
    path("members/", members.members, name="members"),
    path("members.<str:kind>", members.members_export, name="members_export"),
    path("members/invite/", members.invite, name="invite"),
    path("members/<str:member_id>/", members.member, name="member"),
    path("members/<str:member_id>/role/", members.change_role, name="change_role"),
    path("members/<str:member_id>/unit/", members.set_unit, name="set_unit"),
    path("members/<str:member_id>/remove/", members.remove_member, name="remove_member"),
    path("members/<str:member_id>/restore/", members.restore_member, name="restore_member"),
    path("invitations/<str:token>/", invitations.invitation, name="invitation"),
    path("invitations/<str:invitation_id>/revoke/", members.revoke_invitation, name="revoke_invitation"),
    path("invitations/<str:invitation_id>/restore/", members.restore_invitation, name="restore_invitation"),
    path("units/", units.units, name="units"),
    path("units.<str:kind>", units.units_export, name="units_export"),
    path("units/add/", units.add_unit, name="add_unit"),
    path("units/import/", units.import_units, name="import_units"),
    path("units/<str:unit_id>/", units.unit, name="unit"),
    path("units/<str:unit_id>/remove/", units.remove_unit, name="remove_unit"),
    path("units/<str:unit_id>/restore/", units.restore_unit, name="restore_unit"),
    path("organisation/", organisation.organisation, name="organisation"),
    path("organisation/history/", organisation.history, name="history"),
    path("organisation/history.<str:kind>", organisation.history_export, name="history_export"),
    path("organisation/leave/", organisation.leave, name="leave"),
    path("organisation/switch/", organisation.switch, name="switch"),
    path("organisation/none/", organisation.no_organisation, name="no_organisation"),
    path("organisation/new/", organisation.found, name="found"),
    path("profile/", organisation.profile, name="profile"),
]
