-- Whoever reaches only their own tasks walks their own rows. What the program makes for itself is not in it and costs nothing.
create index task_ix_owner on task (owner, id) where owner <> '';
