-- SQLite leaves no dead entries in its indexes: nothing to change.
select 1;
