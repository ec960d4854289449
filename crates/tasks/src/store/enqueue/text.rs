//! The inserts of SQLite.

use std::sync::LazyLock;

/// Of `x` in the text, in the order in which `enqueue` binds them.
pub(super) const COLUMNS: usize = 13;

/// Few texts, so that each stays prepared. Rows without an id fill them up.
pub(super) const SIZES: [usize; 4] = [256, 64, 8, 1];
pub(super) static ALL: LazyLock<[String; 4]> = LazyLock::new(|| SIZES.map(insert));
/// Those that tell which rows they stored.
pub(super) static TOLD: LazyLock<[String; 4]> =
    LazyLock::new(|| SIZES.map(|rows| insert(rows) + " returning seq, id"));

/// `or fail`, as in a claim and in completions: else SQLite copies each page that it is about to change, to put it back
/// should a later row fail. Whoever meets an error rolls back the transaction, or to a savepoint.
///
/// Its parameters have no numbers: to SQLite those are names, and sqlx asks for the name of each, which goes through all
/// of them.
fn insert(rows: usize) -> String {
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    format!(
        "with c (now) as (select ?),
           x (id, owner, queue, name, priority, run_at, tick_at, max_attempts, timeout_us, unique_key, conc_key, trace,
             payload) as (values {})
         insert or fail into task (id, owner, queue, name, state, priority, run_at, tick_at, max_attempts, timeout_us,
           unique_key, conc_key, trace, payload, created_at)
         select x.id, x.owner, x.queue, x.name, case when x.run_at > c.now then 1 else 2 end, x.priority,
           coalesce(x.run_at, c.now), x.tick_at, x.max_attempts, x.timeout_us, x.unique_key,
           coalesce(x.conc_key, (select '' from task_queue q where q.name = x.queue and q.keyed)), x.trace, x.payload,
           c.now
         from x cross join c where x.id is not null
         on conflict (unique_key) where unique_key is not null and state < 4 do nothing",
        vec![row; rows].join(", ")
    )
}

/// The smallest size that takes `rows`, or else the largest, as its place among [`SIZES`].
pub(super) fn size_for(rows: usize) -> usize {
    let fits = |size: &usize| rows <= *size;
    SIZES.iter().rposition(fits).unwrap_or_default()
}
