//! How fast a file is played.

use std::fmt;

/// Millionths of the stream's own pace, 1 to 1000 million. Whole numbers, since nothing else of the box computes with
/// others, and what reads and writes those takes 17 kB of an ARM program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed(u64);

const MILLION: u64 = 1_000_000;

impl Speed {
    /// The stream's own.
    pub const OWN: Self = Self(MILLION);

    /// Reads a number above 0 and up to 1000, with a point and at most six places behind it.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 4 || places.len() > 6 || !digits(whole) || !digits(places) {
            return None;
        }
        let millionths: u64 = format!("{whole}{places:0<6}").parse().ok()?;
        (1..=1000 * MILLION).contains(&millionths).then_some(Self(millionths))
    }

    /// Stream time per time of the wall, in millionths; above 0.
    #[must_use]
    pub fn millionths(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = format!("{:06}", self.0 % MILLION);
        match places.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / MILLION),
            places => write!(f, "{}.{places}", self.0 / MILLION),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_read_and_written_as_people_do() {
        for (text, millionths, shown) in [
            ("1", MILLION, "1"),
            ("2.5", 2_500_000, "2.5"),
            ("0.000001", 1, "0.000001"),
            ("1000.000000", 1000 * MILLION, "1000"),
            ("10.", 10 * MILLION, "10"),
        ] {
            let speed = Speed::new(text).unwrap();
            assert_eq!((speed.millionths(), speed.to_string().as_str()), (millionths, shown), "{text}");
        }
        for text in
            ["", "0", "0.0", ".5", "-1", "+1", "1e3", "nan", "1000.000001", "1001", "0.0000001", "1.2.3", "٣"]
        {
            assert_eq!(Speed::new(text), None, "{text}");
        }
    }
}
