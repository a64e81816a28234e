//! Seeds of random scenarios, printed so that a failure can be repeated.

/// The seeds of a scenario that is to run so many times: `FANLINE_TEST_SEED` alone where it is set, else new ones.
pub fn seeds(count: u64) -> Vec<u64> {
    let seeds = match std::env::var("FANLINE_TEST_SEED") {
        Ok(given) => vec![given.parse().expect("FANLINE_TEST_SEED is a number")],
        Err(_) => {
            let first = jsonwebtoken::get_current_timestamp();
            (first..first + count).collect()
        }
    };
    println!("seeds {seeds:?}; FANLINE_TEST_SEED=N repeats one");
    seeds
}
