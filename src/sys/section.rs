//! A place of its own in the program's file.

/// Puts `$bytes`, a constant array, into the section `.stb_manifest` of the program that says so, where tools find it
/// without running the program; `linker/stb.ld` keeps it whole.
#[macro_export]
macro_rules! in_manifest_section {
    ($bytes:expr) => {
        // SAFETY: the section holds nothing else and is only read: as bytes, which any address and any content suit.
        #[used]
        #[allow(unsafe_code)]
        #[unsafe(link_section = ".stb_manifest")]
        static MANIFEST: [u8; $bytes.len()] = $bytes;
    };
}
