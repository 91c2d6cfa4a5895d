//! Ctrl-C: ends what runs in good order, then the process. Must not run more than what was handed to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::errors::{Failure, Outcome};

type Farewell = Box<dyn FnOnce() + Send>;

/// What is to be done when the user interrupts.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    has_come: AtomicBool,
    farewells: Mutex<Vec<Farewell>>,
}

impl Interrupt {
    /// From now on an interruption ends the process by way of here.
    pub fn watch() -> Outcome<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| Failure::machine(format!("signals cannot be watched: {error}"), "try again"))?;
        let watched = interrupt.clone();
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                watched.0.has_come.store(true, Ordering::Release);
                watched.say_farewell();
                std::process::exit(128 + signal);
            }
        });
        Ok(interrupt)
    }

    /// Does this when the user interrupts, before what was handed over earlier.
    pub fn on_interrupt(&self, farewell: impl FnOnce() + Send + 'static) {
        self.0.farewells.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(farewell));
    }

    /// Returns at once; never, once the user has interrupted: the process is about to end by way of here, and what
    /// else it would say of its end is not true.
    pub fn hold_if_it_has_come(&self) {
        while self.0.has_come.load(Ordering::Acquire) {
            std::thread::park();
        }
    }

    fn say_farewell(&self) {
        // Kept locked: whoever hands over something now is about to end anyway.
        let mut farewells = self.0.farewells.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(farewell) = farewells.pop() {
            farewell();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn farewells_are_said_once_the_latest_first() {
        let interrupt = Interrupt::default();
        let said = Arc::new(Mutex::new(Vec::new()));
        for name in ["first", "second"] {
            let said = said.clone();
            interrupt.on_interrupt(move || said.lock().unwrap().push(name));
        }
        interrupt.say_farewell();
        interrupt.say_farewell();
        assert_eq!(*said.lock().unwrap(), ["second", "first"]);
    }
}
