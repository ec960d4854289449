-- Locks what is ready, in its order, and says where it stands; with held = false nothing of a queue with limits.
-- Without statistics, or with those of an empty queue, the planner expects one row and sorts: 200,000 ready tasks took 0.6 s a claim.
create function task_pick(of_queue text, most bigint, names text[], held boolean) returns setof tid language plpgsql
  set enable_sort = off set enable_bitmapscan = off set enable_seqscan = off as $$
begin
  return query
    select t.ctid from task t
    where t.queue = of_queue and t.state = 2 and t.name = any (names)
      and (held or not exists (select from task_queue q where q.name = of_queue and q.gated))
    order by t.priority, t.run_at, t.seq limit most for update skip locked;
end $$;
