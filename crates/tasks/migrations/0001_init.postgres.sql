-- PostgreSQL >= 14. What each column means stands in the file for SQLite.
create table task (
  seq              bigint   generated always as identity primary key,
  id               uuid     not null,
  owner            text     not null default '',
  queue            text     not null,
  name             text     not null,
  state            smallint not null,
  priority         smallint not null,
  run_at           bigint   not null,
  tick_at          bigint,
  attempt          integer  not null default 0,
  max_attempts     integer  not null,
  timeout_us       bigint   not null,
  lease            bigint   not null default 0,
  lease_until      bigint,
  deadline_at      bigint,
  worker           text,
  cancel_requested boolean  not null default false,
  unique_key       bytea,
  conc_key         text     collate "C",
  progress         jsonb,
  errors           jsonb    not null default '[]',
  payload          bytea    not null,
  trace            text,
  created_at       bigint   not null,
  started_at       bigint,
  finished_at      bigint
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000);
create unique index task_ix_id      on task (id);
create        index task_ix_ready   on task (queue, priority, run_at, seq)           where state = 2;
create        index task_ix_lane    on task (queue, conc_key, priority, run_at, seq) where state = 2 and conc_key is not null;
create        index task_ix_sched   on task (run_at)                                 where state = 1;
create        index task_ix_running on task (queue, conc_key)                        where state = 3; -- lease_until stands in no index: heartbeats stay HOT
create        index task_ix_fin     on task (seq)                                    where state >= 4; -- waiting for the sweep
create unique index task_ix_uniq    on task (unique_key)                             where unique_key is not null and state < 4;

-- finished tasks leave the hot table; the key is the UUIDv7, so a read by id touches one partition
create table task_done (
  id uuid not null, owner text not null, queue text not null, name text not null, state smallint not null, priority smallint not null,
  run_at bigint not null, tick_at bigint, attempt integer not null, max_attempts integer not null, timeout_us bigint not null, lease bigint not null,
  cancel_requested boolean not null, unique_key bytea, conc_key text collate "C", progress jsonb, errors jsonb not null,
  payload bytea, result bytea, trace text, created_at bigint not null, started_at bigint, finished_at bigint not null,
  primary key (id)
) partition by range (id);
create table task_done_default partition of task_done default; -- late finishers, ids from a wrong clock, no right to create partitions

create table task_key (key bytea primary key, body bytea not null, id uuid not null, expires_at bigint not null);
create index task_ix_key_exp on task_key (expires_at);

create table task_queue (
  name text primary key, paused boolean not null default false,
  max_running bigint, max_per_key bigint, rate_n bigint, rate_us bigint, key_rate_n bigint, key_rate_us bigint,
  rate_tat bigint not null default 0,
  gated boolean not null generated always as (paused or max_running is not null or max_per_key is not null or rate_n is not null or key_rate_n is not null) stored,
  keyed boolean not null generated always as (max_per_key is not null or key_rate_n is not null) stored,
  version bigint not null default 1, updated_at bigint not null
) with (fillfactor = 50);

create table task_rate (queue text not null, conc_key text collate "C" not null, tat bigint not null, primary key (queue, conc_key)) with (fillfactor = 70);

create table task_schedule (
  name text primary key, owner text not null default '', queue text not null, task_name text not null, cron text not null, tz text not null,
  payload bytea not null, priority smallint not null, max_attempts integer not null, timeout_us bigint not null,
  overlap smallint not null, catch_up integer not null, paused boolean not null default false,
  next_at bigint not null, last_at bigint, last_id uuid, version bigint not null default 1, created_at bigint not null, updated_at bigint not null
);
create index task_ix_schedule on task_schedule (next_at) where not paused;

create table task_worker (id text primary key, host text not null, pid bigint not null, version text not null, queues jsonb not null,
  running bigint not null, started_at bigint not null, seen_at bigint not null);

-- statement_timestamp is stable, so it can bound an index scan; clock_timestamp is volatile and would walk the whole index
create view task_clock as select (extract(epoch from statement_timestamp()) * 1000000)::bigint as now;
create view task_all as
  select id, owner, queue, name, state, priority, run_at, tick_at, attempt, max_attempts, lease_until, cancel_requested,
         progress, errors, payload, null::bytea as result, trace, created_at, started_at, finished_at, seq from task
  union all
  select id, owner, queue, name, state, priority, run_at, tick_at, attempt, max_attempts, null::bigint, cancel_requested,
         progress, errors, payload, result, trace, created_at, started_at, finished_at, null::bigint from task_done;

-- smallest UUIDv7 of a millisecond
create function task_id_floor(ms bigint) returns uuid language sql immutable strict
  return (lpad(to_hex(ms), 12, '0') || repeat('0', 20))::uuid;

-- partitions of one day each, first .. first + days - 1 (days since the epoch); answers how many were made.
-- Call it days ahead and with set local lock_timeout = '100ms': a new partition locks task_done and its default for a moment.
create function task_add_partitions(first bigint, days integer) returns integer language plpgsql as $$
declare made integer := 0; d bigint; part text;
begin
  for d in select generate_series(first, first + days - 1) loop
    part := 'task_done_d' || d;
    continue when to_regclass(part) is not null;
    begin
      execute format('create table %I partition of task_done for values from (%L) to (%L)',
                     part, task_id_floor(d * 86400000), task_id_floor((d + 1) * 86400000));
      made := made + 1;
    exception
      when duplicate_table or unique_violation then null; -- another process was quicker
      when check_violation then                           -- the default already holds rows of that day: they stay there
        raise warning 'task_done: day % stays in the default partition', d;
    end;
  end loop;
  return made;
end $$;

-- drops a day when nothing in it is still to be kept; false: something is, or there is no such day.
-- set local lock_timeout = '100ms' before the call and try again later: the drop itself stops every read of task_done.
create function task_drop_partition(d bigint, keep_failed_after bigint, keep_other_after bigint) returns boolean language plpgsql as $$
declare part text := 'task_done_d' || d; kept boolean;
begin
  if to_regclass(part) is null then return false; end if;
  execute format('lock table %I in share row exclusive mode', part); -- late finishers wait, readers do not
  execute format('select exists (select from %I where finished_at >= case when state = 5 then $1 else $2 end)', part)
    into kept using keep_failed_after, keep_other_after;
  if kept then return false; end if;
  execute format('drop table %I', part);
  return true;
end $$;
