-- Times: microseconds since the epoch. States: 0 blocked (not used yet) 1 scheduled 2 ready 3 running 4 succeeded 5 failed 6 cancelled.
-- State numbers in index predicates and statements are literals: a bound value cannot match a partial index.
create table task (
  seq              integer primary key autoincrement, -- autoincrement: a row number must never come back, it is half of the fence
  id               blob    not null,                  -- UUIDv7, the public id
  owner            text    not null default '',       -- principal that created it; '' = the program itself
  queue            text    not null,
  name             text    not null,
  state            integer not null,
  priority         integer not null,                  -- 0..999, lower runs first
  run_at           integer not null,
  tick_at          integer,                           -- the tick a schedule made it for
  attempt          integer not null default 0,        -- counts against max_attempts; may be given back
  max_attempts     integer not null,
  timeout_us       integer not null,                  -- hard limit of one execution
  lease            integer not null default 0,        -- fence: +1 at every claim, never reset
  lease_until      integer,                           -- not indexed, on purpose
  deadline_at      integer,
  worker           text,                              -- new for every process start; part of the fence
  cancel_requested integer not null default 0,
  unique_key       blob,                              -- 16 bytes, hash(owner, name, key); unique while state < 4
  conc_key         text,                              -- lane for per-key limits
  progress         text,                              -- {pct, msg, data}
  errors           text    not null default '[]',     -- the last 10
  payload          blob,                              -- null: in task_blob, kind 1
  result           blob,                              -- null: none, or in task_blob, kind 2
  trace            text,                              -- W3C traceparent
  created_at       integer not null,
  started_at       integer,
  finished_at      integer
) strict;
create unique index task_ix_id      on task (id);
create        index task_ix_ready   on task (queue, priority, run_at, seq)           where state = 2;
create        index task_ix_lane    on task (queue, conc_key, priority, run_at, seq) where state = 2 and conc_key is not null;
create        index task_ix_sched   on task (run_at)                                 where state = 1;
create        index task_ix_running on task (queue, conc_key)                        where state = 3;
create        index task_ix_fin     on task (state, finished_at)                     where state >= 4;
create unique index task_ix_uniq    on task (unique_key)                             where unique_key is not null and state < 4;

-- payloads and results over 1 KiB: a heartbeat rewrites its whole row, so the row must stay small
create table task_blob (seq integer not null, kind integer not null, data blob not null, primary key (seq, kind)) strict, without rowid;

-- Idempotency-Key and unique-for-a-window
create table task_key (key blob primary key, body blob not null, id blob not null, expires_at integer not null) strict, without rowid;
create index task_ix_key_exp on task_key (expires_at);

create table task_queue (
  name        text    primary key,
  paused      integer not null default 0,
  max_running integer, max_per_key integer,
  rate_n      integer, rate_us     integer,           -- rate_n claims per rate_us in the long run, bursts up to rate_n
  key_rate_n  integer, key_rate_us integer,           -- the same for each lane
  rate_tat    integer not null default 0,             -- GCRA: theoretical arrival time
  gated       integer not null generated always as (paused or max_running is not null or max_per_key is not null or rate_n is not null or key_rate_n is not null) stored,
  keyed       integer not null generated always as (max_per_key is not null or key_rate_n is not null) stored,
  version     integer not null default 1,             -- ETag
  updated_at  integer not null
) strict, without rowid;

create table task_rate (queue text not null, conc_key text not null, tat integer not null, primary key (queue, conc_key)) strict, without rowid;

create table task_schedule (
  name       text    primary key,
  owner      text    not null default '',
  queue      text    not null, task_name text not null,
  cron       text    not null, tz text not null,
  payload    blob    not null,
  priority   integer not null, max_attempts integer not null, timeout_us integer not null,
  overlap    integer not null,                        -- 0 skip, 1 allow
  catch_up   integer not null,                        -- how many missed ticks are made up
  paused     integer not null default 0,
  next_at    integer not null,
  last_at    integer, last_id blob,
  version    integer not null default 1,
  created_at integer not null, updated_at integer not null
) strict, without rowid;
create index task_ix_schedule on task_schedule (next_at) where not paused;

-- who is alive; for people, never for correctness
create table task_worker (id text primary key, host text not null, pid integer not null, version text not null, queues text not null,
  running integer not null, started_at integer not null, seen_at integer not null) strict, without rowid;

-- the same two names exist in PostgreSQL, so that most statements have one text
create view task_clock as select cast(unixepoch('subsec') * 1000000 as integer) as now; -- production binds the time from Clock instead
create view task_all as select id, owner, queue, name, state, priority, run_at, tick_at, attempt, max_attempts, lease_until, cancel_requested,
  progress, errors, payload, result, trace, created_at, started_at, finished_at, seq from task;
