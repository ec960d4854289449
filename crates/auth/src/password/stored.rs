/// A hash from the database.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// In any form that is known.
    pub hash: &'a str,
    /// Whether others made it: of the bytes as they came, where we normalise first.
    pub imported: bool,
}

impl<'a> Stored<'a> {
    /// We made it.
    pub const fn own(hash: &'a str) -> Self {
        Self {
            hash,
            imported: false,
        }
    }

    /// Others made it.
    pub const fn imported(hash: &'a str) -> Self {
        Self {
            hash,
            imported: true,
        }
    }
}
