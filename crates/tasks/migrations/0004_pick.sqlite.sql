-- SQLite walks the index of what is ready in any case: nothing to add.
select 1;
