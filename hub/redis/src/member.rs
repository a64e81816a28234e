//! A member as bytes, in the hash of its channel and in the messages of joining and leaving.

use bytes::Bytes;
use fanline_core::broker::Member;
use fanline_core::clock::Timestamp;
use fanline_core::ids::UserId;
use fanline_core::wire::{Reader, put_text};

const VERSION: u8 = 1;

/// Writes a member.
pub(crate) fn encode(member: &Member) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_text(&mut out, &member.connection.to_string());
    out.extend_from_slice(&member.joined_at.millis().to_be_bytes());
    put_text(&mut out, member.user.as_ref().map_or("", UserId::as_str));
    // A JSON text is never empty.
    out.extend_from_slice(member.info.as_deref().unwrap_or_default());
    out
}

/// Reads a member; nothing if the bytes are not what [`encode`] writes.
pub(crate) fn decode(bytes: &[u8]) -> Option<Member> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != VERSION {
        return None;
    }
    let connection = reader.text()?.parse().ok()?;
    let joined_at = Timestamp::from_millis(reader.number()?);
    let user = UserId::new(reader.text()?);
    let info = Some(reader.rest()).filter(|info| !info.is_empty()).map(Bytes::copy_from_slice);
    Some(Member { connection, user, info, joined_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::ids::ConnectionId;
    use fanline_core::random::Random;
    use proptest::prelude::*;

    /// Written by version 1: to be read for ever.
    const VERSION_1: &[u8] =
        b"\x01\0\0\0\x20019ab4f2b1c87d3e8a5f0123456789ab\0\0\0\0\0\0\0\x07\0\0\0\x03ada{\"n\":1}";

    #[test]
    fn what_version_1_wrote_is_read() {
        let member = decode(VERSION_1).unwrap();
        assert_eq!(member.user, UserId::new("ada"));
        assert_eq!(
            (member.joined_at.millis(), member.info.as_deref()),
            (7, Some(&b"{\"n\":1}"[..]))
        );
        assert_eq!(encode(&member), VERSION_1);
    }

    proptest! {
        #[test]
        fn a_member_survives_its_bytes(
            user in ".{0,20}",
            info in proptest::option::of("\\{.{0,20}\\}"),
            seed in any::<u64>(),
            millis in any::<u64>(),
        ) {
            let member = Member {
                connection: ConnectionId::new(Timestamp::default(), &Random::seeded(seed)),
                user: UserId::new(&user),
                info: info.map(Bytes::from),
                joined_at: Timestamp::from_millis(millis),
            };
            prop_assert_eq!(decode(&encode(&member)), Some(member));
        }

        #[test]
        fn foreign_bytes_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _either_way = decode(&bytes);
        }
    }
}
