//! The SQS queues. They are standard queues: the group makes them fair, it does not order.

use std::time::Duration;

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use engine::ports::{Fault, Message, Queue, QueueName};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::fault::fault;

/// The most messages of one SendMessageBatch.
const MOST_MESSAGES: usize = 10;
/// How many batches are under way at once.
const AT_ONCE: usize = 4;
/// The longest delay that SQS knows.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// Both queues of a stack.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
    sync: String,
    report: String,
}

impl Queues {
    /// The queues with these URLs.
    pub fn new(client: Client, sync: impl Into<String>, report: impl Into<String>) -> Self {
        Self { client, sync: sync.into(), report: report.into() }
    }

    /// Send at most [`MOST_MESSAGES`]; those that SQS turned away are sent once more.
    async fn send_batch(&self, url: &str, entries: Vec<SendMessageBatchRequestEntry>) -> Result<(), Fault> {
        let failed = self.try_batch(url, entries).await?;
        if failed.is_empty() {
            return Ok(());
        }
        let failed = self.try_batch(url, failed.into_iter().map(|(entry, _)| entry).collect()).await?;
        let reasons: Vec<_> = failed.into_iter().map(|(_, reason)| reason).collect();
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Fault::passing(format!("{} messages were not sent", reasons.len())).because(reasons.join(", ")))
    }

    /// The entries that SQS turned away, each with its reason.
    async fn try_batch(
        &self,
        url: &str,
        entries: Vec<SendMessageBatchRequestEntry>,
    ) -> Result<Vec<(SendMessageBatchRequestEntry, String)>, Fault> {
        let call = self.client.send_message_batch().queue_url(url).set_entries(Some(entries.clone()));
        let what = || format!("cannot send {} messages", entries.len());
        let output = call.send().await.map_err(|err| fault(what(), &err))?;
        let turned_away = output.failed.into_iter().filter_map(|failed| {
            let entry = entries.iter().find(|entry| entry.id == failed.id)?;
            Some((entry.clone(), failed.code))
        });
        Ok(turned_away.collect())
    }
}

impl Queue for Queues {
    async fn send(&self, queue: QueueName, messages: Vec<Message>) -> Result<(), Fault> {
        let url = match queue {
            QueueName::Sync => &self.sync,
            QueueName::Report => &self.report,
        };
        let entries = messages.into_iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let batches: Vec<_> = entries.chunks(MOST_MESSAGES).map(<[_]>::to_vec).collect();
        let sends = stream::iter(batches).map(|batch| self.send_batch(url, batch)).buffer_unordered(AT_ONCE);
        sends.try_collect().await
    }
}

fn entry((position, message): (usize, Message)) -> Result<SendMessageBatchRequestEntry, Fault> {
    let Message { group, body, delay } = message;
    // "No sooner than": a part of a second is a second.
    let delay = delay.min(LONGEST_DELAY).as_millis().div_ceil(1000);
    let entry = SendMessageBatchRequestEntry::builder().id(position.to_string()).message_group_id(group);
    let entry = entry.message_body(body).delay_seconds(i32::try_from(delay).unwrap_or_default());
    entry.build().map_err(|err| Fault::permanent("a message cannot be sent").because(err))
}
