//! The limits of this crate that no operator changes, with their unit and reason.
//!
//! Those that an operator may change stand in [`fanline_core::limits`].

use std::time::Duration;

const KIB: usize = 1024;

/// Longest token that is looked at, in bytes: half of the largest request head.
pub const TOKEN_BYTES: usize = 8 * KIB;
/// Longest `info` claim, in bytes of JSON: it is shown to every member of a channel.
pub const TOKEN_INFO_BYTES: usize = 4 * KIB;
/// Shortest secret of an HMAC key, in bytes: the output of the shortest hash (RFC 7518, section 3.2).
pub const TOKEN_SECRET_BYTES: usize = 32;
/// Smallest modulus of an RSA key, in bits (RFC 7518, section 3.3).
pub const TOKEN_RSA_BITS: usize = 2048;
/// Largest, in bits: what is verified by it takes longer with each, and the library stops here.
pub const TOKEN_RSA_BITS_MAX: usize = 8192;
/// Most keys of one algorithm: a forged token without `kid` is tried against all of them.
pub const TOKEN_KEYS_PER_ALGORITHM: usize = 16;
/// Most that the clocks of issuer and hub may differ.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(30);

/// Longest key set (JWKS) that is read, in bytes: a hundred times that of the large public issuers.
pub const KEY_SET_BYTES: usize = 256 * KIB;
/// Most keys in one: issuers publish the keys of now, before and next, some of them for several algorithms.
pub const KEY_SET_KEYS: usize = 64;
/// The longest that one fetch of a key set may take, from the name of the host to the last byte.
pub const KEY_SET_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that a token waits for a key that a fetch under way may bring: the patience of somebody who opens a page.
pub const KEY_SET_WAIT: Duration = Duration::from_secs(2);
/// Between two fetches of a key set for the sake of a token whose `kid` is not known: whoever makes `kid`s up can make us
/// fetch no more often.
pub const KEY_SET_EARLY_INTERVAL: Duration = Duration::from_secs(30);

/// Addresses whose connect rate is remembered at once, at about 100 bytes each.
pub const ADDRESSES: usize = 100_000;
/// Tokens of plain HTTP requests that are remembered at once, at about 2.5 KiB each with a short one.
pub const CALLERS: usize = 100_000;
/// How long such a token is remembered after its last request: its operation rate is full again by then, and whoever
/// polls has come back.
pub const CALLER_IDLE: Duration = Duration::from_secs(60);
/// How long a ticket is good: for a page that opens its connection at once, over a slow network.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(30);
/// Tickets of one token per second: a client that cannot keep a connection needs one for each attempt, and backs off.
pub const TICKETS_PER_SECOND: u32 = 1;
/// Tickets of one token at once after a pause: some tabs with a few connections each. With [`TICKETS_PER_SECOND`] at most
/// 62 of them are with the broker at a time, at the size of the token.
pub const TICKET_BURST: u32 = 32;
/// Ended presences that are taken out of the broker at once.
pub const LEAVES_AT_ONCE: usize = 64;
/// What a caller is told to wait when something is full that only others can empty.
pub const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// Members of one answer to `presence`. A room may have more; the answer then says how many in `total`.
pub const MEMBERS_MAX: usize = 1000;

/// How long before its end a token is called expiring.
pub const EXPIRING: Duration = Duration::from_secs(30);
/// By how much of it the time of what a connection does again and again varies, so that connections that came together
/// do not stay together.
pub const JITTER: f64 = 0.2;
