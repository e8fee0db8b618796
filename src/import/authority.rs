//! Whose word a channel's number is.

/// Who gave a channel its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The maker's firmware, which owns the programme database the remote control works by.
    Vendor,
    /// A search through the muxes: the next free number.
    Scan,
    /// A list that someone with the right to it had read in.
    Import,
}

/// Whether `by` may change the number that `current` gave.
///
/// | number of | vendor | import | scan |
/// |---|---|---|---|
/// | vendor | yes | no | no |
/// | import | yes | yes | no |
/// | scan | yes | yes | no |
///
/// A scan changes no number, not even its own: what a person keyed in yesterday is the same channel today. A newer
/// list replaces an older one. The vendor's number is on the television's screen, so that it is everyone's.
#[must_use]
pub const fn may_renumber(current: Authority, by: Authority) -> bool {
    match by {
        Authority::Vendor => true,
        Authority::Import => !matches!(current, Authority::Vendor),
        Authority::Scan => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Authority::{Import, Scan, Vendor};
    use super::*;

    #[test]
    fn the_vendor_is_heard_first_and_a_scan_never() {
        for (current, by, may) in [
            (Vendor, Vendor, true),
            (Vendor, Import, false),
            (Vendor, Scan, false),
            (Import, Vendor, true),
            (Import, Import, true),
            (Import, Scan, false),
            (Scan, Vendor, true),
            (Scan, Import, true),
            (Scan, Scan, false),
        ] {
            assert_eq!(may_renumber(current, by), may, "{current:?} by {by:?}");
        }
    }
}
