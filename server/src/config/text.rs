//! Values that are written as text: addresses, durations and sizes.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::{self, Unexpected, Visitor};

/// A value with a written form.
pub(crate) trait Written: Sized {
    /// The form, for a sentence: `an address such as "127.0.0.1:8080"`.
    const FORM: &'static str;

    /// The form as a regular expression that editors know too (ECMA 262 and Rust).
    const PATTERN: &'static str;

    /// Reads the form.
    fn from_text(text: &str) -> Option<Self>;

    /// Reads a plain number, where one is allowed.
    fn from_number(_number: u64) -> Option<Self> {
        None
    }
}

/// Longest time that can be written: as good as for ever, and far enough from the end of time that sums with it fit into
/// every clock, also into that of Redis.
const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A time, as in `"25s"`, `"5m"` or `"1h 30m"`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct DurationText(pub(crate) Duration);

impl DurationText {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        DurationText(Duration::from_secs(seconds))
    }
}

impl Written for DurationText {
    const FORM: &'static str = "a duration up to 100 years, such as \"25s\", \"5m\" or \"250ms\"";
    // The units of humantime, short and long.
    const PATTERN: &'static str = r"^\s*(\d+(\.\d+)?\s*(ns|nsec|nanos|us|µs|usec|ms|msec|millis|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|M|months?|y|yrs?|years?)\s*)+$";

    fn from_text(text: &str) -> Option<Self> {
        let duration = humantime::parse_duration(text).ok()?;
        (duration <= DURATION_MAX).then_some(DurationText(duration))
    }
}

impl fmt::Display for DurationText {
    /// In the largest unit that leaves no rest, up to hours: `24h`, `90s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HOUR: u128 = 60 * MINUTE;
        const MINUTE: u128 = 60 * SECOND;
        const SECOND: u128 = 1000;
        let millis = self.0.as_millis();
        let fits = [("h", HOUR), ("m", MINUTE), ("s", SECOND)]
            .into_iter()
            .find(|(_, factor)| millis >= *factor && millis.is_multiple_of(*factor));
        match fits {
            Some((unit, factor)) => write!(f, "{}{unit}", millis / factor),
            None => write!(f, "{millis}ms"),
        }
    }
}

/// A number of bytes, as in `"64KiB"`, `"1MiB"` or `65536`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SizeText(pub(crate) usize);

/// Largest unit first, so that a size is written with the unit that fits it.
const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Written for SizeText {
    const FORM: &'static str = "a size such as \"64KiB\" or \"1MiB\", or a number of bytes";
    const PATTERN: &'static str = r"^\d+\s*(GiB|MiB|KiB|B)$";

    fn from_text(text: &str) -> Option<Self> {
        let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
        digits.parse::<usize>().ok()?.checked_mul(*factor).map(SizeText)
    }

    fn from_number(number: u64) -> Option<Self> {
        usize::try_from(number).ok().map(SizeText)
    }
}

impl fmt::Display for SizeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits =
            UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match fits {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// An address to listen on, as in `"127.0.0.1:8080"`. Port 0 takes any free port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ListenAddress(pub(crate) SocketAddr);

impl ListenAddress {
    pub(crate) fn loopback(port: u16) -> Self {
        ListenAddress(SocketAddr::from(([127, 0, 0, 1], port)))
    }
}

impl Written for ListenAddress {
    const FORM: &'static str = "an address with a port such as \"127.0.0.1:8080\" or \"[::]:8080\"";
    const PATTERN: &'static str = r"^(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.%]+\]):\d{1,5}$";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().map(ListenAddress)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads whatever is [`Written`].
pub(crate) struct WrittenVisitor<T>(pub(crate) PhantomData<T>);

impl<T: Written> Visitor<'_> for WrittenVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::from_number(number).ok_or_else(|| E::invalid_type(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let wrong = || E::invalid_type(Unexpected::Signed(number), &self);
        u64::try_from(number).ok().and_then(T::from_number).ok_or_else(wrong)
    }
}

/// What serde and the schema need of a [`Written`] type.
macro_rules! read_and_written {
    ($($kind:ty),*) => { $(
        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let visitor = $crate::config::text::WrittenVisitor(std::marker::PhantomData);
                deserializer.deserialize_any(visitor)
            }
        }

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl $crate::config::shape::Shape for $kind {
            const FORM: Option<&'static str> = Some(<$kind as $crate::config::text::Written>::FORM);

            fn shape() -> $crate::config::shape::Object {
                $crate::config::shape::written::<$kind>()
            }
        }
    )* };
}

pub(crate) use read_and_written;

read_and_written!(DurationText, SizeText, ListenAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_in_its_units_and_nothing_else() {
        let read = |text| SizeText::from_text(text).map(|size| size.0);
        assert_eq!(read("64KiB"), Some(65_536));
        assert_eq!(read("1 MiB"), Some(1_048_576));
        assert_eq!(read("12B"), Some(12));
        for wrong in ["", "KiB", "64", "64KB", "64kib", "-1B", "1.5MiB", "99999999999GiB"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(SizeText::from_number(7), Some(SizeText(7)));
    }

    #[test]
    fn a_duration_ends_within_a_hundred_years() {
        let read = |text| DurationText::from_text(text).map(|duration| duration.0);
        assert_eq!(read("36500d"), Some(DURATION_MAX));
        for wrong in ["36500d 1s", "584542046090y", "99999999999999999999s", "", "25"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for bytes in [0, 1, 1000, 1024, 65_536, 3 << 20, 1 << 30] {
            let size = SizeText(bytes);
            assert_eq!(SizeText::from_text(&size.to_string()), Some(size), "{size}");
        }
        for millis in [0, 1, 250, 1000, 90_000, 300_000, 3_600_000, 86_400_000] {
            let duration = DurationText(Duration::from_millis(millis));
            assert_eq!(DurationText::from_text(&duration.to_string()), Some(duration));
        }
        assert_eq!(DurationText::seconds(24 * 3600).to_string(), "24h");
        assert_eq!(DurationText::seconds(90).to_string(), "90s");
    }
}
