//! Random histories, each from one seed. `PARLOR_SIM_SEED=N` runs exactly that one, `PARLOR_SIM_SEEDS=N` that many in
//! each part: `PARLOR_SIM_SEEDS=20000` takes about an hour on two cores.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_sim::story;

/// Seeds of each part, unless something else is asked for.
const SEEDS: u64 = 500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64) -> Result<(), String> {
    std::panic::catch_unwind(|| story::run(seed)).map_err(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        text.or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
    })
}

/// One of the parts, which run beside each other: the seeds are dealt out in turn.
fn every_promise_holds(part: u64) {
    const PARTS: u64 = 4;
    if let Some(seed) = number("PARLOR_SIM_SEED") {
        return if seed % PARTS == part {
            story::run(seed)
        };
    }
    for round in 0..number("PARLOR_SIM_SEEDS").unwrap_or(SEEDS) {
        let seed = round * PARTS + part;
        if let Err(why) = run(seed) {
            let last = why.lines().last().unwrap_or_default();
            panic!("{last}\nreplay: PARLOR_SIM_SEED={seed} cargo test -p parlor-sim --test seeds");
        }
    }
}

#[test]
fn every_promise_holds_whatever_happens() {
    every_promise_holds(0);
}

#[test]
fn every_promise_holds_whatever_happens_in_the_second_part() {
    every_promise_holds(1);
}

#[test]
fn every_promise_holds_whatever_happens_in_the_third_part() {
    every_promise_holds(2);
}

#[test]
fn every_promise_holds_whatever_happens_in_the_fourth_part() {
    every_promise_holds(3);
}
