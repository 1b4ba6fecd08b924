//! How often and how long one call may try: a deadline, a number of attempts, growing pauses with full jitter.

use std::time::Duration;

use tokio::time::Instant;

/// Attempts of one request, the first included.
const ATTEMPTS: u32 = 5;
/// No pause of our own choice is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What is left of the attempts and of the time for one call.
#[derive(Debug)]
pub(crate) struct Patience {
    until: Instant,
    retries: u32,
    pause: Duration,
}

impl Patience {
    /// Patience for one request within `budget`; the first pause is at most `pause`.
    pub(crate) fn within(budget: Duration, pause: Duration) -> Self {
        let now = Instant::now();
        let until = now.checked_add(budget).unwrap_or(now);
        Self { until, retries: ATTEMPTS - 1, pause }
    }

    /// The time that is left.
    pub(crate) fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Wait before the next attempt, at least as long as `asked`. `false` without waiting when it would be one too many
    /// or would come too late.
    pub(crate) async fn wait(&mut self, asked: Option<Duration>) -> bool {
        let jittered = self.pause.mul_f64(fastrand::f64());
        let pause = asked.unwrap_or_default().max(jittered);
        if self.retries == 0 || self.remaining() <= pause {
            return false;
        }
        self.retries -= 1;
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        tokio::time::sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_attempts_with_growing_pauses() {
        let start = Instant::now();
        let mut patience = Patience::within(Duration::from_secs(60), Duration::from_secs(1));
        let mut attempts = 1;
        while patience.wait(None).await {
            attempts += 1;
        }
        assert_eq!(attempts, 5);
        assert!(start.elapsed() <= Duration::from_secs(1 + 2 + 4 + 8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_does_not_fit_is_not_begun() {
        let start = Instant::now();
        let mut patience = Patience::within(Duration::from_secs(60), Duration::from_millis(1));
        assert!(patience.wait(Some(Duration::from_secs(40))).await);
        assert!(start.elapsed() >= Duration::from_secs(40), "not before the time that was asked for");
        assert!(!patience.wait(Some(Duration::from_secs(40))).await);
        assert!(start.elapsed() < Duration::from_secs(41));
    }
}
