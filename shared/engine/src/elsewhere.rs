//! Whether settings lead a tenant to another directory, and whether they may (rule 1.1).

use directory::{Code, Failure, Kind, ManagedBy, Settings, TenantId};

use crate::{
    keys,
    links::Pages,
    load::read_held,
    operator::{Asked, Refused},
    ports::{Fault, Store, Table},
    records::{Counts, Schedule, read},
};

/// Whether another name may stand for another directory: another GUID, another domain without one, a GUID in the place
/// of a domain, another cloud, or none. Two names of one directory look the same as two directories, and whoever is not
/// seen in the other one would be taken for gone.
pub(crate) fn leads_elsewhere(before: &Settings, after: &Settings) -> bool {
    before.authority().is_some() && (before.authority(), before.cloud) != (after.authority(), after.cloud)
}

/// Whether the connection may be replaced now: where objects were synchronised only if that is `asked_for`, and never
/// under a run, which would carry on with what the directory before said.
///
/// # Errors
/// `invalid_input` or `busy`; the world's.
pub(crate) async fn may_replace(
    store: &impl Store,
    asked: &Asked,
    sync: &Schedule,
    asked_for: bool,
) -> Result<(), Refused> {
    let tenant = &asked.tenant;
    if !asked_for && holds_synchronised(store, tenant).await? {
        let message = format!(
            "tenant {tenant} holds objects that were synchronised from the directory that its settings name now, and \
             another name may be another directory"
        );
        let help = "if it is to read from there, send \"replace_connection\": true beside the settings: nothing is \
                    deleted, whoever has the same Entra id stays as it is, and others are adopted by address";
        return Err(Failure::new(Code::InvalidInput, message, help).into());
    }
    if let Some(run) = &sync.run {
        let message = format!("run {run} of tenant {tenant} is not done, and reads from the directory before");
        let mut busy = Failure::new(Code::Busy, message, "wait until it is done, and ask again; nothing was changed");
        busy.run = Some(run.to_string());
        busy.since = sync.since;
        return Err(busy.into());
    }
    Ok(())
}

/// Whether any object of the tenant came by synchronisation.
async fn holds_synchronised(store: &impl Store, tenant: &TenantId) -> Result<bool, Fault> {
    let counts = store.get(&[keys::counts(tenant)]).await?.pop().flatten().unwrap_or_default();
    let counts: Counts = read("the totals", counts)?;
    if counts.active_users > 0 || counts.active_groups > 0 {
        return Ok(true);
    }
    // What is left are inactive objects, those marked as deleted, and those made by hand.
    for (kind, number) in [(Kind::User, counts.users), (Kind::Group, counts.groups)] {
        for shard in keys::SHARDS.chars().filter(|_| number > 0) {
            let objects = keys::all(Table::Directory, keys::objects_pk(tenant, kind, shard));
            let mut pages = Pages::of(store, objects);
            while let Some(page) = pages.next().await? {
                for (_, item) in page {
                    if read_held(kind, item)?.managed_by() == ManagedBy::Sync {
                        return Ok(true);
                    }
                }
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn r1_1_what_is_another_directory() {
        let (a, b) = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222");
        check("nothing before",            json!({}),                                           json!({"directory_id": a}),                          false);
        check("another GUID",              json!({"directory_id": a}),                          json!({"directory_id": b}),                          true);
        check("the same GUID, capitals",   json!({"directory_id": "aAaaaaaa-1111-1111-1111-111111111111"}), json!({"directory_id": "aaaaaaaa-1111-1111-1111-111111111111"}), false);
        check("another domain beside it",  json!({"directory_id": a, "primary_domain": "a.com"}), json!({"primary_domain": "b.com"}),                false);
        check("another domain alone",      json!({"primary_domain": "a.com"}),                  json!({"primary_domain": "b.com"}),                  true);
        check("the same domain, capitals", json!({"primary_domain": "a.com"}),                  json!({"primary_domain": "A.com"}),                  false);
        check("a GUID for a domain",       json!({"primary_domain": "a.com"}),                  json!({"directory_id": a}),                          true);
        check("a domain for a GUID",       json!({"directory_id": a, "primary_domain": "a.com"}), json!({"directory_id": null}),                     true);
        check("both change",               json!({"primary_domain": "a.com"}),                  json!({"directory_id": a, "primary_domain": "b.com"}), true);
        check("another cloud",             json!({"directory_id": a}),                          json!({"cloud": "china"}),                           true);
        check("nowhere",                   json!({"directory_id": a}),                          json!({"directory_id": null}),                       true);
        check("another application",       json!({"directory_id": a}),                          json!({"application_id": b}),                        false);
    }

    #[track_caller]
    fn check(name: &str, before: Value, patch: Value, expected: bool) {
        let before = Settings::default().with(&before).unwrap();
        assert_eq!(leads_elsewhere(&before, &before.with(&patch).unwrap()), expected, "{name}");
    }
}
