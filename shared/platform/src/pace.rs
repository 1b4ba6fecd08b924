//! The pace of mails: what the account may send, as SES says itself, shared fairly among those who send side by side.

use std::{
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_ses::{
    Client,
    config::{Config, retry::RetryConfig, timeout::TimeoutConfig},
};
use engine::ports::Fault;
use tokio::time::Instant;

use crate::fault::fault;

/// The part of the account's rate that is used: what a person asks for, and other senders of the account, need some.
const SHARE: f64 = 0.8;
/// What SES said is believed so long. It answers this question once a second for the whole account.
const BELIEVED: Duration = Duration::from_secs(300);
/// So long SES may take to say it: sending matters more.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nobody waits longer for a turn: together with the mail itself it fits into the least time with which one is begun.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The turns of one environment.
#[derive(Debug)]
pub(crate) struct Pace {
    senders: NonZeroU32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the account may, and until when that is believed.
    quota: Option<(Instant, Quota)>,
    /// The next turn; nothing before the first.
    next: Option<Instant>,
}

/// What the account may. By default there is no limit: SES has the last word on every mail anyway.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Quota {
    /// Between two mails of one environment.
    interval: Duration,
    /// The mails of 24 hours are sent.
    used_up: bool,
}

impl Quota {
    /// A limit of -1 is none, and nobody may mail under one of 0, which SES then says itself.
    fn new(rate: f64, most: f64, sent: f64, senders: NonZeroU32) -> Self {
        let interval = Duration::try_from_secs_f64(f64::from(senders.get()) / (rate * SHARE)).unwrap_or_default();
        Self { interval, used_up: most > 0.0 && most <= sent }
    }
}

impl Pace {
    /// The pace of one of so many environments that send at the same time.
    pub(crate) fn of_one_of(senders: NonZeroU32) -> Self {
        Self { senders, state: Mutex::default() }
    }

    /// Wait until it is this mail's turn.
    ///
    /// # Errors
    /// The account has sent what it may in 24 hours, or the turn is too far away. Nothing was done, and it passes.
    pub(crate) async fn turn(&self, client: &Client) -> Result<(), Fault> {
        let quota = self.quota(client).await;
        if quota.used_up {
            let what = "the SES account has sent as many mails as it may in 24 hours";
            return Err(Fault::passing(what).nothing_done());
        }
        let now = Instant::now();
        let at = {
            let mut state = self.state();
            let at = state.next.map_or(now, |next| next.max(now));
            if at - now > LONGEST_WAIT {
                return Err(Fault::passing("the SES account may send too few mails a second").nothing_done());
            }
            state.next = Some(at + quota.interval);
            at
        };
        tokio::time::sleep_until(at).await;
        Ok(())
    }

    async fn quota(&self, client: &Client) -> Quota {
        let now = Instant::now();
        let known = self.state().quota;
        if let Some((until, quota)) = known
            && now < until
        {
            return quota;
        }
        let briefly = Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build());
        let quota = match client.get_send_quota().customize().config_override(briefly).send().await {
            Ok(said) => Quota::new(said.max_send_rate, said.max24_hour_send, said.sent_last24_hours, self.senders),
            Err(err) => {
                let fault = fault("cannot read what SES may send: mails go out unpaced", &err);
                tracing::warn!("{}", crate::chain(&fault));
                Quota::default()
            }
        };
        self.state().quota = Some((now + BELIEVED, quota));
        quota
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn what_an_environment_may() {
        //    what SES says                  rate      most      sent      milliseconds  used up
        check("an account of its first days", 1.0,     200.0,    0.0,      6250,         false);
        check("an account of some size",     14.0,     50_000.0, 49_999.0, 446,          false);
        check("a large one",                 1000.0,   1e7,      0.0,      6,            false);
        check("the day's mails are sent",    14.0,     200.0,    200.0,    446,          true);
        check("more than the day's mails",   14.0,     200.0,    201.0,    446,          true);
        check("no limit",                    -1.0,     -1.0,     5.0,      0,            false);
        check("nothing is said",             0.0,      0.0,      0.0,      0,            false);
        check("no number",                   f64::NAN, f64::NAN, f64::NAN, 0,            false);
    }

    #[track_caller]
    fn check(name: &str, rate: f64, most: f64, sent: f64, milliseconds: u128, used_up: bool) {
        let quota = Quota::new(rate, most, sent, NonZeroU32::new(5).unwrap());
        assert_eq!((quota.interval.as_millis(), quota.used_up), (milliseconds, used_up), "{name}");
    }
}
