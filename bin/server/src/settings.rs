//! Every setting, and where it came from.

mod env;
mod load;
mod sample;
mod sections;
mod show;
mod together;

pub(crate) use load::Loaded;
pub(crate) use sample::sample;
pub(crate) use sections::{LogFormat, Settings};
