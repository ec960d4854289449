use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

/// Bytes of a hash that are kept: of 100,000 entries, one password in ten million is taken for one of them by chance.
const KEY_BYTES: usize = 5;

/// What stands for a password in a list: the beginning of the SHA-256 of its lower case.
type Key = [u8; KEY_BYTES];

/// Sorted keys, one behind the other. Source and licence: `data/README.md`.
static COMMON: &[u8] = include_bytes!("../../data/common-passwords.bin");

const _: () = assert!(COMMON.len().is_multiple_of(KEY_BYTES));

/// The commonest passwords, and those of a list of your own. It holds hashes only.
#[derive(Clone, Default)]
pub struct Blocklist {
    own: Arc<[Key]>,
}

impl Blocklist {
    /// Adds the lines of a file of UTF-8, of one password each. Large and small letters are one.
    ///
    /// # Errors
    /// The file cannot be read, or is no text.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut keys = Vec::new();
        for line in BufReader::new(File::open(path)?).lines() {
            let line = line?;
            if !line.is_empty() {
                keys.push(Self::key(&line));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(Self { own: keys.into() })
    }

    /// Whether everybody knows this password.
    pub fn contains(&self, password: &str) -> bool {
        let key = Self::key(password);
        let (common, _) = COMMON.as_chunks::<KEY_BYTES>();
        common.binary_search(&key).is_ok() || self.own.binary_search(&key).is_ok()
    }

    /// What stands for a password in a list.
    pub fn key(password: &str) -> [u8; KEY_BYTES] {
        let hash = digest(&SHA256, password.to_lowercase().as_bytes());
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(&hash.as_ref()[..KEY_BYTES]);
        key
    }
}

impl fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let common = COMMON.len() / KEY_BYTES;
        write!(f, "Blocklist({common} + {})", self.own.len())
    }
}
