-- One key: each index takes its share of every create and every claim, and by `seq` nothing is looked up.
-- Everybody waits for whoever waits for this lock: rather fail, and be tried again.
set local lock_timeout = '2s';
alter table task drop constraint task_pkey;
alter table task add constraint task_pkey primary key using index task_ix_id;
