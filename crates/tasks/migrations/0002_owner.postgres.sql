-- Whoever reaches only their own tasks walks their own rows. What the program makes for itself is not in it and costs nothing.
-- The large table first: the lock on the other, which every claim needs, lasts for its own few rows.
create index task_done_ix_owner on task_done (owner, id) where owner <> '';
create index task_ix_owner on task (owner, id) where owner <> '';
