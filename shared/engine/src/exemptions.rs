//! Exempt addresses: no run adds, updates, disables or deletes who has one (rule 5.3).

use directory::{Address, TenantId};
use serde_json::{Value, json};

use crate::{
    browse::{self, Page},
    explain, keys,
    lease::{delete, put},
    operator::{self, Asked, Refused, committed, everybody},
    plan,
    ports::{Range, Store, Table, Write},
    records::{Exemption, write},
};

/// So many exemptions make a page.
const PAGE: usize = 1_000;

/// Exempt an address, whoever has it and whether anybody does.
///
/// # Errors
/// There is no such tenant.
pub async fn exempt(store: &impl Store, asked: &Asked, address: &Address) -> Result<Value, Refused> {
    operator::tenant(store, &asked.tenant).await?;
    if store.get(&[keys::exemption(&asked.tenant, address)]).await?.pop().flatten().is_none() {
        let mut writes = writes(asked, address);
        writes.push(asked.tenant_is_there());
        writes.push(asked.audit(0, "exempt", address.as_str(), json!(false), json!(true)));
        if !committed(store, writes).await? {
            return Err(operator::raced());
        }
    }
    Ok(json!({"tenant": asked.tenant, "address": address, "exempt": true}))
}

/// The writes that exempt an address; the next run looks at everybody again (rule 4.10).
pub(crate) fn writes(asked: &Asked, address: &Address) -> Vec<Write> {
    let exemption = Exemption { address: address.clone(), at: asked.now, by: asked.by.clone() };
    vec![put(keys::exemption(&asked.tenant, address), write(&exemption)), everybody(&asked.tenant)]
}

/// Let runs maintain who has an address again. The answer names other addresses for which it is exempt all the same.
///
/// # Errors
/// There is no such tenant.
pub async fn unexempt(store: &impl Store, asked: &Asked, address: &Address) -> Result<Value, Refused> {
    operator::tenant(store, &asked.tenant).await?;
    if store.get(&[keys::exemption(&asked.tenant, address)]).await?.pop().flatten().is_some() {
        let writes = vec![
            delete(keys::exemption(&asked.tenant, address)),
            everybody(&asked.tenant),
            asked.tenant_is_there(),
            asked.audit(0, "unexempt", address.as_str(), json!(true), json!(false)),
        ];
        if !committed(store, writes).await? {
            return Err(operator::raced());
        }
    }
    let mut answer = json!({"tenant": asked.tenant, "address": address, "exempt": false});
    let exempt = plan::exemptions(store, &asked.tenant).await?;
    if !exempt.is_empty() {
        let own = explain::addresses_beside(store, &asked.tenant, address).await?;
        let still: Vec<_> = own.intersection(&exempt).collect();
        if !still.is_empty() {
            answer["exempt_by"] = json!(still);
        }
    }
    Ok(answer)
}

/// A page of the exempt addresses.
///
/// # Errors
/// There is no such tenant, or the cursor is none.
pub async fn list(store: &impl Store, tenant: &TenantId, cursor: Option<&str>) -> Result<Value, Refused> {
    let Page { rows, next, .. } = browse(store, tenant, cursor, PAGE).await?;
    let shown = |Exemption { address, at, by }| json!({"address": address, "at": at, "by": by});
    Ok(json!({"exemptions": rows.into_iter().map(shown).collect::<Vec<_>>(), "cursor": next}))
}

/// A page of at most so many exempt addresses.
///
/// # Errors
/// There is no such tenant, or the cursor is none.
pub async fn browse(
    store: &impl Store,
    tenant: &TenantId,
    from: Option<&str>,
    most: usize,
) -> Result<Page<Exemption>, Refused> {
    operator::tenant(store, tenant).await?;
    let range = keys::starting(Table::Control, keys::tenant_pk(tenant), "EX#");
    browse::stored(store, "an exemption", Range { limit: PAGE, ..range }, from, most).await
}
