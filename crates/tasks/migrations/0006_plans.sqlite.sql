-- SQLite's statements name no state beside a number, and have one way to go: nothing to change.
select 1;
