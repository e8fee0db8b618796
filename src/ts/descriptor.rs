//! Descriptors of one kind out of a loop (ISO 13818-1 §2.6).

use std::iter;

use broadcast_common::Parse;
use dvb_si::descriptors::DescriptorLoop;
use dvb_si::traits::DescriptorDef;

/// The first descriptor of kind `D` that parses. dvb-si's own walk makes a value of each descriptor by its kind, and so
/// takes the parsers of all kinds along: 75 kB of the box's program.
pub(super) fn first<'a, D: Parse<'a> + DescriptorDef<'a>>(looped: &DescriptorLoop<'a>) -> Option<D> {
    let mut rest = looped.raw();
    let mut whole = iter::from_fn(|| {
        let (descriptor, after) = rest.split_at_checked(2 + usize::from(*rest.get(1)?))?;
        rest = after;
        Some(descriptor)
    });
    whole.find_map(|descriptor| D::parse(descriptor).ok().filter(|_| descriptor.first() == Some(&D::TAG)))
}

#[cfg(test)]
mod tests {
    use dvb_si::descriptors::service::ServiceDescriptor;

    use super::*;

    #[test]
    fn the_first_that_parses_is_found_wherever_it_stands() {
        let name = |bytes: &[u8]| {
            first::<ServiceDescriptor<'_>>(&DescriptorLoop::new(bytes)).map(|d| d.service_name.raw().to_vec())
        };
        let short = [0x48, 2, 1, 0]; // the name's length is missing
        let good = [0x48, 4, 1, 0, 1, b'A'];
        let other = [0x4d, 4, 1, 0, 1, b'B'];
        assert_eq!(name(&[&other[..], &short, &good].concat()), Some(b"A".to_vec()));
        assert_eq!(name(&[&good[..], &[0x48]].concat()), Some(b"A".to_vec()));
        assert_eq!(name(&good[..5]), None, "it ends before it should");
        assert_eq!(name(&other), None);
        assert_eq!(name(&[]), None);
    }
}
