//! The columns and filters of the operator's table: what each shows, and how it is ordered.

use directory::expiry::step;
use engine::overview::{Held, Row};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mark::Mark;

/// A column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Column {
    #[default]
    Id,
    Name,
    State,
    Connection,
    Last,
    Next,
    Held,
    Failing,
    Expiry,
}

/// Every column, and what it is called.
pub(super) const COLUMNS: [(Column, &str); 9] = [
    (Column::Id, "Tenant"),
    (Column::Name, "Name"),
    (Column::State, "State"),
    (Column::Connection, "Connection"),
    (Column::Last, "Last success"),
    (Column::Next, "Next run"),
    (Column::Held, "Held"),
    (Column::Failing, "Failing"),
    (Column::Expiry, "Days left"),
];

/// By what a column is ordered.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Number(i64),
    Text(String),
}

impl Column {
    /// What it shows of a tenant.
    pub(super) fn text(self, row: &Row) -> String {
        match self {
            Self::Id => row.tenant.to_string(),
            Self::Name => row.name.clone(),
            Self::State => state(row).words.to_owned(),
            Self::Connection => match row.error {
                Some(code) => code.name(),
                None if row.green => "works".to_owned(),
                None => "not checked".to_owned(),
            },
            Self::Last => row.last_success.map_or_else(|| "never".to_owned(), minute),
            Self::Next => match row.overdue {
                Some(since) => format!("overdue since {}", minute(since)),
                None => row.next_sync.map_or_else(|| "–".to_owned(), minute),
            },
            Self::Held => row.held.as_ref().map_or_else(|| "–".to_owned(), |held| so_many(held).to_string()),
            Self::Failing => match row.failing {
                Some(code) if row.failures > 1 => format!("{} ({} times)", code.name(), row.failures),
                Some(code) => code.name(),
                None => "–".to_owned(),
            },
            Self::Expiry => row.expiry.map_or_else(|| "–".to_owned(), |(_, days)| days.to_string()),
        }
    }

    /// By what it is ordered; what is missing comes last.
    pub(super) fn rank(self, row: &Row) -> Rank {
        let time = |at: Option<Timestamp>| Rank::Number(at.map_or(i64::MAX, Timestamp::as_second));
        match self {
            Self::Id | Self::State | Self::Connection | Self::Failing => Rank::Text(self.text(row)),
            Self::Name => Rank::Text(row.name.to_lowercase()),
            Self::Last => time(row.last_success),
            Self::Next => time(row.overdue.or(row.next_sync)),
            Self::Held => {
                Rank::Number(row.held.as_ref().map_or(0, |held| i64::try_from(so_many(held)).unwrap_or(i64::MAX)))
            }
            Self::Expiry => Rank::Number(row.expiry.map_or(i64::MAX, |(_, days)| i64::from(days))),
        }
    }
}

/// A time to the minute, which spreadsheets order as text; tenants of every time zone are in one table.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn so_many(held: &Held) -> u64 {
    let Held { run: _, users, groups, emptied, undone } = held;
    users + groups + emptied + undone
}

/// How a tenant does, in a word.
pub(super) fn state(row: &Row) -> Mark {
    if row.needs_attention() {
        Mark::bad("attention")
    } else if row.frequency.0 == 0 {
        Mark::quiet("off")
    } else {
        Mark::good("fine")
    }
}

/// Which tenants are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Only {
    #[default]
    All,
    Overdue,
    Held,
    Failing,
    Expiring,
    NeverRan,
}

/// Every filter, and what it is called.
pub(super) const FILTERS: [(Only, &str); 6] = [
    (Only::All, "All"),
    (Only::Overdue, "Overdue"),
    (Only::Held, "Held"),
    (Only::Failing, "Failing"),
    (Only::Expiring, "Credential expiring"),
    (Only::NeverRan, "Never ran"),
];

impl Only {
    /// Whether a tenant is shown.
    pub(super) fn admits(self, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Overdue => row.overdue.is_some(),
            Self::Held => row.held.is_some(),
            Self::Failing => row.failing.is_some(),
            Self::Expiring => row.expiry.is_some_and(|(_, days)| step(days).is_some()),
            Self::NeverRan => row.last_success.is_none(),
        }
    }
}
