-- What workers ask for all the time, planned alike whatever the planner believes. With statistics of a quiet time it expects
-- one row of everything: then it walked all that runs for each batch, and the whole table for each claim, ten times slower
-- until the next statistics. Here a claim enters by what is ready and then by ctid, a batch of leases by the key.
-- `state + 0` keeps the planner from the index of what runs. Programs before this step call task_pick.
create function task_take(at bigint, of_queue text, most bigint, ttl bigint, by_worker text, names text[], held boolean)
returns table (seq bigint, id uuid, name text, priority smallint, run_at bigint, tick_at bigint, attempt integer,
  max_attempts integer, lease bigint, timeout_us bigint, payload bytea, conc_key text, trace text) language plpgsql
  set plan_cache_mode = force_generic_plan set enable_sort = off set enable_bitmapscan = off set enable_seqscan = off as $$
#variable_conflict use_column
declare now_us bigint := coalesce(at, (select now from task_clock));
begin
  return query
    update task t set state = 3, attempt = t.attempt + 1, lease = t.lease + 1, lease_until = now_us + ttl,
      deadline_at = now_us + t.timeout_us, worker = by_worker, started_at = now_us
    where t.ctid = any (array(
      select r.ctid from task r
      where r.queue = of_queue and r.state = 2 and r.name = any (names)
        and (held or not exists (select from task_queue q where q.name = of_queue and q.gated))
      order by r.priority, r.run_at, r.seq limit most for update skip locked))
    returning t.seq, t.id, t.name, t.priority, t.run_at, t.tick_at, t.attempt, t.max_attempts, t.lease, t.timeout_us,
      t.payload, t.conc_key, t.trace;
end $$;

-- As task_take, of each key at most its room, for whoever holds the gate of the queue.
create function task_take_keyed(at bigint, of_queue text, most bigint, ttl bigint, by_worker text, names text[], keys text[],
  rooms bigint[])
returns table (seq bigint, id uuid, name text, priority smallint, run_at bigint, tick_at bigint, attempt integer,
  max_attempts integer, lease bigint, timeout_us bigint, payload bytea, conc_key text, trace text) language plpgsql
  set plan_cache_mode = force_generic_plan set jit = off set enable_sort = off set enable_bitmapscan = off set enable_seqscan = off as $$
#variable_conflict use_column
declare now_us bigint := coalesce(at, (select now from task_clock));
begin
  return query
    update task t set state = 3, attempt = t.attempt + 1, lease = t.lease + 1, lease_until = now_us + ttl,
      deadline_at = now_us + t.timeout_us, worker = by_worker, started_at = now_us
    where t.state + 0 = 2 and t.id = any (array(
      select h.id from unnest(keys, rooms) as l (k, room) cross join lateral (
        -- No `=`: without a sort only one index has the order by key that this asks for, and it ends at the key.
        select r.id, r.seq, r.priority, r.run_at from task r
        where r.queue = of_queue and r.state = 2 and r.conc_key >= l.k and r.conc_key <= l.k and r.name = any (names)
        order by r.conc_key, r.priority, r.run_at, r.seq limit l.room) h
      order by h.priority, h.run_at, h.seq limit most))
    returning t.seq, t.id, t.name, t.priority, t.run_at, t.tick_at, t.attempt, t.max_attempts, t.lease, t.timeout_us,
      t.payload, t.conc_key, t.trace;
end $$;

create function task_beat(at bigint, ttl bigint, by_worker text, ids uuid[], leases bigint[], progresses jsonb[])
returns table (seq bigint, cancel_requested boolean, renewed boolean) language plpgsql
  set plan_cache_mode = force_generic_plan set enable_nestloop = off set enable_mergejoin = off set enable_seqscan = off as $$
#variable_conflict use_column
declare now_us bigint := coalesce(at, (select now from task_clock));
begin
  -- A completion in an open transaction holds its row. Without `skip locked` the beat of its neighbours would wait for it,
  -- and their leases would end.
  return query
    with l as materialized (
      select t.id, b.progress from task t join unnest(ids, leases, progresses) as b (id, lease, progress) on t.id = b.id
      where t.id = any (ids) and t.lease = b.lease and t.state + 0 = 3 and t.worker = by_worker
      for update of t skip locked),
    u as (
      update task t set lease_until = now_us + ttl, progress = coalesce(l.progress, t.progress)
      from l where t.id = any (ids) and t.id = l.id returning t.id, t.cancel_requested)
    select t.seq, coalesce(u.cancel_requested, t.cancel_requested), u.id is not null
    from unnest(ids, leases) as b (id, lease) join task t on t.id = b.id left join u on u.id = t.id
    where t.id = any (ids) and t.lease = b.lease and t.state + 0 = 3 and t.worker = by_worker;
end $$;

create function task_complete(at bigint, keep_payload boolean, ids uuid[], leases bigint[], workers text[], results bytea[])
returns table (id uuid, seq bigint, lease bigint) language plpgsql
  set plan_cache_mode = force_generic_plan set enable_nestloop = off set enable_mergejoin = off set enable_seqscan = off as $$
#variable_conflict use_column
declare now_us bigint := coalesce(at, (select now from task_clock));
begin
  return query
    with d as (
      delete from task t using unnest(ids, leases, workers, results) as b (id, lease, worker, result)
      where t.id = any (ids) and t.id = b.id and t.lease = b.lease and t.state + 0 = 3 and t.worker = b.worker
      returning t.*, b.result),
    i as (
      insert into task_done (id, owner, queue, name, state, priority, run_at, tick_at, attempt, max_attempts, timeout_us, lease,
        cancel_requested, unique_key, conc_key, progress, errors, payload, result, trace, worker, created_at, started_at,
        finished_at)
      select id, owner, queue, name, 4, priority, run_at, tick_at, attempt, max_attempts, timeout_us, lease,
        cancel_requested, unique_key, conc_key, progress, errors, case when keep_payload then payload end, result, trace,
        worker, created_at, started_at, now_us
      from d)
    select d.id, d.seq, d.lease from d;
end $$;

create function task_settle(at bigint, ids uuid[], leases bigint[], workers text[], states smallint[], delays bigint[],
  backs integer[], problems jsonb[])
returns table (seq bigint, lease bigint, id uuid, state smallint, queue text) language plpgsql
  set plan_cache_mode = force_generic_plan set enable_nestloop = off set enable_mergejoin = off set enable_seqscan = off as $$
#variable_conflict use_column
declare now_us bigint := coalesce(at, (select now from task_clock));
begin
  return query
    update task t set
      state = case when t.cancel_requested then 6 else b.state end,
      run_at = coalesce(now_us + b.delay, t.run_at),
      attempt = t.attempt - b.back,
      errors = case when b.problem is null then t.errors
        else (case when jsonb_array_length(t.errors) >= 10 then t.errors - 0 else t.errors end) || b.problem end,
      finished_at = case when t.cancel_requested or b.state >= 4 then now_us end,
      conc_key = coalesce(t.conc_key, (select '' from task_queue q where q.name = t.queue and q.keyed)),
      lease_until = null, deadline_at = null,
      worker = case when t.cancel_requested or b.state >= 4 then t.worker end
    from unnest(ids, leases, workers, states, delays, backs, problems) as b (id, lease, worker, state, delay, back, problem)
    where t.id = any (ids) and t.id = b.id and t.lease = b.lease and t.state + 0 = 3 and t.worker = b.worker
    returning t.seq, t.lease, t.id, t.state, t.queue;
end $$;
