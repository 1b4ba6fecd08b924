//! The deletion brake (rule 4.8).

use directory::{Brake, Kind, Settings};
use serde_json::json;

use crate::records::{Counts, HeldBack, Run};

/// The verdict of the brake on a plan (rule 4.8): what it holds, or nothing.
pub fn brake(settings: &Settings, run: &Run, counts: &Counts) -> Option<HeldBack> {
    let Brake { enabled, users_percent, users_min, groups_percent, groups_min, members_min } = &settings.brake;
    let limit = |percent: u8, least: u32, of: i64| {
        u64::from(least).max(u64::try_from(of).unwrap_or_default() * u64::from(percent) / 100)
    };
    let users = limit(users_percent.0, *users_min, counts.active_users);
    let groups = limit(groups_percent.0, *groups_min, counts.active_groups);
    let over = |number: u64, limit: u64| if number > limit { number } else { 0 };
    let held = HeldBack {
        users: over(run.tally.brakes[Kind::User], users),
        groups: over(run.tally.brakes[Kind::Group], groups),
        members: run.tally.empties,
        undone: run.tally.undone,
        limits: json!({"users": users, "groups": groups, "members": members_min}),
    };
    let braked = if *enabled { held } else { HeldBack { users: 0, groups: 0, members: 0, ..held } };
    (braked.users + braked.groups + braked.members + braked.undone > 0).then_some(braked)
}
