//! How the box does: what is told of it by HTTP and at the local socket alike.
//!
//! Owns the views. Knows neither who asks nor where the numbers come from.

mod view;

pub use view::{
    BoxView, Item, LoopView, MemoryView, MuxView, RingView, STAGES, SYSTEMS, StageView, Text, TunerView,
    ViewerView, Word, ZapView, text, word,
};
