//! core through its public face, on both databases. They stand here because testkit's `Db` is another type than the
//! one of core's own unit tests.

// `cfg(test)` tells clippy that these are tests.
#[cfg(test)]
mod coalescer;
#[cfg(test)]
mod columns;
#[cfg(test)]
mod connect;
#[cfg(test)]
mod group;
#[cfg(test)]
#[cfg(feature = "keys")]
mod keys;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod meta;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod scratch;
#[cfg(test)]
mod single_flight;
#[cfg(test)]
mod static_tokens;
#[cfg(test)]
mod support;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod transactions;
