//! On which of several servers a channel lives.

use crate::keys;

/// The rule of a mode.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Placing {
    /// There is one server.
    One,
    /// The server, of those with these names, that the channel and it together give the greatest number. With one server
    /// more, only the channels that move there move.
    Rendezvous(Box<[String]>),
    /// What the cluster says: for each slot the index of its server.
    Slots(Box<[Option<u16>]>),
}

impl Placing {
    /// The index of the server for a hash tag; none in a cluster that has no server for the slot.
    pub(crate) fn server(&self, tag: &str) -> Option<usize> {
        match self {
            Placing::One => Some(0),
            Placing::Rendezvous(names) => {
                let weight = |name: &String| weigh(name.as_bytes(), tag.as_bytes());
                (0..names.len()).max_by_key(|&index| weight(&names[index]))
            }
            Placing::Slots(servers) => {
                let server = servers.get(usize::from(keys::slot(tag))).copied().flatten();
                server.map(usize::from)
            }
        }
    }
}

/// A number that name and tag decide, spread evenly: FNV-1a over both, then mixed. It is part of the data format, as all
/// nodes of all versions must agree on it.
fn weigh(name: &[u8], tag: &[u8]) -> u64 {
    let fnv = name.iter().chain(b"\0").chain(tag).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendezvous(servers: usize) -> Placing {
        Placing::Rendezvous((0..servers).map(|n| format!("10.0.0.{n}:6379")).collect())
    }

    fn tags() -> impl Iterator<Item = String> {
        (0..3000).map(|n| format!("fanline:chat:{n}"))
    }

    #[test]
    fn channels_spread_evenly_and_a_new_server_takes_only_its_share() {
        let (three, four) = (rendezvous(3), rendezvous(4));
        let mut counts = [0; 3];
        let mut moved = 0;
        for tag in tags() {
            let (before, after) = (three.server(&tag).unwrap(), four.server(&tag).unwrap());
            counts[before] += 1;
            if before != after {
                assert_eq!(after, 3, "nothing moves between servers that stay");
                moved += 1;
            }
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert!((650..850).contains(&moved), "{moved}");
    }

    #[test]
    fn the_home_of_a_channel_is_the_same_in_every_version() {
        let homes: Vec<_> =
            tags().take(12).map(|tag| rendezvous(3).server(&tag).unwrap()).collect();
        assert_eq!(homes, HOMES_OF_VERSION_1);
    }

    const HOMES_OF_VERSION_1: [usize; 12] = [0, 2, 2, 0, 2, 0, 0, 2, 1, 0, 2, 1];
}
