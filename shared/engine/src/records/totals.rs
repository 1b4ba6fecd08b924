//! The totals of a tenant, kept with every change.

use directory::{Held, Kind, UserType};
use serde::{Deserialize, Serialize};

use super::work::Standing;

/// Totals of a tenant, kept with every change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Users, marked as deleted or not.
    pub users: i64,
    /// Groups.
    pub groups: i64,
    /// Functional accounts.
    pub functional: i64,
    /// Billable users (rule 5.5).
    pub billable: i64,
    /// Active users that synchronisation manages: what the brake measures against.
    pub active_users: i64,
    /// Groups that synchronisation manages, without those marked as deleted.
    pub active_groups: i64,
    /// Standing verdicts.
    pub skipped_users: i64,
    /// Standing verdicts.
    pub skipped_groups: i64,
    /// Standing verdicts.
    pub not_enabled_users: i64,
    /// Standing verdicts.
    pub not_enabled_groups: i64,
    /// Of the users: marked as deleted, functional accounts not counted.
    pub deleted_users: i64,
    /// Of the functional accounts: marked as deleted.
    pub deleted_functional: i64,
    /// Of the groups: marked as deleted.
    pub deleted_groups: i64,
    /// Active administrators without a mobile number (rule 2.12).
    pub administrators_without_mobile: i64,
    /// Other active users who may sign in and have no mobile number.
    pub others_without_mobile: i64,
}

impl Counts {
    /// What one object counts for.
    pub fn of(held: Option<&Held>) -> Self {
        let Some(held) = held else { return Self::default() };
        let user = held.kind() == Kind::User;
        let functional = matches!(held, Held::User(user) if user.kind == UserType::FunctionalAccount);
        let deleted = held.deleted_at().is_some();
        let immobile = |kind| {
            let Held::User(user) = held else { return false };
            user.kind == kind && user.is_active && user.profile.mobile.is_none()
        };
        Self {
            users: i64::from(user),
            groups: i64::from(!user),
            functional: i64::from(functional),
            billable: i64::from(held.is_billable()),
            active_users: i64::from(user && held.counts_for_brake()),
            active_groups: i64::from(!user && held.counts_for_brake()),
            deleted_users: i64::from(user && !functional && deleted),
            deleted_functional: i64::from(functional && deleted),
            deleted_groups: i64::from(!user && deleted),
            administrators_without_mobile: i64::from(immobile(UserType::OrganizationAdmin)),
            others_without_mobile: i64::from(immobile(UserType::EndUser)),
            ..Self::default()
        }
    }

    /// What a standing verdict counts for.
    pub fn of_standing(kind: Kind, standing: Option<&Standing>) -> Self {
        let mut counts = Self::default();
        match (standing, kind) {
            (None, _) => (),
            (Some(Standing::NotEnabled(_)), Kind::User) => counts.not_enabled_users = 1,
            (Some(Standing::NotEnabled(_)), Kind::Group) => counts.not_enabled_groups = 1,
            (Some(_), Kind::User) => counts.skipped_users = 1,
            (Some(_), Kind::Group) => counts.skipped_groups = 1,
        }
        counts
    }

    /// The attributes in the order of the fields, for adding to the stored totals and for summing up.
    pub fn each(&self) -> [(&'static str, i64); 15] {
        let Self {
            users,
            groups,
            functional,
            billable,
            active_users,
            active_groups,
            skipped_users,
            skipped_groups,
            not_enabled_users,
            not_enabled_groups,
            deleted_users,
            deleted_functional,
            deleted_groups,
            administrators_without_mobile,
            others_without_mobile,
        } = *self;
        [
            ("users", users),
            ("groups", groups),
            ("functional", functional),
            ("billable", billable),
            ("active_users", active_users),
            ("active_groups", active_groups),
            ("skipped_users", skipped_users),
            ("skipped_groups", skipped_groups),
            ("not_enabled_users", not_enabled_users),
            ("not_enabled_groups", not_enabled_groups),
            ("deleted_users", deleted_users),
            ("deleted_functional", deleted_functional),
            ("deleted_groups", deleted_groups),
            ("administrators_without_mobile", administrators_without_mobile),
            ("others_without_mobile", others_without_mobile),
        ]
    }

    /// Add `sign` times another.
    pub fn add(&mut self, other: Self, sign: i64) {
        self.users += sign * other.users;
        self.groups += sign * other.groups;
        self.functional += sign * other.functional;
        self.billable += sign * other.billable;
        self.active_users += sign * other.active_users;
        self.active_groups += sign * other.active_groups;
        self.skipped_users += sign * other.skipped_users;
        self.skipped_groups += sign * other.skipped_groups;
        self.not_enabled_users += sign * other.not_enabled_users;
        self.not_enabled_groups += sign * other.not_enabled_groups;
        self.deleted_users += sign * other.deleted_users;
        self.deleted_functional += sign * other.deleted_functional;
        self.deleted_groups += sign * other.deleted_groups;
        self.administrators_without_mobile += sign * other.administrators_without_mobile;
        self.others_without_mobile += sign * other.others_without_mobile;
    }
}
