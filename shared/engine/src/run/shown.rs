//! A run as callers see it (section 9).

use std::collections::{BTreeMap, BTreeSet};

use directory::{Category, Code, Failure, TenantId};
use serde_json::{Value, json};

use crate::records::Run;

/// A run as callers see it (section 9).
pub fn shown(run: &Run) -> Value {
    json!({
        "run": run.run, "state": run.state, "counts": run.counts, "held": run.held, "billable": run.billable,
        "warnings": run.warnings, "error": run.error,
    })
}

/// A run as `list_runs` and `get_run` show it.
pub fn recorded(tenant: &TenantId, run: &Run) -> Value {
    let mut shown = shown(run);
    shown["tenant"] = json!(tenant);
    shown["trigger"] = json!(run.trigger);
    shown["action"] = json!(run.action);
    shown["by"] = json!(run.by);
    shown["started_at"] = json!(run.started_at);
    shown["finished_at"] = json!(run.finished_at);
    shown["applied"] = json!(run.applied.map(|applied| {
        let of = |category: Category| (category.name(), json!(applied[category]));
        Category::CARRIED_OUT.into_iter().map(of).collect::<BTreeMap<_, _>>()
    }));
    shown["requests"] = json!(run.requests.graph + run.requests.sign_in);
    shown
}

/// An error as callers see it.
pub fn refused(failure: &Failure) -> Value {
    json!({"error": failure})
}

pub(super) fn foreign_failure(domains: &BTreeSet<String>) -> Failure {
    let names = domains.iter().cloned().collect::<Vec<_>>().join(", ");
    let message = format!(
        "The following domain(s) {names} are not associated with this account. All domains in the Azure AD directory must \
         be added in order to perform a sync."
    );
    Failure::new(
        Code::InvalidInput,
        message,
        "add the domains to the tenant's settings, or let the automatic run skip their users",
    )
}
