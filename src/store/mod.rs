//! State on flash: records that survive a power cut at any moment.
//!
//! Owns the two-slot files and the helper process that writes them, so that a slow flash stops no stream. Knows
//! nothing of what is in a record.

pub mod helper;
pub mod slots;

pub use helper::Writer;
pub use slots::{Kind, Loaded, StoreError, erase, load};
