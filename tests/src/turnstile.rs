//! The gate that every port call passes: it counts, and it can stop a run at any call.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use engine::ports::Fault;

/// On which side of the effect a switch works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The call has no effect.
    Before,
    /// The call takes effect, and its answer is lost.
    After,
}

/// What a switch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The run stands still. Dropped, it was killed; polled again after [`Turnstile::resume`], it was only slow.
    Halt,
    /// The call fails once, and the run goes on with that.
    Fault {
        /// Whether the fault says that it may pass.
        passes: bool,
    },
}

/// Something that happens at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// The number of the call, counted from the last [`Turnstile::set`].
    pub at: u64,
    /// Before or after its effect.
    pub side: Side,
    /// What happens.
    pub deed: Deed,
}

/// Counts calls, and stops a run at one of them.
#[derive(Debug, Default)]
pub struct Turnstile {
    calls: Cell<u64>,
    from: Cell<u64>,
    switch: Cell<Option<Switch>>,
    open: Cell<bool>,
    by_name: RefCell<BTreeMap<&'static str, u64>>,
}

impl Turnstile {
    /// A turnstile for several ports.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Calls that passed so far.
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// Calls by name so far.
    pub fn by_name(&self) -> BTreeMap<&'static str, u64> {
        self.by_name.borrow().clone()
    }

    /// Something that will happen at a call from now on, or nothing.
    pub fn set(&self, switch: Option<Switch>) {
        self.from.set(self.calls.get());
        self.switch.set(switch);
        self.open.set(false);
    }

    /// Whether the switch has worked.
    pub fn has_worked(&self) -> bool {
        self.switch.get().is_none()
    }

    /// Let a run that stands still go on when it is polled again.
    pub fn resume(&self) {
        self.open.set(true);
    }

    /// Pass with an effect.
    ///
    /// # Errors
    /// The fault that a switch asked for.
    pub async fn pass<T>(&self, name: &'static str, effect: impl FnOnce() -> T) -> Result<T, Fault> {
        self.calls.set(self.calls.get() + 1);
        *self.by_name.borrow_mut().entry(name).or_default() += 1;
        let number = self.calls.get() - self.from.get();
        let mine = self.switch.get().filter(|switch| switch.at == number);
        if mine.is_some() {
            self.switch.set(None);
        }
        let deed = |side| mine.filter(|switch| switch.side == side).map(|switch| switch.deed);
        self.carry_out(name, deed(Side::Before)).await?;
        let result = effect();
        self.carry_out(name, deed(Side::After)).await?;
        Ok(result)
    }

    async fn carry_out(&self, name: &str, deed: Option<Deed>) -> Result<(), Fault> {
        match deed {
            None => Ok(()),
            Some(Deed::Halt) => {
                std::future::poll_fn(|_| if self.open.get() { Poll::Ready(()) } else { Poll::Pending }).await;
                Ok(())
            }
            Some(Deed::Fault { passes: true }) => Err(Fault::passing(format!("switched off: {name}"))),
            Some(Deed::Fault { passes: false }) => Err(Fault::permanent(format!("switched off for good: {name}"))),
        }
    }
}

/// Run something to its end, or until it stands still: `None`, and it is dropped there, as if killed.
pub fn drive<F: Future>(work: F) -> Option<F::Output> {
    poll(pin!(work))
}

/// Run something until it ends or stands still.
pub fn poll<F: Future>(work: Pin<&mut F>) -> Option<F::Output> {
    match work.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_before_and_after_an_effect() {
        for (side, expected) in [(Side::Before, 1), (Side::After, 2)] {
            let turnstile = Turnstile::new();
            let done = Cell::new(0);
            let step = || done.set(done.get() + 1);
            turnstile.set(Some(Switch { at: 2, side, deed: Deed::Halt }));
            let work = async {
                for _ in 0..3 {
                    turnstile.pass("step", step).await?;
                }
                Ok::<(), Fault>(())
            };
            let mut work = Box::pin(work);
            assert!(poll(work.as_mut()).is_none());
            assert_eq!(done.get(), expected, "{side:?}");
            turnstile.resume();
            assert!(poll(work.as_mut()).is_some_and(|end| end.is_ok()));
            assert_eq!(done.get(), 3);
        }
    }
}
