-- Who ended a task, where its worker did: a repeat of what it said is known by it. Null for what ended before.
alter table task_done add column worker text;
