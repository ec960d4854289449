//! Makes `data/common-passwords.bin` of a list of passwords, the commonest first, one a line:
//! `cargo run -p cgcg-auth --example blocklist < list.txt > crates/auth/data/common-passwords.bin`.
//!
//! All of 12 characters and more are taken, since most servers refuse shorter ones anyway, and then the commonest of
//! 8 characters and more, until there are 100,000.

use std::collections::BTreeSet;
use std::io::{self, Write};

use cgcg_auth::password::Blocklist;

/// Entries of the list.
const ENTRIES: usize = 100_000;

fn main() -> io::Result<()> {
    let lines: Vec<String> = io::stdin().lines().collect::<Result<_, _>>()?;
    let long = lines.iter().filter(|line| line.chars().count() >= 12);
    let others = lines
        .iter()
        .filter(|line| (8..12).contains(&line.chars().count()));
    let mut keys = BTreeSet::new();
    for password in long.chain(others) {
        if keys.len() == ENTRIES {
            break;
        }
        keys.insert(Blocklist::key(password));
    }
    let bytes: Vec<u8> = keys.into_iter().flatten().collect();
    io::stdout().write_all(&bytes)
}
