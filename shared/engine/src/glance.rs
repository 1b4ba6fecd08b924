//! A tenant at a glance: how its connection and its credential do, what runs, and what waits for a person. Reads only.

use directory::{
    RunId, TenantId,
    expiry::days_left,
    facts::{CredentialState, ExpiryDay},
};
use jiff::Timestamp;

use crate::{
    connection, credential, keys,
    operator::{self, Refused},
    ports::{Fault, Item, Range, Store, Table},
    records::{Counts, NotRenewed, Run, Schedule, Tenant, read},
    schedule,
};

/// What the first page of a tenant says.
#[derive(Debug)]
pub struct Glance {
    /// What people set, and what the check of the connection said.
    pub tenant: Tenant,
    /// When it runs, and how it did.
    pub sync: Schedule,
    /// When it next runs by itself.
    pub next_sync: Option<Timestamp>,
    /// How many there are.
    pub counts: Counts,
    /// How the credential does.
    pub credential: CredentialState,
    /// When it ends; a federated one does not.
    pub expiry: Option<ExpiryDay>,
    /// How the saved client secret begins, as Microsoft's portal shows it.
    pub hint: Option<String>,
    /// The secret is to be renewed by itself, and was not when that was last tried.
    pub not_renewed: Option<NotRenewed>,
    /// The run that is under way.
    pub under_way: Option<Run>,
    /// The newest run that holds changes.
    pub holding: Option<Run>,
    /// The newest run.
    pub newest: Option<Run>,
}

/// Have a look.
///
/// # Errors
/// `not_found`; `busy` while the tenant is being deleted.
pub async fn at(store: &impl Store, id: &TenantId, now: Timestamp) -> Result<Glance, Refused> {
    let (tenant, sync) = operator::tenant(store, id).await?;
    let mut wanted = vec![keys::counts(id)];
    let named = [&sync.run, &sync.holding];
    wanted.extend(named.into_iter().flatten().map(|run| keys::run(id, run)));
    let mut items = store.get(&wanted).await?.into_iter();
    let counts: Counts = read("the totals", items.next().flatten().unwrap_or_default())?;
    let mut next = |named: &Option<RunId>| named.as_ref().and_then(|_| items.next().flatten()).map(run).transpose();
    let (under_way, holding) = (next(&sync.run)?, next(&sync.holding)?);
    let newest = Range { limit: 1, newest_first: true, ..keys::starting(Table::Control, keys::tenant_pk(id), "RUN#") };
    let newest = store.list(&newest).await?.items.pop().map(|(_, item)| run(item)).transpose()?;
    let credential = connection::state(&tenant, &sync, now);
    let ends = credential::ends(&tenant, &sync).map(|(on, source)| {
        let today = credential::day(now, &tenant.settings.report.time_zone);
        ExpiryDay { on, days_left: days_left(today, on), source }
    });
    // Entra says that it has ended: a later day that somebody gave or assumed is not true.
    let expiry = ends.filter(|ends| credential != CredentialState::Expired || ends.days_left < 0);
    Ok(Glance {
        hint: credential::facts(&tenant).and_then(|facts| facts.hint.clone()),
        not_renewed: sync.rotation.clone().filter(|_| credential::renews_itself(&tenant.settings)),
        next_sync: schedule::next_told(id, &tenant, &sync, now),
        tenant,
        sync,
        counts,
        credential,
        expiry,
        under_way,
        holding,
        newest,
    })
}

fn run(item: Item) -> Result<Run, Fault> {
    read("a run", item)
}
