//! How Linux numbers its requests to devices (asm-generic/ioctl.h, which x86 and ARM follow).

/// A request without an argument, or with a number for one (`_IO`).
pub(super) const fn none(kind: u8, number: u8) -> u32 {
    (kind as u32) << 8 | number as u32
}

/// A request by which the kernel gives `size` bytes (`_IOR`).
pub(super) const fn read(kind: u8, number: u8, size: usize) -> u32 {
    2 << 30 | sized(size) | none(kind, number)
}

/// A request by which the kernel takes `size` bytes (`_IOW`).
pub(super) const fn write(kind: u8, number: u8, size: usize) -> u32 {
    1 << 30 | sized(size) | none(kind, number)
}

#[allow(clippy::cast_possible_truncation, reason = "it is asserted to fit, at build time")]
const fn sized(size: usize) -> u32 {
    assert!(size < 1 << 14, "_IOC_SIZEBITS");
    (size as u32) << 16
}

/// Holds numbers of ours against Linux': `OURS => 64 BITS, 32 BITS; // HEADERS`, a line each. The build fails where ours
/// is another; `scripts/check image` holds the same lines against Linux' headers for each processor.
macro_rules! abi {
    ($($ours:expr => $wide:literal, $narrow:literal;)*) => {
        $(const _: () = assert!($ours == if size_of::<usize>() == 8 { $wide } else { $narrow });)*
    };
}

pub(super) use abi;
