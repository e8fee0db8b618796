//! The 40-bit UTC of SI tables: 16 bits of modified Julian date, then six BCD digits (EN 300 468 Annex C).
//!
//! Time here is a count of seconds since 1970-01-01 UTC.

/// Seconds of a day.
const DAY: i64 = 86_400;
/// The modified Julian date of 1970-01-01.
const MJD_1970: i64 = 40_587;
/// The field ends on 2038-04-22, and begins on 1858-11-17.
const LAST_MJD: i64 = 0xffff;

/// The time in `bytes`; `None` where the time is undefined (all ones) or its digits are no time of day.
pub(super) fn from_bytes(bytes: [u8; 5]) -> Option<i64> {
    let [mjd_high, mjd_low, rest @ ..] = bytes;
    let [hours, minutes, seconds] = rest.map(|b| {
        let (tens, units) = (i64::from(b >> 4), i64::from(b & 15));
        if tens < 10 && units < 10 { tens * 10 + units } else { i64::MAX }
    });
    let day = i64::from(u16::from_be_bytes([mjd_high, mjd_low])) - MJD_1970;
    let is_time = hours < 24 && minutes < 60 && seconds < 60;
    is_time.then(|| day * DAY + hours * 3600 + minutes * 60 + seconds)
}

/// The five bytes of `time`. A time the field cannot hold becomes the same time on its first or last day.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "days are clamped, digits are below 60"
)]
pub(super) fn to_bytes(time: i64) -> [u8; 5] {
    let [mjd_high, mjd_low] = (time.div_euclid(DAY).clamp(-MJD_1970, LAST_MJD - MJD_1970) + MJD_1970)
        .to_be_bytes()
        .last_chunk()
        .copied()
        .unwrap_or_default();
    let second = time.rem_euclid(DAY);
    let bcd = |n: i64| (n / 10 * 16 + n % 10) as u8;
    [mjd_high, mjd_low, bcd(second / 3600), bcd(second / 60 % 60), bcd(second % 60)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EN 300 468 Annex C: 1993-10-13 12:45:00 is 0xc079124500.
    const OF_THE_STANDARD: ([u8; 5], i64) = ([0xc0, 0x79, 0x12, 0x45, 0x00], 750_516_300);

    #[test]
    fn reads_and_writes_the_example_of_the_standard() {
        let (bytes, time) = OF_THE_STANDARD;
        assert_eq!(from_bytes(bytes), Some(time));
        assert_eq!(to_bytes(time), bytes);
        assert_eq!(to_bytes(0), [0x9e, 0x8b, 0, 0, 0]);
        assert_eq!(from_bytes(to_bytes(-1)), Some(-1));
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for bytes in [[0xff; 5], [0xc0, 0x79, 0x24, 0, 0], [0xc0, 0x79, 0, 0x60, 0], [0xc0, 0x79, 0, 0, 0x0a]]
        {
            assert_eq!(from_bytes(bytes), None);
        }
    }

    #[test]
    fn times_beyond_the_field_are_clamped() {
        assert_eq!(to_bytes(i64::MAX)[..2], [0xff, 0xff]);
        assert_eq!(to_bytes(i64::MIN)[..2], [0, 0]);
    }
}
