//! A mail that came back for good: its tenant has no tech contact any longer until one is saved (rule 4.2).

use directory::{Address, TenantId};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Reported, Reporter};
use crate::{
    keys,
    operator::{self, Refused, TRIES, committed, written_down},
    ports::{Change, Clock, Condition, Fault, Item, Mailer, Store, Write},
    records::{Audit, Tenant, Unreachable},
};

/// What the post tells of a mail that will never arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Whose mail.
    pub tenant: TenantId,
    /// Whom it did not reach.
    pub recipients: Vec<Address>,
    /// When it was sent.
    pub sent_at: Timestamp,
}

impl<S: Store, M: Mailer, C: Clock> Reporter<'_, S, M, C> {
    /// Note that a tenant's contact cannot be reached. What is known already, and what says nothing of the present
    /// contact, changes nothing.
    ///
    /// # Errors
    /// A fault of the world, or somebody else's changes came in between each time.
    pub async fn returned(&self, mail: &Returned) -> Result<Reported, Fault> {
        let Returned { tenant: id, recipients, sent_at } = mail;
        let nothing = |because: &str| {
            tracing::info!(tenant = %id, "a mail came back and changes nothing: {because}");
            Ok(Reported::only(json!({"noted": false})))
        };
        for _ in 0..TRIES {
            let tenant = match operator::tenant(self.store, id).await {
                Ok((tenant, _)) => tenant,
                Err(Refused::Failure(failure)) => return nothing(&failure.message),
                Err(Refused::Fault(fault)) => return Err(fault),
            };
            let contact = tenant.settings.tech_contact.as_ref().filter(|contact| recipients.contains(contact));
            let Some(contact) = contact else { return nothing("it was for nobody who is the contact now") };
            if *sent_at < tenant.contact_saved_at.unwrap_or(tenant.created_at) {
                return nothing("the contact was saved after it was sent");
            }
            if tenant.unreachable().is_some() {
                return nothing("it is known that the contact cannot be reached");
            }
            let now = self.clock.now();
            if committed(self.store, noted(id, &tenant, contact, now)).await? {
                tracing::warn!(tenant = %id, "mails to the tech contact come back");
                return Ok(Reported::only(json!({"noted": true})));
            }
        }
        Err(Fault::passing("the tenant was changed by somebody else each time"))
    }
}

/// The writes that note it, refused where somebody has just changed the tenant.
fn noted(id: &TenantId, tenant: &Tenant, contact: &Address, now: Timestamp) -> Vec<Write> {
    let unreachable = Unreachable { address: contact.clone(), at: now };
    let set = Item::from_iter([
        ("contact_bounced".to_owned(), json!(unreachable)),
        ("rev".to_owned(), json!(tenant.rev + 1)),
    ]);
    let audit = Audit {
        at: now,
        by: "entra-sync".to_owned(),
        action: "contact_bounced".to_owned(),
        what: contact.to_string(),
        from: Value::Null,
        to: Value::Null,
        totals: None,
    };
    let only_if = vec![Condition::Equals("rev", json!(tenant.rev))];
    let meta = Write { key: keys::meta(id), change: Change::Set { set, add: Vec::new() }, only_if };
    vec![meta, written_down(id, &audit, "contact_bounced")]
}
