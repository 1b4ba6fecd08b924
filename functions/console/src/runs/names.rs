//! What a run's states, categories, fields and reasons are called on a page.

use directory::{Category, Kind, Outcome, SkipReason};
use engine::records::{Action, RunState};

use crate::mark::Mark;

/// The categories that a run carries out, in the order of a plan.
pub(super) const CATEGORIES: [Category; 4] =
    [Category::Adding, Category::Updating, Category::Disabling, Category::Deleting];

/// A category as people know it.
pub(super) fn category(category: Category) -> &'static str {
    match category {
        Category::Adding => "Adding",
        Category::Updating => "Updating",
        Category::Disabling => "Disabling",
        Category::Deleting => "Deleting",
        Category::NotEnabled => "Not enabled",
    }
}

/// Several of a kind.
pub(super) fn kinds(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "users",
        Kind::Group => "groups",
    }
}

/// What became of a change.
pub(super) fn outcome(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Applied => Mark::good("Applied"),
        Outcome::Failed => Mark::bad("Failed"),
        Outcome::Stale => Mark::held("Stale"),
        Outcome::Held => Mark::held("Held"),
        Outcome::Unchecked => Mark::quiet("Unchecked"),
    }
}

/// Where a run stands; one that nobody goes on with says so.
pub(super) fn state(state: RunState, interrupted: bool) -> Mark {
    match state {
        RunState::Continuing if interrupted => Mark::bad("Interrupted"),
        RunState::Continuing => Mark::quiet("Under way"),
        RunState::Planned => Mark::quiet("Planned"),
        RunState::Applied => Mark::good("Applied"),
        RunState::Held => Mark::held("Held"),
        RunState::Failed => Mark::bad("Failed"),
    }
}

/// What a run was asked to do.
pub(super) fn action(action: Action, undoes: bool) -> &'static str {
    match action {
        _ if undoes => "Undo",
        Action::Sync => "Synchronisation",
        Action::Preview => "Search",
        Action::Apply => "Search, applied",
        Action::Release => "Held changes, released",
        Action::Undo => "Undo",
    }
}

/// Why somebody is skipped, in a few words.
pub(super) fn reason(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::NoSmtpAddress => "No e-mail address",
        SkipReason::DomainNotRegistered => "Domain not registered",
        SkipReason::SignInBlocked => "Sign-in blocked",
        SkipReason::Guest => "Guest",
        SkipReason::Exempt => "Exempt",
        SkipReason::KindNotSelected => "Kind not selected",
        SkipReason::InvalidAddress => "Address not valid",
        SkipReason::WaitingForRetry => "Failed, tried again later",
    }
}

/// Every reason, in the order of the rules.
pub(super) const REASONS: [SkipReason; 8] = [
    SkipReason::NoSmtpAddress,
    SkipReason::DomainNotRegistered,
    SkipReason::SignInBlocked,
    SkipReason::Guest,
    SkipReason::Exempt,
    SkipReason::KindNotSelected,
    SkipReason::InvalidAddress,
    SkipReason::WaitingForRetry,
];

/// The fields of a change in the order in which people look for them, and what they are called.
pub(super) const FIELDS: [(&str, &str); 20] = [
    ("primary_email", "Primary address"),
    ("alias_emails", "Aliases"),
    ("display_name", "Display name"),
    ("name", "Name"),
    ("members", "Members"),
    ("firstname", "Given name"),
    ("surname", "Surname"),
    ("is_active", "Active"),
    ("deleted_at", "Deleted"),
    ("type", "Type"),
    ("kind", "Kind"),
    ("job_title", "Job title"),
    ("department", "Department"),
    ("mobile", "Mobile"),
    ("phone", "Phone"),
    ("language", "Language"),
    ("upn", "Sign-in name (UPN)"),
    ("digests", "Digests"),
    ("managed_by", "Managed by"),
    ("entra_id", "Entra object id"),
];

/// The words of settings and of values that are one of a few.
const VALUES: [(&str, &str); 9] = [
    ("end_user", "end user"),
    ("silent_user", "silent user"),
    ("functional_account", "functional account"),
    ("organization_admin", "administrator"),
    ("distribution", "distribution group"),
    ("security", "security group"),
    ("microsoft365", "Microsoft 365 group"),
    ("sync", "synchronisation"),
    ("hand", "hand"),
];

/// A value of a field that holds one of a few.
pub(super) fn value<'a>(field: &str, value: &'a str) -> &'a str {
    let known = ["type", "kind", "managed_by"].contains(&field);
    VALUES.iter().find(|(name, _)| known && *name == value).map_or(value, |(_, words)| words)
}

/// What a setting of What or How is called (rules 2.1 and 3.1).
pub(crate) const SWITCHES: [(&str, &str); 10] = [
    ("sync_active_users", "Users"),
    ("sync_distribution_groups", "Distribution and Microsoft 365 groups"),
    ("sync_security_groups", "Security groups"),
    ("sync_guests", "Guests"),
    ("add_users", "Add users"),
    ("update_users", "Update, disable and re-enable users"),
    ("remove_deleted_users", "Remove deleted users"),
    ("add_groups", "Add groups"),
    ("update_groups", "Update groups"),
    ("remove_deleted_groups", "Remove deleted groups"),
];
/// So many of them say what is synchronised; the others how.
pub(super) const WHAT: usize = 4;
