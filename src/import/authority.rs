//! Whose word a channel's number is.

/// Who gives numbers to channels. As a setting: whose word changes the number that a channel has.
///
/// | setting | changes numbers | adds channels at free numbers, heard in this order |
/// |---|---|---|
/// | `vendor` | the vendor's lists | the user's lists, the scan |
/// | `import` | the user's lists | the vendor's lists, the scan |
/// | `scan` | the networks' logical channel numbers | the vendor's lists, the user's lists |
///
/// A channel whose number is taken so gets the lowest free one. All others keep theirs, whoever gave it: what a person
/// keyed in yesterday is the same channel today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The programme database of the box's maker, which the remote control works by.
    Vendor,
    /// A list that someone with the right to it had read in.
    Import,
    /// A search through the muxes.
    Scan,
}

impl Authority {
    /// All, in the order in which they are heard.
    const ALL: [Self; 3] = [Self::Vendor, Self::Import, Self::Scan];

    /// The one of this name, as boards and settings have it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|authority| authority.name() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Import => "import",
            Self::Scan => "scan",
        }
    }

    /// Whether `by` may change a number, where this is the authority.
    #[must_use]
    pub fn lets_renumber(self, by: Self) -> bool {
        self == by
    }

    /// Where `by` stands among those who are heard, where this is the authority: 0 is first.
    #[must_use]
    pub fn rank(self, by: Self) -> usize {
        // The authority, then the others in their order.
        let others = Self::ALL.into_iter().filter(|other| *other != self);
        [self].into_iter().chain(others).position(|other| other == by).unwrap_or(Self::ALL.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Authority::{Import, Scan, Vendor};
    use super::*;

    #[test]
    fn the_authority_is_heard_first_and_nobody_else_renumbers() {
        for (authority, order) in [
            (Vendor, [Vendor, Import, Scan]),
            (Import, [Import, Vendor, Scan]),
            (Scan, [Scan, Vendor, Import]),
        ] {
            assert_eq!(order.map(|by| authority.rank(by)), [0, 1, 2], "{authority:?}");
            assert_eq!(order.map(|by| authority.lets_renumber(by)), [true, false, false], "{authority:?}");
            assert_eq!(Authority::named(authority.name()), Some(authority));
        }
        assert_eq!(Authority::named("Vendor"), None);
    }
}
