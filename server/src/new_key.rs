//! A new API key: random, and known to the configuration by its hash alone.

use fanline_core::random::Random;
use fanline_grpc::keys::KeyHash;

/// A new API key.
pub(crate) struct NewKey {
    /// The key itself: for the backend, and for nobody else.
    pub(crate) key: String,
    /// What the configuration keeps.
    pub(crate) hash: String,
}

impl NewKey {
    /// 256 random bits, in letters that a double click selects whole.
    pub(crate) fn random(random: &Random) -> Self {
        let digits: String =
            random.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = format!("fk_{digits}");
        let hash = KeyHash::of(&key).to_string();
        NewKey { key, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_carry_256_bits() {
        let random = Random::seeded(1);
        let (one, other) = (NewKey::random(&random), NewKey::random(&random));
        assert!(one.key.starts_with("fk_") && one.key.len() == 67, "{}", one.key);
        assert!(one.key != other.key && one.hash != other.hash);
    }
}
