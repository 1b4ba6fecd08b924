//! Writing to the tables: one write by itself, or up to a hundred as one transaction.

use aws_sdk_dynamodb::{
    config::{Config, http::HttpResponse, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use engine::ports::{Change, Fault, MOST_WRITES, NotCommitted, Write};

use crate::{
    Tables,
    expression::{Expression, key, with_key},
    fault::{RETRIES, fault, shown, turned_away, without_addresses},
};

/// How one try ended.
enum Outcome {
    Done,
    /// Nothing was written, and a later try may find room.
    Again(Fault),
    Not(NotCommitted),
}

impl Tables {
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Result<(), NotCommitted> {
        if writes.len() > MOST_WRITES {
            return Err(Fault::permanent(format!("{} writes are more than one commit holds", writes.len())).into());
        }
        // A check of nothing always holds, and DynamoDB has no words for it.
        let empty = |write: &Write| write.change == Change::Check && write.only_if.is_empty();
        let writes: Vec<(usize, Write)> = writes.into_iter().enumerate().filter(|(_, write)| !empty(write)).collect();
        match &writes[..] {
            [] => Ok(()),
            [(position, write)] if write.change != Change::Check => self.write_one(*position, write).await,
            _ => self.write_all(&writes).await,
        }
    }

    /// A write by itself costs half of a transaction. It has no token, so a try whose answer was lost must not be
    /// repeated when it depends on what was there: it would meet its own effect, and answer "refused" for a write that
    /// took place, or add twice. Such a try comes back as a passing fault; only what DynamoDB turned away is repeated.
    async fn write_one(&self, position: usize, write: &Write) -> Result<(), NotCommitted> {
        let mut attempt = 0;
        loop {
            match self.try_one(position, write).await? {
                Outcome::Done => return Ok(()),
                Outcome::Not(err) => return Err(err),
                Outcome::Again(fault) if attempt == RETRIES => return Err(fault.into()),
                Outcome::Again(_) => attempt += 1,
            }
            self.pause(attempt).await;
        }
    }

    async fn try_one(&self, position: usize, write: &Write) -> Result<Outcome, Fault> {
        let Write { key: place, change, only_if } = write;
        let table = self.name(place.table);
        let Expression { condition, update, names, values } = Expression::of(change, only_if)?;
        let adds = matches!(change, Change::Set { add, .. } if !add.is_empty());
        let mut config = Config::builder();
        if condition.is_some() || adds {
            config = config.retry_config(RetryConfig::disabled());
        }
        let answer = match change {
            Change::Put(item) => {
                let call = self.client.put_item().table_name(table).set_item(Some(with_key(place, item)?));
                let call = call.set_condition_expression(condition).set_expression_attribute_names(names);
                let call = call.set_expression_attribute_values(values).customize().config_override(config);
                call.send().await.map(drop).map_err(|err| outcome(position, write, &err))
            }
            Change::Set { .. } => {
                let call = self.client.update_item().table_name(table).set_key(Some(key(&place.pk, &place.sk)));
                let call = call.set_condition_expression(condition).set_update_expression(update);
                let call = call.set_expression_attribute_names(names).set_expression_attribute_values(values);
                call.customize()
                    .config_override(config)
                    .send()
                    .await
                    .map(drop)
                    .map_err(|err| outcome(position, write, &err))
            }
            Change::Delete | Change::Check => {
                let call = self.client.delete_item().table_name(table).set_key(Some(key(&place.pk, &place.sk)));
                let call = call.set_condition_expression(condition).set_expression_attribute_names(names);
                let call = call.set_expression_attribute_values(values).customize().config_override(config);
                call.send().await.map(drop).map_err(|err| outcome(position, write, &err))
            }
        };
        Ok(answer.map_or_else(|outcome| outcome, |()| Outcome::Done))
    }

    /// All or nothing. The token makes every try of it, the SDK's and ours, one transaction (for ten minutes), so a lost
    /// answer is simply asked for again.
    async fn write_all(&self, writes: &[(usize, Write)]) -> Result<(), NotCommitted> {
        let actions = writes.iter().map(|(_, write)| self.action(write)).collect::<Result<Vec<_>, _>>()?;
        let token = uuid::Uuid::new_v4().to_string();
        let call = self.client.transact_write_items().set_transact_items(Some(actions)).client_request_token(token);
        let mut attempt = 0;
        loop {
            let Err(err) = call.clone().send().await else { return Ok(()) };
            match cancelled(writes, &err) {
                Outcome::Done => return Ok(()),
                Outcome::Not(err) => return Err(err),
                Outcome::Again(fault) if attempt == RETRIES => return Err(fault.into()),
                Outcome::Again(_) => attempt += 1,
            }
            self.pause(attempt).await;
        }
    }

    fn action(&self, write: &Write) -> Result<TransactWriteItem, Fault> {
        let Write { key: place, change, only_if } = write;
        let table = self.name(place.table);
        let place = Some(key(&place.pk, &place.sk));
        let Expression { condition, update, names, values } = Expression::of(change, only_if)?;
        let action = TransactWriteItem::builder();
        let action = match change {
            Change::Put(item) => {
                let put = Put::builder().table_name(table).set_item(Some(with_key(&write.key, item)?));
                let put = put.set_condition_expression(condition).set_expression_attribute_names(names);
                put.set_expression_attribute_values(values).build().map(|put| action.put(put))
            }
            Change::Set { .. } => {
                let set = Update::builder().table_name(table).set_key(place).set_update_expression(update);
                let set = set.set_condition_expression(condition).set_expression_attribute_names(names);
                set.set_expression_attribute_values(values).build().map(|set| action.update(set))
            }
            Change::Delete => {
                let delete = Delete::builder().table_name(table).set_key(place).set_condition_expression(condition);
                let delete = delete.set_expression_attribute_names(names).set_expression_attribute_values(values);
                delete.build().map(|delete| action.delete(delete))
            }
            Change::Check => {
                let check =
                    ConditionCheck::builder().table_name(table).set_key(place).set_condition_expression(condition);
                let check = check.set_expression_attribute_names(names).set_expression_attribute_values(values);
                check.build().map(|check| action.condition_check(check))
            }
        };
        let action =
            action.map_err(|err| Fault::permanent(format!("cannot write {}", shown(&write.key))).because(err))?;
        Ok(action.build())
    }
}

fn outcome<E>(position: usize, write: &Write, err: &SdkError<E, HttpResponse>) -> Outcome
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let what = format!("cannot write {}", shown(&write.key));
    match err.code() {
        Some("ConditionalCheckFailedException") => Outcome::Not(NotCommitted::Refused(vec![position])),
        Some(code) if turned_away(code) => {
            let fault = fault(what, err);
            Outcome::Again(Fault { passes: true, ..fault })
        }
        _ => Outcome::Not(fault(what, err).into()),
    }
}

/// Why a transaction did not take place. A refused condition is final and goes before a conflict beside it: the lease
/// that is lost stays lost.
fn cancelled(writes: &[(usize, Write)], err: &SdkError<TransactWriteItemsError, HttpResponse>) -> Outcome {
    let first = writes.first().map(|(_, write)| shown(&write.key)).unwrap_or_default();
    let what = format!("cannot commit {} writes, the first to {first}", writes.len());
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = err.as_service_error() else {
        let again = err.code().is_some_and(turned_away);
        let fault = fault(what, err);
        return if again { Outcome::Again(fault) } else { Outcome::Not(fault.into()) };
    };
    let reasons: Vec<(&(usize, Write), &CancellationReason)> = writes
        .iter()
        .zip(cancelled.cancellation_reasons())
        .filter(|(_, reason)| reason.code() != Some("None"))
        .collect();
    let refused = reasons.iter().filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"));
    let refused: Vec<usize> = refused.map(|((position, _), _)| *position).collect();
    if !refused.is_empty() {
        return Outcome::Not(NotCommitted::Refused(refused));
    }
    let words = reasons.iter().map(|((_, write), reason)| {
        let message = without_addresses(reason.message().unwrap_or_default());
        format!("{} ({}: {message})", shown(&write.key), reason.code().unwrap_or("no reason"))
    });
    let cause = words.take(3).collect::<Vec<_>>().join(", ");
    if !reasons.is_empty() && reasons.iter().all(|(_, reason)| reason.code().is_some_and(turned_away)) {
        return Outcome::Again(Fault::passing(what).because(cause));
    }
    Outcome::Not(Fault::permanent(what).because(cause).into())
}
